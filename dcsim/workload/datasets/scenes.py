"""Scenes composed of the handwritten digits of scikit-learn: a digit of some size somewhere on noise.

A U-Net tells which pixels are ink, or of which digit; a detector which digit there is, and where. A scene follows from
its number alone, and a digit that is held out is in no scene that is trained on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from dcsim.workload.datasets import tables
from dcsim.workload.datasets.base import Batch, Indices

if TYPE_CHECKING:
    from dcsim.scenario.models import DetectorModel, ModelSpec, UnetModel

Floats = NDArray[np.float32]
SIDE: Final = 8  # of a digit [pixel]
_INK: Final = 0.3  # of the darkest: from here on a pixel counts as ink
_NOISE: Final = 0.1  # deviation of every pixel, over the darkest ink
_JUDGED: Final = 64  # held-out scenes that a detector is judged on: they are large
_SMALLEST, _LARGEST = 30, 10  # pixels of a detector's image a pixel of a digit: of 300 pixels a digit has 80 to 240


class Scene(NamedTuple):
    """An image and which of its pixels are ink, both of shape (image, image); the digit, its corner and its side."""

    image: Floats
    ink: NDArray[np.bool_]
    digit: int
    corner: tuple[int, int]
    side: int


class Stage:
    """Makes scenes of ``side`` pixels; ``scales`` are the least and the largest number of pixels of one of a digit."""

    def __init__(self, side: int, scales: tuple[int, int], held_out: float, draws: np.random.Generator) -> None:
        found = tables.load("digits")
        self._digits = np.asarray(found.images / found.images.max(), np.float32)
        self.labels = np.asarray(found.target, np.int32)
        self._side, self._scales, self._key = side, scales, int(draws.integers(2**32))
        order = draws.permutation(len(self.labels))
        apart = round(held_out * len(order))
        self.apart, self.trained = np.sort(order[:apart]), np.sort(order[apart:])

    @property
    def size_bytes(self) -> int:
        """Size of all images, a byte a pixel [B]."""
        return len(self.labels) * self._side**2

    def scene(self, number: int) -> Scene:
        """Return the scene that shows digit ``number``."""
        draws = np.random.Generator(np.random.Philox(key=[self._key, number]))
        scale = int(draws.integers(self._scales[0], self._scales[1] + 1))
        side = scale * SIDE
        row, column = (int(place) for place in draws.integers(0, self._side - side + 1, size=2))
        image = draws.normal(0.0, _NOISE, (self._side, self._side)).astype(np.float32)
        clean = np.zeros_like(image)
        clean[row : row + side, column : column + side] = np.kron(self._digits[number], np.ones((scale, scale)))
        return Scene(image + clean, clean >= _INK, int(self.labels[number]), (row, column), side)


class Segments:
    """Scenes and the label of each pixel: 0 where there is no ink; else 1, or 1 + the digit where there are more than
    two classes.
    """

    def __init__(self, stage: Stage, classes: int) -> None:
        self._stage, self._classes, self.places = stage, classes, len(stage.trained)

    @property
    def size_bytes(self) -> int:
        """Size of all images and their labels, a byte a pixel each [B]."""
        return 2 * self._stage.size_bytes

    def samples(self, places: Indices, draws: np.random.Generator | None = None) -> Batch:
        """Return the training scenes at ``places``."""
        del draws
        return self._batch(self._stage.trained[places])

    def held_out(self) -> Batch:
        """Return all scenes whose digits no one trains on."""
        return self._batch(self._stage.apart)

    def sorted_places(self) -> Indices:
        """Return all places in the order of the digits shown."""
        return np.asarray(np.argsort(self._stage.labels[self._stage.trained], kind="stable"), np.int64)

    def _batch(self, numbers: Indices) -> Batch:
        scenes = [self._stage.scene(number) for number in numbers.tolist()]
        if not scenes:
            return {"inputs": np.zeros((0, SIDE, SIDE, 1), np.float32), "labels": np.zeros((0, SIDE, SIDE), np.int32)}
        labels = [np.where(one.ink, 1 + one.digit if self._classes > 2 else 1, 0) for one in scenes]
        images = np.stack([one.image for one in scenes])[..., None]
        return {"inputs": images, "labels": np.stack(labels).astype(np.int32)}


class Boxes:
    """Scenes, and for each anchor the class it holds (1 + the digit, 0 for none) and the box relative to it."""

    def __init__(self, stage: Stage, model: DetectorModel) -> None:
        from dcsim.workload.models import anchors

        self._stage, self.places = stage, len(stage.trained)
        self._image, self._anchors = model.image, anchors.boxes(model)

    @property
    def size_bytes(self) -> int:
        """Size of all images, and a byte for the digit and four 16-bit numbers for its box [B]."""
        return self._stage.size_bytes + 9 * len(self._stage.labels)

    def samples(self, places: Indices, draws: np.random.Generator | None = None) -> Batch:
        """Return the training scenes at ``places``."""
        del draws
        return self._batch(self._stage.trained[places])

    def held_out(self) -> Batch:
        """Return some of the scenes whose digits no one trains on."""
        return self._batch(self._stage.apart[:_JUDGED])

    def sorted_places(self) -> Indices:
        """Return all places in the order of the digits shown."""
        return np.asarray(np.argsort(self._stage.labels[self._stage.trained], kind="stable"), np.int64)

    def _batch(self, numbers: Indices) -> Batch:
        from dcsim.workload.models import anchors

        scenes = [self._stage.scene(number) for number in numbers.tolist()]
        count = len(scenes)
        images = np.zeros((count, self._image, self._image, 1), np.float32)
        labels = np.zeros((count, len(self._anchors)), np.int32)
        offsets = np.zeros((count, len(self._anchors), 4), np.float32)
        for place, one in enumerate(scenes):
            images[place, ..., 0] = one.image
            corner = one.corner[1] + one.side / 2, one.corner[0] + one.side / 2
            box = np.array([*corner, one.side, one.side], np.float32) / np.float32(self._image)
            held = anchors.match(box, self._anchors)
            labels[place, held] = 1 + one.digit
            offsets[place] = anchors.encode(box, self._anchors)
        return {"inputs": images, "labels": labels, "boxes": offsets}


def scenes(model: ModelSpec, held_out: float, draws: np.random.Generator) -> Segments | Boxes:
    """Return scenes as a U-Net or a detector takes them."""
    if model.family == "detector":
        scales = max(1, model.image // _SMALLEST), max(1, model.image // _LARGEST)
        return Boxes(Stage(model.image, scales, held_out, draws), model)
    spec = cast("UnetModel", model)
    return Segments(Stage(spec.image, (1, max(1, spec.image // (2 * SIDE))), held_out, draws), spec.classes)
