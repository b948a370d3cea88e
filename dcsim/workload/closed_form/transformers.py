"""FLOPs of a sample of a transformer, forward and backward."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from dcsim.workload.closed_form.parts import (
    ACTIVATION,
    BIAS,
    DROPOUT,
    ENTROPY,
    LINEAR,
    MASK,
    NORM,
    RESIDUAL,
    ROTARY,
    ROUTED,
    SCATTER,
    SLICE,
    SOFTMAX,
    TRAINED,
    Flops,
)

if TYPE_CHECKING:
    from dcsim.scenario.models import (
        Attending,
        Decoder,
        EncoderModel,
        LatentAttention,
        MixtureModel,
        TransformerModel,
        VisionModel,
    )


def decoder(spec: TransformerModel, rows: int = 1) -> Flops:
    """A decoder: its layers, and the head of every token."""
    del rows
    layer = feed(spec, spec.inner)
    return (_layers(spec, layer, spec.layers) + _ends(spec)) * spec.context


def mixture(spec: MixtureModel, rows: int = 1) -> Flops:
    """A decoder whose layers have experts, but for the first dense ones."""
    mixed = routed(spec, rows * spec.context)
    dense = _layers(spec, feed(spec, spec.inner), spec.dense_layers) if spec.dense_layers else Flops(0.0)
    return (_layers(spec, mixed, spec.layers - spec.dense_layers) + dense + _ends(spec)) * spec.context


def encoder(spec: EncoderModel, rows: int = 1) -> Flops:
    """An encoder with BERT's two tasks: a head over the hidden tokens, a pooler and a classifier of the first one."""
    del rows
    width, norm = spec.hidden, NORM[spec.norm]
    token = _layers(spec, feed(spec, spec.inner), spec.layers)
    token += Flops(0.0, width * (norm + 2 * SCATTER + 1 + BIAS))
    hidden = dense(width, width) + dense(width, spec.vocabulary)
    hidden += Flops(0.0, width * (ACTIVATION["gelu-exact"] + norm + SCATTER) + ENTROPY * spec.vocabulary)
    first = dense(width, width) + dense(width, 2)
    return token * spec.context + hidden * spec.masked + first


def vision(spec: VisionModel, rows: int = 1) -> Flops:
    """A vision transformer: patches, whose image needs no gradient; the layers; a classifier of the first token."""
    del rows
    width, patches = spec.hidden, spec.context - 1
    cut = Flops(patches * 2 * 2.0 * spec.patch**2 * spec.channels * width, patches * width * BIAS)
    layers = _layers(spec, feed(spec, spec.inner), spec.layers) * spec.context
    places = Flops(0.0, spec.context * width * BIAS)
    head = dense(width, spec.classes) + Flops(0.0, width * NORM[spec.norm] + ENTROPY * spec.classes)
    return cut + places + layers + head


def dense(inputs: int, outputs: int, bias: bool = True) -> Flops:
    """A dense layer of one token or row."""
    return Flops(TRAINED * 2.0 * inputs * outputs, BIAS * outputs if bias else 0.0)


def feed(spec: Attending, inner: int) -> Flops:
    """The feed-forward layer of a token: two dense ones around an activation, or three of a gated one."""
    gated = spec.activation == "swiglu"
    wide = dense(spec.hidden, inner, spec.bias) * (2 if gated else 1)
    return wide + dense(inner, spec.hidden, spec.bias) + Flops(0.0, ACTIVATION[spec.activation] * inner)


def routed(spec: MixtureModel, tokens: int) -> Flops:
    """The experts of a token, of ``tokens`` in all, each expert full: router, way there and back, those beside."""
    chosen, inner = spec.chosen, spec.inner_of_expert
    router = dense(spec.hidden, spec.experts, spec.bias)
    sorts = spec.experts * log2(max(2, spec.experts)) + 2 * chosen * log2(max(2, tokens * chosen))
    found = router + feed(spec, inner) * chosen + Flops(0.0, ROUTED * chosen * spec.hidden + sorts)
    if spec.shared_experts:
        found += feed(spec, spec.shared_experts * inner) + Flops(0.0, RESIDUAL * spec.hidden)
    return found


def attention(spec: Attending, keys: float, masks: int) -> Flops:
    """Attention of a token over ``keys`` keys, whose scores pass ``masks`` masks, with both of its projections."""
    if spec.latent is not None:
        return _latent(spec, spec.latent, keys, masks)
    own, shared = spec.heads * spec.width_of_head, spec.groups_of_keys * spec.width_of_head
    joint = own + 2 * shared
    found = dense(spec.hidden, joint, spec.bias) + dense(own, spec.hidden, spec.bias)
    turned = spec.rotary_share * (own + shared) if spec.positions == "rotary" else 0.0
    scores = Flops(TRAINED * 4.0 * own * keys, spec.heads * keys * _of_a_score(spec, masks))
    return found + scores + Flops(0.0, ROTARY * turned)


def _latent(spec: Attending, latent: LatentAttention, keys: float, masks: int) -> Flops:
    """Latent attention: both narrow layers with their norms, what they are widened to, scores and values."""
    width, heads, norm = spec.hidden, spec.heads, NORM[spec.norm]
    query, both = heads * (latent.plain + latent.rotary), heads * (latent.plain + latent.values)
    narrow = latent.cached + latent.rotary
    found = dense(width, latent.queries, spec.bias) + dense(latent.queries, query, spec.bias)
    found += dense(width, narrow, spec.bias) + dense(latent.cached, both, spec.bias)
    found += dense(heads * latent.values, width, spec.bias)
    norms = norm * (latent.queries + latent.cached)
    turned = ROTARY * (heads + 1) * latent.rotary
    apart = SLICE * (query + both + narrow) + heads * latent.rotary
    scores = TRAINED * 2.0 * (query + heads * latent.values) * keys
    return found + Flops(scores, norms + turned + apart + heads * keys * _of_a_score(spec, masks))


def _of_a_score(spec: Attending, masks: int) -> float:
    """Return the operations of one score; a mask, and distances, are made once for all heads."""
    linear = LINEAR + 3 / spec.heads if spec.positions == "alibi" else 0.0
    return SOFTMAX + masks * (MASK + 3 / spec.heads) + linear


def _layers(spec: Attending, fed: Flops, layers: int) -> Flops:
    """Return what a token takes in ``layers`` layers whose feed-forward half is ``fed``.

    Every other layer has a window where there is one: it meets its own block of keys and the one before.
    """
    half = 2 * spec.hidden * (NORM[spec.norm] + RESIDUAL + (DROPOUT if spec.dropout else 0))
    window, keys = getattr(spec, "window", None), _keys(spec)
    full = attention(spec, keys, int(spec.causal)) + fed + Flops(0.0, half)
    if window is None or window >= keys or keys % window:
        return full * layers
    near = attention(spec, 2 * window, 2) + fed + Flops(0.0, half)
    return (full + near) * (layers / 2)


def _keys(spec: Attending) -> int:
    keys: int = getattr(spec, "context")  # noqa: B009  # every kind of them has one, of its own making
    return keys


def _ends(spec: Decoder) -> Flops:
    """Return what a token takes before and behind the layers: its rows of the tables, norms, the head and its loss."""
    width, norm = spec.hidden, NORM[spec.norm]
    places = BIAS if spec.positions == "learned" else 0
    norms = norm * (2 if spec.embedding_norm else 1)
    head = dense(width, spec.vocabulary, bias=False)
    return head + Flops(0.0, width * (SCATTER + places + norms) + ENTROPY * spec.vocabulary)
