"""Learning rates that change from step to step, by Optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import optax  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from dcsim.scenario.workload import Optimizer

Schedule = Callable[[Any], Any]


def learning_rate(optimizer: Optimizer, steps: int) -> float | Schedule:
    """Return the learning rate of an optimizer over ``steps`` steps: a number, or a function of the step.

    A linear warm-up from zero, then constant, or from the peak to the final rate by a line, half a cosine (I.
    Loshchilov, F. Hutter, "SGDR", ICLR 2017, one period) or an exponential. The optimizer's state counts the steps.
    """
    schedule, peak = optimizer.schedule, optimizer.learning_rate
    if schedule is None:
        return peak
    warmup = min(schedule.warmup_steps, steps)
    rest, final = max(1, steps - warmup), schedule.final
    decays: dict[str, Callable[[], Schedule]] = {
        "constant": lambda: optax.constant_schedule(peak),
        "linear": lambda: optax.linear_schedule(peak, peak * final, rest),
        "cosine": lambda: optax.cosine_decay_schedule(peak, rest, alpha=final),
        "exponential": lambda: optax.exponential_decay(peak, rest, final),
    }
    after = decays[schedule.kind]()
    if not warmup:
        return after
    joined: Schedule = optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), after], [warmup])
    return joined
