"""The stages of one site in a row: what each loses on the way from the grid to the equipment."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.catalogue.parts import LossCurve
from dcsim.facility.power import Redundancy, in_service, stage_loss


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses [W] between the UPS input and the equipment; both are released in the rooms that the plant cools."""

    pdu_w: float
    ups_w: float


@dataclass(frozen=True)
class Chain:
    """Distribution units and UPS feed the equipment; the transformer feeds the UPS and the plant and stands outdoors.

    Ratings follow the electrical capacity [W]: each stage is rated for what the one below it takes in at that
    capacity, times the units in service. The transformer also carries the plant at its rated capacity.
    """

    pdu: LossCurve
    ups: LossCurve
    transformer: LossCurve
    pdu_rating_w: float
    ups_rating_w: float
    transformer_rating_w: float

    @classmethod
    def sized(
        cls, curves: tuple[LossCurve, LossCurve, LossCurve], redundancy: Redundancy, plant_w: float, load_w: float
    ) -> Chain:
        """Return the chain of (pdu, ups, transformer) for ``load_w`` [W] of equipment and ``plant_w`` [W] of cooling
        plant."""
        pdu, ups, transformer = curves
        units = in_service(redundancy)
        ups_load_w = load_w + stage_loss(load_w, load_w, pdu)
        return cls(
            pdu, ups, transformer,
            units * load_w, units * ups_load_w, units * (ups_load_w + stage_loss(ups_load_w, ups_load_w, ups) +
            plant_w),
        )  # fmt: skip

    def losses(self, it_w: float) -> Losses:
        """Return the losses at ``it_w`` [W] of equipment."""
        pdu_w = stage_loss(it_w, self.pdu_rating_w, self.pdu)
        return Losses(pdu_w, stage_loss(it_w + pdu_w, self.ups_rating_w, self.ups))

    def transformer_loss(self, load_w: float) -> float:
        """Return the loss of the transformer [W] at the ``load_w`` [W] of everything behind it."""
        return stage_loss(load_w, self.transformer_rating_w, self.transformer)
