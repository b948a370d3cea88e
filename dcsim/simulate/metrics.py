"""The headline metrics of a run, with units and with what bounds them."""

from __future__ import annotations

import numpy as np

from dcsim.cluster.account import CHECKPOINT, COMPUTE, EXPOSED, LOST, QUEUED, STALL
from dcsim.cluster.job import TrainingJob
from dcsim.cluster.learning import Learning
from dcsim.cluster.search import SearchJob
from dcsim.compute.precision import matrix_rate
from dcsim.estimate.habits import spread_of
from dcsim.estimate.job_plan import JobPlan
from dcsim.results.capacity import resource
from dcsim.results.result import Metric
from dcsim.results.statistics import interval
from dcsim.scenario.transformers import MixtureModel
from dcsim.scenario.workload import NARROW
from dcsim.simulate import costs
from dcsim.simulate.assemble import DataCenter
from dcsim.simulate.kernels import bound_by
from dcsim.simulate.tables import limits


def collect(center: DataCenter) -> dict[str, Metric]:
    """Return every metric of one run by name."""
    found = {"run.duration": Metric(center.clock.now, "s"), **_site(center), **_network(center), **_storage(center)}
    for job in center.jobs:
        found |= {f"jobs.{job.name}.{name}": metric for name, metric in _job(job).items()}
    for search in center.searches:
        found |= {f"jobs.{search.name}.{name}": metric for name, metric in _searched(search).items()}
    return found | _per_token(center) | _capacities(center)


def combine(replications: list[dict[str, Metric]]) -> dict[str, Metric]:
    """Return the means over replications with their 95 % intervals; metrics that not all replications have are
    left out.
    """
    if len(replications) == 1:
        return replications[0]
    combined: dict[str, Metric] = {}
    for name, metric in replications[0].items():
        if all(name in other for other in replications):
            found = interval([other[name].value for other in replications])
            combined[name] = Metric(found.mean, metric.unit, found.low, found.high, metric.provenance, metric.bound_by)
    return combined


def left_out(replications: list[dict[str, Metric]]) -> list[str]:
    """Return a warning for every metric that some replications have and others do not."""
    names = sorted({name for found in replications for name in found})
    counts = {name: sum(name in found for found in replications) for name in names}
    return [
        f"{name}: only {count} of {len(replications)} replications have it, so it is left out"
        for name, count in counts.items()
        if count < len(replications)
    ]


def _site(center: DataCenter) -> dict[str, Metric]:
    summary, spent = center.facility.summary(), costs.items(center)
    return {
        "site.energy": Metric(summary.energy_j["grid"], "J"),
        "site.it_energy": Metric(summary.energy_j["it"], "J"),
        "site.pue": Metric(summary.pue, "1"),
        "site.power_peak": Metric(summary.power_peak_w, "W"),
        "site.power_mean": Metric(summary.power_mean_w, "W"),
        "site.water": Metric(summary.water_l, "L"),
        "site.carbon": Metric(summary.carbon_kg, "kgCO2e"),
        "site.electricity_cost": Metric(summary.electricity_cost_usd, "USD"),
        "site.cost": Metric(sum(spent.values()), "USD"),
        "site.inlet_peak": Metric(summary.inlet_peak_c, "degC"),
    }


def _per_token(center: DataCenter) -> dict[str, Metric]:
    """Return the cost of the site over the tokens that its jobs were paid for, nothing where no job has any."""
    steps = [(job, job.plan.costs.tokens_per_sample) for job in center.jobs]
    tokens = sum(job.step * job.plan.parts.job.batch.global_ * each for job, each in steps if each > 1)
    return {"site.cost_per_token": Metric(sum(costs.items(center).values()) / tokens, "USD/token")} if tokens else {}


