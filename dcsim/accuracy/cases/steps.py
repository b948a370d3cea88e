"""The model steps that calibration never sees: small variants of every family, in several sizes, trained and scored.

Nothing is fitted to any of them. The terms of kernels were worked out while the errors of some were looked at; those
kept apart were chosen and measured when that was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True)
class StepCase:
    """One step of one model on ``samples`` samples; ``model`` as in a scenario's file.

    ``apart``: its error was not looked at while the terms of kernels were worked out.
    """

    name: str
    model: Mapping[str, Any]
    samples: int
    mode: Literal["training", "inference"] = "training"
    optimizer: str = "adamw"
    apart: bool = False

    @property
    def family(self) -> str:
        """The family of the model."""
        return str(self.model["family"])


def _both(name: str, samples: int, optimizer: str = "adamw", **model: Any) -> tuple[StepCase, StepCase]:
    described = MappingProxyType(model)
    return (
        StepCase(f"{name} training", described, samples, "training", optimizer),
        StepCase(f"{name} inference", described, samples, "inference"),
    )


_LOOKED_AT: Final = (
    *_both("mlp 300-100", 100, "sgd", family="mlp", inputs=784, hidden=(300, 100), classes=10),
    *_both("mlp 3x600", 96, family="mlp", inputs=600, hidden=(600, 600, 600), classes=20),
    *_both("mlp 2x1500", 320, family="mlp", inputs=900, hidden=(1500, 1500), classes=200),
    *_both("cnn 28 pixels", 48, "sgd", family="cnn", image=28, channels=(1, 20, 50), classes=10),
    *_both("cnn 32 pixels", 40, family="cnn", image=32, channels=(3, 48, 96, 192), classes=100),
    *_both("cnn 96 pixels", 6, family="cnn", image=96, channels=(3, 24, 48, 96, 160), classes=40),
    *_both(
        "gpt 3x96", 12, family="transformer", layers=3, hidden=96, heads=6, context=80, vocabulary=300,
    ),
    *_both(
        "gpt 5x192", 6, "sgd", family="transformer", layers=5, hidden=192, heads=6, context=160, vocabulary=2000,
    ),
    *_both(
        "gpt 4x384", 3, family="transformer", layers=4, hidden=384, heads=6, context=320, vocabulary=6000,
    ),
    *_both(
        "llama 4x256", 4, family="transformer", layers=4, hidden=256, heads=8, key_value_heads=2, context=192,
        vocabulary=4000, positions="rotary", norm="rms", activation="swiglu", feed_forward=704, bias=False,
        tied_head=False,
    ),
    *_both(
        "resnet 32px w16 1-1-1", 16, "momentum", family="resnet", image=32, width=16,
        blocks=(1,1,1), classes=10,
    ),
    *_both(
        "resnet 64px w32 2-2-2-2", 4, "momentum", family="resnet", image=64, width=32,
        blocks=(2,2,2,2), classes=100,
    ),
    *_both(
        "resnet 96px w24 bottleneck", 3, "momentum", family="resnet", image=96, width=24,
        blocks=(2,3,2), bottleneck=True, classes=50,
    ),
    *_both(
        "unet 64px w16 d3", 2, family="unet", image=64, width=16, depth=3, classes=2, channels=1,
    ),
    *_both(
        "unet 96px w24 d2", 2, family="unet", image=96, width=24, depth=2, classes=5, channels=3,
    ),
    *_both(
        "unet 48px w32 d4", 3, "sgd", family="unet", image=48, width=32, depth=4, classes=3,
        channels=3,
    ),
    *_both(
        "ssd w8", 1, "momentum", family="detector", width=8, classes=21,
    ),
    *_both(
        "ssd w16", 1, "momentum", family="detector", width=16, classes=10,
    ),
    *_both(
        "lstm lm 1x128", 16, "sgd", family="lstm", vocabulary=1000, embedding=64, hidden=128,
        layers=1, context=35,
    ),
    *_both(
        "lstm lm 2x256", 20, family="lstm", vocabulary=5000, embedding=256, hidden=256, layers=2,
        context=48,
    ),
    *_both(
        "lstm text 2x96 both ways", 32, family="lstm", vocabulary=3000, embedding=48, hidden=96,
        layers=2, context=60, classes=4, bidirectional=True,
    ),
    *_both(
        "bert 2x128", 8, family="encoder", layers=2, hidden=128, heads=4, context=64,
        vocabulary=1500, masked=10,
    ),
    *_both(
        "bert 4x320", 4, family="encoder", layers=4, hidden=320, heads=5, context=128,
        vocabulary=5000, masked=20,
    ),
    *_both(
        "bert 3x192 pre-norm", 6, "sgd", family="encoder", layers=3, hidden=192, heads=6,
        context=96, vocabulary=3000, masked=14, norm_place="before",
    ),
    *_both(
        "vit 32px 3x96", 16, family="vision", image=32, patch=4, layers=3, hidden=96, heads=3,
        classes=10,
    ),
    *_both(
        "vit 96px 4x256", 4, family="vision", image=96, patch=8, layers=4, hidden=256, heads=8,
        classes=100,
    ),
    *_both(
        "vit 64px 6x192", 8, "sgd", family="vision", image=64, patch=16, layers=6, hidden=192,
        heads=3, classes=200,
    ),
    *_both(
        "moe 2x128 8e", 4, family="mixture", layers=2, hidden=128, heads=4, context=64,
        vocabulary=1000, experts=8, chosen=2, capacity=1.25,
    ),
    *_both(
        "moe 3x192 4e swiglu", 4, family="mixture", layers=3, hidden=192, heads=6,
        key_value_heads=2, context=128, vocabulary=2500, experts=4, chosen=1, capacity=1.25,
        positions="rotary", norm="rms", activation="swiglu", feed_forward=512, bias=False,
    ),
    *_both(
        "moe 2x256 16e shared", 3, "sgd", family="mixture", layers=2, hidden=256, heads=8,
        context=96, vocabulary=3000, experts=16, chosen=4, capacity=1.5, expert_feed_forward=128,
        shared_experts=1, router="sigmoid",
    ),
    *_both(
        "dlrm 8 tables", 256, "adagrad", family="recommender", numbers=13, tables=(1000,)*8,
        embedding=16, bottom=(64,), top=(128,64),
    ),
    *_both(
        "dlrm 26 tables", 512, "sgd", family="recommender", numbers=13, tables=(3000,)*26,
        embedding=32, bottom=(256,128), top=(256,128),
    ),
    *_both(
        "dlrm 12 big tables", 1024, "sgd", family="recommender", numbers=20, tables=(20000,10000)*6,
        embedding=64, bottom=(512,256), top=(512,256),
    ),
)  # fmt: skip

_APART: Final = (
    *_both(
        "mlp 4x440", 208, "momentum", family="mlp", inputs=350, hidden=(440,440,440,440),
        classes=30, activation="tanh",
    ),
    *_both(
        "cnn 44 pixels", 24, "momentum", family="cnn", image=44, channels=(3,40,72,112), classes=60,
    ),
    *_both(
        "gpt 4x240", 5, family="transformer", layers=4, hidden=240, heads=5, context=112,
        vocabulary=1200,
    ),
    *_both(
        "resnet 80px w20 2-1-2", 6, "momentum", family="resnet", image=80, width=20, blocks=(2,1,2),
        classes=40,
    ),
    *_both(
        "unet 80px w20 d3", 1, "sgd", family="unet", image=80, width=20, depth=3, classes=4,
        channels=3,
    ),
    *_both(
        "ssd w12", 1, "momentum", family="detector", width=12, classes=30,
    ),
    *_both(
        "lstm lm 1x320", 12, "sgd", family="lstm", vocabulary=2200, embedding=160, hidden=320,
        layers=1, context=40,
    ),
    *_both(
        "bert 3x256", 5, family="encoder", layers=3, hidden=256, heads=4, context=80,
        vocabulary=2400, masked=12,
    ),
    *_both(
        "vit 48px 4x160", 10, family="vision", image=48, patch=6, layers=4, hidden=160, heads=5,
        classes=60,
    ),
    *_both(
        "moe 2x160 6e", 5, family="mixture", layers=2, hidden=160, heads=5, context=72,
        vocabulary=1600, experts=6, chosen=2, capacity=1.25,
    ),
    *_both(
        "dlrm 18 tables", 640, "adagrad", family="recommender", numbers=10, tables=(4000,)*18,
        embedding=48, bottom=(192,96), top=(320,160),
    ),
)  # fmt: skip

CASES: Final = (*_LOOKED_AT, *(replace(case, apart=True) for case in _APART))
