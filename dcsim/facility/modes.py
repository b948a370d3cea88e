"""A curve made of a straight line and decaying exponentials, with its integral, extremes and crossings."""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, exp, expm1, inf, log

Mode = tuple[float, float]
_TOUCH = 1e-9  # a curve that starts this close to a threshold starts on it
_PRECISION = 1e-12


@dataclass(frozen=True, slots=True)
class Modes:
    """``end + drift t + a1 exp(-r1 t) + a2 exp(-r2 t)``, a mode being its (amplitude, rate [1/s] above zero).

    Either the drift or the second amplitude is zero, so there is at most one extremum.
    """

    end: float
    drift: float
    first: Mode
    second: Mode

    def value(self, elapsed_s: float) -> float:
        """Return the value after ``elapsed_s`` [s], which may be infinite."""
        if elapsed_s == inf:
            return self.end if self.drift == 0.0 else copysign(inf, self.drift)
        (a1, r1), (a2, r2) = self.first, self.second
        return self.end + self.drift * elapsed_s + a1 * exp(-r1 * elapsed_s) + a2 * exp(-r2 * elapsed_s)

    def integral(self, elapsed_s: float) -> float:
        """Return the integral from the beginning to ``elapsed_s`` [s]."""
        (a1, r1), (a2, r2) = self.first, self.second
        line = (self.end + 0.5 * self.drift * elapsed_s) * elapsed_s
        return line - a1 / r1 * expm1(-r1 * elapsed_s) - a2 / r2 * expm1(-r2 * elapsed_s)

    def slope(self, elapsed_s: float) -> float:
        """Return the derivative [1/s] after ``elapsed_s`` [s]."""
        (a1, r1), (a2, r2) = self.first, self.second
        return self.drift - a1 * r1 * exp(-r1 * elapsed_s) - a2 * r2 * exp(-r2 * elapsed_s)

    def extremum(self) -> float | None:
        """Return the time [s] after the beginning at which the slope is zero, None where it never is."""
        (a1, r1), (a2, r2) = self.first, self.second
        if self.drift != 0.0:
            ratio, rate = a1 * r1 / self.drift, r1
        elif a2 * r2 == 0.0 or r1 == r2:  # the product of tiny numbers may be zero as well
            return None
        else:
            ratio, rate = -a1 * r1 / (a2 * r2), r1 - r2
        if ratio <= 0.0:
            return None
        time = log(ratio) / rate
        return time if time > 0.0 else None

    def maximum(self, elapsed_s: float) -> float:
        """Return the highest value between the beginning and ``elapsed_s`` [s]."""
        turn = self.extremum()
        ends = max(self.value(0.0), self.value(elapsed_s))
        return ends if turn is None or turn >= elapsed_s else max(ends, self.value(turn))

    def heading(self, tolerance: float) -> int:
        """Return the sign of the first departure from the starting value by more than ``tolerance``, 0 where there is
        none."""
        start, turn = self.value(0.0), self.extremum()
        for time in (turn, inf):
            if time is not None:
                change = self.value(time) - start
                if abs(change) > tolerance:
                    return 1 if change > 0.0 else -1
        return 0

    def crossing(self, threshold: float, horizon_s: float) -> float | None:
        """Return the first elapsed time [s] in (0, horizon] at which the value meets ``threshold``, None where it
        does not.

        The extremum splits the curve into monotone pieces; a piece whose ends lie on both sides holds exactly one
        root. A curve that starts on the threshold (within 1e-9) meets it again only after a turn. The horizon may be
        infinite.
        """
        turn = self.extremum()
        stops = [horizon_s] if turn is None or turn >= horizon_s else [turn, horizon_s]
        left, below = 0.0, self.value(0.0) - threshold
        on_it = abs(below) <= _TOUCH
        for right in stops:
            above = self.value(right) - threshold
            met = below * above < 0.0 or (above == 0.0 and right < inf)  # an asymptote is never met
            if met and not on_it:
                root = self._root(threshold, left, right)
                return root if root < inf else None  # a drift too slow to arrive within the range of floats
            left, below, on_it = right, above, False
        return None

    def _root(self, threshold: float, left: float, right: float) -> float:
        """Find the root in a monotone piece: double the step until it is behind, then Newton kept inside the
        bracket."""
        before = self.value(left) - threshold
        step = 1.0 / min(self.first[1], self.second[1] if self.second[0] else self.first[1])
        while left + step < right and (self.value(left + step) - threshold) * before > 0.0:
            left += step
            step *= 2.0
        right = min(right, left + step)
        time = 0.5 * (left + right)
        for _ in range(200):
            rest = self.value(time) - threshold
            if rest == 0.0 or right - left <= _PRECISION * max(1.0, time):
                break
            left, right = (time, right) if rest * before > 0.0 else (left, time)
            slope = self.slope(time)
            newton = time - rest / slope if slope else left
            following = newton if left < newton < right else 0.5 * (left + right)
            if abs(following - time) <= _PRECISION * max(1.0, time):
                return following
            time = following
        return time
