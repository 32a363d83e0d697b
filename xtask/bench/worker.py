"""JAX's worker: answers the requests of `xtask bench`, one line of JSON each, until its input ends.

    {"request": "list"}                            {"names": [...]}
    {"request": "prepare", "name": ...}            {"first_call_ns": ..., "results": [...]}
    {"request": "run", "name": ..., "n": ...}      {"ns": ...} for n calls

`prepare` drops what was prepared before. A failure is {"error": ...}. The same as crates/dini/benches/workloads/serve.rs.
"""

import gc
import json
import sys
import time

import jax
import numpy as np
from workloads import WORKLOADS

MOST_ELEMENTS = 16


def digest(x):
    """Enough of a result to see whether two results are the same."""
    x = np.asarray(x, dtype=np.float64).ravel()
    step = max(1, -(-len(x) // MOST_ELEMENTS))
    return {"len": len(x), "mean": x.mean(), "mean_abs": np.abs(x).mean(), "elements": x[::step].tolist()}


def answer(request, prepared):
    match request:
        case {"request": "list"}:
            return {"names": list(WORKLOADS)}
        case {"request": "prepare", "name": name}:
            prepared.clear()
            if name not in WORKLOADS:
                raise ValueError(f"there is no workload `{name}`")
            built = WORKLOADS[name]()
            started = time.perf_counter_ns()
            results = jax.block_until_ready(built.results())
            first_call_ns = time.perf_counter_ns() - started
            prepared[name] = built
            return {"first_call_ns": first_call_ns, "results": [digest(x) for x in jax.tree.leaves(results)]}
        case {"request": "run", "name": name, "n": n}:
            return {"ns": prepared[name].run(n)}
        case _:
            raise ValueError(f"no such request: {request}")


def main():
    # As `timeit` does: a collection of cycles is no part of a call.
    gc.disable()
    prepared = {}
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), prepared)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
