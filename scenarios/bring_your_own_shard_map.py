"""A mixture-of-experts transformer written with shard_map for a mesh of any size: its collectives are in the code.

Over "model" heads and columns are split, and the residual stream between them over the sequence (Korthikanti et al.,
"Reducing activation recomputation in large transformer models", 2022): all_gather and psum_scatter. Over "expert" each
rank holds one expert, and tokens travel to it and back (Lepikhin et al., "GShard", 2020): all_to_all. Samples are split
over "data" and "expert"; JAX itself adds the psum of the gradients of weights that ranks share.
"""

from math import sqrt

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import PartitionSpec as P

LAYERS, WIDTH, HEADS, CONTEXT, VOCABULARY, EXPERTS, INNER, CAPACITY = 32, 4096, 32, 4096, 65536, 8, 14336, 1.25
OPTIMIZER = optax.adamw(3e-4)
SAMPLES = P(("data", "expert"), None)

# Shape and split over the mesh of every weight; those of the layers are stacked, for a scan.
WEIGHTS = {
    "tokens": ((VOCABULARY, WIDTH), P(None, None)),
    "head": ((WIDTH, VOCABULARY), P(None, "model")),
    "joint": ((LAYERS, WIDTH, 3, HEADS, WIDTH // HEADS), P(None, None, None, "model", None)),
    "out": ((LAYERS, HEADS, WIDTH // HEADS, WIDTH), P(None, "model", None, None)),
    "router": ((LAYERS, WIDTH, EXPERTS), P(None, None, None)),
    "up": ((LAYERS, EXPERTS, WIDTH, INNER), P(None, "expert", None, "model")),
    "down": ((LAYERS, EXPERTS, INNER, WIDTH), P(None, "expert", "model", None)),
}
SPLIT = {name: split for name, (_, split) in WEIGHTS.items()}


def weights():
    return {name: jnp.zeros(shape, jnp.bfloat16) for name, (shape, _) in WEIGHTS.items()}


def state():
    wide = jax.tree.map(lambda array: array.astype(jnp.float32), weights())
    return {"master": wide, "adam": OPTIMIZER.init(wide)}


ADAM_SPLIT = optax.tree_utils.tree_map_params(
    OPTIMIZER, lambda _, split: split, jax.eval_shape(state)["adam"], SPLIT, transform_non_params=lambda _: P()
)


def norm(stream):
    wide = stream.astype(jnp.float32)
    return (wide * lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + 1e-6)).astype(stream.dtype)


def attention(stream, own):
    """Gather the sequence, attend with this rank's heads, sum over the heads of all and keep this rank's sequence."""
    whole = lax.all_gather(norm(stream), "model", axis=1, tiled=True)
    query, key, value = jnp.moveaxis(jnp.einsum("bsd,dghe->bsghe", whole, own["joint"]), 2, 0)
    with jax.named_scope("attention"):
        scores = jnp.einsum("bqhe,bkhe->bhqk", query, key).astype(jnp.float32) / sqrt(WIDTH // HEADS)
        scores = jnp.where(jnp.tril(jnp.ones((CONTEXT, CONTEXT), bool)), scores, -jnp.inf)
        mixed = jnp.einsum("bhqk,bkhe->bqhe", jax.nn.softmax(scores).astype(stream.dtype), value)
    return lax.psum_scatter(jnp.einsum("bshe,hed->bsd", mixed, own["out"]), "model", scatter_dimension=1, tiled=True)


def experts(stream, own):
    """Send every token to its expert, as many as an expert has room for, and the results back."""
    tokens = lax.all_gather(norm(stream), "model", axis=1, tiled=True).reshape(-1, WIDTH)
    shares = jax.nn.softmax((tokens @ own["router"]).astype(jnp.float32))
    chosen = jnp.argmax(shares, axis=-1)
    room = int(CAPACITY * len(tokens) / EXPERTS)
    places = jnp.cumsum(jax.nn.one_hot(chosen, EXPERTS, dtype=jnp.int32), axis=0)
    slots = jnp.take_along_axis(places, chosen[:, None], axis=1)[:, 0] - 1
    slots = jnp.where(slots < room, chosen * room + slots, EXPERTS * room)  # out of bounds: dropped
    sent = jnp.zeros((EXPERTS * room, WIDTH), tokens.dtype).at[slots].add(tokens, mode="drop")
    received = lax.all_to_all(sent.reshape(EXPERTS, room, WIDTH), "expert", 0, 1, tiled=True)[0]
    made = jax.nn.silu(received @ own["up"][0]) @ own["down"][0]
    made = lax.psum_scatter(made, "model", scatter_dimension=1, tiled=True)  # a slice of the width for each rank
    made = lax.all_to_all(made.reshape(EXPERTS, room, -1), "expert", 0, 0, tiled=True).reshape(EXPERTS * room, -1)
    back = made.at[slots].get(mode="fill", fill_value=0) * jnp.max(shares, axis=-1)[:, None].astype(made.dtype)
    return lax.all_to_all(back.reshape(*stream.shape[:1], CONTEXT, -1), "model", 1, 2, tiled=True)


def loss(weights, tokens, labels):
    # Ranks of other samples share weights: taken apart here, their gradients are summed once, after the backward pass.
    shared = {name: ("data", "expert") if "expert" not in split else ("data",) for name, split in SPLIT.items()}
    weights = {name: lax.pcast(array, shared[name], to="varying") for name, array in weights.items()}
    table, head = weights.pop("tokens"), weights.pop("head")
    own = tokens.shape[1] // lax.axis_size("model")
    stream = table[lax.dynamic_slice_in_dim(tokens, lax.axis_index("model") * own, own, axis=1)]

    @jax.checkpoint
    def layer(stream, own):
        stream = stream + attention(stream, own)
        return stream + experts(stream, own), None

    stream, _ = lax.scan(layer, stream, weights)
    logits = (lax.all_gather(norm(stream), "model", axis=1, tiled=True) @ head).astype(jnp.float32)
    # Each rank has some columns of the vocabulary: the softmax is a maximum and a sum over all of them.
    logits = logits - lax.pmax(lax.stop_gradient(logits.max(axis=-1, keepdims=True)), "model")
    total = lax.psum(jnp.exp(logits).sum(axis=-1), "model")
    column = labels - lax.axis_index("model") * logits.shape[-1]
    inside = (column >= 0) & (column < logits.shape[-1])
    picked = jnp.take_along_axis(logits, jnp.where(inside, column, 0)[..., None], axis=-1)[..., 0]
    value = jnp.log(total) - lax.psum(jnp.where(inside, picked, 0.0), "model")
    return lax.pmean(value.mean(), ("data", "expert"))


def local_step(weights, state, tokens, labels):
    value, gradients = jax.value_and_grad(loss)(weights, tokens, labels)
    wide = jax.tree.map(lambda array: array.astype(jnp.float32), gradients)
    changes, adam = OPTIMIZER.update(wide, state["adam"], state["master"])
    master = optax.apply_updates(state["master"], changes)
    return jax.tree.map(lambda array: array.astype(jnp.bfloat16), master), {"master": master, "adam": adam}, value


def train_step(weights, state, tokens, labels):
    """Take one step; the mesh, whose sizes the scenario states, is that of the context."""
    states = {"master": SPLIT, "adam": ADAM_SPLIT}
    taken = (SPLIT, states, SAMPLES, SAMPLES)
    return jax.shard_map(local_step, in_specs=taken, out_specs=(SPLIT, states, P()))(weights, state, tokens, labels)
