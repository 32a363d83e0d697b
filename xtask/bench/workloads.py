"""The programs of crates/dini/benches/workloads, written as a user of JAX writes them, under the same names.

Every function is compiled by `jax.jit`, called with arrays that are on the device already, and waited for.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import power_flow
from inputs import places, positive_definite, uniform
from jax import lax
from jax.scipy.linalg import cho_factor, cho_solve
from jax.scipy.sparse.linalg import cg


class Call:
    """Repeated calls of one function with the same arguments; the first of them traces and compiles."""

    def __init__(self, f, *args):
        self.f, self.args, self.is_array = jax.jit(f), args, False

    def results(self):
        results = jax.block_until_ready(self.f(*self.args))
        self.is_array = isinstance(results, jax.Array)
        return results

    def run(self, n):
        # All results of a program are ready when one is; waiting for a single array costs the least. Nothing may be
        # under way when the clock starts: a call that is not waited for would be measured with the next one.
        f, args = self.f, self.args
        started = time.perf_counter_ns()
        if self.is_array:
            for _ in range(n):
                f(*args).block_until_ready()
        else:
            for _ in range(n):
                jax.tree.leaves(f(*args))[0].block_until_ready()
        return time.perf_counter_ns() - started


class Steps:
    """Calls of a function of one array, which is donated: each result is the next argument."""

    def __init__(self, f, x):
        self.f, self.x = jax.jit(f, donate_argnums=0), x

    def results(self):
        return jax.block_until_ready(self.f(jnp.array(self.x, copy=True)))

    def run(self, n):
        f, x = self.f, jnp.array(self.x, copy=True).block_until_ready()
        started = time.perf_counter_ns()
        for _ in range(n):
            x = f(x).block_until_ready()
        return time.perf_counter_ns() - started


class Fresh:
    """A function compiled anew in each call, with a constant that no call before has had, so that no cache helps.

    `before` comes before the measured part, `measured` is it; `finish` gives the results for the constant 1.
    """

    def __init__(self, before, measured, finish=lambda x: x):
        self.before, self.measured, self.finish = before, measured, finish
        self.n_made = 0

    def results(self):
        return self.finish(self.measured(self.before(1.0)))

    def run(self, n):
        total = 0
        for _ in range(n):
            self.n_made += 1
            ready = self.before(1.0 + 1e-9 * self.n_made)
            started = time.perf_counter_ns()
            jax.block_until_ready(self.measured(ready))
            total += time.perf_counter_ns() - started
        return total


# Calls and compilation.


def chain(n, salt):
    """n elementwise operations, one of which has the constant `salt`."""

    def f(x):
        y = x * salt
        for i in range(1, n):
            match i % 5:
                case 1:
                    y = jnp.sin(y)
                case 2:
                    y = y * x
                case 3:
                    y = y + x
                case 4:
                    y = jnp.tanh(y)
                case _:
                    y = y - 0.25
        return y

    return f


def compile_only(n):
    x = uniform(1, (1000,), -1.0, 1.0)
    return Fresh(
        lambda salt: jax.jit(chain(n, salt)).lower(x), lambda lowered: lowered.compile(), lambda compiled: compiled(x)
    )


def first_run():
    x = uniform(1, (1000,), -1.0, 1.0)
    return Fresh(lambda salt: lambda x: jnp.sum(chain(50, salt)(x)), lambda loss: jax.jit(jax.grad(loss))(x))


# Roots.


def bisect(f, low, high):
    def goes_on(carry):
        low, high = carry
        return high - low > high * 1e-15

    def step(carry):
        low, high = carry
        middle = (low + high) * 0.5
        is_right = f(middle) < 0.0
        return jnp.where(is_right, middle, low), jnp.where(is_right, high, middle)

    low, high = lax.while_loop(goes_on, step, (low, high))
    return (low + high) * 0.5


def sqrt_cubed(x):
    return lax.custom_root(
        lambda y: y * y - x**3, jnp.ones(()), lambda f, _: bisect(f, 0.0, 1000.0), lambda g, b: b / g(jnp.ones(()))
    )


def sum_of_roots(p):
    def equations(x):
        first = x[0] * 3.0 - jnp.cos(x[1] * x[2]) - p[0]
        second = x[0] * x[0] - p[1] * (x[1] + 0.1) * (x[1] + 0.1) + jnp.sin(x[2]) + 1.06
        third = jnp.exp(-(x[0] * x[1])) + p[2] * x[2] + (10.0 * np.pi - 3.0) / 3.0
        return jnp.stack([first, second, third])

    def newton(f, guess):
        return lax.fori_loop(0, 20, lambda _, x: x - jnp.linalg.solve(jax.jacfwd(f)(x), f(x)), guess)

    guess = jnp.array([0.1, 0.1, -0.1])
    x = lax.custom_root(equations, guess, newton, lambda g, b: jnp.linalg.solve(jax.jacfwd(g)(b), b))
    return jnp.sum(x)


# Loops.


def lorenz(start, rho):
    h = 0.01

    def slope(s):
        x, y, z = s
        return (y - x) * 10.0, x * (rho - z) - y, x * y - z * (8.0 / 3.0)

    def moved(s, d, h):
        return tuple(a + b * h for a, b in zip(s, d, strict=True))

    def step(s, _):
        k1 = slope(s)
        k2 = slope(moved(s, k1, h / 2.0))
        k3 = slope(moved(s, k2, h / 2.0))
        k4 = slope(moved(s, k3, h))
        k = tuple((a + (b + c) * 2.0 + d) / 6.0 for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
        return moved(s, k, h), None

    return sum(lax.scan(step, start, None, length=1000)[0])


def lorenz_start():
    return tuple(jnp.asarray(x) for x in (1.0, 2.0, 20.0)), jnp.asarray(28.0)


def energy(theta, b):
    def stencil(u):
        wide = jnp.pad(u, 1)
        return (theta + 4.0) * u - (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:])

    u, _ = cg(stencil, b, tol=0.0, atol=0.0, maxiter=100)
    return jnp.sum(u * u)


def grid(n):
    return uniform(3, (n, n), 0.05, 0.15), uniform(4, (n, n), 0.0, 1.0)


# Elementwise formulas and reductions.


def bump(x):
    return x * 1.7 + jnp.sin(x) * 0.3 * jnp.exp(-(x * x))


def six_cheap(x):
    return ((x * 1.5 + 0.25) * x - 0.75) * 0.5 + x


def sum_tanh(x, w):
    return jnp.sum(jnp.tanh(x) * w)


def rows(seed):
    return uniform(seed, (4096, 1024), -1.0, 2.0, jnp.float32)


def softmax():
    weights = rows(10)
    return Call(jax.value_and_grad(lambda x: jnp.sum(jax.nn.softmax(x) * weights)), rows(9))


def layer_norm():
    weights = rows(10)

    def loss(x, scale, shift):
        distance = x - jnp.mean(x, axis=-1, keepdims=True)
        variance = jnp.mean(distance * distance, axis=-1, keepdims=True)
        return jnp.sum((distance / jnp.sqrt(variance + 1e-5) * scale + shift) * weights)

    vectors = [uniform(seed, (1024,), 0.5, 1.5, jnp.float32) for seed in (11, 12)]
    return Call(jax.value_and_grad(loss, argnums=(0, 1, 2)), rows(9), *vectors)


# Indexing.


def indexing(f):
    return Call(f, uniform(13, (1_000_000,), 0.0, 1.0), places(14, 1_000_000))


# Dense linear algebra.


def matmul(n, dtype):
    return Call(jnp.matmul, *(uniform(seed, (n, n), -1.0, 1.0, dtype) for seed in (15, 16)))


def solve_by_cholesky(a, b):
    return cho_solve(cho_factor(a, lower=True), b)


def symmetric_solve(n):
    matrix = positive_definite(22, (), n)

    def loss(theta):
        a = matrix + jnp.diag(theta * theta)
        factor = cho_factor(lax.stop_gradient(a), lower=True)
        x = lax.custom_linear_solve(lambda x: a @ x, theta + 1.0, lambda _, b: cho_solve(factor, b), symmetric=True)
        return jnp.sum(x * x)

    return Call(jax.value_and_grad(loss), jnp.linspace(0.5, 1.0, n))


WORKLOADS = {
    "call/scalar": lambda: Call(lambda x: x * 2.0 + 1.0, jnp.asarray(0.5)),
    **{f"compile/{n}": lambda n=n: compile_only(n) for n in (20, 200, 2000)},
    "first-run/gradient-50": first_run,
    "bisection/value": lambda: Call(sqrt_cubed, jnp.asarray(4.0)),
    "bisection/gradient": lambda: Call(jax.grad(sqrt_cubed), jnp.asarray(4.0)),
    "bisection-1e4/value": lambda: Call(jax.vmap(sqrt_cubed), uniform(2, (10_000,), 0.5, 90.0)),
    "bisection-1e4/gradient": lambda: Call(jax.vmap(jax.grad(sqrt_cubed)), uniform(2, (10_000,), 0.5, 90.0)),
    "newton-3/value": lambda: Call(sum_of_roots, jnp.array([0.5, 81.0, 20.0])),
    "newton-3/gradient": lambda: Call(jax.grad(sum_of_roots), jnp.array([0.5, 81.0, 20.0])),
    "lorenz/value": lambda: Call(lorenz, *lorenz_start()),
    "lorenz/gradient": lambda: Call(jax.grad(lorenz, argnums=(0, 1)), *lorenz_start()),
    **{f"stencil/value/{n}": lambda n=n: Call(energy, *grid(n)) for n in (64, 256, 512)},
    **{f"stencil/gradient/{n}": lambda n=n: Call(jax.grad(energy, argnums=(0, 1)), *grid(n)) for n in (64, 256, 512)},
    **{
        f"bump/{name}/{size}": lambda dtype=dtype, n=n: Call(bump, uniform(5, (n,), -3.0, 3.0, dtype))
        for name, dtype in (("f32", jnp.float32), ("f64", jnp.float64))
        for size, n in (("1e3", 1_000), ("1e5", 100_000), ("1e7", 10_000_000))
    },
    "six-cheap/f32/1e7": lambda: Call(six_cheap, uniform(6, (10_000_000,), -1.0, 1.0, jnp.float32)),
    # From below 0.6 repeated calls converge.
    "six-cheap-donated/f32/1e7": lambda: Steps(six_cheap, uniform(6, (10_000_000,), -1.0, 0.5, jnp.float32)),
    **{
        f"sum-tanh/{name}/{size}": lambda dtype=dtype, n=n: Call(
            sum_tanh, uniform(7, (n,), -1.0, 3.0, dtype), uniform(8, (n,), 0.0, 1.0, dtype)
        )
        for name, dtype in (("f32", jnp.float32), ("f64", jnp.float64))
        for size, n in (("1e5", 100_000), ("1e7", 10_000_000))
    },
    "softmax/gradient": softmax,
    "layer-norm/gradient": layer_norm,
    "gather/1e6": lambda: indexing(lambda x, at: x[at]),
    "scatter-add/1e6": lambda: indexing(lambda x, at: jnp.zeros_like(x).at[at].add(x)),
    **{
        f"matmul/{name}/{n}": lambda dtype=dtype, n=n: matmul(n, dtype)
        for name, dtype in (("f32", jnp.float32), ("f64", jnp.float64))
        for n in (64, 256, 1024, 2048)
    },
    **{
        f"cholesky-solve/{n}": lambda n=n: Call(
            solve_by_cholesky, positive_definite(17, (), n), uniform(18, (n,), -1.0, 1.0)
        )
        for n in (64, 256, 1024)
    },
    **{
        f"lu-solve/{n}": lambda n=n: Call(
            jnp.linalg.solve, uniform(19, (n, n), -1.0, 1.0), uniform(18, (n,), -1.0, 1.0)
        )
        for n in (64, 256, 1024)
    },
    **{
        f"cholesky-many/{n}": lambda count=count, n=n: Call(
            jax.vmap(solve_by_cholesky), positive_definite(20, (count,), n), uniform(21, (count, n), -1.0, 1.0)
        )
        for count, n in ((10_000, 4), (1_000, 16))
    },
    **{f"symmetric-solve/{n}": lambda n=n: symmetric_solve(n) for n in (100, 500, 1000)},
    "power-flow/value": lambda: Call(*power_flow.value()),
    "power-flow/gradient": lambda: Call(*power_flow.gradient()),
    "power-flow/scenarios": power_flow.Scenarios,
    "power-flow/lu": lambda: Call(jnp.linalg.solve, uniform(24, (181, 181), -1.0, 1.0), uniform(25, (181,), -1.0, 1.0)),
}
