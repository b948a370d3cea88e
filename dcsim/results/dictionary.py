"""The one list of metrics: what each name means, in which unit, and by which equation it is computed."""

from __future__ import annotations

from fnmatch import fnmatchcase

from dcsim.results.definition import Definition

DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "run.duration",
        "s",
        "Simulated time",
        "From the start of the scenario to the end of the run.",
        "t_end - t_start",
        "lower",
    ),
    Definition(
        "site.energy",
        "J",
        "Energy",
        "Energy drawn from the grid by the whole site during the run.",
        "integral of grid power over the run",
        "lower",
    ),
    Definition(
        "site.it_energy",
        "J",
        "IT energy",
        "Energy at the inputs of servers, switches and storage; power supplies count as IT, as in ISO/IEC 30134-2.",
        "integral of IT power over the run",
        "lower",
    ),
    Definition(
        "site.pue",
        "1",
        "PUE",
        "Power usage effectiveness of the run (ISO/IEC 30134-2).",
        "site.energy / site.it_energy",
        "lower",
    ),
    Definition(
        "site.power_peak",
        "W",
        "Peak power",
        "The highest power drawn from the grid at any moment.",
        "max of grid power",
        "lower",
    ),
    Definition(
        "site.power_mean", "W", "Mean power", "Mean power drawn from the grid.", "site.energy / run.duration", "lower"
    ),
    Definition(
        "site.water",
        "L",
        "Water",
        "Water evaporated and blown down at the site and used upstream to generate the electricity.",
        "site water + site.energy x water intensity of the grid",
        "lower",
    ),
    Definition(
        "site.carbon",
        "kgCO2e",
        "Carbon",
        "Carbon of the electricity by the grid's stated accounting scope.",
        "site.energy x carbon intensity of the grid",
        "lower",
    ),
    Definition(
        "site.cost",
        "USD",
        "Cost",
        "Electricity of the run plus the share of the price of servers, network and storage that its time uses up; the "
        "power chain and the cooling plant are left out.",
        "site.electricity_cost + sum of price x run.duration / lifetime",
        "lower",
    ),
    Definition(
        "site.cost_per_token",
        "USD/token",
        "Cost a token",
        "Cost of the run over the tokens of the steps that its jobs finished.",
        "site.cost / sum over jobs of steps x global batch x tokens a sample",
        "lower",
    ),
    Definition(
        "site.electricity_cost",
        "USD",
        "Electricity cost",
        "Energy drawn from the grid at the grid's price.",
        "site.energy x price",
        "lower",
    ),
    Definition(
        "site.inlet_peak",
        "degC",
        "Peak inlet temperature",
        "The highest air temperature at the servers' inlets.",
        "max of inlet temperature",
        "lower",
    ),
    Definition(
        "jobs.*.finish",
        "s",
        "Time to finish",
        "From the start of the scenario to the job's last step and final write.",
        "t_finish - t_start",
        "lower",
    ),
    Definition(
        "jobs.*.step_time",
        "s",
        "Step time",
        "Mean time of a step that counted, checkpoints not included.",
        "time in steps / steps",
        "lower",
    ),
    Definition(
        "jobs.*.compute_time",
        "s",
        "Compute a step",
        "Time of a step in which the accelerator executes operations.",
        "sum of operation times x executions",
        "lower",
    ),
    Definition(
        "jobs.*.exposed_communication",
        "s",
        "Exposed communication",
        "Time of a step spent waiting for communication after compute was done.",
        "step time - compute - data stall",
        "lower",
    ),
    Definition(
        "jobs.*.data_stall",
        "s",
        "Data stall",
        "Time of a step spent waiting for samples from storage.",
        "max(0, read time - rest of the step)",
        "lower",
    ),
    Definition(
        "jobs.*.throughput",
        "samples/s",
        "Throughput",
        "Samples trained a second while the job is stepping.",
        "global batch / step time",
        "higher",
    ),
    Definition(
        "jobs.*.token_rate",
        "tokens/s",
        "Token rate",
        "Tokens trained a second while the job is stepping.",
        "throughput x tokens a sample",
        "higher",
    ),
    Definition(
        "jobs.*.mfu",
        "1",
        "Utilization of peak (MFU)",
        "Share of the accelerators' dense peak rate that the model's FLOPs use, recomputation not counted "
        "(Chowdhery et al., PaLM, 2022).",
        "model FLOPs a step / (step time x ranks x peak rate)",
        "higher",
    ),
    Definition(
        "jobs.*.flop_rate",
        "FLOP/s",
        "Model FLOP rate",
        "Model FLOPs that an accelerator does a second under a parallel plan, recomputation not counted, attention "
        "scores above the diagonal counted as most papers do.",
        "model FLOPs a step / (step time x ranks)",
        "higher",
    ),
    Definition(
        "jobs.*.energy",
        "J",
        "Job energy",
        "Energy of the servers that the job holds, behind their power supplies (DC), from its launch to its finish; "
        "losses of power supplies and site are not in it.",
        "integral of its servers' DC power",
        "lower",
    ),
    Definition(
        "jobs.*.energy_per_token",
        "J/token",
        "Energy a token",
        "The job's energy, behind the power supplies of its servers (DC), over the tokens of the steps that counted.",
        "energy / (steps x tokens a step)",
        "lower",
    ),
    Definition(
        "jobs.*.lost_time",
        "s",
        "Lost time",
        "Time of steps that a failure undid, and of waiting for repair and restart.",
        "sum over failures of (failure - last checkpoint) + time down",
        "lower",
    ),
    Definition(
        "jobs.*.restarts",
        "1",
        "Restarts",
        "How often the job was started again after a failure.",
        "attempts - 1",
        "lower",
    ),
    Definition(
        "jobs.*.checkpoint_time",
        "s",
        "Checkpoint time",
        "Time in which the job waits for checkpoints to be written.",
        "sum of checkpoint times",
        "lower",
    ),
    Definition(
        "jobs.*.final_loss",
        "1",
        "Final loss",
        "Mean training loss over all ranks at the last step of an executed job.",
        "mean over ranks of the loss",
        "lower",
    ),
    Definition(
        "jobs.*.validation_loss",
        "1",
        "Held-out loss",
        "Mean loss of an executed job on samples that it did not train on, at its last look.",
        "mean over held-out samples of the loss",
        "lower",
    ),
    Definition(
        "jobs.*.accuracy",
        "1",
        "Accuracy",
        "Share of what was to be found in held-out samples that an executed job found, at its last look: classes, "
        "pixels, next or hidden tokens, clicks, or objects.",
        "mean over held-out samples of found / to be found",
        "higher",
    ),
    Definition(
        "jobs.*.steps_taken",
        "1",
        "Steps taken",
        "Steps of an executed job that counted: all of them, or as many as it took until it had learned enough.",
        "number of the last step",
        "lower",
    ),
    Definition(
        "jobs.*.best_score",
        "1",
        "Best score",
        "Held-out loss, or accuracy where the search asks for it, of the best trial of a search at its last look.",
        "least loss, or largest accuracy, over complete trials",
    ),
    Definition(
        "jobs.*.best_trial",
        "1",
        "Best trial",
        "Number of the trial of the best score, counted from 0; its settings stand in the table of trials.",
        "first trial of the best score",
    ),
    Definition("jobs.*.trials", "1", "Trials", "Trials that a search took.", "number of trials asked for"),
    Definition(
        "jobs.*.trials_pruned",
        "1",
        "Trials pruned",
        "Trials of a search that were ended early because they did not promise much.",
        "number of pruned trials",
    ),
    Definition(
        "jobs.*.accelerator_time",
        "s",
        "Accelerator time",
        "Time in which the trials of a search held accelerators, summed over accelerators.",
        "sum over trials of ranks x (finish - start)",
        "lower",
    ),
    Definition(
        "jobs.*.time_to_target",
        "s",
        "Time to target",
        "Until an executed job first reaches its target loss or accuracy, from the start of the scenario.",
        "first t with loss(t) <= target, or accuracy(t) >= target",
        "lower",
    ),
    Definition(
        "jobs.*.energy_to_target",
        "J",
        "Energy to target",
        "The job's energy, behind the power supplies of its servers (DC), until it first reaches its target.",
        "integral of its servers' DC power until time_to_target",
        "lower",
    ),
    Definition(
        "jobs.*.samples_to_target",
        "1",
        "Samples to target",
        "Samples that an executed job trained on until it first reached its target.",
        "steps until time_to_target x global batch",
        "lower",
    ),
    Definition(
        "jobs.*.staleness",
        "1",
        "Staleness",
        "Updates by other ranks between the pull of a gradient's weights and its push, where ranks do not wait.",
        "mean over gradients of updates since their weights were pulled",
        "lower",
    ),
    Definition(
        "network.peak_utilization_*",
        "1",
        "Peak link load",
        "The highest load of any link of the tier, as a share of its capacity.",
        "max over links and time of load / capacity",
        "lower",
    ),
    Definition(
        "network.mean_utilization_*",
        "1",
        "Mean load of the busiest link",
        "The highest mean load of any link of the tier, as a share of its capacity.",
        "max over links of bytes / (run.duration x capacity)",
        "lower",
    ),
    Definition(
        "network.switches",
        "1",
        "Switches",
        "Switches of the network; of a fat-tree as many as its ports fill.",
        "count of switches, or ceil(ports in use / ports of a switch)",
        "lower",
    ),
    Definition(
        "network.cables",
        "1",
        "Cables",
        "Cables of the network, those of network cards included.",
        "count of cables",
        "lower",
    ),
    Definition(
        "network.optics_power",
        "W",
        "Power of transceivers",
        "What the transceivers at both ends of every cable draw; those in switches are part of the power of switches.",
        "2 x optical cables x power of a transceiver",
        "lower",
    ),
    Definition(
        "network.price",
        "USD",
        "Price of the network",
        "What switches and transceivers cost to buy; the cost of a run counts the switches alone.",
        "switches x price + transceivers x price of a transceiver",
        "lower",
    ),
    Definition(
        "network.price_per_accelerator",
        "USD",
        "Price of the network per accelerator",
        "What switches and transceivers cost to buy for each accelerator of the cluster.",
        "network.price / accelerators",
        "lower",
    ),
    Definition("network.bytes", "B", "Bytes sent", "Payload that entered the fabric.", "sum over transfers of bytes"),
    Definition(
        "background.*.bytes", "B", "Bytes moved", "Payload that the network moved for this traffic of others.", "sum"
    ),
    Definition(
        "background.*.rate",
        "B/s",
        "Mean rate",
        "What the network moved for this traffic of others over the time for which it was there.",
        "bytes / (end - beginning)",
        "higher",
    ),
    Definition(
        "background.*.slowdown",
        "1",
        "Slow-down",
        "How much longer payloads and bursts of this traffic took than with nobody else there; of a steady flow what "
        "it asked for over what it got.",
        "mean time / mean time alone, or bytes asked for / bytes moved",
        "lower",
    ),
    Definition("storage.read", "B", "Bytes read", "Bytes that storage handed out.", "sum over reads of bytes"),
    Definition(
        "storage.written",
        "B",
        "Bytes written",
        "Bytes written to storage, each replica counted.",
        "sum over writes of bytes x replicas",
    ),
    Definition(
        "capacity.*",
        "1",
        "Capacity used",
        "Share of a capacity (accelerators, power, cooling, network, storage) needed at the peak; of links on average.",
        "max of demand / capacity; of links bytes / (run.duration x capacity)",
        "lower",
    ),
)


