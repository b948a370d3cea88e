"""What keys mean whose models leave it unsaid, since many blocks have them or the key is a block of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

# By "Block.key", else by key alone; of a block that a key holds, the block's own first line is the last resort.
_MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # the scenario and its blocks
        "Scenario.name": "of the scenario: its run folder is called by it",
        "Job.name": "of the job: paths, metrics and tables call it by this",
        "ServerPool.name": 'of the pool: paths call it by this, and its servers are "NAME/0", "NAME/1" and on',
        "WanSite.name": "of the site: links are between such names",
        "name": "what paths, tables and messages call it",
        "seed": "of all random draws: the same seed gives the same run",
        "site": "where the data center stands, and what feeds and cools it",
        "cluster": "the servers, their network and their storage",
        "jobs": "what is trained or served; each starts once it has arrived and its servers are free",
        "Scenario.services": "reserved; must be empty, serving is a job with inference",
        "faults": "what breaks when, beside what breaks at random by cluster.reliability",
        "replications": "runs with other random draws; metrics are then means with 95 % intervals",
        "record": "what is kept of the run beside its metrics",
        "Record.series": "the series over time that are kept",
        # site
        "climate": "outdoor air: a climate of the catalogue, constants, or a file of hours (EPW)",
        "grid": "electricity: a grid of the catalogue, or its carbon intensity and price",
        "Site.power": "from the grid to the servers",
        "Site.cooling": "from the servers to the outdoor air",
        "CustomGrid.carbon": "greenhouse gases per energy taken from the grid",
        "Carbon.scope": "what the carbon intensity counts; figures of different scopes do not compare",
        "ClimateFile.file": "an EPW file with the weather of every hour of a year, relative to the scenario",
        "relative_humidity": "of the outdoor air, 0 to 1 or in %",
        "redundancy": "N: just enough modules; N+1: one more; 2N: two full sides that share the load",
        "ups": "uninterruptible power supply, of the catalogue (ups)",
        "pdu": "power distribution unit, of the catalogue (pdus)",
        "transformer": "from medium voltage, of the catalogue (transformers)",
        "Cooling.kind": "the cooling plant: chillers with cooling towers, and air to the servers",
        "economizer": "what cools without the chiller while it is cold outdoors; none: the chiller always runs",
        "chiller": "a chiller of the catalogue (chillers)",
        # cluster
        "Cluster.servers": "pools of equal servers",
        "Cluster.network": "the fabric between the servers",
        "Cluster.storage": "storage nodes on the fabric; without them there are no checkpoints",
        "Cluster.scheduler": "which job runs where, and who waits",
        "Cluster.reliability": "how often servers fail by themselves, and how long repairs take",
        "ServerPool.type": "a server of the catalogue (dcsim catalogue servers), or of parts",
        "ServerPool.count": "servers in the pool",
        "per_rack": "servers in a rack; those of one rack fill neighboring switches",
        "Network.latency": "of hops, switches and cables",
        "Network.failover": "how soon the fabric goes round what is dead",
        "Scheduler.policy": "fifo: jobs start in the order in which they arrive",
        "Storage.type": "replicated: every byte is written to several nodes",
        "Storage.nodes": "storage nodes",
        "Storage.disks": "of each storage node",
        "Storage.protection": "how data survives the loss of a node",
        "Disks.type": "a disk of the catalogue (disks)",
        "Disks.count": "disks in a node",
        "replicas": "copies of every byte, each on another node",
        "Appliance.kind": "what it does with what passes; it sets which limit it meets first",
        "GraphFile.file": "a GraphML file with the switches, hosts and links, relative to the scenario",
        "Wan.sites": "the sites and what stands at each; two or more",
        "WanLink.between": "the two sites that it joins",
        "direction": "whether the servers read from the storage nodes or write to them",
        # kinds
        "Clos.kind": "fat-tree: pods of two tiers under cores; leaf-spine: leaves under spines",
        "Plain.kind": "a ring over all ranks, or a binomial tree",
        "Cast.kind": "the format that weights and products are cast to",
        "RateSchedule.kind": "the decay after the warm-up",
        "family": "of the model, which sets the keys of its block",
        "kind": "which kind of block this is; it sets the other keys",
        # jobs
        "Job.model": "what is computed: a preset of the catalogue (models), or a family with its sizes",
        "precision": "of weights and products in the forward and backward pass; fp32, as tf32 where it can be",
        "optimizer": "what updates the weights: a name, or its settings",
        "learning_rate": "step size of the optimizer, before its schedule",
        "Job.batch": "samples that one step takes",
        "Job.parallel": "how a step is spread over accelerators; auto: the fastest plan that fits",
        "Job.steps": "training steps, or steps of inference",
        "Job.checkpoint": "how often the state is saved; never unless given",
        "Job.execute": "run the real math of the job while it is simulated; only its costs unless given",
        "Execute.target": "what the job is to reach; the time and energy to it become metrics",
        "Search.method": "how the next trial is chosen: every point of a grid, at random, or by Bayesian search",
        "Range.from": "the lower limit, included",
        "Range.to": "the upper limit, included",
        "Range.log": "spread evenly by the logarithm",
        # sizes of models
        "layers": "equal layers, one after the other",
        "MlpModel.hidden": "width of each hidden layer",
        "LstmModel.hidden": "width of the state",
        "hidden": "width of the residual stream: numbers for each token",
        "heads": "attention heads in a layer",
        "positions": "how attention knows the places of tokens",
        "norm": "normalization: by mean and variance (layer), or by the root of the mean square (rms)",
        "activation": "nonlinear function of the hidden layers",
        "latent": "compressed keys and values (multi-head latent attention); plain attention unless given",
        "context": "longest sequence [tokens]; steps of training use all of it",
        "vocabulary": "different tokens",
        "segments": "different marks of which sentence a token is of",
        "tied_head": "the output layer shares its weights with the embedding",
        "experts": "feed-forward networks in a layer, of which each token passes a few",
        "router": "function that turns a token's scores of the experts into weights",
        "inputs": "numbers in a sample",
        "classes": "different answers: width of the output layer",
        "channels": "of the images: 3 for red, green and blue",
        "embedding": "width of the vector of a token",
        "bidirectional": "a second pass reads the sequence backward",
    }
)


def explain(block: str, schema: dict[str, Any]) -> None:
    """Give every key of a block's schema that lacks a description the one that it has here, in place."""
    for key, entry in schema.get("properties", {}).items():
        if "description" not in entry:
            text = _MEANINGS.get(f"{block}.{key}", _MEANINGS.get(key, ""))
            if text:
                entry["description"] = text


def unused(keys: set[str]) -> set[str]:
    """Return the entries that explain none of ``keys`` ("Block.key")."""
    bare = {key.partition(".")[2] for key in keys}
    return {name for name in _MEANINGS if name not in keys | bare}
