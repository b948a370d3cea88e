"""The domain "training": rules that read a row, rows that lack things, and the shipped runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from dcsim import catalogue
from dcsim.accuracy import score
from dcsim.accuracy.training import table
from dcsim.accuracy.training.case import Case, read
from dcsim.accuracy.training.constants import FITTED, shipped
from dcsim.accuracy.training.device import data_sheet, half_size, link_rate, network_rate
from dcsim.accuracy.training.era import era_of
from dcsim.accuracy.training.mixing import Mixing, mixing_of
from dcsim.accuracy.training.model import Model, model_of
from dcsim.accuracy.training.plan import Plan
from dcsim.accuracy.training.policy import again_by_policy
from dcsim.accuracy.training.setting import Setting, setting_of
from dcsim.catalogue.parts import Link
from dcsim.errors import InputError


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read(table.SHIPPED)


@pytest.mark.parametrize(
    ("software", "release", "era"),
    [
        ("Megatron-LM", "2021-04", "megatron-2021"),
        ("Megatron-DeepSpeed", "2022-02", "deepspeed-2022"),
        ("llm-foundry", "2023", "flash-2023"),
        ("NeMo", "24.07", "te-fp8-2024"),
        ("Megatron-Bridge", "26.02.01", "bridge-2026"),
        ("MaxText", "2024", "maxtext"),
        ("MLPerf submission", "v4.1", "mlperf-2024"),
        ("torchtitan", "2025-06", "torchtitan-2024"),
        ("something new", "2023-05", "flash-2023"),
        ("something new", "", "te-fp8-2024"),
        ("something new", "May 2023", "flash-2023"),
        ("something new", "r23.05", "flash-2023"),
        ("something new", "v2.3", "te-fp8-2024"),
        ("NeMo 24.07", "", "te-fp8-2024"),
        ("Megatron-LM (2021)", "", "megatron-2021"),
        ("Megatron-LM", "core_r0.8.0", "te-fp8-2024"),
        ("Megatron Bridge", "", "bridge-2026"),
    ],
)
def test_the_rule_of_eras(software: str, release: str, era: str) -> None:
    assert era_of(software, release) == era


@pytest.mark.parametrize(("device", "era"), [("TPU-v6e", "maxtext"), ("H100-SXM-80GB", "mlperf-2024")])
def test_what_runs_on_tpus_is_of_xla_whoever_submits_it(device: str, era: str) -> None:
    told = {"id": "one", "model": "gpt3-175b", "n_devices": "256", "software": "MLPerf submission", "step_s": "1"}
    setting = setting_of(Case({**told, "device": device}))
    assert isinstance(setting, Setting)
    assert setting.era == era


@pytest.mark.parametrize(
    ("words", "tensor", "links", "half"),
    [
        ("NVLink3 (4-GPU links)", 4.0, 4, 1.0),
        ("NVLink3 (4-GPU links)", 8.0, 8, 10.0),
        ("NVLink3 600GB/s", 8.0, 12, 1.0),
    ],
)
def test_tensor_groups_that_cross_groups_of_four_pass_the_host(
    words: str, tensor: float, links: float, half: float
) -> None:
    # An A100 has twelve links of 25 GB/s one way.
    case, sheet = Case({"intra_link": words}), data_sheet("A100-80GB-SXM")
    assert sheet is not None
    assert link_rate(case, sheet, tensor) == pytest.approx(links * 25e9, rel=1e-12)
    assert half_size(case, tensor) == half


@pytest.mark.parametrize(("release", "fused"), [("2022-04", 0.0), ("2023", 0.0), ("2023-12", 1.0)])
def test_attention_is_one_kernel_since_july_2023(release: str, fused: float) -> None:
    told = {"id": "one", "model": "gpt3-175b", "device": "A100-80GB-SXM", "n_devices": "256", "step_s": "1"}
    setting = setting_of(Case({**told, "software": "Megatron-DeepSpeed", "release": release}))
    assert isinstance(setting, Setting)
    assert (setting.era, setting.fused) == ("deepspeed-2022", fused)


def test_gpt_neox_counted_attention_sixtyfold_until_late_in_2023(cases: list[Case]) -> None:
    # 1,538 sequences of 2,048 tokens on 96 devices at 117 TFLOP/s: (6 N + 60 s h l) a token, N = 12 l h^2 + v h.
    run = next(case for case in cases if case.text("id") == "gpt-neox-001")
    before, after = setting_of(run), setting_of(Case({**run.texts, "release": "2023-10"}))
    assert isinstance(before, Setting)
    assert isinstance(after, Setting)
    parameters = 12 * 44 * 6144**2 + 50432 * 6144
    counted = 1538 * 2048 * (6 * parameters + 60 * 2048 * 6144 * 44)
    assert before.target.step_s == pytest.approx(counted / (96 * 117e12), rel=1e-9)
    assert before.target.step_s == pytest.approx(1830 * 3600 / 150000, rel=0.02)
    assert after.target.step_s == pytest.approx(47.7, rel=0.01)


@pytest.mark.parametrize(
    ("model", "software", "replicas"),
    [("llama2-7b", "MaxText", 8.0), ("llama2-70b", "MaxText", 1.0), ("llama2-7b", "torchtitan", 1.0)],
)
def test_maxtext_shards_weights_inside_servers_that_hold_all_of_them(
    model: str, software: str, replicas: float
) -> None:
    """16 B of 6.7e9 parameters are 108 GB, those of 69e9 are 1.1 TB; half of eight times 80 GB is 320 GB."""
    told = {"id": "one", "n_devices": "64", "node_size": "8", "device": "H100", "dp_sharding": "fsdp", "step_s": "1"}
    setting = setting_of(Case({**told, "model": model, "software": software}))
    assert isinstance(setting, Setting)
    assert setting.plan.replicas == replicas


@pytest.mark.parametrize(
    ("words", "share"),
    [
        ("full", None),
        ("minimal_with_context", 0.05),
        ("minimal_offloaded", 0.05 + 0.95 * 16 / 144),
        ("save_dot_except_mlp", 0.05 + 0.95 * 80 / 144),
        ("save_dot_with_context_except_mlp", 0.05 + 0.95 * 64 / 144),
        ("qkv_proj_offloaded", 0.05 + 0.95 * 96 / 144),
        ("save_out_proj", 0.05 + 0.95 * 128 / 144),
    ],
)
def test_policies_of_maxtext_run_again_what_they_do_not_keep(words: str, share: float | None) -> None:
    """Of 4 x 3 x 4 for queries, keys and values, 2 x 4 x 2 for the core, 4 x 4 for its output and 4 x 16 wide."""
    model = Model(1.0, 4.0, 1.0, 1.0, 4.0, 4.0, 16.0, 8.0, sequence=2.0)
    again = again_by_policy(words, model)
    assert again is None if share is None else again == pytest.approx(share, rel=1e-9)


@pytest.mark.parametrize(("batch", "unstated"), [("4096", 0.0), ("16384", 1.0)])
def test_xla_runs_nothing_again_where_all_activations_fit(batch: str, unstated: float) -> None:
    """34 B x 2,048 tokens x 12,288 x 96 layers are 82 GB beside 1 GB of states, of 95 GB; of four sequences, 329 GB."""
    told = {"id": "one", "model": "gpt3-175b", "device": "TPU-v5p", "n_devices": "4096", "software": "MaxText"}
    setting = setting_of(Case({**told, "params_b": "175", "global_batch": batch, "step_s": "1"}))
    assert isinstance(setting, Setting)
    assert setting.plan.unstated == unstated


@pytest.mark.parametrize(
    ("words", "gb_per_s"),
    [
        ("8x400Gb/s NDR IB per node", 50.0),
        ("EFA 3200 Gbps per node", 50.0),
        ("50 GB/s per GPU", 50.0),
        ("800Gb/s per node", 12.5),
        ("400Gb/s per GPU", 50.0),
        ("", 25.0),
    ],
)
def test_network_rates_are_read_from_words(words: str, gb_per_s: float) -> None:
    sheet = data_sheet("A100-80GB-SXM")
    assert sheet is not None
    assert network_rate(Case({"inter_link": words}), sheet, 8.0) == pytest.approx(gb_per_s * 1e9)


@pytest.mark.parametrize(
    ("name", "sheet"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("A100-SXM4-80GB", "a100-80"),
        ("NVIDIA A100-SXM4-40GB", "a100-40"),
        ("B200-SXM-180GB", "b200"),
        ("MI300X-OAM", "mi300x"),
        ("v5litepod", "tpu-v5e"),
        ("tpu_v5_lite_podslice", "tpu-v5e"),
        ("TPUv5p", "tpu-v5p"),
        ("TPU7x", "tpu-7x"),
        ("H100-SXM-80GB", "h100"),
        ("H200-SXM-141GB", "h200"),
        ("H20", "h20"),
        ("A100-40GB-SXM (DGX-A100)", "a100-40"),
    ],
)
def test_devices_are_found_by_their_names(name: str, sheet: str) -> None:
    found = data_sheet(name)
    assert found is not None
    assert found.name == sheet


_RUN = {
    "id": "one", "model": "Llama 2 7B", "device": "H100", "n_devices": "1,024", "global_batch": "2048",
    "step_s": "2.5 s",
}  # fmt: skip


def _predicted(tmp_path: Path, text: str | bytes) -> list[score.Row]:
    file = tmp_path / "runs.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return table.score_runs(file)[0]


def _text(mark: str = ",", line: str = "\n", **changed: str) -> str:
    run = _RUN | changed
    cells = ([f'"{cell}"' for cell in row] for row in (run, run.values()))
    return "".join(mark.join(row) + line for row in cells)


@pytest.mark.parametrize(
    "text",
    [
        _text(line="\r\n"),
        _text(mark=";"),
        _text(mark="\t"),
        "\ufeff" + _text(),
        _text().encode("utf-16"),
        _text(notes="Zürich").encode("cp1252"),
        _text().replace("n_devices", " N_Devices "),
        _text(step_s="2,5"),
        _text(value="2500", metric="step_ms", step_s=""),
        _text(tp="eight"),
    ],
)
def test_tables_of_strangers_are_read(tmp_path: Path, text: str | bytes) -> None:
    (plain,), (found,) = _predicted(tmp_path, _text()), _predicted(tmp_path, text)
    assert plain.predicted is not None and found.predicted is not None
    assert found.predicted / found.measured == pytest.approx(plain.predicted / plain.measured, rel=1e-12)


def test_a_run_without_a_name_goes_by_its_place(tmp_path: Path) -> None:
    (row,) = _predicted(tmp_path, _text(id=""))
    assert (row.id, row.predicted is None) == ("run 1", False)


def test_a_share_of_the_peak_is_read_with_and_without_percent(tmp_path: Path) -> None:
    errors = []
    for metric, value in (("mfu", "0.4"), ("mfu", "40 %"), ("mfu_pct", "40")):
        (row,) = _predicted(tmp_path, _text(metric=metric, value=value, step_s=""))
        assert row.predicted is not None
        errors.append(row.predicted / row.measured)
    assert errors == pytest.approx([errors[0]] * 3, rel=1e-12)


def test_a_row_without_a_metric_takes_what_it_has(tmp_path: Path) -> None:
    (row,) = _predicted(tmp_path, _text(tokens_per_s_per_device="9000", step_s=""))
    assert (row.metric, row.measured) == ("tokens_per_s_per_device", 9000.0)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"n_devices": "-8"}, 'states "-8" devices'),
        ({"n_devices": "1e20"}, "more than there are"),
        ({"hidden": "1e30", "params_b": "7"}, "the table states 7"),
        ({"step_s": "fast"}, "no measured value"),
        ({"device": "FooChip"}, "no data sheet"),
    ],
)
def test_what_cannot_be_meant_has_a_reason(tmp_path: Path, changed: dict[str, str], reason: str) -> None:
    (row,) = _predicted(tmp_path, _text(**changed))
    assert row.predicted is None
    assert reason in row.reason


def test_cells_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    file = tmp_path / "runs.csv"
    file.write_text(_text(tp="eight"))
    assert table.score_runs(file)[1]["ignored"].endswith('the first is tp "eight" of one')


def test_a_head_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no rows"):
        _predicted(tmp_path, _text().splitlines()[0])


@pytest.mark.parametrize(
    ("columns", "system", "block", "expected"),
    [
        ({"software": "HAI-LLM"}, ("te-fp8-2024", "hopper", 0.0), False, Mixing(once=1.0, launched=1.0)),
        ({"software": "NeMo"}, ("te-fp8-2024", "hopper", 0.0), False, Mixing(once=0.0, launched=1.0)),
        (
            {"software": "NeMo", "notes": "DeepEP"},
            ("te-fp8-2024", "hopper", 0.0),
            False,
            Mixing(once=1.0, launched=1.0),
        ),
        ({"node_size": "8"}, ("bridge-2026", "blackwell", 1 / 12), True, Mixing(once=0.0, launched=1.0)),
        ({"node_size": "8"}, ("bridge-2026", "blackwell", 3 / 12), True, Mixing(once=1.0, launched=1.0)),
        ({"node_size": "72"}, ("bridge-2026", "blackwell", -1 / 12), False, Mixing(once=1.0)),
        ({"node_size": "72"}, ("bridge-2026", "blackwell", 7 / 12), True, Mixing(once=1.0, whole=1.0)),
        ({"node_size": "8"}, ("bridge-2026", "hopper", 7 / 12), False, Mixing(once=1.0, launched=1.0)),
        ({"node_size": "72", "notes": "alltoall"}, ("bridge-2026", "blackwell", 7 / 12), False, Mixing(once=0.0)),
    ],
)
def test_the_rule_of_mixtures(
    columns: dict[str, str], system: tuple[str, str, float], block: bool, expected: Mixing
) -> None:
    assert mixing_of(Case(columns), system, True, block) == expected


def test_size_tells_gates_and_heads() -> None:
    row = {"model": "new", "layers": "32", "hidden": "4096", "heads": "32", "kv_heads": "8", "ffn": "14336"}
    model = model_of(Case({**row, "vocab": "128256", "params_b": "8.03"}))
    assert not isinstance(model, str)
    assert model.gated == 1.0
    plain = model_of(Case({**row, "vocab": "128256", "params_b": "6.15"}))
    assert not isinstance(plain, str)
    assert plain.gated == 0.0


def test_every_shipped_run_is_predicted(cases: list[Case]) -> None:
    rows, _ = table.score_runs(None)
    assert [row.id for row in rows] == [case.id for case in cases]
    summary = score.summary(rows)["all"]
    assert summary["coverage"] >= 0.97
    assert summary["median"] < 0.06
    assert summary["mean"] < 0.12


def test_runs_that_a_public_tool_was_tuned_on(cases: list[Case]) -> None:
    # Calculon's errors on these: 3.65 % on average, 8.87 % at worst.
    rows = [row for row in table.rows_of(cases, shipped(), {}) if row.id.startswith("korthikanti-t5")]
    errors = [abs(row.error or 0.0) for row in rows]
    assert sum(errors) / len(errors) < 0.0365
    assert max(errors) < 0.0887


def test_no_blank_makes_a_row_fail(cases: list[Case]) -> None:
    chosen = cases[::29]
    for column in cases[0].texts:
        blanked = [Case({**case.texts, column: ""}) for case in chosen]
        for row in table.rows_of(blanked, shipped(), {}):
            assert row.predicted is not None or row.reason


@pytest.mark.parametrize("text", ["0", "-3", "nan", "inf", "words", "1e300"])
def test_nonsense_is_refused_with_a_reason_or_left_out(cases: list[Case], text: str) -> None:
    for column in ("layers", "tp", "pp", "global_batch", "n_devices", "heads", "seq", "node_size", "value", "step_s"):
        rows = table.rows_of([Case({**cases[0].texts, column: text})], shipped(), {})
        assert rows[0].predicted is not None or rows[0].reason


def test_at_most_eighty_constants_are_fitted() -> None:
    assert sum(map(len, FITTED.values())) <= 80
    assert all(len(fields) <= 7 for owner, fields in FITTED.items() if owner)


def test_fitted_rows_are_flagged(tmp_path: Path, cases: list[Case]) -> None:
    other = {**cases[0].texts, "id": "a-run-of-my-own"}
    file = tmp_path / "cases.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(other))
        writer.writeheader()
        writer.writerows([dict(cases[0].texts), other])
    rows, facts = table.score_runs(file)
    assert [row.fitted for row in rows] == [True, False]
    written = json.loads(score.to_json(rows, facts))
    assert {"id", "metric", "unit", "measured", "predicted", "error", "low", "high", "fitted", "reason"} <= set(
        written["rows"][0]
    )


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column device"):
        table.score_runs(file)


@pytest.mark.parametrize(
    ("name", "virtual", "balanced"),
    # 96 / 8 layers in chunks of two; 126 layers, embedding and head on 8 stages; 92 / 4 is odd.
    [("mlperf-gpt3-005", 6.0, 0.0), ("mlperf-405b-001", 8.0, 1.0), ("megatron-h100-weak-001", 23.0, 0.0)],
)
def test_recent_pipelines_deal_two_layers_a_chunk(
    cases: list[Case], name: str, virtual: float, balanced: float
) -> None:
    found = setting_of(next(case for case in cases if case.id == name))
    assert isinstance(found, Setting)
    assert (found.plan.virtual, found.plan.balanced) == (virtual, balanced)


def test_sizes_of_a_row_are_read(cases: list[Case]) -> None:
    found = setting_of(next(case for case in cases if case.id == "korthikanti-t5-001"))
    assert isinstance(found, Setting)
    plan = found.plan
    assert (plan.tensor, plan.pipeline, plan.virtual, plan.micro, plan.micro_batches) == (8.0, 8.0, 3.0, 1.0, 64.0)
    assert plan.recomputed_core == 1.0


def test_a_row_without_a_measurement_is_strict_json(cases: list[Case]) -> None:
    empty = Case({**cases[0].texts, "value": "", "step_s": ""})
    written = score.to_json(table.rows_of([empty], shipped(), {}), {})

    def refuse(text: str) -> None:
        raise ValueError(text)

    (row,) = json.loads(written, parse_constant=refuse)["rows"]
    assert (row["measured"], row["predicted"], row["reason"]) == (None, None, "the table has no measured value")


def test_the_parts_of_a_row_sum_to_its_step(cases: list[Case]) -> None:
    (row,) = table.rows_of(cases[:1], shipped(), {})
    assert row.metric == "step_s"
    parts = row.more or {}
    assert sum(parts[name] for name in parts if not name.startswith("hidden_")) == pytest.approx(
        row.predicted, rel=1e-12
    )
    assert parts["hidden_tensor_seconds"] > 0.0  # tensor groups of this run overlap a part of their messages


def test_rows_tell_whether_runs_on_such_devices_were_measured(cases: list[Case]) -> None:
    one = cases[0].texts
    rows = table.rows_of([Case({**one, "device": device}) for device in ("A100-80GB-SXM", "MI250X")], shipped(), {})
    assert [(row.groups or {})["provenance"] for row in rows] == ["calibrated", "first-principles"]


def test_power_is_counted_for_what_a_data_sheet_promises() -> None:
    b300, gb200, pcie = (data_sheet(name) for name in ("B300-SXM", "GB200-NVL72", "H100-PCIe-80GB"))
    assert b300 is not None and gb200 is not None and pcie is not None
    assert b300.power == pytest.approx((1100.0 / 1200.0) / (b300.rate16 / gb200.rate16), abs=3e-3)
    assert pcie.power == pytest.approx((350.0 / 700.0) / (756.0 / 989.0), abs=1e-3)


@pytest.mark.parametrize(
    ("device", "precision", "era"),
    [("V100-32GB", "fp16", "megatron-2021"), ("A100-80GB", "bf16", "flash-2023"), ("GB200", "fp8", "bridge-2026"),
     ("TPU-v5e", "bf16", "maxtext"), ("MI300X", "fp8", "te-fp8-2024")],
)  # fmt: skip
def test_unknown_software_without_a_year_is_what_was_usual_on_the_device(device: str, precision: str, era: str) -> None:
    given = {"device": device, "precision": precision, "layers": "24", "hidden": "2048", "n_devices": "8"}
    found = setting_of(Case({**given, "global_batch": "64", "step_s": "1", "software": "my own"}))
    assert isinstance(found, Setting)
    assert found.era == era


def plan_of_row(**texts: str) -> Plan:
    given = {"device": "A100-40GB", "n_devices": "64", "model": "llama2-70b", "step_s": "1", "global_batch": "64"}
    found = setting_of(Case({**given, **texts}))
    assert isinstance(found, Setting)
    return found.plan


def test_blank_sizes_are_what_the_memory_asks_for() -> None:
    # 69 G parameters of 16 B ask for 1.1 TB: 16 GB of each device take 8 tensor ranks and 16 stages or as many as go.
    alone = plan_of_row()
    assert (alone.tensor, alone.pipeline, alone.data) == (8.0, 8.0, 1.0)
    # Weights that all ranks share out need no further split.
    sharded = plan_of_row(dp_sharding="fsdp")
    assert (sharded.tensor, sharded.pipeline, sharded.data) == (1.0, 1.0, 64.0)


def test_layers_are_recomputed_where_nothing_is_stated_and_activations_do_not_fit() -> None:
    given = {"software": "llm-foundry", "dp_sharding": "fsdp", "n_devices": "8", "seq": "2048", "global_batch": "512"}
    large = plan_of_row(**given, model="llama2-7b", micro_batch="8")
    # 34 B x 8 x 2048 x 4096 x 32 layers = 73 GB, of 40 GB; an eighth of it fits.
    small = plan_of_row(**given, model="llama2-7b", micro_batch="1")
    assert (large.recomputed, small.recomputed) == (1.0, 0.0)


def test_more_ranks_than_devices_are_refused() -> None:
    found = setting_of(Case({"device": "H100", "n_devices": "16", "tp": "8", "pp": "4", "model": "llama2-7b"}))
    assert found == "tp 8 x pp 4 x cp 1 needs 32 devices, the table states 16"


def _setting(**told: str) -> Setting:
    given = {"id": "one", "model": "llama3-8b", "device": "H100-SXM-80GB", "n_devices": "8", "step_s": "1"}
    found = setting_of(Case({**given, **told}))
    assert isinstance(found, Setting)
    return found


@pytest.mark.parametrize(("precision", "early", "gradient"), [("bf16-pure", True, 2.0), ("bf16-amp", False, 4.0)])
def test_precision_tells_the_release_of_llm_foundry(precision: str, early: bool, gradient: float) -> None:
    found = _setting(software="llm-foundry", release="2023", dp_sharding="fsdp-full_shard", precision=precision)
    assert (found.early, found.formats.gradient_bytes) == (early, gradient)


def test_torchtitan_runs_attention_for_ampere_on_hopper_and_gathers_in_eight_bits() -> None:
    titan = {"software": "torchtitan", "release": "2024", "dp_sharding": "fsdp2", "tp": "8"}
    kinds = [_setting(**titan, precision=words) for words in ("bf16", "fp8-tensorwise", "fp8-rowwise")]
    assert [one.formats.gathered_bytes for one in kinds] == [2.0, 1.0, 2.0]
    assert [one.formats.block for one in kinds] == [0.0, 0.0, 1.0]
    assert all(one.older for one in kinds)
    assert not _setting(**titan, device="B200").older
    assert not _setting(software="Llama 3 (Meta)", release="2024").older


@pytest.mark.parametrize("name", ["v4", "v5e", "v5p", "v6e"])
def test_rings_of_a_torus_are_as_fast_where_scored_as_where_simulated(name: str) -> None:
    link = catalogue.Shelf().take(Link, f"ici-{name}")
    sheet = data_sheet(f"TPU-{name}")
    assert sheet is not None and link.ring is not None
    assert sheet.link == pytest.approx(link.ring * link.rate, rel=1e-9)


def test_fine_tuning_is_read_as_recipes_do_it(cases: list[Case]) -> None:
    # Frozen weights of 69 G parameters in 8 bits fill 0.4 of two H200, not of one; NeMo packs short samples.
    by_name = {case.id: setting_of(case) for case in cases}
    tuned, short = by_name["mlperf-lora-005"], by_name["nemo2407-h100-ft-001"]
    assert isinstance(tuned, Setting) and isinstance(short, Setting)
    assert (tuned.plan.tensor, tuned.plan.data, tuned.model.windowed) == (2.0, 4.0, 0.0)
    assert (short.model.window, short.model.windowed) == (512.0, 1.0)
