"""The kinds of catalogue parts: what a data sheet says of an accelerator, a server, a switch, a climate.

Every quantity is of one part and in SI units. Prices are purchase prices; a server's includes its accelerators.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from dcsim.catalogue.efficiency import Efficiency
from dcsim.scenario.base import (
    CarbonIntensity,
    Count,
    DataRate,
    DataSize,
    Duration,
    EnergyPerByte,
    EnergyPerFlop,
    EnergyPrice,
    Flag,
    FlopRate,
    Fraction,
    IdlePower,
    Money,
    PositiveDuration,
    PositiveNumber,
    Power,
    Temperature,
    Value,
    WaterIntensity,
)
from dcsim.scenario.names import Name

Number = Annotated[float, Field(allow_inf_nan=False)]
Dtype = Literal["fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4"]
Biquadratic = tuple[Number, Number, Number, Number, Number, Number]
Quadratic = tuple[Number, Number, Number]


class Accelerator(Value):
    """A GPU, TPU, other neural processor (npu), CPU or FPGA that executes operations."""

    title: str
    kind: Literal["gpu", "tpu", "npu", "cpu", "fpga"]
    peak: dict[Dtype, FlopRate] = Field(min_length=1, description="dense rate by number format, matrix units included")
    memory: DataSize
    memory_bandwidth: DataRate
    tdp: Power
    idle: IdlePower = Field(description="with no job: clocks down")
    active: IdlePower = Field(
        description="with a job, clocks up, before the energy of its work: what a waiting rank draws"
    )
    energy_per_flop: EnergyPerFlop = Field(description="of large matrix products at 16-bit precision")
    energy_per_byte: EnergyPerByte = Field(description="of device memory traffic")
    link_energy_per_byte: EnergyPerByte = Field(description="sent to a peer in the server")
    link_bandwidth: DataRate | None = Field(None, description="to its peers in the server, one direction")
    price: Money | None = None
    generation: Name | None = Field(
        None, description="whose attained shares of the peaks training steps have; without it plans are not predicted"
    )
    cores: Count | None = Field(
        None, description="tiles of a product computed at once: streaming multiprocessors, compute units"
    )
    fastest_tdp: Power | None = Field(
        None, description="power of the reference board of its kind at this one's peak; its own if left out"
    )
    efficiency: Efficiency | None = Field(
        None, description="measured times of kernels, in place of shares of the peak (dcsim calibrate writes them)"
    )

    @model_serializer(mode="wrap")
    def _without_what_was_not_measured(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Digests of scenarios on parts that nobody measured do not depend on what a measurement would hold.
        # What plans are predicted from is in the digests of scenarios that have plans.
        written: dict[str, Any] = plain(self)
        plans = ("generation", "cores", "fastest_tdp")
        return {k: v for k, v in written.items() if k not in plans and (k != "efficiency" or v is not None)}


INSIDE: Final = frozenset({"sockets", "pcie_switches", "nvswitches", "pcie", "socket_link", "storage_nics"})
"""What a server tells of its inside."""

HOST: Final = frozenset({"host_bandwidth", "host_link"})
"""What a server may tell of its host beside, whatever the number of accelerators."""


class Server(Value):
    """A server: accelerators, host CPUs, memory, network cards, fans, power supplies."""

    title: str
    accelerator: Name
    accelerators: Count
    link: Name | None = Field(None, description="the link type inside the server; none for a single accelerator")
    nics: Count
    nic_rate: DataRate
    nic_power: IdlePower = Field(description="of one network card")
    cpu_idle: IdlePower = Field(description="of all host CPUs together; none where they are the accelerators")
    cpu_active: IdlePower = Field(description="of all host CPUs together while a job runs on the accelerators")
    memory_power: IdlePower = Field(description="of the host memory")
    fan_power: IdlePower = Field(description="at full speed and full load")
    other_power: IdlePower = Field(description="boards, local disks, management, NVSwitches")
    psu: Name
    rated_power: Power = Field(description="maximum at the input of the power supplies")
    host_memory: DataSize
    price: Money
    lifetime: PositiveDuration
    sockets: Count | None = Field(None, description="processor sockets, fully joined by the link socket_link")
    pcie_switches: Count | None = Field(None, description="PCIe switches, with equal shares of accelerators and cards")
    nvswitches: Count | None = Field(None, description="NVLink switches, each joined to every accelerator")
    pcie: Name | None = Field(None, description="the link type of accelerators, cards and PCIe switches to the host")
    socket_link: Name | None = Field(None, description="the link type between two sockets")
    storage_nics: Count | None = Field(
        None, description="of the network cards, the last that carry storage traffic alone, each on a socket"
    )

    host_bandwidth: DataRate | None = Field(
        None, description="of the memory of all sockets together, at its peak: channels times transfers times width"
    )
    host_link: Name | None = Field(
        None, description="the link type of an accelerator to the host, where it is its own and not behind a switch"
    )

    @property
    def rank_nics(self) -> int:
        """Network cards that ranks use."""
        return self.nics - (self.storage_nics or 0)

    @model_serializer(mode="wrap")
    def _without_what_it_does_not_tell(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # As of accelerators: digests of scenarios do not depend on an inside that a server does not tell of.
        written: dict[str, Any] = plain(self)
        return {key: value for key, value in written.items() if key not in INSIDE | HOST or value is not None}


class StorageServer(Value):
    """A storage node without its disks."""

    title: str
    nics: Count
    nic_rate: DataRate
    idle: IdlePower
    active: Power
    price: Money
    lifetime: PositiveDuration


class Switch(Value):
    """A network switch."""

    title: str
    ports: Count
    port_rate: DataRate
    latency: PositiveDuration = Field(description="of a packet from port to port")
    power: Power = Field(description="with the optics of its ports")
    optics_power: IdlePower = Field(0.0, description="of the transceiver of one port")
    optics_price: Money = Field(0.0, description="of the transceiver of one port")
    link: Name = Field(description="the kind of link of its ports: the efficiency and latency of the fabric")
    price: Money
    lifetime: PositiveDuration


class Link(Value):
    """A kind of link: inside a server or a cable of the fabric."""

    title: str
    rate: DataRate = Field(description="one direction, per device")
    efficiency: Fraction = Field(description="payload over line rate for large messages")
    latency: PositiveDuration = Field(description="software and hardware time of one hop between two ranks")
    reach: Count | None = Field(
        None, description="accelerators that it joins where it goes on from server to server; those of a server if not"
    )
    ring: Fraction | None = Field(
        None, description="of the rate that the collective of a training plan's group has, on a torus; all of it if not"
    )

    @model_serializer(mode="wrap")
    def _without_what_it_has_not(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # As of accelerators: digests of scenarios do not depend on a reach or ring that a link does not have.
        written: dict[str, Any] = plain(self)
        return {key: value for key, value in written.items() if key not in ("reach", "ring") or value is not None}


class Disk(Value):
    """A storage device."""

    title: str
    capacity: DataSize
    read: DataRate
    write: DataRate
    latency: PositiveDuration
    idle: IdlePower
    active: Power
    price: Money


class Generation(Value):
    """A generation of devices: which share of the data sheet's peaks a training step attains."""

    title: str
    product16: Fraction = Field(description="of the rate of 16-bit matrix products, large and square")
    product8: Fraction = Field(description="of the rate of products in 8 bits or fewer, casts aside")
    attention: Fraction = Field(description="of the rate of 16-bit products in fused attention, causal halves left out")
    memory: Fraction = Field(description="of the memory bandwidth in memory-bound kernels")
    links: Fraction = Field(description="of the rate of links inside the server, in long messages")


