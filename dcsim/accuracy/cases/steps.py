"""The model steps that calibration never sees: small variants of every family, in several sizes, trained and scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True)
class StepCase:
    """One step of one model on ``samples`` samples; ``model`` as in a scenario's file."""

    name: str
    model: Mapping[str, Any]
    samples: int
    mode: Literal["training", "inference"] = "training"
    optimizer: str = "adamw"

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


CASES: Final = (
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
)  # fmt: skip
