"""Where the anchors of the detector are, and how boxes are written relative to them.

Liu et al., "SSD: Single Shot MultiBox Detector" (ECCV 2016), section 2.2 and equation 4, with the scale 0.1 for the
first map, as in section 3.1; boxes are (center x, center y, width, height) in units of the image. The divisors of the
offsets are those of the authors' code.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any, Final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dcsim.scenario.models import DetectorModel

_FINEST, _LEAST, _MOST = 0.1, 0.2, 0.9  # scales of the first map, of the second and of the last
_CENTER, _SIZE = 0.1, 0.2
_MATCH: Final = 0.5  # overlap from which an anchor holds an object

Floats = NDArray[np.float32]


def scales(maps: int) -> tuple[float, ...]:
    """Return the scale of each of at least three ``maps``, and that beyond, for the larger square of the last map."""
    rise = (_MOST - _LEAST) / (maps - 2)
    return (_FINEST, *(_LEAST + rise * index for index in range(maps)))


def boxes(spec: DetectorModel) -> Floats:
    """Return all anchors, shape (anchors, 4), map by map, row by row."""
    made = []
    found = pairwise(scales(len(spec.sides)))
    for side, count, (scale, following) in zip(spec.sides, spec.anchors_a_place, found, strict=True):
        centers = (np.arange(side) + 0.5) / side
        y, x = np.meshgrid(centers, centers, indexing="ij")
        sizes = [(scale, scale), (sqrt(scale * following),) * 2]
        for aspect in (2.0, 3.0)[: (count - 2) // 2]:
            root = sqrt(aspect)
            sizes += [(scale * root, scale / root), (scale / root, scale * root)]
        places = np.stack([x, y], axis=-1)[:, :, None, :]
        shape = (side, side, count, 2)
        both = np.broadcast_to(places, shape), np.broadcast_to(np.array(sizes), shape)
        made.append(np.concatenate(both, axis=-1).reshape(-1, 4))
    return np.concatenate(made).astype(np.float32)


def overlap(one: Any, other: Any) -> Any:
    """Return the intersection of boxes over their union, shapes (..., 4)."""
    low = jnp.maximum(one[..., :2] - one[..., 2:] / 2, other[..., :2] - other[..., 2:] / 2)
    high = jnp.minimum(one[..., :2] + one[..., 2:] / 2, other[..., :2] + other[..., 2:] / 2)
    common = jnp.prod(jnp.maximum(high - low, 0.0), axis=-1)
    return common / (jnp.prod(one[..., 2:], axis=-1) + jnp.prod(other[..., 2:], axis=-1) - common)


def encode(box: Floats, anchors: Floats) -> Floats:
    """Return ``box`` relative to anchors, shape (anchors, 4)."""
    shift = (box[:2] - anchors[:, :2]) / anchors[:, 2:] / _CENTER
    return np.concatenate([shift, np.log(box[2:] / anchors[:, 2:]) / _SIZE], axis=1).astype(np.float32)


def decode(offsets: Any, anchors: Any) -> Any:
    """Return the boxes that ``offsets`` from ``anchors`` mean, shape (..., anchors, 4)."""
    centers = anchors[..., :2] + offsets[..., :2] * _CENTER * anchors[..., 2:]
    return jnp.concatenate([centers, anchors[..., 2:] * jnp.exp(offsets[..., 2:] * _SIZE)], axis=-1)


def match(box: Floats, anchors: Floats) -> NDArray[np.bool_]:
    """Return which anchors hold ``box``: those that overlap it by half, and the one that overlaps it most."""
    shares = _overlap(box, anchors)
    held: NDArray[np.bool_] = shares >= _MATCH
    held[shares.argmax()] = True
    return held


def _overlap(box: Floats, anchors: Floats) -> Floats:
    low = np.maximum(box[:2] - box[2:] / 2, anchors[:, :2] - anchors[:, 2:] / 2)
    high = np.minimum(box[:2] + box[2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2)
    common = np.prod(np.maximum(high - low, 0.0), axis=1)
    found: Floats = common / (box[2] * box[3] + anchors[:, 2] * anchors[:, 3] - common)
    return found
