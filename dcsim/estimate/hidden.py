"""What of a step's communication runs beside computation, which the parts of its time leave out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dcsim.estimate.data_messages import data_messages
from dcsim.estimate.training import hidden_dispatch, layers_of, message_seconds
from dcsim.estimate.work import Layers, Work

Floats = NDArray[np.float64]


def hidden_seconds(work: Work, layers: Layers | None = None) -> dict[str, Floats]:
    """Return the time of a step's messages that computation covers, by part [s].

    With the part of that name of :func:`dcsim.estimate.training.step_parts`, which is what is exposed, it is the time
    of all of them; where stages wait for each other's and hosts for the scheduler, that counts as exposed too.
    Messages of layers that run again belong to the part "recompute" and are left out.
    """
    mean, plan, habits = layers or layers_of(work), work.plan, work.habits
    once = message_seconds(replace(work, plan=replace(plan, recomputed=np.zeros_like(plan.recomputed))))
    stack = plan.micro_batches * (work.shape.layers + work.shape.extra_layers) / plan.pipeline
    exposed = stack * (mean.forward.context + mean.backward.context)
    zero = np.zeros_like(exposed)
    return {
        "tensor": once["tensor"] * habits.hidden_tensor,
        "context": np.maximum(once["context"] - exposed, 0.0),
        "expert": once["expert"] * hidden_dispatch(work),
        "pipeline": once["pipeline"] * habits.hidden_pipeline,
        "data": np.asarray(sum((one.seconds - one.exposed_s for one in data_messages(work, mean)), zero)),
    }
