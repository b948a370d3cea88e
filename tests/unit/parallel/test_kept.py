"""What a layer keeps for its backward pass, counted by hand for two published shapes."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from dcsim.catalogue import Shelf
from dcsim.parallel.kept import Kept, attention_bytes, elements_again, feed_bytes, stream_bytes_kept
from dcsim.parallel.model_shape import shape_of
from dcsim.parallel.parallelism import Parallelism
from dcsim.parallel.shape import Shape
from dcsim.scenario.transformers import Decoder

ONE, TWO = np.ones(1), np.full(1, 2.0)
NARROW = 1 + 4 / 128  # a number in 8 bits with its part of the scale of 128 of them


def shape(name: str) -> Shape:
    spec = Shelf().model(name)
    assert isinstance(spec, Decoder)
    return shape_of(spec)


def kept(*ways: str) -> Kept:
    return Kept(**dict.fromkeys(ways, ONE))


@pytest.mark.parametrize(
    ("ways", "elements"),
    [
        ((), 2 * 4),  # inputs and outputs of two norms in 16 bits
        (("norms",), 2 * 2),
        (("narrow",), 2 * 2 + NARROW * 2),  # products read the outputs
        (("narrow", "norms"), 2 * 2),
    ],
)
def test_the_stream(ways: tuple[str, ...], elements: float) -> None:
    assert float(stream_bytes_kept(kept(*ways), TWO)[0]) == pytest.approx(elements, rel=1e-12)


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        # 128 heads of queries and keys of 192, of values of 128, as much for the output; 1,536 + 512 + 64 compressed.
        ((), 2 * (128 * (192 + 192 + 128 + 128) + 2112)),
        (("ups",), 2 * (128 * 128 + 2112)),
        (("ups", "narrow"), 2 * 128 * 128 + NARROW * 2112),
        (("ups", "narrow", "norms"), 2 * (128 * 128 + 2112)),  # norms run again on compressed ones as they were
        (("functions",), 2 * (128 * 640 + 2112)),
    ],
)
def test_latent_attention(ways: tuple[str, ...], expected: float) -> None:
    found = float(attention_bytes(shape("deepseek-v3"), kept(*ways), TWO)[0])
    assert found == pytest.approx(expected, rel=1e-12)


def test_plain_attention_has_nothing_to_widen() -> None:
    # 32 heads and twice 8 of keys and values, 32 for the output, each 128 wide.
    for one in (kept(), kept("ups"), kept("narrow")):
        assert float(attention_bytes(shape("llama3-8b"), one, TWO)[0]) == pytest.approx(2 * 80 * 128, rel=1e-12)


def test_what_only_gradients_of_frozen_matrices_would_read() -> None:
    frozen = Kept(attention_inputs=0 * ONE, feed_inputs=0 * ONE)
    assert float(stream_bytes_kept(frozen, TWO)[0]) == 2 * 2, "inputs of norms alone"
    both = [float(attention_bytes(shape("llama3-8b"), frozen, TWO, fused)[0]) for fused in (1.0, 0.0)]
    assert both == [2 * 80 * 128, 2 * 48 * 128], "the output, 32 heads wide, is read by a fused kernel alone"
    assert float(feed_bytes(shape("llama3-8b"), frozen, TWO, ONE)[0]) == 2 * 2 * 14336, "gate and up alone"


@pytest.mark.parametrize(
    ("ways", "width", "matrices"), [((), 2.0, 3), (("functions",), 2.0, 2), (("functions", "narrow"), NARROW, 2)]
)
def test_feed_forward_layers_and_experts(ways: tuple[str, ...], width: float, matrices: int) -> None:
    found = float(feed_bytes(shape("llama3-8b"), kept(*ways), TWO, ONE)[0])
    assert found == pytest.approx(width * matrices * 14336, rel=1e-12)
    # 3 of 61 layers are dense; in the others a shared expert, and 8 with the token itself, of which 1.5 times as many.
    mixed = matrices * 2048 + 1.5 * 8 * (7168 + matrices * 2048)
    expected = width * (3 / 61 * matrices * 18432 + 58 / 61 * mixed)
    assert float(feed_bytes(shape("deepseek-v3"), kept(*ways), TWO, 1.5 * ONE)[0]) == pytest.approx(expected, rel=1e-12)


def test_what_kernels_move_again() -> None:
    plan = Parallelism(**{field.name: ONE for field in fields(Parallelism)} | {"tensor": 4 * ONE})
    inner = 2 * 14336 * ONE
    both = elements_again(shape("llama3-8b"), plan, kept("norms", "functions"), inner)
    # 8,192 tokens: two norms read and write the stream, a fourth of it each; three times the width of the gated layer.
    assert float(both[0]) == pytest.approx(8192 * (4 * 4096 / 4 + 3 * 2 * 14336 / 4), rel=1e-12)
    assert float(elements_again(shape("llama3-8b"), plan, kept("narrow", "ups"), inner)[0]) == 0.0
