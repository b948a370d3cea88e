"""The shape of a run's model: what the table states, what is published of models by name, and what the size tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType

from dcsim.accuracy.training.case import Case

_PACKED = 512.0
_WRONG = 10.0  # a shape that gives so many times the stated parameters is a slip
_MOST_B = 1e6  # G parameters: beyond any that was thought of
_FAR = 0.1  # beyond this no option explains the stated count
_TOLERANCE = 0.03  # a count of parameters this close to the stated one is as good as any: rounded names


@dataclass(frozen=True, slots=True)
class Model:
    """Numbers of one model, by the names of :class:`dcsim.parallel.shape.Shape`."""

    layers: float
    hidden: float
    heads: float
    groups: float
    width: float
    value_width: float
    ffn: float
    vocabulary: float
    sequence: float
    gated: float = 0.0
    query_rank: float = 0.0
    key_rank: float = 0.0
    rotary_width: float = 0.0
    experts: float = 0.0
    chosen: float = 0.0
    expert_ffn: float = 0.0
    shared_ffn: float = 0.0
    dense_layers: float = 0.0
    extra_layers: float = 0.0
    window: float = 1e12
    windowed: float = 0.0
    causal: float = 1.0
    scored: float = 1.0
    sinks: float = 0.0
    tied: float = 1.0


_LATENT = {
    "width": 192.0, "value_width": 128.0, "query_rank": 1536.0, "key_rank": 512.0, "rotary_width": 64.0, "gated": 1.0,
    "ffn": 18432.0, "shared_ffn": 2048.0,
}  # fmt: skip

KNOWN = MappingProxyType(
    {
        # DeepSeek-AI, DeepSeek-V3 Technical Report (2024), section 4.2: one module predicts a second token.
        "deepseek-v3": {**_LATENT, "dense_layers": 3.0, "extra_layers": 1.0},
        "deepseek-r1": {**_LATENT, "dense_layers": 3.0, "extra_layers": 1.0},
        # DeepSeek-AI, DeepSeek-V2 (2024), section 3.1.2 (recalled): two shared experts of 1,536, one dense layer.
        "deepseek-v2-lite": {**_LATENT, "query_rank": 0.0, "ffn": 10944.0, "shared_ffn": 2816.0, "dense_layers": 1.0},
        "deepseek-v2": {**_LATENT, "ffn": 12288.0, "shared_ffn": 3072.0, "dense_layers": 1.0},
        # Meta, config.json of Llama 4 (2025) (recalled): one shared expert; every other layer of Maverick is dense.
        "llama4-maverick": {"gated": 1.0, "ffn": 16384.0, "shared_ffn": 8192.0, "dense_layers": 24.0},
        "llama4-scout": {"gated": 1.0, "shared_ffn": 8192.0},
        # Moonshot AI, Kimi K2 (2025): DeepSeek-V3's attention with 64 heads, one dense layer, no further tokens.
        "kimi-k2": {**_LATENT, "dense_layers": 1.0},
        # OpenAI, gpt-oss model card (2025): heads of 64, every other layer sees 128 tokens.
        "gpt-oss": {"width": 64.0, "value_width": 64.0, "gated": 1.0, "window": 128.0, "windowed": 0.5, "sinks": 1.0},
        "qwen3": {"width": 128.0, "value_width": 128.0, "gated": 1.0},  # Qwen3 Technical Report (2025), config.json
        "palm": {"width": 256.0, "value_width": 256.0, "gated": 1.0},  # A. Chowdhery et al., PaLM (2022), Table 1
        "llama": {"gated": 1.0},
        "mixtral": {"gated": 1.0},
        # Gemma Team, Gemma 2 (2024) and Gemma 3 (2025), section 2: every other layer, or five of six, in windows.
        "gemma3": {"gated": 1.0, "window": 1024.0, "windowed": 5.0 / 6.0},
        "gemma2": {"gated": 1.0, "window": 4096.0, "windowed": 0.5},
        "gemma": {"gated": 1.0},
        "grok": {"gated": 1.0},
        "mistral": {"gated": 1.0},
        # Half of the tokens are padding (M. Krell et al., 2021), which MLPerf submissions leave out; 15 % are masked.
        "bert": {"causal": 0.0, "gated": 0.0, "scored": 0.15, "filled": 0.5},
        "nemotron": {"gated": 0.0},
        "mpt": {"gated": 0.0},
        "opt-": {"gated": 0.0},
        "bloom": {"gated": 0.0},
    }
)
"""What names tell beside the table, by how a name begins."""

_SHAPES = MappingProxyType(
    {
        # layers, hidden, heads, groups, ffn, vocabulary, for tables that leave a published shape out
        "gpt3-175b": (96, 12288, 96, 96, 49152, 51200),
        "llama2-7b": (32, 4096, 32, 32, 11008, 32000),
        "llama2-13b": (40, 5120, 40, 40, 13824, 32000),
        "llama2-70b": (80, 8192, 64, 8, 28672, 32000),
        "llama3-8b": (32, 4096, 32, 8, 14336, 128256),
        "llama3.1-8b": (32, 4096, 32, 8, 14336, 128256),
        "llama3-70b": (80, 8192, 64, 8, 28672, 128256),
        "llama3.1-70b": (80, 8192, 64, 8, 28672, 128256),
        "llama3.1-405b": (126, 16384, 128, 8, 53248, 128256),
        "bert-large": (24, 1024, 16, 16, 4096, 30522),
    }
)
_FIELDS = ("layers", "hidden", "heads", "kv_heads", "ffn", "vocab")


def model_of(case: Case) -> Model | str:
    """Return the model of a run, or in words what is missing."""
    name = plain(case.text("model"))
    stated = dict(zip(_FIELDS, _shape(case, name), strict=True))
    layers, hidden, heads = stated["layers"], stated["hidden"], stated["heads"]
    if not layers or not hidden:
        return "the table states neither layers and hidden size, nor a model whose shape is known"
    heads = heads or max(hidden / 128.0, 1.0)
    sequence = case.positive("seq") or _usual_sequence(name)
    experts = case.positive("n_experts") or 0.0
    ffn = stated["ffn"] or 4.0 * hidden
    model = Model(
        layers=layers,
        hidden=hidden,
        heads=heads,
        groups=stated["kv_heads"] or heads,
        width=hidden / heads,
        value_width=hidden / heads,
        ffn=ffn,
        vocabulary=stated["vocab"] or 50257.0,
        sequence=sequence,
        experts=experts if experts > 1 else 0.0,
        chosen=(case.positive("experts_per_token") or 2.0) if experts > 1 else 0.0,
        expert_ffn=ffn if experts > 1 else 0.0,
    )
    facts = next((known for start, known in KNOWN.items() if name.startswith(start)), {})
    filled = sequence * facts.get("filled", 1.0)
    own = {key: value for key, value in facts.items() if key != "filled"}
    made = _by_size(replace(model, **own, **_packed(case), sequence=filled), case.positive("params_b"), facts)
    return _doubt(made, case.positive("params_b")) or made


def _doubt(model: Model, stated_b: float | None) -> str:
    """Say why no such model can be meant: its shape gives far more or fewer parameters than the table states."""
    found_b = parameters(model) / 1e9
    if found_b > _MOST_B or (stated_b is not None and not 1.0 / _WRONG < found_b / stated_b < _WRONG):
        stated = "" if stated_b is None else f", the table states {stated_b:.4g}"
        return f"layers and widths of the table give {found_b:.4g} G parameters{stated}"
    return ""


def plain(name: str) -> str:
    """Return a model's name as this module spells names: "meta-llama/Llama 3.1 70B" is "llama3.1-70b"."""
    short = re.sub(r"[\s_]+", "-", name.lower().rpartition("/")[2].strip()).removeprefix("meta-")
    return re.sub(r"^(llama|qwen|gpt|gemma)-(\d[.\d]*-)", r"\1\2", short)