class Kernels(Value):
    """What kernels and messages of a training step have in common on all devices."""

    title: str
    depth: PositiveNumber = Field(description="depth of a product at which it runs at half of its rate")
    network: Fraction = Field(description="share of the network's rate that long messages attain")
    half_mb: PositiveNumber = Field(
        description="a rank's part of a message at which half of the link's rate is reached [MB]"
    )
    jitter: Fraction = Field(description="standard deviation of a server's step over its mean")
    passes: PositiveNumber = Field(description="reads and writes of a 16-bit attention score, unfused, forward")
    routed: PositiveNumber = Field(
        description="reads and writes of an element routed to experts, forward, at the traffic of eager kernels"
    )
    power: PositiveNumber = Field(description="exponent by which product rates follow a board's power limit")
    maturing: PositiveNumber = Field(description="yearly fall of what experts cost beside products, from 2025 on")
    experts_ms: PositiveNumber = Field(
        description="time of the host for a layer of experts and micro batch where kernels are launched one by one [ms]"
    )
    hidden_expert: Fraction = Field(description="share of dispatch beside computation in releases that overlap both")
    flash2: Fraction = Field(
        description="rate of fused attention written for Ampere over that of later kernels on later GPUs"
    )


class Training(Value):
    """What a software era costs beside kernels, and what it hides."""

    launch_us: PositiveNumber = Field(description="time of the host for one kernel [us]")
    traffic: PositiveNumber = Field(description="memory traffic of memory-bound kernels over the textbook's count")
    hidden_tensor: Fraction = Field(description="share of tensor-parallel communication beside computation")
    hidden_data: Fraction = Field(description="share of data-parallel communication beside computation")
    step_ms: PositiveNumber = Field(description="what comes once a step: data, logging, synchronization [ms]")
    micro_ms: PositiveNumber = Field(description="what comes once a micro batch in a stage of a pipeline [ms]")
    unstated: Fraction = Field(description="share of layers recomputed where a published run does not tell")


