"""The real math: models and training steps in JAX, their traced costs, their execution. The only package that imports JAX."""
