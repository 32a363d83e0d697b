"""Inputs that look random and are the same, to the last bit, here and in crates/dini/benches/workloads/inputs.rs."""

import jax.numpy as jnp
import numpy as np


def elements(seed, shape):
    """The first elements of sequence `seed`, in [0, 1), by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    i = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
    state = (np.uint64(seed << 32) + i) * np.uint64(0x9E3779B97F4A7C15)
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (((z ^ (z >> np.uint64(31))) >> np.uint64(11)) / 2.0**53).reshape(shape)


def uniform(seed, shape, low, high, dtype=jnp.float64):
    """Numbers in [low, high), computed in f64."""
    return jnp.asarray(low + (high - low) * elements(seed, shape), dtype)


def places(seed, n):
    """Places in an axis of extent n, int32."""
    return jnp.asarray((elements(seed, (n,)) * n).astype(np.int32))


def positive_definite(seed, batch, n):
    """Symmetric positive-definite matrices I + KᵀK / n, of shape batch + (n, n)."""
    k = -1.0 + 2.0 * elements(seed, (*batch, n, n))
    return jnp.asarray(np.eye(n) + np.swapaxes(k, -1, -2) @ k / n)
