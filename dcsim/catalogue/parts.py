"""The kinds of catalogue parts: what a data sheet says of an accelerator, a server, a switch, a climate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from dcsim.scenario.base import (
    CarbonIntensity,
    DataRate,
    DataSize,
    Duration,
    EnergyPerByte,
    EnergyPerFlop,
    EnergyPrice,
    FlopRate,
    Fraction,
    IdlePower,
    Money,
    Power,
    PositiveDuration,
    Temperature,
    Value,
    WaterIntensity,
)
from dcsim.scenario.names import Name


class Accelerator(Value):
    """A GPU, TPU, CPU or FPGA that executes operations."""

    title: str
    kind: Literal["gpu", "tpu", "cpu", "fpga"]
    peak: dict[Literal["fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8"], FlopRate]
    memory: DataSize
    memory_bandwidth: DataRate
    tdp: Power
    idle: IdlePower
    energy_per_flop: EnergyPerFlop = Field(description="at 16-bit precision")
    energy_per_byte: EnergyPerByte = Field(description="of device memory traffic")
    link_energy_per_byte: EnergyPerByte
    link_bandwidth: DataRate | None = Field(None, description="to its peers in the server, one direction")
    price: Money | None = None


class Server(Value):
    """A server: accelerators, host CPUs, memory, network cards, fans, power supplies."""

    title: str
    accelerator: Name
    accelerators: PositiveInt
    link: Name | None = Field(None, description="the link type inside the server; none for a single accelerator")
    nics: PositiveInt
    nic_rate: DataRate
    nic_power: IdlePower = Field(description="of one network card")
    cpu_idle: IdlePower = Field(description="of all host CPUs together")
    cpu_active: Power = Field(description="of all host CPUs together while a job runs on the accelerators")
    memory_power: IdlePower
    fan_power: IdlePower = Field(description="at full speed and full load")
    other_power: IdlePower = Field(description="boards, local disks, management, NVSwitches")
    psu: Name
    rated_power: Power = Field(description="maximum at the input of the power supplies")
    host_memory: DataSize
    price: Money
    lifetime: PositiveDuration


class StorageServer(Value):
    """A storage node without its disks."""

    title: str
    nics: PositiveInt
    nic_rate: DataRate
    idle: IdlePower
    active: Power
    price: Money
    lifetime: PositiveDuration


class Switch(Value):
    """A network switch."""

    title: str
    ports: PositiveInt
    port_rate: DataRate
    latency: PositiveDuration
    power: Power
    price: Money
    lifetime: PositiveDuration


class Link(Value):
    """A kind of link: inside a server or a cable of the fabric."""

    title: str
    rate: DataRate = Field(description="one direction, per device")
    efficiency: Fraction = Field(description="payload over line rate for large messages")
    latency: PositiveDuration = Field(description="software and hardware time of one hop between two ranks")


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


class Software(Value):
    """A software era: which share of the hardware's peak its kernels reach."""

    title: str
    matmul: Fraction = Field(description="achieved over peak FLOP rate of large matrix products")
    convolution: Fraction
    vector: Fraction = Field(description="achieved over peak fp32 rate of elementwise work")
    memory: Fraction = Field(description="achieved over peak memory bandwidth")
    launch: Duration = Field(description="of one kernel")
    fused_attention: bool = Field(description="attention scores stay on the chip")


class LossCurve(Value):
    """A power stage: loss = no_load + linear * P + quadratic * P^2 / rating, all relative to the rating."""

    title: str
    no_load: Fraction = Field(description="loss at no load over rating")
    linear: Fraction
    quadratic: Fraction


class Psu(LossCurve):
    """The power supplies of a server."""


class Pdu(LossCurve):
    """A power distribution unit."""


class Ups(LossCurve):
    """An uninterruptible power supply."""


class Transformer(LossCurve):
    """A transformer from medium to low voltage."""


class Chiller(Value):
    """A water-cooled chiller by DOE-2 curves: capacity and energy-input ratio in [degC], part load in [1]."""

    title: str
    reference_cop: PositiveFloat
    capacity_by_temperature: tuple[float, float, float, float, float, float]
    energy_by_temperature: tuple[float, float, float, float, float, float]
    energy_by_part_load: tuple[float, float, float]
    chilled_water_range: tuple[Temperature, Temperature]
    condenser_range: tuple[Temperature, Temperature]
    part_load_range: tuple[float, float]


class Climate(Value):
    """Typical weather: a mean day for each month."""

    title: str
    latitude: float
    longitude: float
    dry_bulb_c: tuple[float, ...] = Field(min_length=12, max_length=12, description="monthly mean [degC]")
    daily_range_k: tuple[float, ...] = Field(min_length=12, max_length=12, description="mean daily maximum less minimum [K]")
    relative_humidity: tuple[float, ...] = Field(min_length=12, max_length=12, description="monthly mean [1]")


class Grid(Value):
    """An electricity grid."""

    title: str
    carbon: CarbonIntensity
    scope: Literal["average-lifecycle", "average-direct", "marginal", "market-based"]
    price: EnergyPrice
    water: WaterIntensity
