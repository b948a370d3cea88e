"""The state of an executed job as a checkpoint holds it: real arrays, and where data and random numbers stand."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OTHER = "other "


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Weights, optimizer state (in the order of its leaves), the next step to take, and the key of the random streams.

    ``others`` is what else later steps depend on, such as what compressed messages have left out so far.

    Samples are drawn by (seed, job, step, rank), so the step is the data cursor, and with the key the whole random
    state.
    """

    weights: NDArray[np.float32]
    optimizer: tuple[NDArray[Any], ...]
    step: int
    random: tuple[int, str]
    others: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Bytes of the arrays [B]."""
        arrays = (self.weights, *self.optimizer, *self.others.values())
        return int(sum(array.nbytes for array in arrays))

    def to_bytes(self) -> bytes:
        """Return the snapshot as one file (NumPy's npz, without pickle)."""
        state = json.dumps({"step": self.step, "seed": self.random[0], "job": self.random[1]})
        arrays = {f"optimizer{index}": array for index, array in enumerate(self.optimizer)}
        arrays |= {f"{_OTHER}{name}": array for name, array in self.others.items()}
        file = io.BytesIO()
        np.savez(file, weights=self.weights, state=np.array(state), **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> Snapshot:
        """Return the snapshot that :meth:`to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            state = json.loads(str(file["state"]))
            others = {name.removeprefix(_OTHER): file[name] for name in file.files if name.startswith(_OTHER)}
            optimizer = tuple(file[f"optimizer{index}"] for index in range(len(file.files) - len(others) - 2))
            return Snapshot(file["weights"], optimizer, state["step"], (state["seed"], state["job"]), others)
