"""The state of an executed job as a checkpoint holds it: real arrays, and where data and random numbers stand."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Weights, optimizer state (in the order of its leaves), the next step to take, and the key of the random streams.

    Samples are drawn by (seed, job, step, rank), so the step is the data cursor, and with the key the whole random
    state.
    """

    weights: NDArray[np.float32]
    optimizer: tuple[NDArray[Any], ...]
    step: int
    random: tuple[int, str]

    @property
    def size_bytes(self) -> int:
        """Bytes of the arrays [B]."""
        return int(self.weights.nbytes + sum(array.nbytes for array in self.optimizer))

    def to_bytes(self) -> bytes:
        """Return the snapshot as one file (NumPy's npz, without pickle)."""
        state = json.dumps({"step": self.step, "seed": self.random[0], "job": self.random[1]})
        arrays = {f"optimizer{index}": array for index, array in enumerate(self.optimizer)}
        file = io.BytesIO()
        np.savez(file, weights=self.weights, state=np.array(state), **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> Snapshot:
        """Return the snapshot that :meth:`to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            state = json.loads(str(file["state"]))
            optimizer = tuple(file[f"optimizer{index}"] for index in range(len(file.files) - 2))
            return Snapshot(file["weights"], optimizer, state["step"], (state["seed"], state["job"]))
