"""The real math: models and training steps in JAX, their traced costs, their execution. JAX is imported here alone."""
