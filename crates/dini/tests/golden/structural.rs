//! Reductions, cumulative operations, movement, indexing and products.

use super::{
    operations::{Operation, check_file},
    record::{list, sizes},
};
use dini::{DotAxes, concatenate, dot_general, prelude::*};
use serde_json::Value;

#[test]
fn structural_operations_agree() {
    check_file("structural", operation);
}

/// Axes as the methods take them.
fn axes(value: &Value) -> Vec<isize> {
    sizes(value).into_iter().map(|axis| axis as isize).collect()
}

/// The operation of a record. Records that show a choice (`…_ties` and so on) are of the same operations.
fn operation(name: &str, params: &Value) -> Option<Operation> {
    let plain = ["_ties", "_out_of_range", "_repeated"].iter().fold(name, |name, suffix| name.trim_end_matches(suffix));
    reduction(plain, params)
        .or_else(|| movement(plain, params))
        .or_else(|| indexing(plain, params))
        .or_else(|| product(plain, params))
}

/// An operation with a parameter.
fn with<P: 'static>(param: P, f: fn(&Array, &P) -> Array) -> Option<Operation> {
    Some(Box::new(move |x| f(&x[0], &param)))
}

fn reduction(name: &str, params: &Value) -> Option<Operation> {
    let several: Option<fn(&Array, &Vec<isize>) -> Array> = match name {
        "reduce_sum" => Some(|x, axes| x.sum_axes(axes)),
        "reduce_prod" => Some(|x, axes| x.prod_axes(axes)),
        "reduce_max" => Some(|x, axes| x.amax_axes(axes)),
        "reduce_min" => Some(|x, axes| x.amin_axes(axes)),
        "reduce_and" => Some(|x, axes| x.all_axes(axes)),
        "reduce_or" => Some(|x, axes| x.any_axes(axes)),
        _ => None,
    };
    if let Some(f) = several {
        return with(axes(&params["axes"]), f);
    }
    let one: fn(&Array, &isize) -> Array = match (name, params["reverse"].as_bool().unwrap_or(false)) {
        ("argmax", _) => |x, axis| x.argmax_axis(*axis),
        ("argmin", _) => |x, axis| x.argmin_axis(*axis),
        ("cumsum", false) => |x, axis| x.cumsum(*axis),
        ("cumsum", true) => |x, axis| x.cumsum_reverse(*axis),
        ("cumprod", false) => |x, axis| x.cumprod(*axis),
        ("cumprod", true) => |x, axis| x.cumprod_reverse(*axis),
        ("cummax", false) => |x, axis| x.cummax(*axis),
        ("cummax", true) => |x, axis| x.cummax_reverse(*axis),
        ("cummin", false) => |x, axis| x.cummin(*axis),
        ("cummin", true) => |x, axis| x.cummin_reverse(*axis),
        _ => return None,
    };
    with(params["axis"].as_i64()? as isize, one)
}

fn movement(name: &str, params: &Value) -> Option<Operation> {
    match name {
        "reverse" => with(axes(&params["axes"]), |x, axes| axes.iter().fold(x.clone(), |x, axis| x.flip(*axis))),
        "transpose" => with(axes(&params["permutation"]), |x, order| x.permute(order)),
        "reshape" => with(sizes(&params["shape"]), |x, shape| x.reshape(shape)),
        "broadcast_in_dim" => {
            let (shape, dims) = (sizes(&params["shape"]), sizes(&params["dimensions"]));
            with((shape, dims), |x, (shape, dims)| {
                let mut aligned = vec![1; shape.len()];
                dims.iter().zip(x.shape()).for_each(|(&dim, &n)| aligned[dim] = n);
                x.reshape(&aligned).broadcast_to(shape)
            })
        }
        "pad" => {
            let entry = |e: &Value| {
                let at = |i: usize| e[i].as_i64().expect("a pad width") as isize;
                (at(0), at(1), at(2) as usize)
            };
            let config: Vec<(isize, isize, usize)> = list(&params["config"]).iter().map(entry).collect();
            Some(Box::new(move |x| x[0].pad_interior(&config, &x[1])))
        }
        "concatenate" => {
            let axis = params["axis"].as_i64()? as isize;
            Some(Box::new(move |x| concatenate(x, axis)))
        }
        "slice" => {
            let param = |name: &str| sizes(&params[name]);
            with((param("start"), param("limit"), param("stride")), |x, (start, limit, stride)| {
                (0..start.len())
                    .fold(x.clone(), |x, axis| x.slice_in_dim(start[axis], limit[axis], stride[axis], axis as isize))
            })
        }
        _ => None,
    }
}

fn indexing(name: &str, params: &Value) -> Option<Operation> {
    let axis = params["axis"].as_i64().unwrap_or(0) as isize;
    // The recorded slices clamp negative starts to 0; here they would count from the end.
    let starts = |x: &[Array]| -> Vec<Array> { x.iter().map(|start| start.max(0)).collect() };
    Some(match name {
        "dynamic_slice" => {
            let sizes = sizes(&params["sizes"]);
            Box::new(move |x| x[0].dynamic_slice(&starts(&x[1..])[..], &sizes))
        }
        "dynamic_update_slice" => Box::new(move |x| x[0].dynamic_update_slice(&x[1], &starts(&x[2..])[..])),
        "take" => Box::new(move |x| x[0].take(&x[1], axis)),
        "take_along_axis" => Box::new(move |x| x[0].take_along_axis(&x[1], axis)),
        "scatter_set" => Box::new(|x| x[0].scatter_set(&x[1], &x[2])),
        "scatter_add" => Box::new(|x| x[0].scatter_add(&x[1], &x[2])),
        "scatter_mul" => Box::new(|x| x[0].scatter_mul(&x[1], &x[2])),
        "scatter_min" => Box::new(|x| x[0].scatter_min(&x[1], &x[2])),
        "scatter_max" => Box::new(|x| x[0].scatter_max(&x[1], &x[2])),
        _ => return None,
    })
}

fn product(name: &str, params: &Value) -> Option<Operation> {
    match name {
        "matmul" => Some(Box::new(|x| x[0].matmul(&x[1]))),
        "dot_general" => {
            let of = |role: &str, side: usize| sizes(&params[role][side]);
            let axes = DotAxes {
                lhs_batch: of("batch", 0),
                rhs_batch: of("batch", 1),
                lhs_contract: of("contracting", 0),
                rhs_contract: of("contracting", 1),
            };
            Some(Box::new(move |x| dot_general(&x[0], &x[1], axes.clone())))
        }
        _ => None,
    }
}
