"""Programs with roots, linear solves, fixed points and optima, differentiated implicitly.

The record is the one of `_record.program`. The implicit derivatives do not depend on the solver, so a Rust test may use
another one; all solvers here run to machine precision.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from _record import ALL, Random, program, write

random = Random(50)


def bisect(f, low, high):
    """200 halvings: as close as f64 gets, whatever the interval."""

    def halve(_, interval):
        low, high = interval
        middle = 0.5 * (low + high)
        above = f(middle) > 0
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    low, high = lax.fori_loop(0, 200, halve, (jnp.asarray(low, float), jnp.asarray(high, float)))
    return 0.5 * (low + high)


def newton(f, guess):
    """12 steps with the dense Jacobian, on trees."""
    flat_guess, unflatten = ravel_pytree(guess)
    flat_f = lambda y: ravel_pytree(f(unflatten(y)))[0]  # noqa: E731
    step = lambda _, y: y - jnp.linalg.solve(jax.jacfwd(flat_f)(y), flat_f(y))  # noqa: E731
    return unflatten(lax.fori_loop(0, 12, step, flat_guess))


def scalar_tangent_solve(g, y):
    return y / g(jnp.ones_like(y))


def dense_tangent_solve(g, b):
    flat_b, unflatten = ravel_pytree(b)
    flat_g = lambda v: ravel_pytree(g(unflatten(v)))[0]  # noqa: E731
    return unflatten(jnp.linalg.solve(jax.jacfwd(flat_g)(jnp.zeros_like(flat_b)), flat_b))


def root(f, guess, solve=newton):
    return lax.custom_root(f, guess, solve, dense_tangent_solve)


def sqrt_cubed(x):
    """y with y² = x³, by bisection."""
    f = lambda y: y * y - x**3  # noqa: E731
    return lax.custom_root(f, 1.0, lambda f, _: bisect(f, 0.0, 1000.0), scalar_tangent_solve)


def newton_scalar(a, b):
    """y with y³ + a y = b."""
    return lax.custom_root(lambda y: y**3 + a * y - b, 1.0, newton, scalar_tangent_solve)


def tree_root(m, p):
    """u, v with u = tanh(M u + v p) and v³ + v = sum(u) + 1."""

    def f(tree):
        u, v = tree["u"], tree["v"]
        return {"u": u - jnp.tanh(m @ u + v * p), "v": v**3 + v - jnp.sum(u) - 1.0}

    tree = root(f, {"u": jnp.zeros(2), "v": jnp.array(0.5)})
    return tree["u"], tree["v"]


def root_with_aux(x):
    """The number of halvings is inert: it has no derivative."""
    solve = lambda f, _: (bisect(f, 0.0, 100.0), 200.0)  # noqa: E731
    y, halvings = lax.custom_root(lambda y: y**3 + y - x, 1.0, solve, scalar_tangent_solve, has_aux=True)
    return y * halvings


def fixed_point(w, u, x):
    """z = tanh(W z + U x)."""
    f = lambda z: jnp.tanh(w @ z + u @ x)  # noqa: E731
    iterate = lambda _, guess: lax.fori_loop(0, 400, lambda _, z: f(z), guess)  # noqa: E731
    return root(lambda z: z - f(z), jnp.zeros(w.shape[0]), iterate)


def optimum(log_penalty, a, b):
    """argmin over x of |A x - b|² / 2 + exp(log_penalty) |x|² / 2, then the misfit there: a bilevel problem."""
    loss = lambda x: 0.5 * jnp.sum((a @ x - b) ** 2) + 0.5 * jnp.exp(log_penalty) * jnp.sum(x**2)  # noqa: E731
    x = root(jax.grad(loss), jnp.zeros(a.shape[1]))
    return jnp.sum((a @ x - b) ** 2) + jnp.sum(x**4)


def implicit_euler(x0, rate):
    """A root in every step of a scan: x' = -rate x³, five steps of 0.2."""

    def step(x, _):
        new = lax.custom_root(lambda y: y - x + 0.2 * rate * y**3, x, newton, scalar_tangent_solve)
        return new, new

    return lax.scan(step, x0, None, length=5)


def root_of_root(x):
    """An inner root y(z) of y + y³ = x z, and an outer z with z + y(z) = 2 x."""

    def inner(z):
        return lax.custom_root(lambda y: y + y**3 - x * z, 0.5, newton, scalar_tangent_solve)

    return lax.custom_root(lambda z: z + inner(z) - 2 * x, 1.0, newton, scalar_tangent_solve)


def root_in_cond(x):
    return lax.cond(x > 1.0, sqrt_cubed, lambda x: x**2, x)


def root_under_checkpoint(x):
    return jax.checkpoint(lambda x: jnp.sin(sqrt_cubed(x)) * x)(x)


