"""How many transfers use each link, counted when someone asks."""

from __future__ import annotations

import numpy as np

from dcsim.network.transfer import Transfer
from dcsim.network.tree import Indices


class Users:
    """Transfers that are open, and how many of their flows use each of so many links.

    A transfer that opens and ends between two questions is never counted.
    """

    def __init__(self, links: int) -> None:
        self._counts = np.zeros(links, dtype=np.int64)
        self._new: dict[Transfer, None] = {}
        self._gone: list[Indices] = []

    def add(self, transfer: Transfer) -> None:
        """A transfer uses its links from now on."""
        self._new[transfer] = None

    def remove(self, transfer: Transfer) -> None:
        """A transfer uses its links no longer, which are still those that it has been added with."""
        if transfer in self._new:
            del self._new[transfer]
        else:
            self._gone.append(transfer.links)

    @property
    def counts(self) -> Indices:
        """Flows of open transfers on each link, shape (links,)."""
        for links in self._gone:
            np.add.at(self._counts, links, -1)
        for transfer in self._new:
            np.add.at(self._counts, transfer.links, 1)
        self._new, self._gone = {}, []
        return self._counts
