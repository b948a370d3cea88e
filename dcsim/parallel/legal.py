"""Which parallel plans a model allows, and the nearest that it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dcsim.scenario.parallel import Parallel
from dcsim.scenario.recompute import SomeLayers, computes_again
from dcsim.scenario.transformers import Decoder, MixtureModel
from dcsim.scenario.workload import Batch


@dataclass(frozen=True, slots=True)
class Fault:
    """What a plan cannot have: the key below ``parallel``, what was found and what is expected."""

    key: str
    found: str
    expected: str


def faults(parallel: Parallel, model: Decoder, batch: Batch) -> Iterator[Fault]:
    """Yield everything that keeps a model from being split as a plan says, each with the nearest that does not."""
    yield from _tensor(parallel, model)
    yield from _pipeline(parallel, model, batch)
    yield from _sequence(parallel, model)
    yield from _expert(parallel, model)
    yield from _recompute(parallel, model)
    yield from _adapters(parallel, model)


def divisors(number: int) -> list[int]:
    """Return the divisors of a positive number, ascending."""
    small = [n for n in range(1, int(number**0.5) + 1) if number % n == 0]
    return small + [number // n for n in reversed(small) if n * n != number]


def nearest(choices: list[int], found: int) -> str:
    """Return the choices next to ``found`` in words, "4 or 8"; there is at least one."""
    below, above = [n for n in choices if n < found][-1:], [n for n in choices if n > found][:1]
    return " or ".join(map(str, below + above))


def divides_heads(tensor: int, model: Decoder) -> bool:
    """Return whether every tensor rank has as many heads of queries, and keys of its own or shared by as many ranks."""
    groups = model.groups_of_keys
    return model.heads % tensor == 0 and (groups % tensor == 0 or tensor % groups == 0 or model.latent is not None)


def even_chunks(chunks: int, model: Decoder) -> bool:
    """Return whether chunks of layers are alike, alone or with embedding and head in the place of a layer each."""
    return model.layers % chunks == 0 or as_layers(chunks, model)


def as_layers(chunks: int, model: Decoder) -> bool:
    """Return whether chunks are alike only with embedding and head in the place of a layer each."""
    return model.layers % chunks > 0 and (model.layers + 2) % chunks == 0


def splits_sequence(context: int, length: int, in_order: bool = False) -> bool:
    """Return whether context ranks can each take an early and a late part of a sequence, so that all work as much, or
    neighboring tokens where they are ``in_order``.
    """
    return context == 1 or length % ((1 if in_order else 2) * context) == 0


def _tensor(parallel: Parallel, model: Decoder) -> Iterator[Fault]:
    if not divides_heads(parallel.tensor, model):
        choices = [n for n in divisors(model.heads) if divides_heads(n, model)]
        heads = f"the {model.heads} heads of the model and its {model.groups_of_keys} heads of keys"
        rule = f"a number that divides {heads}: the nearest is {nearest(choices, parallel.tensor)}"
        yield Fault("tensor", str(parallel.tensor), rule)
    for width in _widths(model):
        if width % parallel.tensor:
            rule = f"a number that divides {width}, a feed-forward width: the nearest is "
            yield Fault("tensor", str(parallel.tensor), rule + nearest(divisors(width), parallel.tensor))


def _widths(model: Decoder) -> list[int]:
    """Return the widths that tensor ranks split: experts are whole."""
    if not isinstance(model, MixtureModel):
        return [model.inner]
    return [model.inner] if model.dense_layers else []


def _pipeline(parallel: Parallel, model: Decoder, batch: Batch) -> Iterator[Fault]:
    stages, chunks = parallel.pipeline, parallel.pipeline * parallel.virtual
    if stages > model.layers:
        yield Fault("pipeline", str(stages), f"at most {model.layers}, the layers of the model")
        return
    if parallel.virtual == 1:
        return
    if chunks > model.layers + 2 or not even_chunks(chunks, model):
        choices = [n for n in range(1, model.layers // stages + 1) if even_chunks(stages * n, model)]
        rule = f"chunks that are alike: {model.layers} layers, or {model.layers + 2} with embedding and head, in "
        rule += f"{stages} stages: the nearest is {nearest(choices, parallel.virtual) or 'no number of chunks'}"
        yield Fault("virtual", str(parallel.virtual), rule)
    count = batch.global_ // (batch.micro * parallel.data)
    if count % stages:
        rule = f"a number that divides the {count} micro batches of a replica, which interleaving asks for: "
        yield Fault("pipeline", str(stages), rule + "the nearest is " + nearest(divisors(count), stages))


def _sequence(parallel: Parallel, model: Decoder) -> Iterator[Fault]:
    length = model.context
    in_order = parallel.context_order == "in-order"
    if not splits_sequence(parallel.context, length, in_order):
        choices = [n for n in divisors(length) if splits_sequence(n, length, in_order)]
        rule = f"a number {'that' if in_order else 'of which twice'} divides the {length} tokens of a sequence: "
        rule += "the nearest is "
        yield Fault("context", str(parallel.context), rule + nearest(choices, parallel.context))
    elif parallel.sequence and length // parallel.context % parallel.tensor:
        rule = f"false: {parallel.tensor} tensor ranks do not divide {length // parallel.context} tokens"
        yield Fault("sequence", "true", rule)


def _expert(parallel: Parallel, model: Decoder) -> Iterator[Fault]:
    yield from _routing(parallel, model)
    if parallel.expert == 1:
        return
    if not isinstance(model, MixtureModel):
        yield Fault("expert", str(parallel.expert), "1: the model is no mixture of experts")
        return
    among = parallel.data * parallel.context * parallel.tensor
    choices = [n for n in divisors(model.experts) if among % n == 0]
    if parallel.expert not in choices:
        rule = f"a number that divides the {model.experts} experts of a layer and the {among} ranks of a stage: "
        yield Fault("expert", str(parallel.expert), rule + f"the nearest is {nearest(choices, parallel.expert)}")


def fewest_layers(parallel: Parallel, model: Decoder) -> int:
    """Return the layers of a chunk, or of the smallest where embedding and head have the places of one each."""
    chunks = parallel.pipeline * parallel.virtual
    if chunks > 1 and as_layers(chunks, model):
        return (model.layers + 2) // chunks - 1
    return model.layers // chunks


def _recompute(parallel: Parallel, model: Decoder) -> Iterator[Fault]:
    again, most = parallel.recompute, fewest_layers(parallel, model)
    if isinstance(again, SomeLayers) and again.layers > most:
        whole = "full for all of them" if again.method == "block" else "as many are one group"
        rule = f"at most {most}, the layers of a chunk of a stage, or the fewest that one has: {whole}"
        yield Fault("recompute.layers", str(again.layers), rule)
    if computes_again(parallel.recompute, "up-projections") and model.latent is None:
        rule = "a list without it: the model has no latent attention, whose keys and values are widened"
        yield Fault("recompute", "up-projections", rule)


def _routing(parallel: Parallel, model: Decoder) -> Iterator[Fault]:
    routing = parallel.routing
    if routing is None:
        return
    if not isinstance(model, MixtureModel):
        yield Fault("routing", "a block", "nothing: the model is no mixture of experts")
    elif routing.nodes is not None and routing.nodes > model.chosen:
        yield Fault("routing.nodes", str(routing.nodes), f"at most {model.chosen}, the experts that a token goes to")


def _adapters(parallel: Parallel, model: Decoder) -> Iterator[Fault]:
    if parallel.adapters is None:
        return
    if isinstance(model, MixtureModel) or model.latent is not None:
        rule = "nothing: adapters are modelled beside the matrices of dense decoders with plain attention alone"
        yield Fault("adapters", "a block", rule)
    elif parallel.adapters.rank > model.hidden:
        rule = f"at most {model.hidden}, the width of the model, beyond which adapters are larger than its matrices"
        yield Fault("adapters.rank", str(parallel.adapters.rank), rule)
