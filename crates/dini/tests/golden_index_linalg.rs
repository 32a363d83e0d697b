//! Indexing, products and linear algebra against golden values: results, forward and reverse derivatives.

use dini::{
    DotAxes, cholesky, cholesky_solve, det, dot_general, inv, lu, prelude::*, slogdet, solve, triangular_solve,
};
use serde_json::Value;

/// An operation on all the operands of a record.
type Operation = Box<dyn Fn(&[Array]) -> Array>;

fn records(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/golden/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn sizes(list: &Value) -> Vec<usize> {
    list.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

fn number(x: &Value) -> f64 {
    match x.as_str() {
        Some(name) => name.replace("Infinity", "inf").parse().unwrap(),
        None => x.as_f64().or(x.as_bool().map(f64::from)).unwrap(),
    }
}

fn array(record: &Value) -> Array {
    let (data, shape) = (record["data"].as_array().unwrap(), sizes(&record["shape"]));
    match record["dtype"].as_str().unwrap() {
        "i64" => Array::new(data.iter().map(|x| x.as_i64().unwrap()).collect::<Vec<_>>(), &shape),
        "i32" => Array::new(data.iter().map(|x| x.as_i64().unwrap() as i32).collect::<Vec<_>>(), &shape),
        _ => Array::new(data.iter().map(number).collect::<Vec<_>>(), &shape),
    }
}

#[track_caller]
fn assert_close(got: &Array, expected: &Value, what: &str) {
    assert_eq!(got.shape(), sizes(&expected["shape"]), "{what}");
    let got = got.cast(DType::F64).to_vec::<f64>().unwrap_or_else(|e| panic!("{what}: {e}"));
    let expected: Vec<f64> = expected["data"].as_array().unwrap().iter().map(number).collect();
    let scale = expected.iter().filter(|x| x.is_finite()).fold(1.0, |m: f64, x| m.max(x.abs()));
    for (x, y) in got.iter().zip(&expected) {
        let is_same = x == y || (x.is_nan() && y.is_nan());
        assert!(is_same || (x - y).abs() <= 1e-11 * scale, "{what}: got {got:?}, expected {expected:?}");
    }
}

/// Checks the result of a record's operation, and, where the record has them, both derivatives.
fn check(record: &Value, operation: &Operation) {
    let what = format!("{} {}", record["name"], record["params"]);
    let inputs: Vec<Array> = record["inputs"].as_array().unwrap().iter().map(array).collect();
    assert_close(&operation(&inputs), &record["output"], &what);
    let Some(tangents) = record["tangents"].as_array() else { return };
    let varies: Vec<bool> = tangents.iter().map(|t| !t.is_null()).collect();
    let f = |varying: Vec<Array>| {
        let mut given = varying.into_iter();
        let all: Vec<Array> =
            inputs.iter().zip(&varies).map(|(x, v)| if *v { given.next().unwrap() } else { x.clone() }).collect();
        operation(&all)
    };
    let point: Vec<Array> = inputs.iter().zip(&varies).filter(|(_, v)| **v).map(|(x, _)| x.clone()).collect();
    let tangents: Vec<Array> = tangents.iter().filter(|t| !t.is_null()).map(array).collect();
    let (_, tangent) = jvp(f, point.clone(), tangents).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_close(&tangent, &record["jvp"], &format!("jvp of {what}"));
    let (_, pullback) = vjp(f, point).unwrap();
    let cts = pullback(array(&record["cotangent"])).unwrap_or_else(|e| panic!("{what}: {e}"));
    let expected = record["vjp"].as_array().unwrap().iter().filter(|ct| !ct.is_null());
    for (ct, expected) in cts.iter().zip(expected) {
        assert_close(ct, expected, &format!("vjp of {what}"));
    }
}

/// The records were made with negative starts clamped first, so that they do not count from the end.
fn clamped(starts: &[Array]) -> Vec<Array> {
    starts.iter().map(|start| start.max(0)).collect()
}

fn indexing(name: &str, params: &Value) -> Option<Operation> {
    let axis = params["axis"].as_i64().unwrap_or(0) as isize;
    let name = name.trim_end_matches("_out_of_range").trim_end_matches("_repeated");
    Some(match name {
        "dynamic_slice" => {
            let sizes = sizes(&params["sizes"]);
            Box::new(move |x| x[0].dynamic_slice(clamped(&x[1..]), &sizes))
        }
        "dynamic_update_slice" => Box::new(|x| x[0].dynamic_update_slice(&x[1], clamped(&x[2..]))),
        "take" => Box::new(move |x| x[0].take(&x[1], axis)),
        "take_along_axis" => Box::new(move |x| x[0].take_along_axis(&x[1], axis)),
        "scatter_set" => Box::new(|x| x[0].scatter_set(&x[1], &x[2])),
        "scatter_add" => Box::new(|x| x[0].scatter_add(&x[1], &x[2])),
        "scatter_mul" => Box::new(|x| x[0].scatter_mul(&x[1], &x[2])),
        "scatter_min" => Box::new(|x| x[0].scatter_min(&x[1], &x[2])),
        "scatter_max" => Box::new(|x| x[0].scatter_max(&x[1], &x[2])),
        "matmul" => Box::new(|x| x[0].matmul(&x[1])),
        "dot_general" => {
            let axes = |role: &str, side: usize| sizes(&params[role][side]);
            let axes = DotAxes {
                lhs_batch: axes("batch", 0),
                rhs_batch: axes("batch", 1),
                lhs_contract: axes("contracting", 0),
                rhs_contract: axes("contracting", 1),
            };
            Box::new(move |x| dot_general(&x[0], &x[1], axes.clone()))
        }
        _ => return None,
    })
}

/// JAX differentiates A x = b here with A as it is, not averaged with its transpose.
fn positive_definite_solve(a: &Array, b: &Array) -> Result<Array> {
    let l = cholesky(&stop_gradient(a));
    custom_linear_solve_with(
        LinearSolveOptions::new().symmetric(),
        |x: Array| a.matmul(&x),
        b.clone(),
        |_, b: Array| cholesky_solve(&l, &b),
    )
}

fn linear_algebra(name: &str, params: &Value) -> Option<Operation> {
    let flag = |name: &str| params[name].as_bool().unwrap();
    let transposed = |x: &Array| x.swap_axes(-1, -2);
    Some(match name {
        "cholesky" if flag("symmetrize_input") => Box::new(|x| cholesky(&x[0])),
        // Without averaging JAX's rule holds for symmetric tangents only; those of the records are not.
        "cholesky" => return None,
        "cholesky_logdet" => Box::new(|x| cholesky(&x[0]).diagonal().log().sum_axis(-1) * 2.0),
        "lu" => match params["result"].as_str().unwrap() {
            "lu" => Box::new(|x| lu(&x[0]).0),
            "pivots" => Box::new(|x| lu(&x[0]).1),
            _ => Box::new(|x| lu(&x[0]).2),
        },
        "triangular_solve" => {
            let (lower, transpose, unit) = (flag("lower"), flag("transpose_a"), flag("unit_diagonal"));
            if flag("left_side") {
                Box::new(move |x| triangular_solve(&x[0], &x[1], lower, transpose, unit))
            } else {
                // X A = B is Aᵀ Xᵀ = Bᵀ.
                Box::new(move |x| transposed(&triangular_solve(&x[0], &transposed(&x[1]), lower, !transpose, unit)))
            }
        }
        "solve" => Box::new(|x| solve(&x[0], &x[1])),
        "cholesky_solve" => Box::new(|x| positive_definite_solve(&x[0], &x[1]).unwrap()),
        "inv" => Box::new(|x| inv(&x[0])),
        "det" | "det_singular" => Box::new(|x| det(&x[0])),
        "slogdet" if params["result"] == "sign" => Box::new(|x| slogdet(&x[0]).0),
        "slogdet" => Box::new(|x| slogdet(&x[0]).1),
        _ => return None,
    })
}

/// Checks every record of a file that has an operation here; `n` says how many those are.
fn check_all(file: &str, operation: fn(&str, &Value) -> Option<Operation>, n: usize) {
    let mut n_checked = 0;
    for record in records(file) {
        if let Some(operation) = operation(record["name"].as_str().unwrap(), &record["params"]) {
            check(&record, &operation);
            n_checked += 1;
        }
    }
    assert!(n_checked >= n, "{n_checked} records of {file} were checked, expected {n}");
}

#[test]
fn indexing_and_products_agree_with_golden_values() {
    check_all("structural", indexing, 45);
}

#[test]
fn linear_algebra_agrees_with_golden_values() {
    check_all("linalg", linear_algebra, 65);
}