def _capacities(center: DataCenter) -> dict[str, Metric]:
    """Return the share of each capacity that the run needed; what is nearest to its own stands for several."""
    used: dict[str, tuple[float, str]] = {}
    for what, demand, capacity, *_ in limits(center):
        known = resource(what)
        if known is not None and capacity > 0.0:
            name, group = known
            used[group] = max(used.get(group, (0.0, "")), (demand / capacity, name))
    return {f"capacity.{group}": Metric(share, "1", bound_by=name) for group, (share, name) in sorted(used.items())}


def _network(center: DataCenter) -> dict[str, Metric]:
    fabric = center.hall.fabric
    moved = fabric.loads.integrals
    found = {"network.bytes": Metric(fabric.sent_bytes, "B"), **_equipment(center)}
    for tier, links in fabric.tiers.items():
        if len(links) and "disk" not in tier:
            peak = float(np.max(fabric.loads.peaks[links] / fabric.capacities[links]))
            found[f"network.peak_utilization_{tier}"] = Metric(peak, "1")
            if duration := center.clock.now:
                mean = float(np.max(moved[links] / fabric.capacities[links])) / duration
                found[f"network.mean_utilization_{tier}"] = Metric(mean, "1")
    for background in center.backgrounds:
        row = background.row()
        found[f"background.{row.background}.bytes"] = Metric(row.moved_bytes, "B")
        found[f"background.{row.background}.rate"] = Metric(row.mean_bytes_per_s, "B/s")
        if np.isfinite(row.slowdown):
            found[f"background.{row.background}.slowdown"] = Metric(row.slowdown, "1")
    return found


def _equipment(center: DataCenter) -> dict[str, Metric]:
    inventory, bought = center.prepared.inventory, center.equipment
    switch = inventory.switch
    price = bought.switches * switch.price + bought.transceivers * switch.optics_price
    accelerators = sum(parts.pool.count * parts.server.accelerators for parts in inventory.pools)
    return {
        "network.switches": Metric(float(bought.switches), "1"),
        "network.cables": Metric(float(bought.cables), "1"),
        "network.optics_power": Metric(bought.transceivers * switch.optics_power, "W"),
        "network.price": Metric(price, "USD"),
        "network.price_per_accelerator": Metric(price / accelerators, "USD"),
    }


def _storage(center: DataCenter) -> dict[str, Metric]:
    if center.hall.store is None:
        return {}
    volume = center.hall.store.volume
    return {
        "storage.read": Metric(volume.read_bytes, "B"),
        "storage.written": Metric(float(volume.written_by_node.sum()), "B"),
    }


def _job(job: TrainingJob) -> dict[str, Metric]:
    parts = job.account.parts
    found = {
        "energy": Metric(job.energy_now_j, "J"),
        "lost_time": Metric(parts[LOST] + job.recovery_s, "s"),
        "restarts": Metric(float(max(0, job.attempt - 1)), "1"),
        "checkpoint_time": Metric(parts[CHECKPOINT], "s"),
    }
    if job.finished_s is not None:
        found["finish"] = Metric(job.finished_s, "s")
    if job.step:
        found |= _stepping(job, parts)
    return found | (_learned(job.learning, job) if job.learning else {})


def _searched(search: SearchJob) -> dict[str, Metric]:
    """Return what a search reports: its trials together, and the score of the best."""
    jobs, states = search.jobs, [trial.state for trial in search.trials]
    held_s = sum((sum(job.account.parts.values()) - job.account.parts[QUEUED]) * job.plan.program.ranks for job in jobs)
    found = {
        "energy": Metric(sum(job.energy_now_j for job in jobs), "J"),
        "trials": Metric(float(len(states)), "1"),
        "trials_pruned": Metric(float(states.count("pruned")), "1"),
        "steps_taken": Metric(float(sum(job.step for job in jobs)), "1"),
        "accelerator_time": Metric(held_s, "s"),
        "restarts": Metric(float(sum(max(0, job.attempt - 1) for job in jobs)), "1"),
    }
    if search.finished_s is not None:
        found["finish"] = Metric(search.finished_s, "s")
    if search.best is not None and search.best.score is not None:
        found["best_score"] = Metric(search.best.score, "1")
        found["best_trial"] = Metric(float(search.best.number), "1")
    return found


