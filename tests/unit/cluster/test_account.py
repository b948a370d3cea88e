"""Every second of a job is booked once."""

from __future__ import annotations

import pytest

from dcsim.cluster.account import CHECKPOINT, COMPUTE, EXPOSED, LAUNCH, LOST, QUEUED, STALL, Account
from dcsim.engine import Clock


def test_work_is_safe_once_saved_and_lost_otherwise() -> None:
    clock = Clock()
    account = Account(clock)
    clock.run(5.0)
    account.begin()
    clock.run(8.0)
    assert account.book(QUEUED) == 3.0
    clock.run(10.0)
    account.book(LAUNCH)
    clock.run(20.0)
    account.work(18.0, 5.0, 1.0)  # steps until 18 s, of which 2 s neither kernels nor waiting
    assert account.parts[EXPOSED] == 2.0
    account.work(20.0, 2.0, 0.0)
    clock.run(21.0)
    account.book(CHECKPOINT)
    account.save()
    clock.run(30.0)
    account.work(27.0, 6.0, 0.0)
    assert account.parts[COMPUTE] == 13.0
    assert account.lose() == 9.0  # 6 s of steps and the 3 s since they ended
    parts = account.parts
    assert (parts[COMPUTE], parts[STALL], parts[EXPOSED], parts[LOST], parts[CHECKPOINT]) == (7.0, 1.0, 2.0, 9.0, 1.0)
    assert sum(parts.values()) == pytest.approx(25.0)
    assert account.lose() == 0.0
