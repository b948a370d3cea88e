"""The network's speed on one core, printed beside what a C++ flow-level simulator takes for the same work.

Reference: SimGrid 3.32 on 2 vCPU AMD EPYC of about 2.6 GHz. Times are CPU time, the least of a few runs; the asserts
hold simulated times and counts, which no other load on the machine can change.
"""

from __future__ import annotations

import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dcsim.engine import Clock, Process, Streams
from dcsim.network.compiled import compile_kernel
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.network.route import Routes
from dcsim.network.topology import TreeShape

pytestmark = pytest.mark.bench
TREES = {1024: (8, 8, 16), 4096: (16, 16, 16)}
LINK_S = 0.5e-6


@pytest.fixture(scope="module", autouse=True)
def machine() -> None:
    if find_spec("numba") is not None:
        compile_kernel()
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    numba = "with" if find_spec("numba") is not None else "without"
    print(f"\n{models[0].partition(':')[2].strip()}, Python {platform.python_version()}, {numba} Numba")


def fabric(hosts: int) -> Fabric:
    endpoints = tuple(Endpoint(f"host/{i}", 1, 50e9) for i in range(hosts))
    shape = TreeShape.balanced(*TREES[hosts])
    layout = FabricLayout(endpoints, 50e9, hop_latency_s=6 * LINK_S, shape=shape, policy="d-mod-k")
    net = Fabric(Clock(), layout, Streams(0))
    net.loads  # noqa: B018
    return net


def connections(net: Fabric, sources: list[int], targets: list[int]) -> Routes:
    routes = net.connections([(i, 0, 0) for i in sources], [(i, 0, 0) for i in targets])
    return replace(routes, weights=1.0 / routes.sizes, latency_s=routes.sizes * LINK_S)


def cpu_s(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def show(work: str, value: str, reference: str) -> None:
    print(f"{work:64} {value:>20}   ({reference})")


def test_permutation_of_4096_to_completion() -> None:
    targets = list(range(4096))
    random.Random(42).shuffle(targets)
    pairs = [(i, target) for i, target in enumerate(targets) if i != target]
    taken = []
    for _ in range(5):
        net = fabric(4096)

        def whole(net: Fabric = net) -> None:
            routes = connections(net, [i for i, _ in pairs], [target for _, target in pairs])
            net.clock.run(net.transfers(routes, np.full(len(pairs), 1e9), "all"))

        taken.append(cpu_s(whole))
        assert net.clock.now == pytest.approx(0.120003, rel=1e-6)
    show("permutation, 4,096 flows to completion, with their routes", f"{1e3 * min(taken):.0f} ms", "reference 131 ms")


@pytest.mark.parametrize(("hosts", "flows", "reference"), [(1024, 20, "5,000/s"), (4096, 5, "1,100/s")])
def test_churn(hosts: int, flows: int, reference: str) -> None:
    """Random traffic, every host one flow after the other; the first flow of each is not counted."""
    net, draw = fabric(hosts), random.Random(7)
    targets = [(i + 1 + draw.randrange(hosts - 1)) % hosts for i in range(hosts) for _ in range(flows)]
    routes = connections(net, [i for i in range(hosts) for _ in range(flows)], targets)
    size = np.array([1e8])
    ended = []

    def sender(host: int) -> Process:
        for i in range(host * flows, (host + 1) * flows):
            yield net.transfers(routes, size, "all", np.array([i]))
            ended.append(i)

    senders = [net.clock.process(sender(host)) for host in range(hosts)]
    best, first = 0.0, 0
    while len(ended) < hosts * (flows - 1):
        start, first = time.process_time(), len(ended)
        net.clock.run(halted=lambda goal=first + hosts: len(ended) >= goal)
        best = max(best, (len(ended) - first) / (time.process_time() - start))
    net.clock.run(net.clock.all_of(senders))
    assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-12)
    show(f"churn, {hosts:,} hosts", f"{best:,.0f} flows/s", f"reference {reference}")


def test_ring_all_reduce_of_1024_hosts() -> None:
    net = fabric(1024)
    routes = connections(net, list(range(1024)), [(i + 1) % 1024 for i in range(1024)])
    sizes = np.full(1024, float(10**9 // 1024))

    def rounds() -> Process:
        for _ in range(2 * 1023):
            yield net.transfers(routes, sizes, "ring")

    taken = cpu_s(lambda: net.clock.run(net.clock.process(rounds())))
    assert net.clock.now == pytest.approx(0.046098917, rel=1e-6)
    show("ring all-reduce, 1 GB, 1,024 hosts, 2.1 M flows one by one", f"{taken:.2f} s", "reference 11.8 s")
    alone = fabric(1024)

    def closed() -> None:
        route = alone.all_reduce([(i, 0) for i in range(1024)])
        alone.clock.run(alone.transfer(route, 1024 * float(10**9 // 1024), "ring"))

    taken = min(cpu_s(closed) for _ in range(5))
    show("the same in closed form, with its route", f"{1e3 * taken:.1f} ms", "the same reference")


def test_all_reduce_on_2048_accelerators_alone_and_contending() -> None:
    def jobs(count: int) -> tuple[float, float]:
        endpoints = tuple(Endpoint(f"train/{i}", 8, 50e9, 8, InnerLink(360e9, 3e-6)) for i in range(256 * count))
        net = Fabric(Clock(), FabricLayout(endpoints, 50e9, hop_latency_s=1e-5, oversubscription=4.0), Streams(0))
        net.loads  # noqa: B018

        def whole() -> None:
            # The servers of the two jobs alternate, so that their rings share uplinks.
            ranks = [[(count * i + job, a) for i in range(256) for a in range(8)] for job in range(count)]
            done = [net.transfer(net.all_reduce(each), 64 * 2**20, str(job)) for job, each in enumerate(ranks)]
            net.clock.run(net.clock.all_of(done))

        return cpu_s(whole), net.clock.now

    alone, contending = (min(jobs(count) for _ in range(3)) for count in (1, 2))
    assert contending[1] > alone[1]
    reference = "109 s of an analytical packet simulator"
    show("all-reduce 64 MiB on 2,048 accelerators, alone", f"{1e3 * alone[0]:.0f} ms", reference)
    show("the same with a second job contending", f"{1e3 * contending[0]:.0f} ms", reference)


def test_memory_and_time_to_build_27648_hosts() -> None:
    code = """if True:
        import resource, time
        from dcsim.engine import Clock, Streams
        from dcsim.network.fabric import Fabric
        from dcsim.network.layout import Endpoint, FabricLayout
        start = time.process_time()
        endpoints = tuple(Endpoint(f"host/{i}", 1, 50e9) for i in range(27648))
        net = Fabric(Clock(), FabricLayout(endpoints, 50e9, radix=48), Streams(0))
        net.loads
        print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    taken, peak_mib = map(float, done.stdout.split())
    assert peak_mib < 700.0
    show("fat-tree of 27,648 hosts (k = 48) built", f"{taken:.2f} s, {peak_mib:.0f} MiB", "to reach 3 s, 700 MiB")
