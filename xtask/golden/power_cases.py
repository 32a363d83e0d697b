"""IEEE 14-, 57- and 118-bus power-flow cases: MATPOWER text files and solutions at full precision.

The numbers come from the PYPOWER package. For each case two files are written to crates/dini/examples/data:

    case14.m              base power, buses, generators, branches, as MATPOWER reads them; Vm and Va of the buses are
                          the published solution
    case14.solution.csv   the power flow computed here: bus, vm (per unit), va_degrees; Newton to 1e-12 in per-unit
                          mismatch, generators at their voltage set-points (Vg), reactive limits not enforced

The script also compares both and fails if they differ where the published figures are known to be good.
"""

import pathlib

import numpy as np
from pypower.api import case14, case57, case118, ppoption, runpf

DATA = pathlib.Path(__file__).resolve().parents[2] / "crates" / "dini" / "examples" / "data"

BUS_COLUMNS = "bus_i type Pd Qd Gs Bs area Vm Va baseKV zone Vmax Vmin".split()
GEN_COLUMNS = (
    "bus Pg Qg Qmax Qmin Vg mBase status Pmax Pmin Pc1 Pc2 Qc1min Qc1max Qc2min Qc2max "
    "ramp_agc ramp_10 ramp_30 ramp_q apf"
).split()
BRANCH_COLUMNS = "fbus tbus r x b rateA rateB rateC ratio angle status angmin angmax".split()
VM, VA = BUS_COLUMNS.index("Vm"), BUS_COLUMNS.index("Va")

HEADER = """\
function mpc = {name}
%{NAME}  IEEE {n_buses}-bus test case, 100 MVA base; see README.md beside this file for the columns.
%   Source: the IEEE Common Data Format archive of the University of Washington
%   (https://labs.ece.uw.edu/pstca/), converted for MATPOWER; read from PYPOWER {version}.
%   Licence: Copyright (c) 1996-2015, Power System Engineering Research Center (PSERC) and
%   individual contributors; BSD-3-Clause, in full in LICENSE-MATPOWER-DATA beside this file.
%   Vm and Va are the published solution, rounded. {name}.solution.csv is the computed one.
"""

# Where the archive's own voltages do not solve the archive's own network: (max |ΔVm|, max |ΔVa| in degrees) accepted,
# and buses left out of that comparison.
# - case57: the archive's row of bus 46 disagrees with its neighbours.
# - case118: the archive's solution has generators 19, 32, 34, 92 and 103 at a reactive limit, hence off their
#   set-points; with those voltages imposed every Vm agrees to 9e-4 except that of bus 30. Its angles are up to 0.31
#   degrees from the solution in the western part whichever way the limits are treated.
ACCEPTED = {
    "case14": (1.4e-3, 0.02, ()),
    "case57": (1e-3, 0.06, (46,)),
    "case118": (2.1e-3, 0.31, (30, 103, 92)),
}


def number(value):
    value = float(value)
    return str(int(value)) if value == int(value) else repr(value)


def matrix(name, title, columns, rows):
    lines = [f"%% {title} data", "%\t" + "\t".join(columns), f"mpc.{name} = ["]
    lines += ["\t" + "\t".join(number(v) for v in row) + ";" for row in rows]
    return "\n".join(lines + ["];", ""])


def main():
    from importlib.metadata import version

    DATA.mkdir(parents=True, exist_ok=True)
    for case in (case14, case57, case118):
        name, data = case.__name__, case()
        bus = data["bus"]
        header = HEADER.format(name=name, NAME=name.upper(), n_buses=len(bus), version=version("pypower"))
        body = [
            header,
            "%% MATPOWER Case Format : Version 2",
            "mpc.version = '2';",
            "",
            "%% system MVA base",
            f"mpc.baseMVA = {number(data['baseMVA'])};",
            "",
            matrix("bus", "bus", BUS_COLUMNS, bus),
            matrix("gen", "generator", GEN_COLUMNS, data["gen"]),
            matrix("branch", "branch", BRANCH_COLUMNS, data["branch"]),
        ]
        (DATA / f"{name}.m").write_text("\n".join(body))

        options = ppoption(VERBOSE=0, OUT_ALL=0, PF_TOL=1e-12, ENFORCE_Q_LIMS=0)
        solved, converged = runpf(case(), options)
        assert converged, f"{name}: the power flow did not converge"
        solution = solved["bus"]
        lines = ["bus,vm,va_degrees"]
        lines += [f"{int(row[0])},{float(row[VM])!r},{float(row[VA])!r}" for row in solution]
        (DATA / f"{name}.solution.csv").write_text("\n".join(lines) + "\n")

        vm_limit, va_limit, left_out = ACCEPTED[name]
        d_vm, d_va = np.abs(solution[:, VM] - bus[:, VM]), np.abs(solution[:, VA] - bus[:, VA])
        kept = ~np.isin(bus[:, 0], left_out)
        print(
            f"{name}: max |dVm| {d_vm.max():.2g} pu, max |dVa| {d_va.max():.2g} degrees; "
            f"without buses {list(left_out)}: {d_vm[kept].max():.2g}, {d_va[kept].max():.2g}"
        )
        assert d_vm[kept].max() <= vm_limit and d_va[kept].max() <= va_limit, f"{name}: not the published solution"


if __name__ == "__main__":
    main()
