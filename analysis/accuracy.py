"""Draw and write the accuracy page of published training runs: docs/explanation/accuracy.md and its picture.

    python analysis/accuracy.py [--out docs/explanation/accuracy.md] [--picture docs/images/accuracy.svg]

It fits the constants some sixty times, each time without the runs that it predicts then: about three minutes.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcsim.accuracy.training import study, table
from dcsim.accuracy.training.case import Case, read
from dcsim.accuracy.training.constants import COMMON, ERA, ERAS, FITTED, GENERATION, GENERATIONS, prior_of, shipped
from dcsim.accuracy.training.predict import facts_of, parts
from dcsim.accuracy.training.setting import Setting, setting_of
from dcsim.estimate.training import PARTS

COLORS = ("#0072b2", "#b06500", "#007a5a", "#a14885", "#c4261d", "#0e8fb8", "#6b7280", "#8a6d00", "#333333", "#2b8a3e")
NAMES = {
    "volta": "V100", "ampere": "A100", "hopper": "H100, H200, H800", "blackwell": "B200 to GB300", "cdna2": "MI250X",
    "cdna3": "MI300X, MI325X", "tpu": "TPU v4, v5p, 7x", "tpu-e": "TPU v5e", "tpu-6": "TPU v6e", "gaudi": "Gaudi 2",
}  # fmt: skip
EXAMPLES = ("korthikanti-t5-001", "llama3-t4-001", "bridge-gb200-002")


def main() -> int:
    """Write the page and the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs/explanation/accuracy.md"), help="the page")
    parser.add_argument("--picture", type=Path, default=Path("docs/images/accuracy.svg"), help="the picture")
    given = parser.parse_args()
    cases = read(table.SHIPPED)
    settings = [found for found in map(setting_of, cases) if isinstance(found, Setting)]
    found = study.study(settings)
    picture(found, given.picture)
    given.out.write_text(page(found, cases), encoding="utf-8")
    print(f"page     {given.out}\npicture  {given.picture}")
    return 0


def page(found: study.Study, cases: Sequence[Case]) -> str:
    """Return the page."""
    count = str(sum(map(len, FITTED.values())))
    texts = [HEAD, *kinds(found), GROUPS, *groups(found), CONSTANTS.replace("{count}", count), *constants()]
    missing = MISSING.replace("{bound}", bound(found.settings)).rstrip("\n")
    return "\n".join([*texts, missing, BREAKDOWN, *breakdown(cases)]) + "\n"


def picture(found: study.Study, path: Path) -> None:
    """Draw left-out predictions over measurements by device, on logarithmic axes, and the distribution of errors."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    measured = np.array([setting.target.step_s for setting in found.settings])
    generations = np.array([setting.sheet.generation for setting in found.settings])
    predicted = measured * (1.0 + found.halves[0])
    spines = {"axes.spines.top": False, "axes.spines.right": False}
    pyplot.rcParams.update({"font.size": 9, "svg.fonttype": "none", **spines})
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10.6, 4.6), gridspec_kw={"width_ratios": [1.25, 1.0]})
    ends = np.array([measured.min() * 0.7, measured.max() * 1.4])
    left.fill_between(ends, ends / 1.1, ends * 1.1, color="#d8dee4", lw=0, label="within 10 %")
    left.plot(ends, ends, color="#57606a", lw=0.8)
    for name, color in zip(GENERATIONS, COLORS, strict=True):
        chosen = generations == name
        if chosen.any():
            label = f"{NAMES[name]} ({chosen.sum()})"
            left.scatter(measured[chosen], predicted[chosen], s=9, color=color, alpha=0.75, lw=0, label=label)
    left.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    left.set(xlabel="measured step [s]", ylabel="predicted step [s]")
    left.set_title("Predicted against measured, fitted on the other half", loc="left", fontsize=9, fontweight="bold")
    left.legend(frameon=False, fontsize=7.5, loc="upper left")
    shares = np.linspace(0.0, 1.0, 400)
    for title, errors, color in (
        ("fitted", found.fitted, COLORS[6]),
        ("grouped halves", found.halves.ravel(), COLORS[0]),
        ("one source group left out", found.left_out, COLORS[4]),
    ):
        right.plot(np.quantile(np.abs(errors), shares) * 100.0, shares * 100.0, color=color, label=title)
    right.set(xscale="log", xlim=(0.3, 100.0), ylim=(0.0, 100.0))
    right.set(xlabel="absolute error [%]", ylabel="runs below it [%]")
    right.set_title("How many runs are within an error", loc="left", fontsize=9, fontweight="bold")
    right.grid(True, color="#d8dee4", lw=0.6)
    right.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


HEAD = """# Accuracy of training steps

<!-- Written by analysis/accuracy.py: run it after a change of the model. -->

`dcsim accuracy training` predicts 509 published training runs by the [closed form of a step](training-steps.md) and
holds them against what was measured. The constants that it uses were fitted to these very runs, so its own table says
how well the model can be made to agree; what counts is how far off runs are that no fit saw. Two ways to leave them
out:

