"""Networks of convolutions: batch norm, residual blocks, the two paths of a U-Net, the loss of a detector."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dcsim.scenario.models import DetectorModel, ResnetModel, UnetModel
from dcsim.workload.models import anchors, convolution, detector, resnet, unet

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiles in half the time

SMALL = ResnetModel(family="resnet", image=16, width=4, blocks=(2, 3), classes=5)
WIDE = SMALL.model_copy(update={"bottleneck": True})
UNET = UnetModel(family="unet", image=8, width=3, depth=2, classes=4)


def test_batch_norm_is_its_definition() -> None:
    """Over rows and places: mean and variance of every channel are taken out."""
    stream = 3 + 2 * jax.random.normal(jax.random.key(0), (4, 5, 5, 3))
    given = convolution.moments(stream)
    np.testing.assert_allclose(given.mean, np.asarray(stream, np.float64).mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(given.variance, np.asarray(stream, np.float64).var((0, 1, 2)), rtol=1e-5)
    weights = {"scale": jnp.array([1.0, 2.0, 3.0]), "shift": jnp.array([0.0, 1.0, -1.0])}
    out = np.asarray(convolution.normalize(stream, weights, given), np.float64)
    np.testing.assert_allclose(out.mean((0, 1, 2)), [0, 1, -1], atol=1e-5)
    np.testing.assert_allclose(out.std((0, 1, 2)), [1, 2, 3], rtol=1e-4)


def test_a_transposed_convolution_doubles_the_image() -> None:
    """Every output pixel is one input pixel times one tap: here the taps 1, 2, 3, 4 of one channel."""
    weights = {"weight": jnp.arange(1.0, 5.0).reshape(2, 2, 1, 1), "bias": jnp.zeros(1)}
    out = convolution.doubled(jnp.array([[1.0, 10.0]]).reshape(1, 1, 2, 1), weights)[0, :, :, 0]
    assert sorted(np.asarray(out)[:, :2].ravel()) == [1, 2, 3, 4]
    assert sorted(np.asarray(out)[:, 2:].ravel()) == [10, 20, 30, 40]


@pytest.mark.parametrize("spec", [SMALL, WIDE], ids=["plain", "bottleneck"])
def test_a_residual_network_in_a_loop_is_the_one_laid_out(spec: ResnetModel) -> None:
    parameters = quick(lambda: resnet.init(jax.random.key(0), spec))()
    images = jax.random.normal(jax.random.key(1), (6, 16, 16, 3))
    loop, used = quick(lambda: resnet.logits(parameters, images, spec))()
    unrolled, _ = quick(lambda: resnet.logits(parameters, images, spec, layers="unrolled"))()
    np.testing.assert_allclose(loop, unrolled, atol=1e-5)
    assert loop.shape == (6, 5)
    # with the moments of the batch kept, each image alone gives what it gave in its batch
    alone, _ = quick(lambda: resnet.logits(parameters, images[:1], spec, used))()
    np.testing.assert_allclose(alone, loop[:1], atol=1e-5)
    batch = {"inputs": images, "labels": jnp.arange(6) % 5}
    loss = quick(lambda: resnet.loss(parameters, batch, spec))()
    assert float(loss) == pytest.approx(np.log(5), rel=0.2)


def test_a_bottleneck_narrows_and_widens() -> None:
    """Stage 2 of width 8: 1x1 from 16 to 8, 3x3, 1x1 to 32; its shortcut from 16 to 32."""
    shapes = jax.eval_shape(lambda: resnet.init(jax.random.key(0), WIDE))
    first = shapes["stage1"]["first"]
    found = [first[f"convolution{index}"]["weight"].shape for index in range(3)]
    assert found == [(1, 1, 16, 8), (3, 3, 8, 8), (1, 1, 8, 32)]
    assert first["shortcut"]["weight"].shape == (1, 1, 16, 32)
    assert shapes["stage1"]["rest"]["convolution1"]["weight"].shape == (2, 3, 3, 8, 8)


def test_a_unet_gives_a_class_a_pixel() -> None:
    parameters = quick(lambda: unet.init(jax.random.key(0), UNET))()
    images = jax.random.normal(jax.random.key(1), (3, 8, 8, 3))
    found, used = quick(lambda: unet.logits(parameters, images, UNET))()
    assert found.shape == (3, 8, 8, 4)
    assert len(used) == 2 * 5  # two norms on each of three levels down and two up
    alone, _ = quick(lambda: unet.logits(parameters, images[:1], UNET, used))()
    np.testing.assert_allclose(alone, found[:1], atol=1e-4)


@pytest.mark.parametrize(
    ("image", "sides", "expected"),
    [
        # 38^2 4 + 19^2 6 + 10^2 6 + 5^2 6 + 3^2 4 + 4 = 8732 (Liu et al., section 3)
        (300, (38, 19, 10, 5, 3, 1), 8732),
        # 64^2 4 + (32^2 + 16^2 + 8^2 + 4^2) 6 + 2^2 4 + 4 = 24564: as many as their SSD512 has
        (512, (64, 32, 16, 8, 4, 2, 1), 24564),
        # 8^2 4 + 4^2 6 + 2^2 4 + 4 = 372
        (64, (8, 4, 2, 1), 372),
        # (3^2 + 2^2 + 1) 4 = 56
        (17, (3, 2, 1), 56),
    ],
)
def test_a_detector_has_the_published_anchors(image: int, sides: tuple[int, ...], expected: int) -> None:
    spec = DetectorModel(family="detector", image=image, width=2, classes=7)
    assert (spec.sides, spec.anchors) == (sides, expected)
    assert anchors.boxes(spec).shape == (expected, 4)
    parameters = jax.eval_shape(lambda: detector.init(jax.random.key(0), spec))
    images = detector.batch(spec, 2)["inputs"]
    classes, boxes = jax.eval_shape(lambda p, x: detector.predictions(p, x, spec), parameters, images)
    assert (classes.shape, boxes.shape) == ((2, expected, 7), (2, expected, 4))


def test_weights_of_one_draw_have_the_deviation_of_their_inputs() -> None:
    """He et al. (ICCV 2015), equation 10: sqrt(2 / inputs), of 3 x 3 x 8 = 72 and of 32 numbers that are summed."""
    one, other = convolution.drawn_convolutions(jax.random.key(0), [(3, 3, 8, 500), (1, 1, 32, 1000)])
    assert (one["weight"].shape, one["bias"].shape) == ((3, 3, 8, 500), (500,))
    assert float(one["weight"].std()) == pytest.approx((2 / 72) ** 0.5, rel=0.02)
    assert float(other["weight"].std()) == pytest.approx((2 / 32) ** 0.5, rel=0.02)
    assert not np.allclose(one["weight"].ravel()[:100] * 6, other["weight"].ravel()[:100] * 4)


def test_three_of_the_background_count_for_each_object() -> None:
    """Five anchors, one object: its own entropy, the three largest of the others, and the Huber loss of its box."""
    logits = jnp.stack([jnp.array([0.0, 1.0, 2.0, 3.0, 4.0]), jnp.zeros(5)], axis=-1)[None]  # of background and object
    batch = {"labels": jnp.array([[0, 0, 1, 0, 0]]), "boxes": jnp.zeros((1, 5, 4))}
    boxes = jnp.zeros((1, 5, 4)).at[0, 2].set(jnp.array([0.5, 2.0, 0.0, 0.0])).at[0, 0].set(9.0)
    entropy = np.log1p(np.exp([-0.0, -1.0, 2.0, -3.0, -4.0]))
    expected = entropy[2] + entropy[0] + entropy[1] + entropy[3] + 0.5 * 0.25 + (2.0 - 0.5)
    assert float(detector.multibox(logits, boxes, batch)) == pytest.approx(expected, rel=1e-5)


def test_the_surest_detection_is_right_by_class_and_box() -> None:
    """Four anchors in a row, the object on the second. Shifted by 0.33 of its width a box has 0.67 / 1.33 = 0.504 of
    the union with the object's, shifted by 0.34 it has 0.66 / 1.34 = 0.493. An offset of 1 is a tenth of an anchor.
    """
    row = np.array([[0.1 * place, 0.5, 0.1, 0.1] for place in range(1, 5)], np.float32)
    truth = {"labels": jnp.array([[0, 2, 0, 0]]), "boxes": jnp.asarray(anchors.encode(row[1], row))[None]}

    def right(label: int, shift: float, surest: int = 1) -> float:
        logits = jnp.zeros((1, 4, 4)).at[0, surest, label].set(5.0).at[0, 3, 0].set(9.0)  # the ground does not count
        offsets = truth["boxes"].at[0, surest, 0].add(10 * shift)
        return float(detector.located(logits, offsets, truth, jnp.asarray(row))[0])

    assert [right(2, 0.0), right(2, 0.33), right(2, 0.34)] == [1, 1, 0]
    assert [right(1, 0.0), right(3, 0.0)] == [0, 0]
    assert right(2, 0.0, surest=0) == 1, "whichever anchor tells it"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [(SMALL, 16 * 16 * 3 + 1), (UNET, 8 * 8 * 4), (DetectorModel(family="detector"), 300 * 300 * 3 + 8 * 9)],
)
def test_images_are_stored_a_byte_a_pixel(spec: Any, expected: int) -> None:
    assert spec.sample_bytes == expected
    assert spec.tokens_per_sample == 1


def test_an_image_that_halves_unevenly_is_refused() -> None:
    with pytest.raises(ValueError, match="a multiple of 2"):
        UnetModel(family="unet", image=10, depth=2)


def test_an_image_too_small_for_three_maps_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 17"):
        DetectorModel(family="detector", image=16)