def cholesky_solve(a, b):
    """A symmetric solve with a factorization that the solver captures; A enters by its symmetric part."""
    s = 0.5 * (a + a.T)
    factor = lax.linalg.cholesky(s)

    def solve(_, b):
        y = lax.linalg.triangular_solve(factor, b[:, None], left_side=True, lower=True)
        return lax.linalg.triangular_solve(factor, y, left_side=True, lower=True, transpose_a=True)[:, 0]

    return lax.custom_linear_solve(lambda x: s @ x, b, solve, symmetric=True)


def general_solve(a, b):
    """Not symmetric: the transposed solve is given."""
    solve = lambda _, b: jnp.linalg.solve(a, b)  # noqa: E731
    transpose_solve = lambda _, b: jnp.linalg.solve(a.T, b)  # noqa: E731
    return lax.custom_linear_solve(lambda x: a @ x, b, solve, transpose_solve)


def conjugate_gradients(d, b):
    """A matrix-free tridiagonal operator, solved by as many steps of conjugate gradients as there are unknowns."""
    matvec = lambda x: d * x - jnp.pad(x[1:], (0, 1)) - jnp.pad(x[:-1], (1, 0))  # noqa: E731

    def solve(matvec, b):
        def step(_, state):
            x, r, p = state
            q = matvec(p)
            # A zero right-hand side (many derivatives have one) is solved before the first step.
            ratio = lambda a, b: jnp.where(b == 0, 0.0, a / jnp.where(b == 0, 1.0, b))  # noqa: E731
            alpha = ratio(jnp.vdot(r, r), jnp.vdot(p, q))
            new = r - alpha * q
            return x + alpha * p, new, new + p * ratio(jnp.vdot(new, new), jnp.vdot(r, r))

        return lax.fori_loop(0, b.shape[0], step, (jnp.zeros_like(b), b, b))[0]

    return lax.custom_linear_solve(matvec, b, solve, symmetric=True)


def solve_of_nonlinear(a, b):
    """A quantity of interest behind a solve, for Hessian-vector products by matrix and right-hand side."""
    x = cholesky_solve(a, jnp.sin(b))
    return jnp.sum(x**2) + x[0] * b[1]


def sqrt_cubed_orders():
    """Derivatives of order 0 to 4 at 4, 5 and 30, from the library and from the formula."""
    points = np.array([4.0, 5.0, 30.0])
    derivatives, function = [], sqrt_cubed
    for _ in range(5):
        derivatives.append([float(function(x)) for x in points])
        function = jax.grad(function)
    exact = [points**1.5, 1.5 * points**0.5, 0.75 * points**-0.5, -0.375 * points**-1.5, 0.5625 * points**-2.5]
    np.testing.assert_allclose(derivatives, exact, rtol=1e-11)
    return {
        "name": "sqrt_cubed_orders",
        "inputs": [{"shape": [3], "dtype": "f64", "data": points.tolist()}],
        "results": {"orders": derivatives, "exact": [row.tolist() for row in exact]},
    }


def main():
    n = random.normal

    def definite(size):
        m = n(size, size)
        return np.round(m @ m.T + np.eye(size), 3)

    def lanes(*columns):
        return [np.array(column) for column in columns]

    wide = np.array([5.0, 4.0, 4.5, 6.0])
    a3, b3 = definite(3), n(3)
    records = [
        sqrt_cubed_orders(),
        program("sqrt_cubed", sqrt_cubed, [np.array(5.0)], ALL, random, lanes([4.0, 5.0, 30.0])),
        program("newton_scalar", newton_scalar, [np.array(2.0), np.array(3.0)], ALL, random),
        program("tree_root", tree_root, [0.5 * n(2, 2), n(2)], ALL, random),
        program("root_with_aux", root_with_aux, [np.array(3.0)], ALL, random),
        program("fixed_point", fixed_point, [0.3 * n(3, 3), n(3, 2), n(2)], ALL, random),
        program("optimum", optimum, [np.array(-0.5), n(4, 2), n(4)], ALL, random),
        program("implicit_euler", implicit_euler, [np.array(1.5), np.array(0.8)], ALL, random),
        program("root_of_root", root_of_root, [np.array(1.2)], ALL, random),
        program("root_in_cond", root_in_cond, [np.array(2.0)], ALL, random, lanes([2.0, 0.5, 1.5])),
        program("root_under_checkpoint", root_under_checkpoint, [np.array(2.0)], ALL, random),
        program(
            "cholesky_solve",
            cholesky_solve,
            [a3, b3],
            ALL,
            random,
            [np.stack([definite(3) for _ in range(3)]), n(3, 3)],
        ),
        program("general_solve", general_solve, [n(3, 3) + 2 * np.eye(3), n(3)], ALL, random),
        program("conjugate_gradients", conjugate_gradients, [wide, n(4)], ALL, random),
        program(
            "solve_of_nonlinear",
            solve_of_nonlinear,
            [a3, b3],
            ALL,
            random,
            [np.stack([definite(3) for _ in range(3)]), n(3, 3)],
        ),
    ]
    write("implicit", records)


if __name__ == "__main__":
    main()