class Software(Value):
    """A software era: which share of the hardware's peak its kernels reach."""

    title: str
    matmul: Fraction = Field(description="achieved over peak FLOP rate of large matrix products")
    convolution: Fraction
    vector: Fraction = Field(description="achieved over peak fp32 rate of elementwise work")
    memory: Fraction = Field(description="achieved over peak memory bandwidth")
    launch: Duration = Field(description="of one kernel")
    fused_attention: Flag = Field(description="attention scores stay on the chip")
    training: Training | None = Field(None, description="fitted to published training runs, where there are any")

    @model_serializer(mode="wrap")
    def _without_what_was_not_fitted(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # As above: digests of scenarios do not depend on what a fit would hold.
        written: dict[str, Any] = plain(self)
        return {key: value for key, value in written.items() if key != "training"}


class LossCurve(Value):
    """A power stage: loss / rating = no_load + linear x + quadratic x^2, x being the power it delivers over its rating.

    The input is the power delivered plus the loss, and the efficiency x / (x + loss / rating).
    """

    title: str
    no_load: Fraction = Field(description="loss at no load over rating")
    linear: Fraction = Field(description="loss in proportion to the load")
    quadratic: Fraction = Field(description="ohmic loss at full load over rating")


class Psu(LossCurve):
    """The power supplies of a server."""


class Pdu(LossCurve):
    """A power distribution unit."""


class Ups(LossCurve):
    """An uninterruptible power supply."""


class Transformer(LossCurve):
    """A transformer from medium to low voltage."""


class Chiller(Value):
    """A water-cooled chiller by DOE-2 curves.

    Capacity and energy-input ratio are biquadratic in the leaving chilled water x and the entering condenser water y
    [degC]: c0 + c1 x + c2 x^2 + c3 y + c4 y^2 + c5 x y; the part-load curve is c0 + c1 p + c2 p^2. All are 1 at the
    reference point.
    """

    title: str
    reference_cop: PositiveNumber
    capacity_by_temperature: Biquadratic
    energy_by_temperature: Biquadratic
    energy_by_part_load: Quadratic
    chilled_water_range: tuple[Temperature, Temperature]
    condenser_range: tuple[Temperature, Temperature]
    part_load_range: tuple[Fraction, Fraction]


class Climate(Value):
    """Typical weather: a mean day for each month."""

    title: str
    latitude: Number = Field(ge=-90, le=90, description="north positive [degree]")
    longitude: Number = Field(ge=-180, le=180, description="east positive [degree]")
    elevation_m: Number = Field(ge=-500, le=9000, description="above sea level, for the air pressure [m]")
    dry_bulb_c: tuple[Number, ...] = Field(min_length=12, max_length=12, description="monthly mean [degC]")
    daily_range_k: tuple[Number, ...] = Field(
        min_length=12, max_length=12, description="mean daily maximum less minimum [K]"
    )
    relative_humidity: tuple[Fraction, ...] = Field(min_length=12, max_length=12, description="monthly mean [1]")


class Grid(Value):
    """An electricity grid."""

    title: str
    carbon: CarbonIntensity
    scope: Literal["average-lifecycle", "average-direct", "marginal", "market-based"]
    price: EnergyPrice = Field(
        description="paid by a large consumer, network charges included, without value-added tax"
    )
    water: WaterIntensity = Field(description="fresh water consumed upstream to generate the electricity")
