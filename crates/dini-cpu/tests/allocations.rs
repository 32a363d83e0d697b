//! In the steady state a run allocates its results and nothing else.

use dini_cpu::{
    Executable,
    buffer::Buffer,
    dtype::DType,
    graph::{Call, Combine, Graph, Op, TensorType, Value},
    scalar::ScalarOp,
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::Arc,
};

/// Counts allocations of each thread.
struct Counting;

thread_local! {
    static N: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N.set(N.get() + 1);
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        N.set(N.get() + 1);
        // SAFETY: promised by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, data: *mut u8, layout: Layout) {
        // SAFETY: promised by the caller.
        unsafe { System.dealloc(data, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The list of results, and for each result its reference count with what stands beside it, and storage: not for a few
/// elements, nor for so many that the block of an earlier result is kept.
fn expected(results: &[Arc<Buffer>]) -> usize {
    let of_storage = |result: &Buffer| usize::from((17..1024).contains(&result.bytes().len()));
    1 + results.iter().map(|result| 1 + of_storage(result)).sum::<usize>()
}

#[track_caller]
fn check(graph: &Graph) {
    assert_eq!(graph.check(), Ok(()));
    let executable = Executable::compile(graph);
    let inputs: Vec<Arc<Buffer>> =
        graph.input_types().iter().map(|t| Arc::new(Buffer::zeros(t.dtype, t.len()))).collect();
    for _ in 0..3 {
        executable.run(&inputs).expect("nothing fails");
    }
    let before = N.get();
    let outputs = executable.run(&inputs).expect("nothing fails");
    let counted = N.get() - before;
    assert_eq!(counted, expected(&outputs));
}

fn map(g: &mut Graph, op: ScalarOp, args: &[Value]) -> Value {
    let out = g.type_of(args[0]).clone();
    g.push(Op::Map(op), args, vec![out], 0)
}

#[test]
fn chains() {
    for shape in [&[][..], &[2], &[3], &[100], &[1000], &[0]] {
        let mut g = Graph::new();
        let x = g.input(TensorType::new(DType::F64, shape));
        let mut y = x;
        for _ in 0..10 {
            let sin = map(&mut g, ScalarOp::Sin, &[y]);
            y = map(&mut g, ScalarOp::Add, &[sin, x]);
        }
        g.outputs = vec![y];
        check(&g);
    }
}

#[test]
fn loops_with_everything_in_them() {
    let (t, s) = (TensorType::new(DType::F64, &[50]), TensorType::new(DType::I32, &[1]));
    let mut body = Graph::new();
    let (start, x) = (body.input(s.clone()), body.input(t.clone()));
    let part = TensorType::new(DType::F64, &[7]);
    let slice = body.push(Op::DynamicSlice { n_batch: 0, sizes: vec![7] }, &[x, start], vec![part.clone()], 0);
    let sums = Op::Cumulative { combine: Combine::Add, axis: 0, reverse: false };
    let sums = body.push(sums, &[slice], vec![part.clone()], 0);
    let total = Op::Reduce { combine: Combine::Add, axes: vec![0] };
    let total = body.push(total, &[sums], vec![TensorType::scalar(DType::F64)], 0);
    let mean = map(&mut body, ScalarOp::Div, &[sums, total]);
    let function = |args: &[dini_cpu::graph::TensorRef<'_>], outs: &mut [dini_cpu::graph::TensorMut<'_>]| {
        outs[0].data.as_mut_slice::<f64>().copy_from_slice(args[0].data.as_slice());
        Ok(())
    };
    let call = Call { name: "copy", function: Arc::new(function), effect: false, routine: None };
    let called = body.push(Op::Call(call), &[mean], vec![part], 0);
    let updated = body.push(Op::DynamicUpdate { n_batch: 0 }, &[x, called, start], vec![t.clone()], 0);
    let one = body.push(Op::Const(Arc::new(Buffer::scalar(1i32))), &[], vec![TensorType::scalar(DType::I32)], 0);
    let next = map(&mut body, ScalarOp::Add, &[start, one]);
    body.outputs = vec![next, updated, total];
    let mut g = Graph::new();
    let (start, x) = (g.input(s.clone()), g.input(t.clone()));
    let op = Op::Scan { body: Arc::new(body), n_captures: 0, n_carry: 2, length: 20, reverse: false };
    let first = g.push(op, &[start, x], vec![s, t, TensorType::new(DType::F64, &[20])], 0);
    g.outputs = vec![Value(first.0 + 1), Value(first.0 + 2)];
    check(&g);
}
