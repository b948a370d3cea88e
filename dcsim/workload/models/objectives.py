"""What a network that ends in numbers is trained for: cross entropy, mean square, log loss or hinge, by Optax."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.workload.models.abstract import array


class Verdict(NamedTuple):
    """How a model does on each sample of a batch, both of shape (rows,): its loss, and the share of what was to be
    found (its class, its pixels, its hidden tokens) that the model found; None where a number is fitted.
    """

    losses: jax.Array
    right: jax.Array | None


def labels(objective: str, size: int, classes: int) -> Any:
    """Return the abstract labels of ``size`` samples: numbers where one number is fitted, else classes."""
    return array((size,), jnp.float32 if objective == "mean-square" and classes == 1 else jnp.int32)


def scores(objective: str, outputs: jax.Array) -> jax.Array:
    """Return what a trained network is asked for, in float32: shares of the classes, or the outputs as they are.

    Shares are those of the softmax for "cross-entropy" and of the sigmoid, every class by itself, for "log".
    """
    wide = outputs.astype(jnp.float32)
    if objective == "cross-entropy":
        return jax.nn.softmax(wide, axis=-1)
    return jax.nn.sigmoid(wide) if objective == "log" else wide


def likelihood(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the log-likelihood of every label [nat], from logits in float32."""
    found: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return -found


def mean(objective: str, outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the mean loss of ``outputs``, shape (rows, classes), in float32; see :func:`each`."""
    return jnp.mean(each(objective, outputs, labels))


def each(objective: str, outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the loss of every row of ``outputs``, shape (rows, classes), in float32.

    "cross-entropy" [nat] is that of the softmax. The others judge every class by itself, the right one against 1 and
    the others against 0 (hinge: -1), and add up; a single output is judged by the label itself, 0 or 1, or any number
    for "mean-square". "log" [nat] is the cross entropy of the sigmoid; "hinge" is max(0, 1 - t y), Cortes and Vapnik,
    "Support-Vector Networks" (Machine Learning 1995).
    """
    wide = outputs.astype(jnp.float32)
    if objective == "cross-entropy":
        found: jax.Array = optax.softmax_cross_entropy_with_integer_labels(wide, labels)
        return found
    classes = wide.shape[-1]
    targets = labels.astype(jnp.float32)[:, None] if classes == 1 else jax.nn.one_hot(labels, classes)
    if objective == "mean-square":
        found = optax.squared_error(wide, targets)
    elif objective == "log":
        found = optax.sigmoid_binary_cross_entropy(wide, targets)
    else:
        found = optax.hinge_loss(wide, 2 * targets - 1)
    return found.sum(axis=-1)


def judged(objective: str, outputs: jax.Array, labels: jax.Array) -> Verdict:
    """Return the verdict on ``outputs``, shape (rows, classes); one output finds label 1 where it is on its side."""
    losses = each(objective, outputs, labels)
    if outputs.shape[-1] > 1:
        return Verdict(losses, (outputs.argmax(axis=-1) == labels).astype(jnp.float32))
    if objective == "mean-square":
        return Verdict(losses, None)
    return Verdict(losses, ((outputs[:, 0] > 0) == (labels == 1)).astype(jnp.float32))


def classified(logits: jax.Array, labels: jax.Array) -> Verdict:
    """Return the verdict on ``logits``, shape (rows, ..., classes), of which every place has a label of its own."""
    entropy = optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), labels)
    inner = tuple(range(1, labels.ndim))
    return Verdict(entropy.mean(axis=inner), (logits.argmax(axis=-1) == labels).astype(jnp.float32).mean(axis=inner))
