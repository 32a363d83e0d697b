"""How golden records are built and written; imported by the scripts beside it.

A file is a JSON list with one record per line. Arrays are `{"shape": [...], "dtype": "f64", "data": [...]}`, row-major.
Floats are written so that f64 round-trips; JSON has no NaN and no infinities, so they are the strings "NaN", "Infinity"
and "-Infinity". What has no derivative is null.
"""

import json
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "crates" / "dini" / "tests" / "golden"

DTYPES = {
    "float64": "f64",
    "float32": "f32",
    "int64": "i64",
    "int32": "i32",
    "uint64": "u64",
    "uint32": "u32",
    "uint8": "u8",
    "bool": "bool",
}


def plain(value):
    """Numbers, arrays and nested lists of them as JSON values."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, jax.Array, np.generic)):
        return plain(np.asarray(value).tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def flat(value):
    return plain(np.ravel(np.asarray(value)))


def array(value):
    value = np.asarray(value)
    return {"shape": list(value.shape), "dtype": DTYPES[str(value.dtype)], "data": flat(value)}


def array_or_none(value):
    return None if value is None else array(value)


def write(name, records):
    GOLDEN.mkdir(parents=True, exist_ok=True)
    path = GOLDEN / f"{name}.json"
    lines = [json.dumps(record, separators=(",", ":"), allow_nan=False) for record in records]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{path.name}: {len(records)} records, {path.stat().st_size / 1000:.0f} kB")


class Random:
    """Reproducible operands with few digits, so that the files stay small."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def normal(self, *shape):
        return np.round(self.generator.standard_normal(shape), 3)

    def uniform(self, low, high, *shape):
        return np.round(self.generator.uniform(low, high, shape), 3)


def is_float(x):
    return np.issubdtype(np.asarray(x).dtype, np.floating)


def operation(name, params, f, inputs, random):
    """One record of an operation: its output, its JVP with random tangents and its VJP with a random cotangent.

    Only floating-point inputs have tangents and cotangents; the entries of others are null. `jvp` or `vjp` is null if JAX
    has no such derivative.
    """
    inputs = [np.asarray(x) for x in inputs]
    output = np.asarray(f(*inputs))
    record = {"name": name, "params": plain(params), "inputs": [array(x) for x in inputs], "output": array(output)}
    varied = [i for i, x in enumerate(inputs) if is_float(x)]
    if not varied or not is_float(output):
        return record | {"tangents": None, "jvp": None, "cotangent": None, "vjp": None}

    def of_varied(*values):
        arguments = list(inputs)
        for i, value in zip(varied, values):
            arguments[i] = value
        return f(*arguments)

    primals = [inputs[i] for i in varied]
    tangents = [random.normal(*x.shape).astype(x.dtype) for x in primals]
    cotangent = random.normal(*output.shape).astype(output.dtype)
    try:
        jvp = jax.jvp(of_varied, primals, tangents)[1]
    except (NotImplementedError, TypeError, ValueError):
        jvp = None
    try:
        cotangents = jax.vjp(of_varied, *primals)[1](jnp.asarray(cotangent))
    except (NotImplementedError, TypeError, ValueError):
        cotangents = None
    all_tangents, all_cotangents = [None] * len(inputs), [None] * len(inputs)
    for position, i in enumerate(varied):
        all_tangents[i] = array(tangents[position])
        if cotangents is not None:
            all_cotangents[i] = array(cotangents[position])
    if jvp is not None and cotangents is not None:
        # <jvp, ct> = <tangents, vjp>: the record is consistent.
        left = float(np.sum(np.asarray(jvp) * cotangent))
        right = sum(float(np.sum(t * np.asarray(c))) for t, c in zip(tangents, cotangents))
        assert not math.isfinite(left) or abs(left - right) <= 1e-9 * (
            1 + abs(left)
        ), f"{name} {params}: {left} {right}"
    return record | {
        "tangents": all_tangents,
        "jvp": array_or_none(jvp),
        "cotangent": array(cotangent),
        "vjp": None if cotangents is None else all_cotangents,
    }


def program(name, f, inputs, results, random, batch=None):
    """One record of a program: `f` takes the inputs as arguments and returns an array or a tuple of arrays.

    `results` names what to compute, each as flat lists over all outputs and inputs:

    value     [output]              jvp       [output], with the recorded tangents
    jacfwd    [output][input]       jacrev    [output][input]; a block has the output's shape, then the input's
    grad      [input]               hessian   [input][input]; both of the sum of all outputs
    vmap_value, vmap_grad, vmap_jvp as above, over a leading axis of every input in `batch`; each lane is computed alone
    """
    inputs = [jnp.asarray(x) for x in inputs]
    every = tuple(range(len(inputs)))

    def outputs(*xs):
        out = f(*xs)
        return tuple(out) if isinstance(out, (tuple, list)) else (out,)

    def total(*xs):
        return sum(jnp.sum(out) for out in outputs(*xs))

    tangents = [random.normal(*x.shape) for x in inputs]
    if batch is None:
        batch = [
            np.stack([x, x + random.uniform(-0.1, 0.1, *x.shape), x + random.uniform(-0.1, 0.1, *x.shape)])
            for x in inputs
        ]
    lanes = [[jnp.asarray(x[lane]) for x in batch] for lane in range(len(batch[0]))]

    def stacked(per_lane):
        return [flat(np.stack([np.asarray(lane[i]) for lane in per_lane])) for i in range(len(per_lane[0]))]

    computed = {}
    for kind in results:
        if kind == "value":
            value = [flat(out) for out in outputs(*inputs)]
        elif kind == "jvp":
            value = [flat(out) for out in jax.jvp(outputs, inputs, tangents)[1]]
        elif kind in ("jacfwd", "jacrev"):
            jacobian = {"jacfwd": jax.jacfwd, "jacrev": jax.jacrev}[kind](outputs, every)(*inputs)
            value = [[flat(block) for block in row] for row in jacobian]
        elif kind == "grad":
            value = [flat(g) for g in jax.grad(total, every)(*inputs)]
        elif kind == "hessian":
            value = [[flat(block) for block in row] for row in jax.hessian(total, every)(*inputs)]
        elif kind == "hessian_forward":
            hessian = jax.jacfwd(jax.jacfwd(total, every), every)(*inputs)
            value = [[flat(block) for block in row] for row in hessian]
        elif kind == "vmap_value":
            value = stacked([outputs(*lane) for lane in lanes])
        elif kind == "vmap_grad":
            value = stacked([jax.grad(total, every)(*lane) for lane in lanes])
        elif kind == "vmap_jvp":
            value = stacked([jax.jvp(outputs, lane, tangents)[1] for lane in lanes])
        else:
            raise ValueError(kind)
        computed[kind] = value
    return {
        "name": name,
        "inputs": [array(x) for x in inputs],
        "tangents": [array(x) for x in tangents],
        "batch": [array(x) for x in batch],
        "results": computed,
    }


ALL = ["value", "jvp", "jacfwd", "jacrev", "grad", "hessian", "vmap_value", "vmap_grad"]
