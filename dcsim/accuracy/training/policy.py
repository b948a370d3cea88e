"""What MaxText's policies of recomputation run again, by the names of the products whose results they keep."""

from __future__ import annotations

from dcsim.accuracy.training.model import Model

_CORE = 2.0  # the attention core runs at about half of the rate of products
_BESIDE = 0.05  # of a layer: norms and activation functions, which no policy keeps; an assumption

_KEPT = (
    # Words of the column, and products whose results wait for the backward pass (MaxText, decoders.py, 2025): of
    # queries, keys and values, of the attention core ("context"), of its output, of the feed-forward layer's widening.
    ("save_dot_with_context_except_mlp", ("qkv", "core", "out")),
    ("save_dot_except_mlp", ("qkv", "out")),
    ("qkv_proj", ("qkv",)),
    ("out_proj", ("out",)),
    ("minimal_with_context", ("qkv", "core", "out", "wide")),
    ("minimal_flash", ("qkv", "core", "out", "wide")),
    ("minimal", ("qkv", "out", "wide")),
)


def again_by_policy(words: str, model: Model) -> float | None:
    """Return the share of a layer's forward pass but its last product that runs again, None for unknown policies [1].

    That product does not run again whatever is kept, since no gradient reads its result.
    """
    kept = next((kept for word, kept in _KEPT if word in words), None)
    if kept is None:
        return None
    inner = model.chosen * model.expert_ffn + model.shared_ffn if model.experts else model.ffn
    sizes = {
        "qkv": model.hidden * (model.heads + 2.0 * model.groups) * model.width,
        "core": _CORE * model.heads * model.width * model.sequence * (0.5 if model.causal else 1.0) * 2.0,
        "out": model.hidden * model.heads * model.width,
        "wide": (1.0 + model.gated) * model.hidden * inner,
    }
    again = sum(size for name, size in sizes.items() if name not in kept)
    return _BESIDE + (1.0 - _BESIDE) * again / sum(sizes.values())
