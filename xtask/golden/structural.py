"""Reductions, cumulative operations, data movement, indexing and products: values, JVPs and VJPs.

The record is the one of `_record.operation`. Names and parameters follow `jax.lax`; ties and out-of-range indices have
records of their own, named `…_ties` and `…_out_of_range`, because libraries may differ there.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

from _record import Random, operation, write

random = Random(20)
records = []


def add(name, params, f, *inputs):
    records.append(operation(name, params, f, inputs, random))


def reductions():
    x = random.normal(2, 3, 4)
    tied = np.array([[1.0, 3.0, 3.0, -1.0], [2.0, 2.0, 2.0, 2.0], [-0.0, 0.0, -5.0, 0.0]])
    with_zeros = np.array([[1.5, 0.0, 2.0], [0.0, 0.0, 3.0], [2.0, -1.0, 0.5]])
    flags = np.array([[True, False, True], [True, True, True], [False, False, False]])
    for name, f in {"sum": jnp.sum, "prod": jnp.prod, "max": jnp.max, "min": jnp.min}.items():
        for axes in [(0,), (1,), (2,), (0, 2), (0, 1, 2)]:
            add(f"reduce_{name}", {"axes": axes}, lambda x, f=f, axes=axes: f(x, axis=axes), x)
    for name, f in {"max": jnp.max, "min": jnp.min}.items():
        for axes in [(0,), (1,), (0, 1)]:
            add(f"reduce_{name}_ties", {"axes": axes}, lambda x, f=f, axes=axes: f(x, axis=axes), tied)
        add(f"reduce_{name}", {"axes": (0,)}, lambda x, f=f: f(x, axis=0), np.array([1.0, np.nan, 3.0]))
    for axes in [(0,), (1,), (0, 1)]:
        add("reduce_prod", {"axes": axes}, lambda x, axes=axes: jnp.prod(x, axis=axes), with_zeros)
    for name, f in {"and": jnp.all, "or": jnp.any}.items():
        for axes in [(0,), (1,), (0, 1)]:
            add(f"reduce_{name}", {"axes": axes}, lambda x, f=f, axes=axes: f(x, axis=axes), flags)
    for name, f in {"argmax": lax.argmax, "argmin": lax.argmin}.items():
        for axis in (0, 1, 2):
            add(name, {"axis": axis}, lambda x, f=f, axis=axis: f(x, axis, np.int64), x)
        add(f"{name}_ties", {"axis": 1}, lambda x, f=f: f(x, 1, np.int64), tied)
        add(name, {"axis": 0}, lambda x, f=f: f(x, 0, np.int64), np.array([1.0, np.nan, 3.0]))
    add("reduce_sum", {"axes": (0,)}, lambda x: jnp.sum(x, axis=0), np.zeros((0, 3)))
    add("reduce_sum", {"axes": (1,)}, lambda x: jnp.sum(x, axis=1), np.arange(6).reshape(2, 3))


def cumulative():
    x = random.normal(3, 4)
    with_zeros = np.array([[1.5, 0.0, 2.0, 3.0], [2.0, -1.0, 0.0, 0.0], [4.0, 0.5, 0.25, 2.0]])
    for name, f in {"sum": lax.cumsum, "prod": lax.cumprod, "max": lax.cummax, "min": lax.cummin}.items():
        for axis in (0, 1):
            for reverse in (False, True):
                params = {"axis": axis, "reverse": reverse}
                add(f"cum{name}", params, lambda x, f=f, p=params: f(x, **p), x)
    add("cumprod", {"axis": 1, "reverse": False}, lambda x: lax.cumprod(x, 1), with_zeros)
    add(
        "cummax_ties",
        {"axis": 0, "reverse": False},
        lambda x: lax.cummax(x, 0),
        np.array([1.0, 2.0, 2.0, 1.0, 2.0, 3.0]),
    )


def movement():
    x = random.normal(2, 3, 4)
    y = random.normal(3, 4)
    for axes in [(0,), (1, 2), (0, 1, 2)]:
        add("reverse", {"axes": axes}, lambda x, axes=axes: lax.rev(x, axes), x)
    for permutation in [(2, 0, 1), (1, 0, 2), (0, 1, 2), (2, 1, 0)]:
        add("transpose", {"permutation": permutation}, lambda x, p=permutation: lax.transpose(x, p), x)
    add(
        "broadcast_in_dim",
        {"shape": (2, 3, 4), "dimensions": (1, 2)},
        lambda x: lax.broadcast_in_dim(x, (2, 3, 4), (1, 2)),
        y,
    )
    add(
        "broadcast_in_dim",
        {"shape": (3, 5), "dimensions": (0, 1)},
        lambda x: lax.broadcast_in_dim(x, (3, 5), (0, 1)),
        y[:, :1],
    )
    add("reshape", {"shape": (4, 6)}, lambda x: lax.reshape(x, (4, 6)), x)
    for config in [
        [(0, 0, 0), (0, 0, 0)],
        [(1, 2, 0), (0, 1, 0)],
        [(0, 0, 1), (0, 0, 2)],
        [(2, -1, 1), (-1, 3, 0)],
        [(-1, -1, 0), (-2, 0, 2)],
        [(-2, 1, 2), (1, -3, 1)],
    ]:
        add("pad", {"config": config}, lambda x, v, c=config: lax.pad(x, v, c), y, np.array(0.75))
    for axis, shapes in [(0, [(2, 3), (1, 3)]), (1, [(2, 3), (2, 0), (2, 2)]), (2, [(1, 2, 1), (1, 2, 3)])]:
        add(
            "concatenate",
            {"axis": axis},
            lambda *xs, a=axis: lax.concatenate(xs, a),
            *[random.normal(*s) for s in shapes],
        )
    for start, limit, stride in [
        ((0, 0), (3, 4), (1, 1)),
        ((1, 0), (3, 4), (1, 3)),
        ((0, 1), (2, 4), (2, 2)),
        ((2, 2), (2, 3), (1, 1)),
    ]:
        params = {"start": start, "limit": limit, "stride": stride}
        add("slice", params, lambda x, p=(start, limit, stride): lax.slice(x, *p), y)


def dynamic():
    y = random.normal(4, 5)
    for starts in [(0, 0), (1, 2), (3, 4), (-1, 0), (-7, 100)]:
        name = "dynamic_slice" if starts in [(0, 0), (1, 2)] else "dynamic_slice_out_of_range"
        indices = [np.array(i) for i in starts]
        # Negative starts clamp to 0 here; they do not count from the end.
        clamped = lambda i, n, size: jnp.clip(i, 0, n - size)  # noqa: E731
        add(
            name,
            {"sizes": (2, 3)},
            lambda x, i, j: lax.dynamic_slice(x, (clamped(i, 4, 2), clamped(j, 5, 3)), (2, 3)),
            y,
            *indices,
        )
        update = random.normal(2, 3)
        add(
            name.replace("slice", "update_slice"),
            {},
            lambda x, u, i, j: lax.dynamic_update_slice(x, u, (clamped(i, 4, 2), clamped(j, 5, 3))),
            y,
            update,
            *indices,
        )


def indexing():
    x = random.normal(4, 3)
    rows = np.array([2, 0, 2, 3])
    outside = np.array([1, 4, 0, 9])
    for axis, indices in [(0, rows), (1, np.array([[0, 2], [1, 1]])), (0, np.array(1))]:
        add("take", {"axis": axis}, lambda x, i, a=axis: jnp.take(x, i, axis=a, mode="fill"), x, indices)
    add("take_out_of_range", {"axis": 0}, lambda x, i: jnp.take(x, i, axis=0, mode="fill"), x, outside)
    add(
        "take_out_of_range",
        {"axis": 0},
        lambda x, i: jnp.take(x, i, axis=0, mode="fill"),
        np.arange(8).reshape(4, 2),
        outside,
    )
    for axis, shape in [(0, (2, 3)), (1, (4, 5))]:
        indices = random.generator.integers(0, x.shape[axis], shape)
        add(
            "take_along_axis",
            {"axis": axis},
            lambda x, i, a=axis: jnp.take_along_axis(x, i, a, mode="fill"),
            x,
            indices,
        )
    for name in ["set", "add", "mul", "min", "max"]:
        scatter = lambda x, i, u, name=name: getattr(x.at[i], name)(u, mode="drop", unique_indices=True)  # noqa: E731
        repeated = lambda x, i, u, name=name: getattr(x.at[i], name)(u, mode="drop")  # noqa: E731
        as_jax = lambda f: lambda x, i, u: f(jnp.asarray(x), jnp.asarray(i), jnp.asarray(u))  # noqa: E731
        unique = np.array([3, 0])
        add(f"scatter_{name}", {"axis": 0}, as_jax(scatter), x, unique, random.normal(2, 3))
        add(f"scatter_{name}", {"axis": 0}, as_jax(scatter), x[:, 0], unique, random.normal(2))
        add(f"scatter_{name}_out_of_range", {"axis": 0}, as_jax(scatter), x, np.array([1, 4]), random.normal(2, 3))
        if name in ("add", "min", "max"):
            add(f"scatter_{name}_repeated", {"axis": 0}, as_jax(repeated), x, rows, random.normal(4, 3))


def products():
    for left, right, contracting, batch in [
        ((3,), (3,), ((0,), (0,)), ((), ())),
        ((2, 3), (3,), ((1,), (0,)), ((), ())),
        ((2, 3), (3, 4), ((1,), (0,)), ((), ())),
        ((3, 2), (4, 3), ((0,), (1,)), ((), ())),
        ((2,), (3,), ((), ()), ((), ())),
        ((5, 2, 3), (5, 3, 4), ((2,), (1,)), ((0,), (0,))),
        ((2, 3, 2), (4, 2, 3), ((1,), (2,)), ((2,), (1,))),
        ((2, 3, 2, 2), (3, 2, 2, 1), ((0,), (1,)), ((1, 3), (0, 2))),
        ((2, 3, 4), (4, 3, 2), ((1, 2), (1, 0)), ((), ())),
        ((3, 4), (3, 4), ((), ()), ((0,), (0,))),
        ((2, 0), (0, 3), ((1,), (0,)), ((), ())),
    ]:
        params = {"contracting": contracting, "batch": batch}
        add(
            "dot_general",
            params,
            lambda x, y, d=(contracting, batch): lax.dot_general(x, y, d),
            random.normal(*left),
            random.normal(*right),
        )
    for left, right in [((2, 3), (3, 2)), ((5, 1, 2, 3), (4, 3, 2)), ((3,), (2, 3, 2)), ((2, 3), (3,))]:
        add("matmul", {}, jnp.matmul, random.normal(*left), random.normal(*right))


def main():
    reductions()
    cumulative()
    movement()
    dynamic()
    indexing()
    products()
    write("structural", records)


if __name__ == "__main__":
    main()
