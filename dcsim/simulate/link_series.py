"""The mean load of each tier of the network over time."""

from __future__ import annotations

import numpy as np

from dcsim.engine import Clock, LevelArray, Recorder
from dcsim.network.fabric import Fabric


def follow_links(clock: Clock, recorder: Recorder, fabric: Fabric) -> None:
    """Record the mean utilization of every tier's links whenever a load changes, if the scenario records
    "link_load".
    """
    fabric.saturation, fabric.meetings  # noqa: B018  # count from here on
    tiers = list(fabric.tiers.items())
    series = [recorder.sample("link_load", tier, "1") for tier, _ in tiers]
    if not any(series):
        return
    capacities = np.array([fabric.capacities[links].sum() for _, links in tiers])

    def sample(loads: LevelArray) -> None:
        now = clock.now
        for (_, links), kept, capacity in zip(tiers, series, capacities.tolist(), strict=True):
            if kept is not None:
                kept.append(now, float(loads.values[links].sum()) / capacity)

    sample(fabric.loads)
    fabric.loads.watch(sample)
