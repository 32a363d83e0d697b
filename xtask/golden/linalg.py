"""Dense linear algebra: values, JVPs and VJPs, single and batched.

The record is the one of `_record.operation`; an operation with several results has one record for each, named by the
parameter `result`.
"""

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
from jax import lax

from _record import Random, operation, write

random = Random(30)
records = []


def add(name, params, f, *inputs):
    records.append(operation(name, params, f, inputs, random))


def regular(*shape):
    """Well conditioned, not symmetric, and such that pivoting happens."""
    n = shape[-1]
    return random.normal(*shape) + 2.0 * np.eye(n)[:, ::-1]


def positive_definite(*shape):
    m = random.normal(*shape)
    return np.round(m @ np.swapaxes(m, -1, -2) + 0.5 * np.eye(shape[-1]), 6)


def triangular(lower, *shape):
    m = random.normal(*shape) + 3.0 * np.eye(shape[-1])
    return np.tril(m) if lower else np.triu(m)


def main():
    for shape in [(1, 1), (3, 3), (5, 5), (2, 3, 3)]:
        a = positive_definite(*shape)
        # JAX averages the operand with its transpose first (`symmetrize_input`), or reads the lower triangle only.
        for symmetrize in (True, False):
            params = {"symmetrize_input": symmetrize}
            add("cholesky", params, lambda a, p=params: jnp.tril(lax.linalg.cholesky(a, **p)), a)
        add(
            "cholesky_logdet",
            {},
            lambda a: 2 * jnp.sum(jnp.log(jnp.diagonal(jnp.linalg.cholesky(a), axis1=-2, axis2=-1)), -1),
            a,
        )

    for shape in [(1, 1), (3, 3), (4, 4), (2, 3, 3), (3, 4), (4, 3)]:
        a = regular(*shape) if shape[-1] == shape[-2] else random.normal(*shape)
        for i, result in enumerate(["lu", "pivots", "permutation"]):
            add("lu", {"result": result}, lambda a, i=i: lax.linalg.lu(a)[i], a)

    for lower in (False, True):
        for left_side in (False, True):
            for transpose_a in (False, True):
                for unit_diagonal in (False, True):
                    params = {
                        "left_side": left_side,
                        "lower": lower,
                        "transpose_a": transpose_a,
                        "unit_diagonal": unit_diagonal,
                    }
                    b = random.normal(3, 2) if left_side else random.normal(2, 3)
                    add(
                        "triangular_solve",
                        params,
                        lambda a, b, p=params: lax.linalg.triangular_solve(a, b, **p),
                        triangular(lower, 3, 3),
                        b,
                    )
    params = {"left_side": True, "lower": True, "transpose_a": False, "unit_diagonal": False}
    add(
        "triangular_solve",
        params,
        lambda a, b: lax.linalg.triangular_solve(a, b, **params),
        triangular(True, 2, 3, 3),
        random.normal(2, 3, 1),
    )

    for a_shape, b_shape in [((3, 3), (3,)), ((3, 3), (3, 2)), ((1, 1), (1,)), ((2, 3, 3), (2, 3, 2))]:
        add("solve", {}, jnp.linalg.solve, regular(*a_shape), random.normal(*b_shape))
        solve = lambda a, b: jax.scipy.linalg.solve(a, b, assume_a="pos")  # noqa: E731
        solve = jax.vmap(solve) if len(a_shape) == 3 else solve
        add("cholesky_solve", {}, solve, positive_definite(*a_shape), random.normal(*b_shape))

    for shape in [(1, 1), (2, 2), (4, 4), (2, 3, 3)]:
        a = regular(*shape)
        add("inv", {}, jnp.linalg.inv, a)
        add("det", {}, jnp.linalg.det, a)
        for i, result in enumerate(["sign", "logabsdet"]):
            add("slogdet", {"result": result}, lambda a, i=i: jnp.linalg.slogdet(a)[i], a)
    # The derivative of the determinant exists where the inverse does not.
    add("det_singular", {}, jnp.linalg.det, np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]]))

    # Invariant under the signs that a library chooses.
    for shape in [(3, 3), (2, 3, 3)]:
        a = positive_definite(*shape)
        add("eigvalsh", {}, jnp.linalg.eigvalsh, a)
        add(
            "eigh_function",
            {"function": "sqrt"},
            lambda a: (lambda w, v: (v * jnp.sqrt(w)[..., None, :]) @ jnp.swapaxes(v, -1, -2))(*jnp.linalg.eigh(a)),
            a,
        )
    for shape in [(3, 3), (4, 2), (2, 4), (2, 3, 2)]:
        a = random.normal(*shape)
        add("singular_values", {}, lambda a: jnp.linalg.svd(a, compute_uv=False), a)
        if shape[-2] >= shape[-1]:
            add("qr_projector", {}, lambda a: (lambda q: q @ jnp.swapaxes(q, -1, -2))(jnp.linalg.qr(a)[0]), a)
    write("linalg", records)


if __name__ == "__main__":
    main()
