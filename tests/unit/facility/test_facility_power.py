"""Losses by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.catalogue.parts import LossCurve
from dcsim.facility.chain import Chain
from dcsim.facility.power import SupplyBank, in_service, stage_loss

CURVE = LossCurve(title="stage", no_load=0.01, linear=0.02, quadratic=0.04)


def test_stage_loss_is_no_load_plus_linear_plus_ohmic() -> None:
    # 100 kW of units at 50 kW: 0.01 x 100 + 0.02 x 50 + 0.04 x 50^2/100 = 1 + 1 + 1 kW
    assert stage_loss(50e3, 100e3, CURVE) == pytest.approx(3e3, rel=1e-12)
    assert stage_loss(0.0, 100e3, CURVE) == pytest.approx(1e3, rel=1e-12)


def test_two_units_share_the_load_and_both_have_no_load_loss() -> None:
    # each of two 100 kW units at 25 kW: 1 + 0.5 + 0.25 = 1.75 kW, twice
    assert stage_loss(50e3, 200e3, CURVE) == pytest.approx(2 * stage_loss(25e3, 100e3, CURVE), rel=1e-12)
    assert stage_loss(50e3, 200e3, CURVE) == pytest.approx(3.5e3, rel=1e-12)


def test_rating_in_service() -> None:
    assert [in_service(kind) for kind in ("N", "N+1", "2N")] == [1.0, 1.25, 2.0]


def test_supplies_share_two_by_two_and_are_off_with_their_server() -> None:
    bank = SupplyBank.of([CURVE, CURVE, CURVE], [1000.0, 1000.0, 2000.0])
    # server 0 off; server 1 at 800 W on 2 x 1000 W: 20 + 16 + 0.04 x 640000/2000 = 48.8 W;
    # server 2 at 1000 W on 2 x 2000 W: 40 + 20 + 0.04 x 1e6/4000 = 70 W
    assert bank.loss(np.array([0.0, 800.0, 1000.0])) == pytest.approx(118.8, rel=1e-12)


def test_chain_is_rated_stage_by_stage() -> None:
    chain = Chain.sized((CURVE, CURVE, CURVE), "2N", 20e3, 100e3)
    # at 100 kW a stage on units of 100 kW loses 7 kW, so the UPS carries 107 kW and loses 7.49 kW
    assert chain.pdu_rating_w == pytest.approx(200e3)
    assert chain.ups_rating_w == pytest.approx(214e3)
    assert chain.transformer_rating_w == pytest.approx(2 * (107e3 + 7.49e3 + 20e3))
    losses = chain.losses(50e3)
    # distribution: 2 + 1 + 0.04 x 2500/200 = 3.5 kW; UPS at 53.5 kW: 2.14 + 1.07 + 0.04 x 53.5^2/214 = 3.745 kW
    assert losses.pdu_w == pytest.approx(3.5e3)
    assert losses.ups_w == pytest.approx(3.745e3)
    assert chain.transformer_loss(0.0) == pytest.approx(0.01 * chain.transformer_rating_w)


@pytest.mark.parametrize("load_w", [5e3, 20e3, 50e3])
def test_two_n_loses_more_than_n_where_no_load_losses_dominate(load_w: float) -> None:
    flat = LossCurve(title="flat", no_load=0.02, linear=0.01, quadratic=0.01)
    n, two_n = (Chain.sized((flat, flat, flat), kind, 0.0, 100e3) for kind in ("N", "2N"))
    assert two_n.losses(load_w).ups_w > n.losses(load_w).ups_w
    assert two_n.losses(load_w).pdu_w > n.losses(load_w).pdu_w


def test_two_n_loses_less_than_n_where_ohmic_losses_dominate() -> None:
    ohmic = LossCurve(title="ohmic", no_load=0.001, linear=0.0, quadratic=0.05)
    n, two_n = (Chain.sized((ohmic, ohmic, ohmic), kind, 0.0, 100e3) for kind in ("N", "2N"))
    assert two_n.losses(100e3).pdu_w < n.losses(100e3).pdu_w