- *Grouped halves*: runs of one source, model, device and number of devices stay together; one half is predicted by
  constants that were fitted to the other, four splits in all.
- *One source group left out*: all runs of one table, paper or log are predicted by constants fitted to the others.

The priors of the constants, by class of device and software, were set with the shipped table at hand; only constants
are fitted anew when runs are left out.

![Predicted against measured step times, and the distribution of errors](../images/accuracy.svg)

Absolute errors of the step time in percent: median, mean and 90th percentile. Seven runs of residual networks, to which
nothing is fitted, are not in it.

| runs | number | fitted | grouped halves | one source group left out |
|---|---:|---:|---:|---:|"""

GROUPS = """
## By source group

Median absolute errors in percent, and the rank correlation inside groups of five runs and more.

| source group | runs | fitted | halves | left out | rank correlation |
|---|---:|---:|---:|---:|---:|"""

CONSTANTS = """
## Constants

{count} constants are fitted, at most seven to a generation of devices or a software era; `dcsim catalogue` shows
each with the runs that it was fitted to. A value in parentheses is not fitted: no runs tell, or it is so by definition
of the era. Columns are explained in [how a step is timed](training-steps.md).
"""

MISSING = """
## What is not explained

Aims were, on grouped halves, 3.5, 7 and 13 (median, mean and 90th percentile in percent), 2.5 and 9 (median and 90th
percentile) for dense transformers on GPUs, and 10 and 30 for mixtures of experts. All are reached over all runs, and
the medians of dense transformers and of mixtures; both 90th percentiles are missed, by 1 and 3 points. Errors
inside a source are larger than what a whole source is off, so offsets of sources would not mend them.

- *Mixtures of experts*: {bound} The predictions of `dgxc-gb200-001`, `bridge-h100-005`, `bridge-b300-004` and
  `bridge-b200-004` are 30 to 65 % too short, and that of `bridge-gb200-004` is a third too long: early releases whose
  layers of experts took up to three times what later ones take. Their launches, versions of the kernels of experts and
  of attention with sinks, and what is recomputed are missing; recipes tell dispatchers and graphs of later ones.
- *`vtrain-multi`*: the predictions of nine runs with tensor groups of 2, 4 or 8 are 10 to 49 % too short, beside
  neighbors of the same source that are within 5 %. Neither placement nor the number of micro batches or messages
  tells them apart: of one plan, two samples a micro batch take longer than three; repeats are missing. Their last
  stages run layers again like the others: kept activations of 12 samples in a stage of 24 layers would take 110 GB.
- *`vtrain-single`*: times a layer repeat within 2 % for one hidden size, tensor group and micro batch, whatever stages
  and replicas, but two samples in tensor groups of two take as long as host and device in turn at a hidden size of
  2,048, and four at 1,024 as long as the longer one. Heads that are not split take some 7 ms a micro batch more than
  their FLOPs and bytes, which no other source has. The table names Megatron-LM, the data of the source
  Megatron-DeepSpeed; the processor is missing.
- *`mosaic-*`*: predictions of MPT-13B with states in two thirds of the memory are 9 % too short, those of the shortest
  and the longest sequences of MPT-125M 3 to 8 %; the retries of PyTorch's allocator are assumed, not counted.
- *`torchtitan`*: products in FP8 with scales a row are 20 % slower than modelled, tensor groups of eight on 4,096 wide
  layers 5 to 12 %; pipelines of 405B with short sequences are 12 % faster. The kernels of each format are missing.
- *`mlperf-lora`*: context groups of eight with 1,024 tokens a rank are predicted 11 to 17 % too short: exchanged heads
  and adapters explain half of what was missing, short kernels perhaps the rest. The submission's script for MI300X runs
  21 of 80 layers again, which the table does not say and the rate of its boards hides.
- *`mlperf-gpt3`*: 3,072 H100 in v4.1 take 17 % longer than predicted (its script states four chunks a stage and other
  network cards), 512 in v3.1 8 %. The script for 4,096 TPU v5p states tensor groups of eight and a policy that keeps
  most of the layers, of which the table says nothing: predicted 13 % too long.
- *Fine-tuning with NeMo and Megatron-Bridge*: packed short samples are right for 13B, 2 to 8 % too short for 70B; mean
  lengths of samples and which matrices have adapters are missing.
- *`maxtext`*: 2,048 TPU v5p in one slice attain 64.8 % of their peak, half as many 55.4 %, and two such halves 51.6 %
  (`maxtext-004` to `006`, one configuration): the first is predicted 14 % too long, the last 8 % too short.
- *`tpu-recipes`*: the table says 4,096 tokens for `tpu-recipes-001`, its recipe says 8,192 in half as many sequences;
  it says no tensor groups for `tpu-recipes-002`, its script says eight. With those they would be 11 % nearer. The one
  slice of `tpu-recipes-010` is two by its recipe, which changes nothing here.
