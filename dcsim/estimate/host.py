"""What a server's host has for its accelerators: the share of a rank in links to it and in its memory."""

from __future__ import annotations

from math import ceil

import numpy as np

from dcsim.catalogue.inventory import PoolParts
from dcsim.catalogue.parts import Link, Server
from dcsim.network.inside import told
from dcsim.parallel.offload import Offload
from dcsim.scenario.workload import Job

SUSTAINED = 0.8
"""Share of the peak of a host's memory that long streams reach: an assumption."""


def lacking(server: Server) -> str:
    """Return the fields that a server part needs before anything can wait with its host, in words; none: nothing."""
    there = server.host_link is not None or told(server)
    links = [] if there else ["host_link (or sockets, pcie_switches, pcie and socket_link)"]
    return " and ".join([*links, *(["host_bandwidth"] if server.host_bandwidth is None else [])])


def ranks_of_server(job: Job, pool: PoolParts) -> int:
    """Return the ranks of a job on a full server."""
    return max(min(job.ranks, pool.server.accelerators), 1)


def offload_of(job: Job, pool: PoolParts) -> Offload:
    """Return what of a job waits with the host, on servers of which nothing is :func:`lacking`."""
    if not job.parallel.offload:
        return Offload()
    memory = memory_rate(ranks_of_server(job, pool), pool.server)
    rate = min(link_rate(ranks_of_server(job, pool), pool), memory)
    flags = {name: np.ones(1) for name in job.parallel.offload}
    return Offload(rate=np.array([rate]), memory_rate=np.array([memory]), **flags)


def link_rate(ranks: int, pool: PoolParts) -> float:
    """Return a rank's share of the links to the host: all of its own, or of the uplink of its PCIe switch [B/s].

    Ranks take the accelerators of a server in order, so that a few of them share a switch as many do.
    """
    server = pool.server
    link = pool.host_link or pool.pcie
    if link is None or (pool.host_link is None and server.pcie_switches is None):
        raise TypeError("the server's links to its host are not told")  # lacking told so before
    switches = server.pcie_switches if pool.host_link is None else None
    sharing = min(ranks, ceil(server.accelerators / switches)) if switches else 1
    return _payload(link) / sharing


def memory_rate(ranks: int, server: Server) -> float:
    """Return a rank's share of the memory of its socket, sustained [B/s]."""
    if server.host_bandwidth is None:
        raise TypeError("the memory of the server's host is not told")  # lacking told so before
    sockets = server.sockets or 1
    return SUSTAINED * server.host_bandwidth / sockets / min(ranks, ceil(server.accelerators / sockets))


def _payload(link: Link) -> float:
    return link.rate * link.efficiency
