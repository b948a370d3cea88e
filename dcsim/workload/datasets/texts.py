"""Texts that every Python carries: to go on with, to fill in, and to tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from dcsim.workload.datasets.base import Batch, Indices, Source

if TYPE_CHECKING:
    from dcsim.scenario.models import EncoderModel, LstmModel, ModelSpec

Tokens = NDArray[np.uint8]
_WINDOWS: Final = 64  # held-out windows of a text, evenly spaced
_EACH: Final = 16  # held-out windows of a topic
_TELLING: Final = 200  # characters from the middle of a topic, by which it is found in another
_HIDDEN: Final = 0  # the token that stands for a hidden one; no text has it
_KEPT, _RANDOM = 0.1, 0.1  # shares of the chosen tokens that stay, and that become another: Devlin et al. (2019)


def text(name: str, model: ModelSpec, held_out: float, draws: np.random.Generator) -> Source:
    """Return the text ``name`` as ``model`` takes it."""
    if name == "python-topics":
        lstm = cast("LstmModel", model)
        return Topics(_longest(lstm.classes or 0), lstm.context, held_out)
    tokens = _tokens("\n".join(_topics()))
    if model.family == "encoder":
        return Masked(tokens, model, held_out, draws)
    return Text(tokens, model.context, held_out)  # type: ignore[union-attr]


class Text:
    """A text as windows of ``context`` tokens and the tokens that follow; its end is held out."""

    def __init__(self, tokens: Tokens, context: int, held_out: float) -> None:
        self._tokens, self._context = tokens, context
        self._kept = len(tokens) - round(held_out * len(tokens))
        self.places = self._kept - context

    @property
    def size_bytes(self) -> int:
        """Size of the whole text [B]."""
        return self._tokens.nbytes

    def samples(self, places: Indices, draws: np.random.Generator | None = None) -> Batch:
        """Return windows that begin at ``places``: inputs and the tokens that follow, shape (samples, context)."""
        del draws
        windows = self._tokens[places[:, None] + np.arange(self._context + 1)].astype(np.int32)
        return {"inputs": windows[:, :-1], "labels": windows[:, 1:]}

    def sorted_places(self) -> Indices:
        """Return all places in the order of the text, in which topics stand together."""
        return np.arange(self.places, dtype=np.int64)

    def held_out(self) -> Batch:
        """Return windows spread evenly over the end of the text."""
        return self.samples(_spread(self._kept, len(self._tokens) - self._context - self._kept, _WINDOWS))


class Masked:
    """A text with hidden tokens to fill in, in two segments, the second of which follows the first every other time.

    The tasks of Devlin et al., "BERT" (NAACL 2019), section 3.1; of the tokens to be found a tenth stays and a tenth
    becomes another.
    """

    def __init__(self, tokens: Tokens, spec: EncoderModel, held_out: float, draws: np.random.Generator) -> None:
        self._tokens, self._spec, self._draws = tokens, spec, int(draws.integers(2**32))
        self._kept = len(tokens) - round(held_out * len(tokens))
        self.places = self._kept - spec.context

    @property
    def size_bytes(self) -> int:
        """Size of the whole text [B]."""
        return self._tokens.nbytes

    def samples(self, places: Indices, draws: np.random.Generator | None = None) -> Batch:
        """Return windows that begin at ``places``; what is hidden, and what follows, is told by ``draws``."""
        return self._hide(places, (0, self.places), draws or np.random.default_rng(self._draws))

    def sorted_places(self) -> Indices:
        """Return all places in the order of the text."""
        return np.arange(self.places, dtype=np.int64)

    def held_out(self) -> Batch:
        """Return windows spread evenly over the end of the text, the same tokens hidden whenever they are asked for."""
        room = len(self._tokens) - self._spec.context - self._kept
        if room < 1:
            return self._hide(np.zeros(0, np.int64), (0, 1), np.random.default_rng(self._draws))
        places = _spread(self._kept, room, _WINDOWS)
        return self._hide(places, (self._kept, self._kept + room), np.random.default_rng(self._draws))

    def _hide(self, places: Indices, area: tuple[int, int], draws: np.random.Generator) -> Batch:
        spec, count = self._spec, len(places)
        apart = draws.random(count) < 0.5
        half = spec.context // 2
        second = np.where(apart, draws.integers(*area, size=count), places) + half
        starts = np.repeat(np.stack([places, second - half], axis=1), [half, spec.context - half], axis=1)
        whole = self._tokens[starts + np.arange(spec.context)].astype(np.int32)
        chosen = np.sort(draws.random((count, spec.context)).argsort(axis=1)[:, : spec.masked], axis=1)
        labels = np.take_along_axis(whole, chosen, axis=1)
        luck, other = draws.random(chosen.shape), draws.integers(1, 128, chosen.shape)
        put = np.where(luck < _KEPT, labels, np.where(luck < _KEPT + _RANDOM, other, _HIDDEN))
        inputs = whole.copy()
        np.put_along_axis(inputs, chosen, put.astype(np.int32), axis=1)
        segment = np.minimum(np.arange(spec.context) >= half, spec.segments - 1)
        return {
            "inputs": inputs,
            "segments": np.broadcast_to(segment, whole.shape).astype(np.int32),
            "places": chosen.astype(np.int32),
            "labels": labels,
            "follows": apart.astype(np.int32),
        }


class Topics:
    """Windows of several texts, which are the classes; as much of each as the shortest has, and its end is held out."""

    def __init__(self, texts: Sequence[Tokens], context: int, held_out: float) -> None:
        length = min(len(one) for one in texts)
        self._texts, self._context = np.stack([one[:length] for one in texts]), context
        self._kept = length - round(held_out * length)
        self._each = self._kept - context
        self.places = len(texts) * self._each

    @property
    def size_bytes(self) -> int:
        """Size of all texts [B]."""
        return self._texts.nbytes

    def samples(self, places: Indices, draws: np.random.Generator | None = None) -> Batch:
        """Return the windows at ``places``, counted from text to text, and the numbers of their texts."""
        del draws
        return self._windows(places // self._each, places % self._each)

    def sorted_places(self) -> Indices:
        """Return all places, text by text."""
        return np.arange(self.places, dtype=np.int64)

    def held_out(self) -> Batch:
        """Return windows spread evenly over the ends of all texts."""
        starts = _spread(self._kept, self._texts.shape[1] - self._context + 1 - self._kept, _EACH)
        count = len(self._texts)
        return self._windows(np.repeat(np.arange(count), len(starts)), np.tile(starts, count))

    def _windows(self, labels: Indices, starts: Indices) -> Batch:
        inputs = self._texts[labels[:, None], starts[:, None] + np.arange(self._context)]
        return {"inputs": inputs.astype(np.int32), "labels": labels.astype(np.int32)}


def _spread(first: int, room: int, most: int) -> Indices:
    """Return at most ``most`` places, spread evenly over ``room`` from ``first`` on."""
    count = min(most, max(0, room))
    return first + np.arange(count, dtype=np.int64) * max(1, room // max(1, count))


def _topics() -> list[str]:
    from pydoc_data.topics import topics

    return [topics[topic] for topic in sorted(topics)]


def _tokens(text: str) -> Tokens:
    return np.frombuffer(text.encode("ascii", "ignore"), dtype=np.uint8)


def _longest(count: int) -> list[Tokens]:
    """Return the ``count`` longest topics, longest first, without those that are part of a longer one."""
    chosen: list[str] = []
    for topic in sorted(_topics(), key=len, reverse=True):
        middle = topic[len(topic) // 2 :][:_TELLING]
        if not any(middle in other for other in chosen):
            chosen.append(topic)
    return [_tokens(topic) for topic in chosen[:count]]
