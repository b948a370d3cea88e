"""The tables of a run: their columns, units and meaning, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """What a table holds; ``columns`` maps each column to its unit, "" for text and counts."""

    title: str
    definition: str
    columns: Mapping[str, str]


def _table(title: str, definition: str, **columns: str) -> TableDefinition:
    return TableDefinition(title, definition, MappingProxyType(columns))


TABLES: Mapping[str, TableDefinition] = MappingProxyType(
    {
        "spans": _table(
            "What each job did when",
            "One row a stretch of time of one attempt of a job; kind is queued, launch, load, run, validation, "
            "checkpoint or down.",
            job="",
            attempt="",
            kind="",
            start_s="s",
            end_s="s",
            detail="",
        ),
        "segments": _table(
            "Stretches of equal steps",
            "Steps simulated once and repeated while nothing changed; exposed and stall are seconds a step, "
            "power is the job's mean.",
            job="",
            attempt="",
            first_step="",
            steps="",
            start_s="s",
            end_s="s",
            step_time_s="s",
            exposed_s="s",
            stall_s="s",
            power_w="W",
        ),
        "learning": _table(
            "Loss of executed jobs",
            "The mean loss over all ranks of every executed step, with the time and the job's energy at its end.",
            job="",
            attempt="",
            step="",
            time_s="s",
            energy_j="J",
            loss="",
        ),
        "validation": _table(
            "Held-out samples",
            "Mean loss on the held-out samples, and the share whose class was found, at every look of an executed job.",
            job="",
            attempt="",
            step="",
            time_s="s",
            energy_j="J",
            loss="",
            accuracy="1",
        ),
        "trials": _table(
            "Trials",
            "One row a trial of a search: what it tried, how it ended (complete, pruned, diverged, refused, failed), "
            "its score at its last look, and what it took.",
            job="",
            trial="",
            state="",
            score="",
            steps="",
            energy_j="J",
            asked_s="s",
            end_s="s",
            settings="",
            reason="",
        ),
        "collectives": _table(
            "Collectives of a step",
            "One row for collectives alike of each job, alone on their links, in its last attempt; seconds are of one. "
            "Exposed is what no kernel covers, ideal the bytes at the full rate of the links on their way.",
            job="",
            label="",
            algorithm="",
            times="",
            size_bytes="B",
            time_s="s",
            ideal_s="s",
            exposed_s="s",
        ),
        "step": _table(
            "What a step is made of",
            "When kernels, collectives and the reading of samples run in a step of each job alone on its links, "
            "in its last attempt, from the step's start on.",
            job="",
            stream="",
            label="",
            start_s="s",
            end_s="s",
        ),
        "smaller": _table(
            "Smaller forms of trained models",
            "One row a form: its size, how it does on the held-out samples, and what it takes one accelerator of the "
            "job to score as many samples at once, energy without that of idling.",
            job="",
            form="",
            precision="",
            size_bytes="B",
            loss="",
            accuracy="1",
            samples="",
            seconds="s",
            joules="J",
        ),
        "breakdown": _table(
            "Where the time goes",
            "Seconds of each job by part: compute, exposed communication, data stall, validation, checkpoint, lost "
            "work, launch, load, queued.",
            job="",
            part="",
            seconds="s",
        ),
        "step_parts": _table(
            "Where a step's time goes",
            "Seconds of a step of each job with a parallel plan, alone on its links: what computes, what of the "
            "communication no computation covers, the pipeline's bubble and the rest; the parts sum to the step. "
            "Hidden is what of a part's messages runs beside computation as long as nothing else is on its links.",
            job="",
            part="",
            seconds="s",
            share="1",
            hidden_s="s",
        ),
        "measured": _table(
            "Published figures beside those of the run",
            "One row a figure that the scenario states of a job under `measured`, in the unit of its metric; the error "
            "is predicted over measured, less one.",
            job="",
            metric="",
            unit="",
            measured="",
            predicted="",
            error="1",
            source="",
        ),
        "energy": _table(
            "Where the energy goes",
            "Joules from a source to a target, from the grid to the last use; a node's outflows sum to its inflow.",
            source="",
            target="",
            joules="J",
        ),
        "links": _table(
            "Links",
            "One row a link and direction: bytes carried, its mean and peak load as a share of its capacity, and the "
            "time for which it was full.",
            link="",
            tier="",
            capacity_bytes_per_s="B/s",
            bytes="B",
            mean_utilization="1",
            peak_utilization="1",
            saturated_s="s",
        ),
        "tiers": _table(
            "Tiers of the network",
            "One row a tier: what its links join, the mean load over all of them, the mean of the busiest, the highest "
            "of any, and for how long one was full at most.",
            tier="",
            low="",
            high="",
            low_count="",
            high_count="",
            links="",
            capacity_bytes_per_s="B/s",
            bytes="B",
            mean_utilization="1",
            busiest_utilization="1",
            peak_utilization="1",
            saturated_s="s",
        ),
        "background": _table(
            "Background traffic",
            "One row a traffic of others: what it asked for and got, and its mean rate while it was there; of random "
            "payloads and bursts how many ended, their mean time, and that when nobody else is there. The slow-down is "
            "of times, of a steady flow what it asked for over what it got.",
            background="",
            kind="",
            offered_bytes="B",
            moved_bytes="B",
            mean_bytes_per_s="B/s",
            ended="",
            time_s="s",
            alone_s="s",
            slowdown="",
        ),
        "outages": _table(
            "Outages of the network",
            "One row a time for which a link or switch was down or slower, or a transfer of a job stood still because "
            "a link on its way was dead.",
            target="",
            kind="",
            state="",
            start_s="s",
            end_s="s",
            detail="",
        ),
        "sharing": _table(
            "What sharing links cost",
            "One row a job and another, or traffic of others, whose transfers were on a link at one time: how long "
            "those of the job took from the moment at which the other came, and what was left then takes alone. "
            "With several others at once each of them is blamed for all of it.",
            job="",
            other="",
            transfers="",
            time_s="s",
            alone_s="s",
            slowdown="",
        ),
        "events": _table(
            "Events",
            "What happened to what: background, fault, repair, checkpoint, restart, kill, finish.",
            time_s="s",
            kind="",
            target="",
            detail="",
        ),
        "replications": _table(
            "Replications",
            "Every metric in every replication, in the metric's unit; scenarios with the same seed use the same random "
            "numbers in replication n.",
            replication="",
            metric="",
            value="",
        ),
        "operations": _table(
            "Operations of a training step",
            "One row a distinct kernel of a step of one rank: FLOPs, bytes and seconds are of one execution, "
            "count is executions a step.",
            job="",
            name="",
            kind="",
            phase="",
            scope="",
            count="",
            flops="FLOP",
            bytes="B",
            seconds="s",
            bound="",
        ),
        "limits": _table(
            "What limits",
            "The most used of each resource against its capacity, both in the row's unit; headroom is the share that "
            "is left.",
            what="",
            used="",
            capacity="",
            unit="",
            headroom="1",
            lifted_by="",
        ),
        "costs": _table("Costs", "Money spent on the run by item.", item="", usd="USD"),
        "series": _table(
            "Series over time",
            "Recorded quantities; power, link_load and utilization, the share of accelerators that jobs hold, hold "
            "until the next point, temperature is joined linearly.",
            series="",
            name="",
            unit="",
            time_s="s",
            value="",
        ),
    }
)


def empty(name: str) -> pd.DataFrame:
    """Return the table ``name`` without rows, with no columns if no such table is declared."""
    import pandas as pd

    columns = dict(TABLES[name].columns) if name in TABLES else {}
    frame = pd.DataFrame({column: [] for column in columns})
    frame.attrs["units"] = columns
    return frame
