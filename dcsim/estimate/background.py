"""Background traffic that the cluster of a scenario cannot have: more than its network cards can send."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from dcsim import units
from dcsim.catalogue.inventory import Inventory
from dcsim.errors import Problem
from dcsim.scenario.background import Incast, Pair, StorageTraffic
from dcsim.scenario.root import Scenario
from dcsim.scenario.suggest import quoted

Report = Callable[..., Problem]
_TWO = 2


def problems(scenario: Scenario, inventory: Inventory, report: Report) -> Iterator[Problem]:
    """Yield rates above those of the network cards, cards and nodes that are not there, and too few servers."""
    cards = _cards(scenario, inventory)
    for number, each in enumerate(scenario.cluster.network.background):
        key = f"cluster.network.background.{number}"
        if isinstance(each, Pair):
            yield from _pair(each, cards, report, key)
            continue
        pools = [p.pool for p in inventory.pools if each.servers is None or p.pool.name in each.servers]
        servers = sum(pool.count for pool in pools)
        if isinstance(each, Incast):
            yield from _incast(each, servers, cards, (report, key))
        elif isinstance(each, StorageTraffic):
            nodes, rate = cards.get("storage", (0, 0, 0.0))[0], _rate("storage", None, cards)
            yield from _too_fast(each.rate, nodes * rate, "all storage nodes", (report, f"{key}.rate"))
        elif servers < _TWO:
            yield report(f"{key}.kind", f"{servers} server", "two servers or more, between which it flows")


def _cards(scenario: Scenario, inventory: Inventory) -> dict[str, tuple[int, int, float]]:
    """Return for every pool, and the storage nodes, how many there are, and the cards of one and their rate [B/s]."""
    link, storage = scenario.cluster.network.link, scenario.cluster.storage
    found = {p.pool.name: (p.pool.count, p.server.nics, min(link, p.server.nic_rate)) for p in inventory.pools}
    if storage is not None and inventory.storage is not None:
        server = inventory.storage.server
        found["storage"] = (storage.nodes, server.nics, min(link, server.nic_rate))
    return found


def _rate(pool: str, card: int | None, cards: Mapping[str, tuple[int, int, float]]) -> float:
    """Return the rate of a server of a pool, or of one card of it [B/s]."""
    _, nics, rate = cards[pool]
    return rate if card is not None else nics * rate


def _pair(each: Pair, cards: Mapping[str, tuple[int, int, float]], report: Report, key: str) -> Iterator[Problem]:
    broken = False
    for end in ("source", "target"):
        found = list(_at(getattr(each, end), each.card, cards, (report, f"{key}.{end}", f"{key}.card")))
        yield from found
        broken |= bool(found)
    if broken:
        return
    for name in (each.source, each.target):
        limit = _rate(name.partition("/")[0], each.card, cards)
        what = f"the network cards of {name}" if each.card is None else f"a network card of {name}"
        found = list(_too_fast(each.rate, limit, what, (report, f"{key}.rate")))
        if found:
            yield from found
            return


def _at(
    name: str, card: int | None, cards: Mapping[str, tuple[int, int, float]], at: tuple[Report, str, str]
) -> Iterator[Problem]:
    """Yield a server or storage node, or a card of it, that is not there; pools are known to be."""
    (report, key, card_key), (pool, _, number) = at, name.partition("/")
    count, nics, _ = cards[pool]
    if int(number) >= count:
        yield report(key, quoted(name), f'"{pool}/0" to "{pool}/{count - 1}"')
    if card is not None and card >= nics:
        yield report(card_key, str(card), f"at most {nics - 1}: {pool} servers have {nics} network cards, from 0 on")


def _incast(
    each: Incast, servers: int, cards: Mapping[str, tuple[int, int, float]], at: tuple[Report, str]
) -> Iterator[Problem]:
    report, key = at
    yield from _at(each.target, each.card, cards, (report, f"{key}.target", f"{key}.card"))
    pool = each.target.partition("/")[0]
    most = servers - (pool != "storage" and (each.servers is None or pool in each.servers))
    if most < 1 or (each.senders or 1) > most:
        found = str(each.senders) if each.senders else "no other server that could send"
        yield report(
            f"{key}.senders" if each.senders else f"{key}.target",
            found,
            f"1 to {most} senders beside the target"
            if most > 0
            else "a cluster of more servers, or other pools in the key servers",
        )


def _too_fast(rate: float, limit: float, what: str, at: tuple[Report, str]) -> Iterator[Problem]:
    report, key = at
    if rate > limit:
        yield report(
            key, units.write(rate, "data rate"), f"at most {units.write(limit, 'data rate')}, the rate of {what}"
        )
