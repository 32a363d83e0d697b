//! The rows of the table: what is measured, what it must reach, and how close the results must be.
//!
//! The ratio is the other library's time divided by ours, on one processor. A row that our public interface cannot express
//! yet stays in the list, with the reason.

use crate::Failure;

/// One workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name in both workers.
    pub name: &'static str,
    /// In words.
    pub what: &'static str,
    /// The least ratio; none for what is only reported.
    pub target: Option<f64>,
    /// The largest relative difference of the results.
    pub tolerance: f64,
}

/// Rows of one kind: names with targets.
struct Group {
    what: &'static str,
    tolerance: f64,
    rows: &'static [(&'static str, f64)],
}

const F32: f64 = 1e-5;
const F64: f64 = 1e-9;

const GROUPS: &[Group] = &[
    Group { what: "call of a compiled scalar function", tolerance: F64, rows: &[("call/scalar", 40.0)] },
    Group {
        what: "compile 20, 200, 2,000 elementwise operations; our time includes tracing, JAX's does not",
        tolerance: F64,
        rows: &[("compile/20", 300.0), ("compile/200", 300.0), ("compile/2000", 300.0)],
    },
    Group {
        what: "trace, compile and first run of the gradient of a function of 50 operations",
        tolerance: F64,
        rows: &[("first-run/gradient-50", 100.0)],
    },
    Group {
        what: "y with y² = x³ by bisection, about 57 halvings; one x",
        tolerance: F64,
        rows: &[("bisection/value", 15.0), ("bisection/gradient", 12.0)],
    },
    Group {
        what: "the same by `vmap` over 10,000 lanes",
        tolerance: F64,
        rows: &[("bisection-1e4/value", 3.5), ("bisection-1e4/gradient", 3.5)],
    },
    Group {
        what: "20 Newton steps in 3 unknowns by `jacfwd` and `solve`, as a `custom_root`",
        tolerance: F64,
        rows: &[("newton-3/value", 15.0), ("newton-3/gradient", 10.0)],
    },
    Group {
        what: "the Lorenz system, 1,000 Runge-Kutta steps by `scan`",
        tolerance: F64,
        rows: &[("lorenz/value", 1.5), ("lorenz/gradient", 1.3)],
    },
    Group {
        what: "`a*x + b*sin(x)*exp(-x²)`",
        tolerance: F32,
        rows: &[("bump/f32/1e3", 10.0), ("bump/f32/1e5", 4.0), ("bump/f32/1e7", 4.0)],
    },
    Group {
        what: "the same in f64",
        tolerance: F64,
        rows: &[("bump/f64/1e3", 10.0), ("bump/f64/1e5", 4.0), ("bump/f64/1e7", 4.0)],
    },
    Group { what: "six cheap operations, argument kept", tolerance: F32, rows: &[("six-cheap/f32/1e7", 5.0)] },
    Group {
        what: "six cheap operations, argument donated: each result is the next argument",
        tolerance: F32,
        rows: &[("six-cheap-donated/f32/1e7", 1.0)],
    },
    Group { what: "`sum(tanh(x)*w)`", tolerance: F32, rows: &[("sum-tanh/f32/1e5", 1.7), ("sum-tanh/f32/1e7", 1.7)] },
    Group { what: "the same in f64", tolerance: F64, rows: &[("sum-tanh/f64/1e5", 1.7), ("sum-tanh/f64/1e7", 1.7)] },
    Group {
        what: "value and gradient, 4096×1024 f32",
        tolerance: F32,
        rows: &[("softmax/gradient", 1.3), ("layer-norm/gradient", 1.3)],
    },
    Group { what: "10⁶ f64 at 10⁶ places", tolerance: F64, rows: &[("gather/1e6", 1.0), ("scatter-add/1e6", 1.0)] },
    Group {
        what: "product of square matrices",
        tolerance: F32,
        rows: &[("matmul/f32/64", 2.5), ("matmul/f32/256", 1.05), ("matmul/f32/1024", 0.97), ("matmul/f32/2048", 0.97)],
    },
    Group {
        what: "the same in f64",
        tolerance: F64,
        rows: &[("matmul/f64/64", 2.5), ("matmul/f64/256", 1.05), ("matmul/f64/1024", 0.97), ("matmul/f64/2048", 0.97)],
    },
    Group {
        what: "Cholesky factor and solve, one right-hand side, f64",
        tolerance: F64,
        rows: &[("cholesky-solve/64", 3.0), ("cholesky-solve/256", 1.6), ("cholesky-solve/1024", 1.6)],
    },
    Group {
        what: "`solve`: LU and one right-hand side, f64",
        tolerance: F64,
        rows: &[("lu-solve/64", 2.5), ("lu-solve/256", 1.5), ("lu-solve/1024", 1.05)],
    },
    Group {
        what: "Cholesky solves by `vmap`: 10⁴ of 4×4, 10³ of 16×16, f64",
        tolerance: F64,
        rows: &[("cholesky-many/4", 6.0), ("cholesky-many/16", 4.0)],
    },
    Group {
        what: "`value_and_grad` of a symmetric solve with a captured factor, f64",
        tolerance: F64,
        rows: &[("symmetric-solve/100", 3.0), ("symmetric-solve/500", 1.5), ("symmetric-solve/1000", 1.3)],
    },
    Group {
        what: "100 steps of conjugate gradients on a 5-point stencil, n×n grid, f64",
        tolerance: F64,
        rows: &[
            ("stencil/value/64", 1.4),
            ("stencil/gradient/64", 1.4),
            ("stencil/value/256", 1.3),
            ("stencil/gradient/256", 1.3),
            ("stencil/value/512", 1.3),
            ("stencil/gradient/512", 1.3),
        ],
    },
    Group {
        what: "power flow of the IEEE 118-bus case; 1,000 scenarios with gradients, 25 at once",
        tolerance: F64,
        rows: &[("power-flow/value", 1.2), ("power-flow/gradient", 1.2), ("power-flow/scenarios", 1.2)],
    },
];