def _packed(case: Case) -> dict[str, float]:
    """Return the keys that a token sees where short samples are packed into sequences: those of its own sample alone.

    NeMo and Megatron-Bridge fine-tune on SQuAD, whose samples have some 200 tokens; kernels are slow on so short ones,
    for which a window of 512 stands: an assumption. MLPerf packs samples that fill most of a sequence.
    """
    tuned = re.search(r"\b(sft|lora)\b", case.text("notes"), re.IGNORECASE)
    short = tuned and re.search("nemo|bridge", case.text("software"), re.IGNORECASE)
    return {"window": _PACKED, "windowed": 1.0} if short else {}


def _usual_sequence(name: str) -> float:
    """Return the tokens of a sequence where the table has none: those of the model's pre-training."""
    lengths = {"bert": 512.0, "llama3": 8192.0, "llama2": 4096.0, "deepseek": 4096.0, "qwen3": 4096.0}
    return next((length for start, length in lengths.items() if name.startswith(start)), 2048.0)


def _shape(case: Case, name: str) -> list[float | None]:
    stated = [case.positive(field) for field in _FIELDS]
    known = _SHAPES.get(name)
    return stated if known is None else [given or float(size) for given, size in zip(stated, known, strict=True)]


def parameters(model: Model) -> float:
    """Return the parameters of a model, embedding and head counted once each if they make a difference of their own."""
    heads, groups = model.heads, model.groups
    plain = model.hidden * ((heads + groups) * model.width + groups * model.value_width)
    latent = model.hidden * (model.query_rank + model.key_rank + model.rotary_width) + heads * (
        model.query_rank * model.width + model.key_rank * (model.width - model.rotary_width + model.value_width)
    )
    attention = (latent if model.key_rank else plain) + heads * model.value_width * model.hidden
    matrices = (2.0 + model.gated) * model.hidden
    mixed = model.layers - model.dense_layers if model.experts else 0.0
    dense = model.dense_layers if model.experts else model.layers
    feed = dense * model.ffn + mixed * (model.experts * model.expert_ffn + model.shared_ffn)
    return model.layers * attention + matrices * feed + model.vocabulary * model.hidden


def _by_size(model: Model, stated_b: float | None, facts: Mapping[str, float]) -> Model:
    """Choose gate and width of a head so that the count of parameters is the stated one."""
    if stated_b is None or "width" in facts:
        return _tied(model)
    gates = (facts["gated"],) if "gated" in facts else (0.0, 1.0)
    widths = dict.fromkeys((model.width, 128.0, 64.0, 256.0))
    options = [replace(model, gated=gate, width=w, value_width=w) for gate, w in product(gates, widths)]

    def off(option: Model) -> float:
        once = parameters(option)
        extra = (0.0, option.vocabulary * option.hidden, option.sequence * option.hidden)
        return min(abs((once + more) / (stated_b * 1e9) - 1.0) for more in extra)

    usual = [option for option in options if option.width == model.width]
    best = min(usual, key=off)
    other = min(options, key=off)
    return _tied(best if off(best) < _TOLERANCE or off(other) >= _FAR else other)


def _tied(model: Model) -> Model:
    """Tie head and embedding where the feed-forward layer has no gate: GPT, BERT and their like; Llama's are apart."""
    return replace(model, tied=0.0 if model.gated else 1.0)
