"""The kinds of catalogue parts that collectives need: what libraries reach on links between accelerators, and beyond.

The protocols are those of NCCL. "LL" sends a flag with every 8 bytes of which half is payload; "LL128" one with every
128 bytes; "Simple" fences whole chunks. A protocol with less delay has less rate.
"""

from __future__ import annotations

from pydantic import Field

from dcsim.scenario.base import Count, DataRate, DataSize, Duration, Factor, Fraction, Value


class Delays(Value):
    """A time for each protocol."""

    ll: Duration
    ll128: Duration
    simple: Duration


class RingRates(Value):
    """What a ring carries: Simple as a share of the line rate, LL128 as a share of Simple, LL at most a rate."""

    simple: Fraction
    ll128: Fraction
    ll: DataRate = Field(description="what processors reach at half payload, whatever the link")


class Tails(Value):
    """What a collective does beyond sending, in units of the time that one more step would take."""

    all_gather: Factor
    reduce_scatter: Factor
    all_reduce: Factor
    fast: Factor = Field(description="of the protocols LL and LL128, in any collective")


class Exchange(Value):
    """Direct exchange between all pairs: short messages, and long ones with their own start and rate."""

    short_base: Duration
    short_peer: Duration = Field(description="for every peer")
    short_ramp: Duration = Field(description="as processors take part, reached at some times ramp_size")
    short_rate: DataRate
    base: Duration
    peer: Duration = Field(description="for every peer")
    chunk: Duration = Field(description="as the part for a peer grows, reached at some times chunk_size")
    efficiency: Fraction = Field(description="share of the line rate with many peers")
    to_one: Fraction = Field(description="share of the line rate with one peer")
    tail: Factor = Field(description="of the copy to itself, in units of the time that one more peer would take")


class InSwitch(Value):
    """Reduction in the switch between accelerators (NVLink SHARP)."""

    base: Duration
    rank: Duration = Field(description="for every rank as the payload grows, reached at some times chunk_size")
    chunk_size: DataSize
    efficiency: Fraction = Field(description="share of the line rate, in and out at once")
    least: Count = Field(description="ranks from which libraries choose it")


class Estimate(Value):
    """What the library itself reckons with when it chooses: time of a step, most that LL carries, share in the switch.

    It may be wrong, and then the library chooses what is not the fastest.
    """

    ll: Duration
    ll128: Duration
    simple: Duration
    ll_rate: DataRate
    in_switch: Factor = Field(description="payload rate over that of a ring")


class GpuFabric(Value):
    """Links between the accelerators of a server or rack, with the library that runs collectives over them."""

    title: str
    rate: DataRate = Field(description="line rate of an accelerator, one direction, all its links together")
    peers: Count | None = Field(None, description="that each has an equal link to; none with a switch between them")
    base: Delays = Field(description="of a collective")
    hop: Delays = Field(description="of one step between two accelerators")
    ramp: Duration = Field(description="more with LL as processors take part, half of it at ramp_size")
    ramp_size: DataSize
    chunk: Duration = Field(description="more in a step with Simple as its part grows, half of it at chunk_size")
    chunk_size: DataSize
    ring: RingRates
    tail: Tails
    tree: DataRate | None = Field(None, description="most that a tree carries; none if nothing but its links limits it")
    exchange: Exchange
    estimate: Estimate
    in_switch: InSwitch | None = None


class NetworkFabric(Value):
    """A network between servers, with the library that runs collectives over it."""

    title: str
    efficiency: Fraction = Field(description="payload over the line rate of a network card for large messages")
    hop: Delays = Field(description="of one step of a ring through the network")
    tree_hop: Delays = Field(description="of one level of a tree through the network")
    fill: Duration = Field(description="longest time in which a pipeline of chunks fills")
    in_network: Fraction = Field(description="share of the rate inside servers that reduction in switches keeps")
    message: Duration = Field(description="of a small remote write between two hosts, no library above it")
