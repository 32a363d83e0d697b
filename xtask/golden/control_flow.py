"""Programs with loops, branches, checkpoints and custom rules: values and derivatives.

The record is the one of `_record.program`. A Rust test transcribes each program, so they are short and take and return
arrays only. Every lane of the `vmap_…` results is computed alone: that is what a vectorized program has to equal, also
where a branch that a lane does not take is singular there.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from _record import ALL, Random, program, write

random = Random(40)
FORWARD = ["value", "jvp", "jacfwd", "hessian_forward", "vmap_value", "vmap_jvp"]


def rnn(w, u, b, h, xs):
    def step(h, x):
        h = jnp.tanh(w @ h + u @ x + b)
        return h, jnp.sum(h)

    return lax.scan(step, h, xs)


def scan_reverse(a, x0, xs):
    def step(c, x):
        c = a * c + x
        return c, c * c

    return lax.scan(step, x0, xs, reverse=True)


def scan_trees(p, q, xs, ys):
    def step(carry, inputs):
        (p, q), (x, y) = carry, inputs
        p, q = jnp.sin(p) * x + q, p + y
        return (p, q), (p * q, x - q)

    (p, q), (a, b) = lax.scan(step, (p, q), (xs, ys))
    return p, q, a, b


def scan_without_inputs(x):
    def step(c, _):
        return jnp.cos(c), c

    return lax.scan(step, x, None, length=6)


def scan_of_scan(a, x):
    def inner(c, _):
        return jnp.sin(a * c), None

    def outer(c, _):
        c, _ = lax.scan(inner, c, None, length=3)
        return c * a, c

    return lax.scan(outer, x, None, length=2)


def integer_carry(xs):
    def step(carry, x):
        i, total = carry
        return (i + 1, total + i * x**2), None

    (_, total), _ = lax.scan(step, (0, 0.0), xs)
    return total


def fori_static(x):
    return lax.fori_loop(0, 5, lambda i, x: x * jnp.cos(x) + 0.1 * i, x)


def fori_index(coefficients, x):
    n = coefficients.shape[0]
    return lax.fori_loop(0, n, lambda i, y: y * x + coefficients[n - 1 - i], jnp.zeros_like(x))


def while_newton(a):
    """The cube root of `a`, until the step is below 1e-12."""

    def step(state):
        x, _ = state
        new = x - (x**3 - a) / (3 * x**2)
        return new, jnp.abs(new - x)

    x, _ = lax.while_loop(lambda state: state[1] > 1e-12, step, (jnp.ones_like(a), jnp.ones_like(a)))
    return x


def while_doubling(x, factor):
    """Each lane of a batch runs a different number of trips."""
    return lax.while_loop(lambda y: y < 10.0, lambda y: factor * y + 0.5, x)


def while_array_state(m, v):
    _, v = lax.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, jnp.tanh(m @ s[1])), (0, v))
    return v


def cond_scalar(x, y):
    return lax.cond(x > 0, lambda: jnp.log(x) * y, lambda: x * y**2)


def cond_singular(x):
    """The branch not taken is infinite or NaN at some lanes; those lanes must not see it."""
    return lax.cond(x > 0, lambda x: jnp.sqrt(x) + jnp.log(x), lambda x: x**2, x)


def cond_operands(x, y):
    out = lax.cond(jnp.sum(x) > jnp.sum(y), lambda x, y: (x * y, y), lambda x, y: (x - y, jnp.sin(x)), x, y)
    return out


def switch_three(i, x):
    """The index is the floor of a float input; out of range it clamps."""
    index = jnp.floor(i).astype(int)
    return lax.switch(index, [lambda x: x**2, jnp.sin, lambda x: jnp.exp(-x)], x)


def cond_in_scan(a, xs):
    def step(c, x):
        c = lax.cond(c > x, lambda c: a * c, lambda c: c + x**2, c)
        return c, c

    return lax.scan(step, 0.5 * a, xs)


def checkpointed(a, x):
    layer = jax.checkpoint(lambda x: jnp.sin(a * x) + x)
    return layer(layer(layer(x)))


def checkpoint_in_scan(a, x):
    def step(c, _):
        return jnp.tanh(a * c) + 0.1 * c**2, None

    c, _ = lax.scan(jax.checkpoint(step), x, None, length=4)
    return c


@jax.custom_jvp
def softplus(x):
    return jnp.log(1 + jnp.exp(x))


@softplus.defjvp
def softplus_jvp(primals, tangents):
    (x,), (x_dot,) = primals, tangents
    return softplus(x), x_dot / (1 + jnp.exp(-x))


def custom_jvp_stable(x):
    return softplus(x)


@jax.custom_jvp
def tripled(x):
    return x * x


@tripled.defjvp
def tripled_jvp(primals, tangents):
    # Not the derivative: shows that the rule is used, and differentiated again at the next order.
    (x,), (x_dot,) = primals, tangents
    return tripled(x), 3 * x * x * x_dot


def custom_jvp_wrong(x):
    return jnp.sin(tripled(x))


@jax.custom_vjp
def clipped(x, limit):
    return x * jnp.ones_like(limit)


clipped.defvjp(
    lambda x, limit: (clipped(x, limit), limit),
    lambda limit, ct: (jnp.clip(ct, -limit, limit), jnp.zeros_like(limit)),
)


def custom_vjp_clip(x, limit):
    return clipped(x, limit) ** 2


def stopped(x, y):
    return x * lax.stop_gradient(x * y) + jnp.sin(y)


def gradient_descent(rate, x, target):
    """A gradient inside a loop, differentiated from outside by the step size."""

    def loss(x):
        return jnp.sum((jnp.sin(x) - target) ** 2)

    x, _ = lax.scan(lambda x, _: (x - rate * jax.grad(loss)(x), None), x, None, length=4)
    return loss(x)


def nested_gradients(x):
    """The classical test for perturbation confusion."""
    return x * jax.grad(lambda y: x + y**2 * x)(2.0)


def vmap_inside(w, x):
    return jax.vmap(lambda row: lax.fori_loop(0, 2, lambda i, c: jnp.sin(c * row), x))(w)


def main():
    n = random.normal
    small = lambda *shape: 0.5 * n(*shape)  # noqa: E731
    uniform = random.uniform
    reverse_only = [kind for kind in ALL if kind not in ("jvp", "jacfwd", "hessian")]

    def lanes(*columns):
        return [np.array(column) for column in columns]

    records = [
        program("rnn", rnn, [small(3, 3), small(3, 2), n(3), n(3), n(4, 2)], ALL, random),
        program("scan_reverse", scan_reverse, [np.array(0.8), np.array(1.5), n(5)], ALL, random),
        program("scan_trees", scan_trees, [n(2), n(2), n(3, 2), n(3, 2)], ALL, random),
        program("scan_without_inputs", scan_without_inputs, [np.array(0.3)], ALL, random),
        program("scan_of_scan", scan_of_scan, [np.array(1.3), n(2)], ALL, random),
        program("integer_carry", integer_carry, [n(4)], ALL, random),
        program("fori_static", fori_static, [n(3)], ALL, random),
        program("fori_index", fori_index, [n(4), np.array(0.7)], ALL, random),
        program("while_newton", while_newton, [np.array(5.0)], FORWARD, random, lanes([5.0, 0.2, 40.0])),
        program(
            "while_doubling",
            while_doubling,
            [np.array(0.7), np.array(1.5)],
            FORWARD,
            random,
            lanes([0.7, 6.0, 20.0], [1.5, 2.0, 3.0]),
        ),
        program("while_array_state", while_array_state, [small(3, 3), n(3)], FORWARD, random),
        program(
            "cond_scalar",
            cond_scalar,
            [np.array(1.7), np.array(0.6)],
            ALL,
            random,
            lanes([1.7, -0.4, 0.2], [0.6, 1.1, -2.0]),
        ),
        program("cond_singular", cond_singular, [np.array(0.5)], ALL, random, lanes([0.5, 0.0, -2.0])),
        program("cond_operands", cond_operands, [n(3), n(3)], ALL, random, [n(3, 3), n(3, 3)]),
        program(
            "switch_three",
            switch_three,
            [np.array(1.2), np.array(0.9)],
            ALL,
            random,
            lanes([-3.5, 0.1, 1.5, 2.5, 7.0], [0.9, -0.3, 0.4, 1.2, 0.1]),
        ),
        program("cond_in_scan", cond_in_scan, [np.array(0.9), uniform(0.0, 1.0, 5)], ALL, random),
        program("checkpointed", checkpointed, [np.array(1.2), n(3)], ALL, random),
        program("checkpoint_in_scan", checkpoint_in_scan, [np.array(1.1), n(2)], ALL, random),
        program("custom_jvp_stable", custom_jvp_stable, [np.array(1.3)], ALL, random, lanes([1.3, -20.0, 30.0])),
        program("custom_jvp_wrong", custom_jvp_wrong, [np.array(0.8)], ALL, random),
        program("custom_vjp_clip", custom_vjp_clip, [n(4), np.array(0.9)], reverse_only, random),
        program("stopped", stopped, [np.array(1.4), np.array(0.5)], ALL, random),
        program("gradient_descent", gradient_descent, [np.array(0.3), n(2), np.array(0.4)], ALL, random),
        program("nested_gradients", nested_gradients, [np.array(3.0)], ALL, random),
        program("vmap_inside", vmap_inside, [n(2, 3), n(3)], ALL, random),
    ]
    write("control_flow", records)


if __name__ == "__main__":
    main()
