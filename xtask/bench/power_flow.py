"""The power flow of crates/dini/examples/power_flow/network.rs in JAX, line by line, for the IEEE 118-bus case."""

import pathlib
import re
import time

import jax
import jax.numpy as jnp
import numpy as np
from inputs import uniform
from jax import lax

CASE = pathlib.Path(__file__).resolve().parents[2] / "crates" / "dini" / "examples" / "data" / "case118.m"
LOAD, SLACK = 1, 3


def matrix(text, name):
    rows = re.search(rf"mpc\.{name} = \[(.*?)\];", text, re.DOTALL).group(1).split(";")
    return np.array([[float(x) for x in row.split()] for row in rows if row.strip()])


class Network:
    """A case as arrays, ready to compute with. Parameters are (p_demand, q_demand, set_points)."""

    def __init__(self):
        text = CASE.read_text()
        base = float(re.search(r"mpc\.baseMVA = ([^;]*);", text).group(1))
        bus, gen, branch = (matrix(text, name) for name in ("bus", "gen", "branch"))
        gen, branch = gen[gen[:, 7] > 0], branch[branch[:, 10] > 0]
        n = len(bus)
        place = {number: i for i, number in enumerate(bus[:, 0])}
        places = np.vectorize(place.get)

        kind = bus[:, 1]
        free_angles = np.flatnonzero(kind != SLACK)
        free_magnitudes = np.flatnonzero(kind == LOAD)
        controlled = np.flatnonzero(kind != LOAD)
        self.n_angles = len(free_angles)
        self.n_unknowns = self.n_angles + len(free_magnitudes)
        # Unknown angles, unknown magnitudes, the slack's angle, set-points: where each bus finds its own.
        angle_places = np.full(n, self.n_unknowns)
        angle_places[free_angles] = np.arange(self.n_angles)
        magnitude_places = np.zeros(n, int)
        magnitude_places[free_magnitudes] = self.n_angles + np.arange(len(free_magnitudes))
        magnitude_places[controlled] = self.n_unknowns + 1 + np.arange(len(controlled))
        self.angle_places, self.magnitude_places = jnp.asarray(angle_places), jnp.asarray(magnitude_places)
        self.equations = jnp.asarray(np.concatenate([free_angles, n + free_magnitudes]))
        self.slack_angle = jnp.asarray(np.radians(bus[kind == SLACK, 8]))

        self.p_generated = jnp.zeros(n).at[places(gen[:, 0])].add(gen[:, 1] / base)
        self.q_generated = jnp.zeros(n).at[places(gen[:, 0])].add(gen[:, 2] / base)
        set_point = dict(zip(reversed(gen[:, 0]), reversed(gen[:, 5]), strict=True))
        self.parameters = tuple(
            jnp.asarray(x)
            for x in (bus[:, 2] / base, bus[:, 3] / base, [set_point[number] for number in bus[controlled, 0]])
        )
        self.g_shunt, self.b_shunt = jnp.asarray(bus[:, 4] / base), jnp.asarray(bus[:, 5] / base)

        self.ends = tuple(jnp.asarray(places(branch[:, i])) for i in (0, 1))
        ratio = np.where(branch[:, 8] == 0.0, 1.0, branch[:, 8]) * np.exp(1j * np.radians(branch[:, 9]))
        y, half_charging = 1.0 / (branch[:, 2] + 1j * branch[:, 3]), 0.5j * branch[:, 4]
        admittances = (y + half_charging) / abs(ratio) ** 2, -y / ratio.conj(), -y / ratio, y + half_charging
        self.admittances = [(jnp.asarray(x.real), jnp.asarray(x.imag)) for x in admittances]

    def voltages(self, x, set_points):
        everything = jnp.concatenate([x, self.slack_angle, set_points])
        return everything[self.magnitude_places], everything[self.angle_places]

    def flows(self, magnitude, angle):
        """Active and reactive power into the branches, at their first and at their second ends."""
        (g_ff, b_ff), (g_ft, b_ft), (g_tf, b_tf), (g_tt, b_tt) = self.admittances
        a, b = magnitude[self.ends[0]], magnitude[self.ends[1]]
        difference = angle[self.ends[0]] - angle[self.ends[1]]
        cos, sin = a * b * jnp.cos(difference), a * b * jnp.sin(difference)
        return (
            a * a * g_ff + cos * g_ft + sin * b_ft,
            sin * g_ft - a * a * b_ff - cos * b_ft,
            b * b * g_tt + cos * g_tf - sin * b_tf,
            -(b * b * b_tt) - sin * g_tf - cos * b_tf,
        )

    def mismatch(self, x, parameters):
        p_demand, q_demand, set_points = parameters
        magnitude, angle = self.voltages(x, set_points)
        p_from, q_from, p_to, q_to = self.flows(magnitude, angle)
        v2 = magnitude * magnitude
        p = (v2 * self.g_shunt + p_demand - self.p_generated).at[self.ends[0]].add(p_from).at[self.ends[1]].add(p_to)
        q = (q_demand - v2 * self.b_shunt - self.q_generated).at[self.ends[0]].add(q_from).at[self.ends[1]].add(q_to)
        return jnp.concatenate([p, q])[self.equations]

    def losses(self, parameters):
        flat = jnp.concatenate(
            [jnp.broadcast_to(self.slack_angle, (self.n_angles,)), jnp.ones(self.n_unknowns - self.n_angles)]
        )
        x = lax.custom_root(
            lambda x: self.mismatch(x, parameters), flat, newton, lambda g, b: jnp.linalg.solve(jax.jacfwd(g)(b), b)
        )
        p_from, _, p_to, _ = self.flows(*self.voltages(x, parameters[2]))
        return jnp.sum(p_from + p_to)


def newton(f, guess):
    def goes_on(carry):
        _, residual, step = carry
        return (jnp.max(jnp.abs(residual)) > 1e-11) & (step < 20)

    def step(carry):
        x, residual, step = carry
        x = x - jnp.linalg.solve(jax.jacfwd(f)(x), residual)
        return x, f(x), step + 1

    return lax.while_loop(goes_on, step, (guess, f(guess), 0))[0]


def value():
    network = Network()
    return network.losses, network.parameters


def gradient():
    network = Network()
    return jax.grad(network.losses), network.parameters


class Scenarios:
    """Losses and their gradient for 1,000 loads, each bus between 80 % and 120 % of its own, 25 of them at once."""

    def __init__(self):
        network = Network()
        p_demand, q_demand, set_points = network.parameters

        def scenario(scale):
            return jax.value_and_grad(network.losses)((p_demand * scale, q_demand * scale, set_points))

        self.lanes = jax.jit(jax.vmap(scenario))
        self.scales = list(uniform(23, (40, 25, len(p_demand)), 0.8, 1.2))

    def results(self):
        return [self.lanes(scale) for scale in self.scales]

    def run(self, n):
        started = time.perf_counter_ns()
        for _ in range(n):
            jax.block_until_ready(self.results())
        return time.perf_counter_ns() - started