def find(name: str) -> Definition | None:
    """Return the definition that the metric ``name`` (or a pattern itself) falls under, None for an unknown one."""
    return next((entry for entry in DEFINITIONS if fnmatchcase(name, entry.pattern)), None)


def title(name: str) -> str:
    """Return what to call the metric ``name`` in a table: its title with the job or tier it belongs to."""
    entry = find(name)
    if entry is None:
        return name
    subject = variable(name)
    return f"{subject}: {entry.title[0].lower()}{entry.title[1:]}" if subject else entry.title


def share(name: str) -> bool:
    """Return whether the metric ``name`` is a share of a whole, read in percent; a loss or a PUE is none."""
    return any(fnmatchcase(name, pattern) for pattern in ("jobs.*.mfu", "network.*_utilization_*", "capacity.*"))


def variable(name: str) -> str:
    """Return what stands for ``*`` in the metric ``name``: the job or the tier, "" where there is none."""
    entry = find(name)
    if entry is None or "*" not in entry.pattern:
        return ""
    before, after = entry.pattern.split("*")
    return name[len(before) : len(name) - len(after)]


def order(name: str) -> tuple[int, str]:
    """Return a key that sorts metric names as the dictionary lists them, unknown ones last by name."""
    for index, entry in enumerate(DEFINITIONS):
        if fnmatchcase(name, entry.pattern):
            return index, name
    return len(DEFINITIONS), name
