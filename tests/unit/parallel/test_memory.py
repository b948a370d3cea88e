"""What a rank keeps in memory."""

from __future__ import annotations

from dcsim.parallel.memory import RankMemory, replicated
from dcsim.scenario.workload import TransformerModel
from dcsim.workload.costs import CostRequest, costs

MODEL = TransformerModel(family="transformer", layers=2, hidden=128, heads=4, context=64, vocabulary=256)


def test_a_replica_holds_weights_gradients_optimizer_and_activations() -> None:
    traced = costs(CostRequest(model=MODEL, precision="bf16", optimizer="adamw", micro=2))
    memory = replicated(traced, 2, fused_attention=False)
    # bf16 weights and gradients; a float32 master and two float32 moments.
    assert memory.weights_bytes == 2.0 * traced.parameters
    assert memory.gradients_bytes == 2.0 * traced.parameters
    assert 12.0 * traced.parameters <= memory.optimizer_bytes < 12.0 * traced.parameters + 100.0
    assert memory.activations_bytes == traced.residual_bytes
    assert memory.total_bytes == memory.weights_bytes * 2 + memory.optimizer_bytes + memory.activations_bytes


def test_fused_attention_keeps_no_scores() -> None:
    traced = costs(CostRequest(model=MODEL, precision="bf16", optimizer="adamw", micro=2))
    plain, fused = (replicated(traced, 2, fused) for fused in (False, True))
    # At least one matrix of 64 x 64 scores of two bytes for each of 2 layers, 2 samples and 4 heads.
    assert plain.activations_bytes - fused.activations_bytes >= 2 * 2 * 4 * 64 * 64 * 2
    assert fused.activations_bytes > 0.0


def test_it_reads_well() -> None:
    assert str(RankMemory(1e9, 2e9, 3e9, 4e9)) == "weights 1 GB, gradients 2 GB, optimizer 3 GB, activations 4 GB"