- *`bigscience-176b`*: the source has three times of `bigscience-176b-018`, 110.4, 110.5 and 113.5 s; 128 heads with
  four samples take 21 % longer than with two (`-023`), tensor groups of four with 16 replicas 3 to 6 % longer than
  with eight, and one sample in tensor groups of eight 7 % less than predicted. Whether each launch waited for the one
  before (`CUDA_LAUNCH_BLOCKING`, which the source names for some runs) is missing.
- *`bigscience-1b3-v100`*: tensor groups of two take a quarter longer than predicted, as if their messages passed the
  host at 8 GB/s; how ranks saw each other's devices is missing.
- *Single runs* of `mt-nlg`, `gpt-neox`, `opt`, `palm` and `frontier` are 8 to 24 % off, each of a system that few or
  no other rows have. MT-NLG takes 12 ms more for each layer and micro batch than Megatron-LM of the same model and
  machine, on 2,240 and 2,800 devices too.
"""

BREAKDOWN = """
## What three predictions are made of

Percent of the predicted step; communication is what of it is exposed.

| run | measured | predicted | parts |
|---|---:|---:|---|"""


def three(errors: np.ndarray) -> str:
    """Return median, mean and ninetieth percentile in percent."""
    sizes = np.abs(errors).ravel()
    return ", ".join(f"{100 * value:.1f}" for value in (np.median(sizes), sizes.mean(), np.quantile(sizes, 0.9)))


def kinds(found: study.Study) -> list[str]:
    """Return a row for each kind of runs."""
    return [
        f"| {name} | {chosen.sum()} | {three(found.fitted[chosen])} | {three(found.halves[:, chosen])} "
        f"| {three(found.left_out[chosen])} |"
        for name, chosen in study.kinds_of(found.settings).items()
    ]


def groups(found: study.Study) -> list[str]:
    """Return a row for each source group."""
    members: dict[str, list[int]] = defaultdict(list)
    for place, setting in enumerate(found.settings):
        members[setting.case.text("source_group")].append(place)
    rows = []
    for group, places in sorted(members.items()):
        measured = np.array([found.settings[place].target.step_s for place in places])
        rank = study.spearman(measured * (1.0 + found.halves[0, places]), measured) if len(places) >= 5 else None
        medians = (found.fitted[places], found.halves[:, places], found.left_out[places])
        shown = " | ".join(f"{100 * np.median(np.abs(errors)):.1f}" for errors in medians)
        rows.append(f"| {group} | {len(places)} | {shown} | {'' if rank is None else f'{rank:.3f}'} |")
    return rows


def bound(settings: Sequence[Setting]) -> str:
    """Return how near one rate comes to several runs of a mixture on the same devices in the same format."""
    alike: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for one in settings:
        if one.model.experts:
            tokens = one.plan.batch * one.model.sequence / float(one.case.text("n_devices"))
            key = tuple(one.case.text(column) for column in ("model", "device", "n_devices", "precision"))
            alike[key].append(one.target.step_s / tokens)
    several = [np.array(times) for times in alike.values() if len(times) > 1]
    # Between the fastest and the slowest, the time whose larger error is least.
    best = [2.0 * one.max() * one.min() / (one.max() + one.min()) / one - 1.0 for one in several]
    errors = 100.0 * np.abs(np.concatenate(best))
    return (
        f"{len(errors)} runs share model, devices and format with others and differ\n  in release and plan. "
        f"One rate of tokens for each such configuration, chosen by these very runs, is {errors.mean():.0f} %\n  off "
        f"on average and {errors.max():.0f} % at worst, which is what a model without their settings could reach."
    )


def constants() -> list[str]:
    """Return the tables of constants by generation, by era, and common."""
    values = shipped()
    rows: list[str] = []
    for title, owners, fields in (("generation", GENERATIONS, GENERATION), ("era", ERAS, ERA)):
        rows += [f"| {title} | {' | '.join(fields)} |", f"|---|{'---:|' * len(fields)}"]
        for owner in owners:
            cells = [_cell(values[f"{owner}.{field}"], field in FITTED[owner]) for field in fields]
            rows.append(f"| {owner} | {' | '.join(cells)} |")
        rows.append("")
    rows += ["| common | fitted | prior |", "|---|---:|---:|"]
    rows += [f"| {field} | {values[field]:.3g} | {prior_of(field).value:.3g} |" for field in COMMON]
    return rows


def _cell(value: float, fitted: bool) -> str:
    return f"{value:.3g}" if fitted else f"({value:.3g})"


def breakdown(cases: Sequence[Case]) -> list[str]:
    """Return a row for each example."""
    rows = []
    for case in cases:
        setting = setting_of(case) if case.id in EXAMPLES else ""
        if not isinstance(setting, Setting):
            continue
        found = {name: float(part[0]) for name, part in parts(facts_of([setting]), shipped()).items()}
        whole = sum(found.values())
        shown = ", ".join(f"{name} {100 * found[name] / whole:.1f}" for name in PARTS if found[name] >= 0.0005 * whole)
        rows.append(f"| {case.id} | {setting.target.step_s:.4g} s | {whole:.4g} s | {shown} |")
    return rows


if __name__ == "__main__":
    sys.exit(main())