def _learned(learning: Learning, job: TrainingJob) -> dict[str, Metric]:
    """Return what an executed job reports of its learning, as far as it came to be."""
    look, samples = learning.last_look, job.plan.parts.job.batch.global_
    reached = None if learning.target_step is None else float(learning.target_step * samples)
    found = {
        "steps_taken": (float(job.step), "1"),
        "final_loss": (learning.last_loss, "1"),
        "validation_loss": (look.loss if look else None, "1"),
        "accuracy": (look.accuracy if look else None, "1"),
        "time_to_target": (learning.target_s, "s"),
        "energy_to_target": (learning.target_j, "J"),
        "samples_to_target": (reached, "1"),
        "staleness": (learning.staleness, "1"),
    }
    return {name: Metric(value, unit) for name, (value, unit) in found.items() if value is not None}


def _stepping(job: TrainingJob, parts: dict[str, float]) -> dict[str, Metric]:
    plan, steps = job.plan, job.step
    step_s = (parts[COMPUTE] + parts[EXPOSED] + parts[STALL]) / steps
    samples = plan.parts.job.batch.global_
    tokens = samples * plan.costs.tokens_per_sample
    peak = plan.program.ranks * _peak(plan)
    bound = bound_by(plan, parts)
    found = {
        "step_time": Metric(step_s, "s", bound_by=bound),
        "compute_time": Metric(parts[COMPUTE] / steps, "s"),
        "exposed_communication": Metric(parts[EXPOSED] / steps, "s"),
        "data_stall": Metric(parts[STALL] / steps, "s"),
        "throughput": Metric(samples / step_s, "samples/s", bound_by=bound),
        "mfu": Metric(plan.model_flops_per_step / (step_s * peak), "1", bound_by=bound),
    }
    if plan.costs.tokens_per_sample > 1 or plan.costs.cache_bytes:
        found["token_rate"] = Metric(tokens / step_s, "tokens/s", bound_by=bound)
        found["energy_per_token"] = Metric(job.energy_now_j / (steps * tokens), "J/token")
    return found if plan.split is None else found | _calibrated(plan, step_s, bound)


def _peak(plan: JobPlan) -> float:
    """Return the peak of an accelerator in the format of a job's matrix products [FLOP/s]."""
    precision = plan.parts.job.precision
    narrow = "fp4" if precision == "nvfp4" else "fp8"
    return matrix_rate(narrow if precision in NARROW else precision, plan.device.accelerator)


def _calibrated(plan: JobPlan, step_s: float, bound: str) -> dict[str, Metric]:
    """Return what rests on a parallel plan's time, with the interval that four of five runs keep to.

    Where a part waits with the host, and on accelerators of which no run was measured, the time is of first principles.
    """
    mixture = isinstance(plan.parts.model, MixtureModel)
    over = 1.0 + spread_of(mixture, plan.device.accelerator.generation or "")
    samples = plan.parts.job.batch.global_
    rate = plan.model_flops_per_step / (step_s * plan.program.ranks)
    tokens = samples * plan.costs.tokens_per_sample / step_s
    numbers = {
        "step_time": (step_s, "s"),
        "throughput": (samples / step_s, "samples/s"),
        "token_rate": (tokens, "tokens/s"),
        "mfu": (rate / _peak(plan), "1"),
        "flop_rate": (rate, "FLOP/s"),
    }
    # No measured step leaves anything to its host.
    if plan.split is not None and (plan.split.work.offload.there or not plan.split.fitted):
        return {name: Metric(value, unit, bound_by=bound) for name, (value, unit) in numbers.items()}
    return {
        name: Metric(value, unit, value / over, value * over, "calibrated", bound)
        for name, (value, unit) in numbers.items()
    }
