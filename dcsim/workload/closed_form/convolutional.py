"""FLOPs of an image in a convolutional network, forward and backward."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from dcsim.scenario.networks import loses_border
from dcsim.workload.closed_form.parts import (
    ACTIVATION,
    BATCH_NORM,
    BIAS,
    ENTROPY,
    LENGTH,
    MEAN,
    POOL,
    RESIDUAL,
    TRAINED,
    Flops,
)
from dcsim.workload.closed_form.transformers import dense

if TYPE_CHECKING:
    from dcsim.scenario.models import CnnModel, DetectorModel, ResnetModel, UnetModel

_RELU = ACTIVATION["relu"]
_BOX = 30  # about, of one of the four numbers of a box: Huber loss, and whether its anchor holds something
_CHOICE = 12  # about, of an anchor: which of those that hold nothing count


def taps(side: int, size: int, stride: int = 1, border: int = 0, spread: int = 1) -> tuple[int, int]:
    """Return the pairs of output and tap along one axis that meet the image, and the side of the output."""
    out = (side + 2 * border - (size - 1) * spread - 1) // stride + 1
    met = sum(0 <= place * stride + tap * spread - border < side for place in range(out) for tap in range(size))
    return met, out


class _Image:
    """A square image on its way through a network: its side and channels, and what was spent on it."""

    def __init__(self, side: int, channels: int) -> None:
        self.side, self.channels = side, channels
        self.spent = Flops(0.0)
        self._fresh = True  # the network's input needs no gradient

    def convolve(self, channels: int, how: tuple[int, int, int] = (3, 1, 1), each: float = 0.0, spread: int = 1) -> int:
        """Convolve with ``how`` = (size, stride, border), then ``each`` operations a number; return these numbers."""
        size, stride, border = how
        met, side = taps(self.side, size, stride, border, spread)
        once = 2.0 * self.channels * channels * met**2
        numbers = side**2 * channels
        self.spent += Flops((TRAINED - self._fresh) * once, each * numbers)
        self.side, self.channels, self._fresh = side, channels, False
        return numbers

    def pool(self, size: int, stride: int, border: int = 0, up: int = 0) -> None:
        """Take maxima of windows; ``up`` adds a border on one side, so that an odd side rounds up."""
        self.each(POOL[size, stride])
        self.side = (self.side + 2 * border + up - size) // stride + 1

    def each(self, operations: float) -> None:
        """Spend ``operations`` on every number."""
        self.spent += Flops(0.0, operations * self.side**2 * self.channels)


def classifier(spec: CnnModel, rows: int = 1) -> Flops:
    """A small classifier: convolutions with bias, activation and pool, and a dense layer."""
    del rows
    image = _Image(spec.image, spec.channels[0])
    image.each(1)  # its change of format
    for channels in spec.channels[1:]:
        image.convolve(channels, each=BIAS + ACTIVATION[spec.activation])
        image.pool(2, 2)
    inputs = image.side**2 * image.channels
    return image.spent + dense(inputs, spec.classes) + Flops(0.0, ENTROPY * spec.classes)


def residual(spec: ResnetModel, rows: int = 1) -> Flops:
    """A residual network: stem, blocks of two or three convolutions with batch norm, shortcuts, mean, classifier."""
    del rows
    image = _Image(spec.image, spec.channels)
    image.each(1)
    image.convolve(spec.width, (7, 2, 3), BATCH_NORM + _RELU)
    image.pool(3, 2, 1)
    for stage, blocks in enumerate(spec.blocks):
        for block in range(blocks):
            _block(image, spec, spec.width * 2**stage, 2 if stage and not block else 1)
    image.each(MEAN)
    return image.spent + dense(image.channels, spec.classes) + Flops(0.0, ENTROPY * spec.classes)


def _block(image: _Image, spec: ResnetModel, width: int, stride: int) -> None:
    """Take an image through a block; a bottleneck moves at its middle convolution, a plain one at its first."""
    after = width * (4 if spec.bottleneck else 1)
    steps = [(width, 3, stride), (after, 3, 1)]
    if spec.bottleneck:
        steps = [(width, 1, 1), (width, 3, stride), (after, 1, 1)]
    if image.channels != after or stride == 2:
        met, side = taps(image.side, 1, stride)
        image.spent += Flops(TRAINED * 2.0 * image.channels * after * met**2, BATCH_NORM * side**2 * after)
    image.each(RESIDUAL - 1)  # the gradients of both branches
    for channels, size, step in steps:
        image.convolve(channels, (size, step, size // 2), BATCH_NORM + _RELU)
    image.each(1)  # the sum; the ReLU of the last convolution comes behind it


def segmentation(spec: UnetModel, rows: int = 1) -> Flops:
    """A U-Net: two convolutions with batch norm a level down and up, transposed ones between, a class a pixel."""
    del rows
    image = _Image(spec.image, spec.channels)
    image.each(1)
    both = BATCH_NORM + _RELU
    for level in range(spec.depth + 1):
        if level:
            image.each(RESIDUAL - 1)  # the stream goes down and across
            image.pool(2, 2)
        for _ in range(2):
            image.convolve(spec.width * 2**level, each=both)
    for level in range(spec.depth, 0, -1):
        width = spec.width * 2**level
        image.side *= 2
        image.spent += Flops(TRAINED * 2.0 * image.side**2 * width * width / 2, BIAS * image.side**2 * width / 2)
        for _ in range(2):
            image.convolve(width // 2, each=both)
    image.convolve(spec.classes, (1, 1, 0), BIAS + ENTROPY)
    return image.spent


def detection(spec: DetectorModel, rows: int = 1) -> Flops:
    """A single-shot detector: VGG-16, the layers behind it, two convolutions on each map, the loss."""
    del rows
    image, unit, both = _Image(spec.image, spec.channels), spec.width, BIAS + _RELU
    image.each(1)
    maps = []
    for stage, (width, count) in enumerate(zip((1, 2, 4, 8, 8), spec.convolutions, strict=True)):
        if stage:
            image.pool(2, 2, up=image.side % 2)
        for _ in range(count):
            image.convolve(width * unit, each=both)
        if stage == 3:
            image.each(LENGTH + RESIDUAL - 1)
            maps.append((image.side, image.channels))
    image.pool(3, 1, 1)
    image.convolve(16 * unit, (3, 1, 6), both, spread=6)
    image.convolve(16 * unit, (1, 1, 0), both)
    maps.append((image.side, image.channels))
    narrow = 4 * unit
    while image.side > 1:
        image.convolve(narrow, (1, 1, 0), both)
        image.convolve(2 * narrow, (3, 1, 0) if loses_border(image.side) else (3, 2, 1), both)
        maps.append((image.side, image.channels))
        narrow = 2 * unit
    return image.spent + _heads(spec, maps)


def _heads(spec: DetectorModel, maps: list[tuple[int, int]]) -> Flops:
    """Return what the two convolutions on every map take, and the loss of all anchors, which are sorted twice."""
    anchors, found = 0, Flops(0.0)
    for (side, channels), count in zip(maps, spec.anchors_a_place, strict=True):
        met, _ = taps(side, 3, border=1)
        each = count * (spec.classes + 4)
        found += Flops(TRAINED * 2.0 * channels * each * met**2, BIAS * side**2 * each + 2 * side**2 * channels)
        anchors += side**2 * count
    sorts = 2 * 2 * anchors * log2(anchors)
    return found + Flops(0.0, anchors * (ENTROPY * spec.classes + 4 * _BOX + _CHOICE) + sorts)
