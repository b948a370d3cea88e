"""An MLP-Mixer (Tolstikhin et al., NeurIPS 2021) in plain JAX, trained by Optax in mixed precision."""

import jax
import jax.numpy as jnp
import optax

IMAGE, PATCH, LAYERS, WIDTH, TOKEN_WIDTH, CHANNEL_WIDTH, CLASSES = 224, 16, 24, 1024, 512, 4096, 1000
PATCHES = (IMAGE // PATCH) ** 2

SCHEDULE = optax.warmup_cosine_decay_schedule(0.0, 1e-3, warmup_steps=10_000, decay_steps=300_000)
OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(SCHEDULE, weight_decay=0.1))


def parameters():
    """Mixer-L/16. dcsim calls this abstractly: shapes count, nothing is allocated."""
    return {
        "embed": jnp.zeros((3 * PATCH * PATCH, WIDTH)),
        "tokens_in": jnp.zeros((LAYERS, PATCHES, TOKEN_WIDTH)),
        "tokens_out": jnp.zeros((LAYERS, TOKEN_WIDTH, PATCHES)),
        "channels_in": jnp.zeros((LAYERS, WIDTH, CHANNEL_WIDTH)),
        "channels_out": jnp.zeros((LAYERS, CHANNEL_WIDTH, WIDTH)),
        "head": jnp.zeros((WIDTH, CLASSES)),
    }


def optimizer_state():
    return OPTIMIZER.init(parameters())


def loss(weights, images, labels):
    weights = jax.tree.map(lambda array: array.astype(jnp.bfloat16), weights)
    rows = images.reshape(-1, IMAGE // PATCH, PATCH, IMAGE // PATCH, PATCH, 3)
    patches = rows.transpose(0, 1, 3, 2, 4, 5).reshape(-1, PATCHES, 3 * PATCH * PATCH)
    stream = (patches.astype(jnp.bfloat16) / 255) @ weights.pop("embed")
    head = weights.pop("head")

    def layer(stream, own):
        mixed = jax.nn.gelu(jax.nn.standardize(stream).mT @ own["tokens_in"]) @ own["tokens_out"]
        stream = stream + mixed.mT
        mixed = jax.nn.gelu(jax.nn.standardize(stream) @ own["channels_in"]) @ own["channels_out"]
        return stream + mixed, None

    stream, _ = jax.lax.scan(layer, stream, weights)
    logits = stream.mean(axis=1) @ head
    return optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), labels).mean()


def train_step(weights, state, images, labels):
    value, gradients = jax.value_and_grad(loss)(weights, images, labels)
    changes, state = OPTIMIZER.update(gradients, state, weights)
    return optax.apply_updates(weights, changes), state, value
