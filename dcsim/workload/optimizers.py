"""The optimizers of scenarios as Optax has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import optax  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from dcsim.scenario.optimizers import Rule

Rate = float | Callable[[Any], Any]


def make_optimizer(rule: Rule | str, learning_rate: Rate) -> optax.GradientTransformation:
    """Return the optimizer of ``rule``, or of that name, with Optax's defaults for what the rule does not say.

    The gradient is clipped first, then the L2 penalty is added, then the optimizer has it. Robbins and Monro (1951) for
    SGD; Polyak (1964) for momentum; Nesterov (1983), in the form of Sutskever et al. (ICML 2013); Duchi et al. (JMLR
    2011) for Adagrad; Tieleman and Hinton (2012) for RMSprop; Kingma and Ba (ICLR 2015) for Adam; Loshchilov and Hutter
    (ICLR 2019) for AdamW; Pascanu et al. (ICML 2013) for clipping by the norm.
    """
    if isinstance(rule, str):
        return _plain(rule, None, learning_rate)
    chain = [] if rule.clip is None else [optax.clip_by_global_norm(rule.clip)]
    if rule.l2:
        chain.append(optax.add_decayed_weights(rule.l2))
    base = _plain(rule.name, rule, learning_rate)
    return optax.chain(*chain, base) if chain else base


def _plain(name: str, rule: Rule | None, rate: Rate) -> optax.GradientTransformation:
    kept = 0.9 if rule is None else rule.momentum
    decay = {} if rule is None or rule.weight_decay is None else {"weight_decay": rule.weight_decay}
    makers: dict[str, Callable[[], optax.GradientTransformation]] = {
        "gradient-descent": lambda: optax.sgd(rate),
        "sgd": lambda: optax.sgd(rate),
        "momentum": lambda: optax.sgd(rate, momentum=kept),
        "nesterov": lambda: optax.sgd(rate, momentum=kept, nesterov=True),
        "adagrad": lambda: optax.adagrad(rate),
        "rmsprop": lambda: optax.rmsprop(rate),
        "adam": lambda: optax.adam(rate),
        "adamw": lambda: optax.adamw(rate, **decay),
    }
    return makers[name]()
