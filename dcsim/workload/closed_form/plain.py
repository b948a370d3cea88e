"""FLOPs of a sample of dense, recurrent and recommending networks, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from dcsim.workload.closed_form.parts import ACTIVATION, DROPOUT, ENTROPY, LSTM, SCATTER, TRAINED, Flops
from dcsim.workload.closed_form.transformers import dense

if TYPE_CHECKING:
    from dcsim.scenario.models import LstmModel, MlpModel, RecommenderModel

_WHERE = 4  # of a row or a pair that is looked up: offsets, and whether an index counts from the end
_LOG_LOSS = 12  # of one output by the cross entropy of its sigmoid


def dense_network(spec: MlpModel, rows: int = 1) -> Flops:
    """A dense network; what enters it needs no gradient."""
    widths = (spec.inputs, *spec.hidden, spec.classes)
    drop = DROPOUT if spec.dropout else 0
    rest = (ACTIVATION[spec.activation] + drop) * sum(spec.hidden) + ENTROPY * spec.classes + spec.inputs
    return _dense(widths, rows) + Flops(-2.0 * widths[0] * widths[1], rest)


def recurrent(spec: LstmModel, rows: int = 1) -> Flops:
    """An LSTM: gates of every layer, direction and token; the gradient of what goes round is added up at every token,
    once for all ``rows``; the head of every token, or of the text.
    """
    across, below = spec.directions * spec.hidden, spec.embedding
    drop = DROPOUT if spec.dropout else 0
    token = Flops(0.0, SCATTER * spec.embedding)
    for _ in range(spec.layers):
        gates = TRAINED * 2.0 * 4 * spec.hidden * (below + spec.hidden)
        summed = LSTM * spec.hidden + 4 * spec.hidden**2 / rows
        token += Flops(gates, summed) * spec.directions + Flops(0.0, drop * below + (spec.directions - 1) * below)
        below = across
    if spec.classes is None:
        head = dense(across, spec.vocabulary) + Flops(0.0, ENTROPY * spec.vocabulary)
        return (token + head) * spec.context
    loss = _LOG_LOSS if spec.classes == 1 else ENTROPY * spec.classes
    return token * spec.context + dense(across, spec.classes) + Flops(0.0, loss)


def recommender(spec: RecommenderModel, rows: int = 1) -> Flops:
    """A recommender: dense layers, whose numbers need no gradient; all pairs of vectors; rows of the tables."""
    vectors, width = len(spec.tables) + 1, spec.embedding
    pairs = vectors * (vectors - 1) // 2
    below, above = (spec.numbers, *spec.bottom, width), (width + pairs, *spec.top, 1)
    hidden = sum(below[1:]) + sum(spec.top)
    products = TRAINED * 2.0 * vectors**2 * width - 2.0 * below[0] * below[1]
    # Both operands of the pairs are the same vectors, whose gradients add up.
    rest = ACTIVATION["relu"] * hidden + vectors * width + (_WHERE + SCATTER) * pairs
    rest += len(spec.tables) * (_WHERE + SCATTER * width)
    return _dense(below, rows) + _dense(above, rows) + Flops(products, rest + _LOG_LOSS)


def _dense(widths: Sequence[int], rows: int) -> Flops:
    """Return what dense layers behind one another take; the gradient of a bias is a sum of few ``rows`` alone."""
    found = Flops(0.0)
    for inputs, outputs in pairwise(widths):
        found += dense(inputs, outputs) + Flops(0.0, -outputs / rows)
    return found