/// All rows, in the order of the table.
pub fn rows() -> Vec<Row> {
    let measured = |group: &Group| {
        let (what, tolerance) = (group.what, group.tolerance);
        let row = |&(name, target): &(&'static str, f64)| Row { name, what, target: Some(target), tolerance };
        group.rows.iter().map(row).collect::<Vec<Row>>()
    };
    let mut rows: Vec<Row> = GROUPS.iter().flat_map(measured).collect();
    rows.push(Row {
        name: "power-flow/lu",
        what: "one LU solve of the size that a Newton step of the power flow has, n = 181",
        target: None,
        tolerance: F64,
    });
    rows
}

/// That both workers know the measured rows and nothing else.
pub fn check_names(rows: &[Row], ours: &[String], theirs: &[String]) -> Result<(), Failure> {
    let measured: Vec<&str> = rows.iter().map(|row| row.name).collect();
    for (library, names) in [("dini", ours), ("JAX", theirs)] {
        let missing: Vec<&str> = measured.iter().copied().filter(|name| names.iter().all(|n| n != name)).collect();
        let unknown: Vec<&str> = names.iter().map(String::as_str).filter(|name| !measured.contains(name)).collect();
        if !missing.is_empty() || !unknown.is_empty() {
            return Err(Failure::new(format!(
                "the worker of {library} does not fit the table: missing {missing:?}, without a row {unknown:?}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = rows().iter().map(|row| row.name).collect();
        let n_rows = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n_rows);
    }

    #[test]
    fn workers_know_the_rows() {
        let rows = [Row { name: "a", what: "", target: None, tolerance: 0.0 }];
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        assert!(check_names(&rows, &names(&["a"]), &names(&["a"])).is_ok());
        assert!(
            check_names(&rows, &names(&["a"]), &names(&[])).is_err_and(|e| e.to_string().contains("missing [\"a\"]"))
        );
        assert!(check_names(&rows, &names(&["a", "b"]), &names(&["a"])).is_err());
    }
}
