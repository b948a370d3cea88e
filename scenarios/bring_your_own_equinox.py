"""A residual convolutional classifier built of Equinox modules, with dropout, trained by Optax with momentum."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

OPTIMIZER = optax.sgd(0.1, momentum=0.9, nesterov=True)


class Block(eqx.Module):
    """A residual block of two convolutions with group norm."""

    first: eqx.nn.Conv2d
    second: eqx.nn.Conv2d
    norm: eqx.nn.GroupNorm

    def __init__(self, width, key):
        one, two = jax.random.split(key)
        self.first = eqx.nn.Conv2d(width, width, 3, padding=1, key=one)
        self.second = eqx.nn.Conv2d(width, width, 3, padding=1, key=two)
        self.norm = eqx.nn.GroupNorm(8, width)

    def __call__(self, image):
        return image + self.second(jax.nn.relu(self.norm(self.first(image))))


class Classifier(eqx.Module):
    """Blocks of growing width, each stage at half the size of the one before."""

    layers: list
    head: eqx.nn.Linear
    dropout: eqx.nn.Dropout

    def __init__(self, widths, classes, key):
        keys = iter(jax.random.split(key, 3 * len(widths) + 1))
        self.layers, before = [], 3
        for width in widths:
            shrink = eqx.nn.Conv2d(before, width, 3, stride=2, padding=1, key=next(keys))
            self.layers += [shrink, Block(width, next(keys)), Block(width, next(keys))]
            before = width
        self.head = eqx.nn.Linear(before, classes, key=next(keys))
        self.dropout = eqx.nn.Dropout(0.1)

    def __call__(self, image, key):
        for layer in self.layers:
            image = layer(image)
        return self.head(self.dropout(image.mean(axis=(1, 2)), key=key))


def model():
    return Classifier((64, 128, 256, 512), 1000, jax.random.key(0))


def parameters():
    """The arrays of the model; the functions and numbers that Equinox keeps beside them belong to the code."""
    return eqx.filter(model(), eqx.is_array)


def optimizer_state():
    return OPTIMIZER.init(parameters())


_, CONSTANTS = eqx.partition(eqx.filter_eval_shape(model), lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))


def loss(weights, images, labels, key):
    network = eqx.combine(weights, CONSTANTS)
    keys = jax.random.split(key, images.shape[0])
    logits = jax.vmap(network)(images.astype(jnp.float32) / 255, keys)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def train_step(weights, state, key, images, labels):
    value, gradients = jax.value_and_grad(loss)(weights, images, labels, key)
    changes, state = OPTIMIZER.update(gradients, state, weights)
    return optax.apply_updates(weights, changes), state, value
