"""Flows that begin and end one by one: the same to the bit whether steps are compiled or not."""

from __future__ import annotations

import random
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from dcsim.engine import Clock, Process, Streams
from dcsim.network.compiled import INTERPRETED, Kernel, compile_kernel
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout
from dcsim.network.topology import TreeShape

HOSTS, FLOWS = 96, 4


def churn(monkeypatch: pytest.MonkeyPatch, kernel: Kernel) -> list[object]:
    """Let every host send random payloads, a third of them of one size so that flows end together; return what came."""
    monkeypatch.setattr("dcsim.network.sharing.choose", lambda _: kernel)
    endpoints = tuple(Endpoint(f"host/{i}", 1, 50e9) for i in range(HOSTS))
    shape = TreeShape.balanced(4, 4, 6)
    net = Fabric(Clock(), FabricLayout(endpoints, 50e9, hop_latency_s=3e-6, shape=shape), Streams(0))
    draw, ended = random.Random(3), []
    targets = [(i + 1 + draw.randrange(HOSTS - 1)) % HOSTS for i in range(HOSTS) for _ in range(FLOWS)]
    pairs = [(i, 0, 0) for i in range(HOSTS) for _ in range(FLOWS)], [(target, 0, 0) for target in targets]
    routes = net.connections(*pairs)
    sizes = [1e8 if draw.random() < 0.33 else draw.uniform(1e7, 2e8) for _ in targets]

    def sender(host: int) -> Process:
        for i in range(host * FLOWS, (host + 1) * FLOWS):
            yield net.transfers(routes, np.array([sizes[i]]), "all", np.array([i]))
            ended.append((i, net.clock.now))

    net.clock.run(net.clock.all_of([net.clock.process(sender(host)) for host in range(HOSTS)]))
    assert net.sent_bytes == pytest.approx(sum(sizes), rel=1e-12)
    assert net.received_bytes == pytest.approx(sum(sizes), rel=1e-12)
    return [ended, net.solves, *(values.tolist() for values in (net.loads.integrals, net.loads.peaks))]


@pytest.mark.skipif(find_spec("numba") is None, reason="Numba is optional")
def test_a_run_of_compiled_steps_is_that_of_the_interpreter_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, steps = compile_kernel(), {"begin": 0, "end": 0}

    def counted(name: str, *given: object) -> object:
        steps[name] += 1
        return getattr(kernel, name)(*given)

    counting = replace(kernel, begin=lambda *given: counted("begin", *given), end=lambda *given: counted("end", *given))
    assert churn(monkeypatch, counting) == churn(monkeypatch, INTERPRETED)
    # Flows are corrected one by one while more than 64 are under way: all but the first and the last of the hosts'.
    assert min(steps.values()) > 0.5 * HOSTS * (FLOWS - 2)
