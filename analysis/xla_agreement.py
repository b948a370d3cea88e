"""Print what dcsim counts in training steps over what XLA counts when it compiles them for CPUs, as a Markdown table.

    python analysis/xla_agreement.py            # every model, minutes
    python analysis/xla_agreement.py gpt-64     # some; --json for numbers

Nothing is executed. Layers are written out, because XLA counts the body of a loop once. XLA's settings are those of the
environment; with XLA_FLAGS=--xla_cpu_multi_thread_eigen=false, as executed jobs have it, its kernels differ.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from dcsim.scenario.models import CnnModel, MlpModel, TransformerModel
from dcsim.scenario.networks import RecommenderModel
from dcsim.scenario.transformers import EncoderModel, MixtureModel, VisionModel
from dcsim.workload.agreement import Agreement, against_xla
from dcsim.workload.step import Recipe

LLAMA = {"norm": "rms", "positions": "rotary", "activation": "swiglu", "bias": False, "tied_head": False}


def decoder(**shape: Any) -> TransformerModel:
    return TransformerModel(family="transformer", **shape)


# (model, samples, precision). The rules of dcsim/workload/compiled.py were found on the first group of transformers.
SEEN: dict[str, tuple[Any, int, str]] = {
    "gpt-64": (decoder(layers=3, hidden=64, heads=4, context=64, vocabulary=256), 4, "fp32"),
    "gpt-128": (decoder(layers=2, hidden=128, heads=4, context=128, vocabulary=1000), 8, "fp32"),
    "gpt-256": (decoder(layers=4, hidden=256, heads=8, context=256, vocabulary=4096), 4, "fp32"),
    "llama-128": (
        decoder(
            layers=2, hidden=128, heads=8, key_value_heads=2, context=128, vocabulary=1000, feed_forward=384, **LLAMA
        ),
        4,
        "fp32",
    ),
    "bloom-128": (
        decoder(layers=2, hidden=128, heads=8, context=256, vocabulary=2000, positions="alibi", embedding_norm=True),
        2,
        "fp32",
    ),
    "bert-128": (
        EncoderModel(family="encoder", layers=2, hidden=128, heads=4, context=128, vocabulary=1000, masked=20),
        4,
        "fp32",
    ),
}
UNSEEN: dict[str, tuple[Any, int, str]] = {
    "opt-192": (decoder(layers=3, hidden=192, heads=6, context=192, vocabulary=3000, activation="relu"), 3, "fp32"),
    "grouped-64": (
        decoder(layers=2, hidden=64, heads=4, key_value_heads=2, context=64, vocabulary=300, **LLAMA),
        4,
        "fp32",
    ),
    "mixtral-128": (
        MixtureModel(
            family="mixture",
            layers=2,
            hidden=128,
            heads=8,
            key_value_heads=4,
            context=128,
            vocabulary=1000,
            feed_forward=256,
            experts=4,
            chosen=2,
            **LLAMA,
        ),
        4,
        "fp32",
    ),
    "vit-96": (VisionModel(family="vision", layers=2, hidden=96, heads=4, image=64, patch=8, classes=50), 8, "fp32"),
}
OTHERS: dict[str, tuple[Any, int, str]] = {
    "gpt-64, bf16": (SEEN["gpt-64"][0], 4, "bf16"),
    "mlp": (MlpModel(family="mlp", inputs=784, hidden=(512, 512), classes=10), 128, "fp32"),
    "cnn": (CnnModel(family="cnn", image=28, channels=(1, 32, 64), classes=10), 16, "fp32"),
    "dlrm": (
        RecommenderModel(
            family="recommender", numbers=13, tables=(2000,) * 26, embedding=16, bottom=(512, 256, 64), top=(512, 256)
        ),
        256,
        "fp32",
    ),
}
MODELS = SEEN | UNSEEN | OTHERS


def measured(name: str) -> Agreement:
    model, micro, precision = MODELS[name]
    return against_xla(Recipe(model, precision, layers="unrolled"), micro)


def main() -> None:
    names = [name for name in sys.argv[1:] if not name.startswith("--")] or list(MODELS)
    if "--json" in sys.argv:
        print(json.dumps({name: asdict(measured(name)) for name in names}))
        return
    print("| model | FLOPs | transcendentals | products | bytes |\n|---|---|---|---|---|")
    for name in names:
        found = measured(name)
        ratios = (found.flops, found.transcendentals, found.products, found.bytes)
        print(f"| {name} | {' | '.join(f'{ratio:.3f}' for ratio in ratios)} |", flush=True)


if __name__ == "__main__":
    main()
