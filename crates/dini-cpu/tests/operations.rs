//! Every operation against results worked out by hand, through the public interface.

use dini_cpu::{
    Executable, Executor, RunError,
    buffer::Buffer,
    dtype::{DType, Element},
    graph::{
        Call, CallError, Combine, DotAxes, Graph, Op, OutOfBounds, ScatterKind, Strided, TensorMut, TensorRef,
        TensorType, Value,
    },
    scalar::ScalarOp,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A dense input: shape and elements.
struct Input {
    shape: Vec<usize>,
    data: Arc<Buffer>,
}

fn input<T: Element>(shape: &[usize], elements: &[T]) -> Input {
    assert_eq!(shape.iter().product::<usize>(), elements.len());
    Input { shape: shape.to_vec(), data: Arc::new(Buffer::from_slice(elements)) }
}

/// Runs one operation of one result on inputs and compares the elements.
#[track_caller]
fn check<T: Element>(op: Op, inputs: &[Input], shape: &[usize], expected: &[T]) {
    let mut graph = Graph::new();
    let args: Vec<Value> = inputs.iter().map(|i| graph.input(TensorType::new(i.data.dtype(), &i.shape))).collect();
    let out = graph.push(op, &args, vec![TensorType::new(T::DTYPE, shape)], 0);
    graph.outputs = vec![out];
    check_graph(&graph, inputs, expected);
}

/// Runs a graph of one output, twice on each executor, and compares the elements.
#[track_caller]
fn check_graph<T: Element>(graph: &Graph, inputs: &[Input], expected: &[T]) {
    assert_eq!(graph.check(), Ok(()));
    let data: Vec<_> = inputs.iter().map(|i| i.data.clone()).collect();
    for executor in Executor::available() {
        let executable = Executable::compile_with(graph, &executor.into());
        for _ in 0..2 {
            let got = executable.run(&data).expect("nothing fails");
            assert_eq!(*got[0], Buffer::from_slice(expected), "{executor}: got {:?}", got[0].as_slice::<T>());
        }
    }
}

const NAN: f64 = f64::NAN;

#[test]
fn map() {
    let xs = || input(&[3], &[1.0, -2.0, 4.0]);
    check(Op::Map(ScalarOp::Neg), &[xs()], &[3], &[-1.0, 2.0, -4.0]);
    check(Op::Map(ScalarOp::Mul), &[xs(), input(&[], &[2.0])], &[3], &[2.0, -4.0, 8.0]);
    check(Op::Map(ScalarOp::Sub), &[input(&[], &[1.0]), xs()], &[3], &[0.0, 3.0, -3.0]);
    check(Op::Map(ScalarOp::Lt), &[xs(), input(&[], &[2.0])], &[3], &[true, true, false]);
    let p = input(&[3], &[true, false, true]);
    check(Op::Map(ScalarOp::Select), &[p, xs(), input(&[], &[0.5])], &[3], &[1.0, 0.5, 4.0]);
    check(Op::Map(ScalarOp::Add), &[input(&[0], &[1.0; 0]), input(&[], &[2.0])], &[0], &[0.0; 0]);
    check(Op::Map(ScalarOp::Cast(DType::I32)), &[xs()], &[3], &[1i32, -2, 4]);
}

#[test]
fn view() {
    let strided = |shape: &[usize], strides: &[isize], offset| {
        Op::View(Strided { shape: shape.to_vec(), strides: strides.to_vec(), offset })
    };
    let x = || input(&[2, 3], &[1i32, 2, 3, 4, 5, 6]);
    check(strided(&[3, 2], &[1, 3], 0), &[x()], &[3, 2], &[1i32, 4, 2, 5, 3, 6]);
    check(strided(&[6], &[-1], 5), &[x()], &[6], &[6i32, 5, 4, 3, 2, 1]);
    check(strided(&[2, 2], &[0, 2], 1), &[x()], &[2, 2], &[2i32, 4, 2, 4]);
    check(strided(&[0, 2], &[1, 1], 0), &[x()], &[0, 2], &[0i32; 0]);
}

#[test]
fn iota() {
    check(Op::Iota { axis: 1 }, &[], &[2, 3], &[0i32, 1, 2, 0, 1, 2]);
    check(Op::Iota { axis: 0 }, &[], &[2, 2], &[0.0f64, 0.0, 1.0, 1.0]);
}

#[test]
fn reduce() {
    let x = || input(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, NAN]);
    let op = |combine, axes: &[usize]| Op::Reduce { combine, axes: axes.to_vec() };
    check(op(Combine::Add, &[0]), &[x()], &[3], &[5.0, 7.0, NAN]);
    check(op(Combine::Max, &[1]), &[x()], &[2], &[3.0, NAN]);
    check(op(Combine::Mul, &[]), &[input(&[2], &[2.0, 3.0])], &[2], &[2.0, 3.0]);
    check(op(Combine::Min, &[0]), &[input(&[0, 2], &[0i32; 0])], &[2], &[i32::MAX, i32::MAX]);
    check(op(Combine::Or, &[0, 1]), &[input(&[1, 2], &[false, true])], &[], &[true]);
    let cube: Vec<i64> = (0..24).collect();
    check(op(Combine::Add, &[0, 2]), &[input(&[2, 3, 4], &cube)], &[3], &[60i64, 92, 124]);
    check(op(Combine::Add, &[1]), &[input(&[2, 3, 4], &cube)], &[2, 4], &[12i64, 15, 18, 21, 48, 51, 54, 57]);
}

/// A wider result does not take the place of its operand, though the slot of that, which held something else before, has
/// room for it.
#[test]
fn wider_results_in_used_memory() {
    const N: usize = 100;
    let mut graph = Graph::new();
    let (wide, narrow) = (TensorType::new(DType::F64, &[N]), TensorType::new(DType::F32, &[N]));
    let (x, y) = (graph.input(wide.clone()), graph.input(narrow.clone()));
    let running = || Op::Cumulative { combine: Combine::Add, axis: 0, reverse: false };
    let sums = graph.push(running(), &[x], vec![wide.clone()], 0);
    let op = Op::Reduce { combine: Combine::Max, axes: vec![0] };
    let largest = graph.push(op, &[sums], vec![TensorType::scalar(DType::F64)], 0);
    let sums = graph.push(running(), &[y], vec![narrow], 0);
    let widened = graph.push(Op::Map(ScalarOp::Cast(DType::F64)), &[sums], vec![wide.clone()], 0);
    let scaled = graph.push(Op::Map(ScalarOp::Mul), &[widened, largest], vec![wide.clone()], 0);
    // Not a result itself, so that nothing but the operand's death decides where it stands.
    let running_products = graph.push(running(), &[scaled], vec![wide], 0);
    graph.outputs = vec![running_products];
    let inputs = [input(&[N], &[1.0; N]), input(&[N], &[1.0f32; N])];
    let expected: Vec<f64> = (1..=N).map(|i| (N * i * (i + 1) / 2) as f64).collect();
    check_graph(&graph, &inputs, &expected);
}

/// Sums of a million tenths stay within a few units in the last place, along either axis.
#[test]
fn long_sums_are_accurate() {
    const N: usize = 1_000_000;
    for (shape, axis) in [([1, N], 1), ([N, 1], 0), ([N / 2, 2], 0)] {
        let mut graph = Graph::new();
        let x = graph.input(TensorType::new(DType::F64, &shape));
        let out = graph.type_of(x).without_axes(&[axis]);
        graph.outputs = vec![graph.push(Op::Reduce { combine: Combine::Add, axes: vec![axis] }, &[x], vec![out], 0)];
        let data = Arc::new(Buffer::from_vec(vec![0.1; N]));
        let got = Executable::compile(&graph).run(&[data]).expect("nothing fails");
        let expected = 0.1 * shape[axis] as f64;
        for sum in got[0].as_slice::<f64>() {
            assert!((sum - expected).abs() <= 8.0 * f64::EPSILON * expected, "{sum} for {expected}");
        }
    }
}

#[test]
fn arg_reduce() {
    let op = |largest, axis| Op::ArgReduce { largest, axis };
    check(op(true, 0), &[input(&[4], &[1.0, 3.0, 3.0, 2.0])], &[], &[1i32]);
    check(op(false, 0), &[input(&[3], &[2.0, NAN, 1.0])], &[], &[1i64]);
    check(op(true, 0), &[input(&[2, 2], &[1i32, 5, 3, 4])], &[2], &[1i32, 0]);
    check(op(false, 1), &[input(&[2, 2], &[1i32, 5, 3, 3])], &[2], &[0i32, 0]);
    check(op(true, 1), &[input(&[0, 2], &[0i32; 0])], &[0], &[0i32; 0]);
}

#[test]
fn cumulative() {
    let op = |combine, axis, reverse| Op::Cumulative { combine, axis, reverse };
    check(op(Combine::Add, 0, false), &[input(&[3], &[1.0, 2.0, 4.0])], &[3], &[1.0, 3.0, 7.0]);
    check(op(Combine::Add, 0, true), &[input(&[3], &[1.0, 2.0, 4.0])], &[3], &[7.0, 6.0, 4.0]);
    check(op(Combine::Max, 0, false), &[input(&[2, 2], &[1i32, 5, 3, 4])], &[2, 2], &[1i32, 5, 3, 5]);
    check(op(Combine::Mul, 1, false), &[input(&[2, 2], &[1i32, 5, 3, 4])], &[2, 2], &[1i32, 5, 3, 12]);
}

#[test]
fn assemble() {
    let boxed = |shape: &[usize], strides: &[isize], offset| Strided {
        shape: shape.to_vec(),
        strides: strides.to_vec(),
        offset,
    };
    let op = Op::Assemble { boxes: vec![boxed(&[2], &[2], 1), boxed(&[1], &[1], 2)] };
    let inputs = [input(&[], &[9i32]), input(&[2], &[1i32, 2]), input(&[1], &[7i32])];
    check(op, &inputs, &[5], &[9i32, 1, 7, 2, 9]);
    let side_by_side = Op::Assemble { boxes: vec![boxed(&[2, 1], &[3, 1], 0), boxed(&[2, 2], &[3, 1], 1)] };
    let inputs = [input(&[], &[0.0]), input(&[2, 1], &[1.0, 2.0]), input(&[2, 2], &[3.0, 4.0, 5.0, 6.0])];
    check(side_by_side, &inputs, &[2, 3], &[1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
}

#[test]
fn dynamic_slice_and_update() {
    let slice = |n_batch, sizes: &[usize]| Op::DynamicSlice { n_batch, sizes: sizes.to_vec() };
    let x = || input(&[2, 3], &[1i32, 2, 3, 4, 5, 6]);
    check(slice(0, &[1, 2]), &[x(), input(&[2], &[1i32, 1])], &[1, 2], &[5i32, 6]);
    check(slice(0, &[1, 2]), &[x(), input(&[2], &[-7i32, 99])], &[1, 2], &[2i32, 3]);
    check(slice(1, &[2]), &[x(), input(&[2, 1], &[0u32, 1])], &[2, 2], &[1i32, 2, 5, 6]);
    let update = |n_batch| Op::DynamicUpdate { n_batch };
    let part = || input(&[1, 2], &[8i32, 9]);
    check(update(0), &[x(), part(), input(&[2], &[0i64, 5])], &[2, 3], &[1i32, 8, 9, 4, 5, 6]);
    let column = input(&[2, 1], &[8i32, 9]);
    check(update(1), &[x(), column, input(&[2, 1], &[0u64, u64::MAX])], &[2, 3], &[8i32, 2, 3, 4, 5, 9]);
}

#[test]
fn gather() {
    let op = |n_batch, mode| Op::Gather { n_batch, mode };
    let x = || input(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let rows = || input(&[2, 1], &[2i32, -1]);
    check(op(0, OutOfBounds::Fill), &[x(), rows()], &[2, 2], &[5.0, 6.0, NAN, NAN]);
    check(op(0, OutOfBounds::Zero), &[x(), rows()], &[2, 2], &[5.0, 6.0, 0.0, 0.0]);
    check(op(0, OutOfBounds::Clip), &[x(), rows()], &[2, 2], &[5.0, 6.0, 1.0, 2.0]);
    let pairs = input(&[2, 2], &[0i32, 1, 2, 0]);
    check(op(0, OutOfBounds::Fill), &[x(), pairs], &[2], &[2.0, 5.0]);
    let each = input(&[3, 1, 1], &[1i32, 0, 2]);
    check(op(1, OutOfBounds::Fill), &[x(), each], &[3, 1], &[2.0, 3.0, NAN]);
    let ints = input(&[2], &[1i32, 2]);
    check(op(0, OutOfBounds::Fill), &[ints, input(&[1, 1], &[7u8])], &[1], &[i32::MIN]);
}

#[test]
fn scatter() {
    let op = |kind| Op::Scatter { n_batch: 0, kind };
    let x = || input(&[3], &[1.0, 2.0, 3.0]);
    let places = || input(&[3, 1], &[2i32, 0, 2]);
    let updates = || input(&[3], &[10.0, 20.0, 30.0]);
    check(op(ScatterKind::Set), &[x(), places(), updates()], &[3], &[20.0, 2.0, 30.0]);
    check(op(ScatterKind::Combine(Combine::Add)), &[x(), places(), updates()], &[3], &[21.0, 2.0, 43.0]);
    check(op(ScatterKind::Combine(Combine::Min)), &[x(), places(), updates()], &[3], &[1.0, 2.0, 3.0]);
    let outside = input(&[1, 1], &[-1i32]);
    check(op(ScatterKind::Set), &[x(), outside, input(&[1], &[5.0])], &[3], &[1.0, 2.0, 3.0]);
    let rows = input(&[1, 1], &[1i32]);
    let op = Op::Scatter { n_batch: 0, kind: ScatterKind::Set };
    check(op, &[input(&[2, 2], &[1i32, 2, 3, 4]), rows, input(&[1, 2], &[8i32, 9])], &[2, 2], &[1i32, 2, 8, 9]);
}

#[test]
fn dot() {
    let axes = |lb: &[usize], rb: &[usize], lc: &[usize], rc: &[usize]| {
        Op::Dot(DotAxes {
            lhs_batch: lb.to_vec(),
            rhs_batch: rb.to_vec(),
            lhs_contract: lc.to_vec(),
            rhs_contract: rc.to_vec(),
        })
    };
    let a = || input(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    check(axes(&[], &[], &[1], &[0]), &[a(), a()], &[2, 2], &[7.0, 10.0, 15.0, 22.0]);
    check(axes(&[], &[], &[0, 1], &[0, 1]), &[a(), a()], &[], &[30.0]);
    check(axes(&[0], &[0], &[1], &[1]), &[a(), a()], &[2], &[5.0, 25.0]);
    check(axes(&[], &[], &[], &[]), &[input(&[2], &[1i32, 2]), input(&[2], &[3i32, 4])], &[2, 2], &[3i32, 4, 6, 8]);
}

fn push_map(graph: &mut Graph, op: ScalarOp, args: &[Value], dtype: DType, shape: &[usize]) -> Value {
    graph.push(Op::Map(op), args, vec![TensorType::new(dtype, shape)], 0)
}

/// `(limit, x, y) → while x < limit: (x + y, x)`.
fn fibonacci() -> Graph {
    let f64s = TensorType::scalar(DType::F64);
    let mut cond = Graph::new();
    let (limit, x) = (cond.input(f64s.clone()), cond.input(f64s.clone()));
    cond.input(f64s.clone());
    cond.outputs = vec![push_map(&mut cond, ScalarOp::Lt, &[x, limit], DType::Bool, &[])];
    let mut body = Graph::new();
    let (x, y) = (body.input(f64s.clone()), body.input(f64s.clone()));
    let sum = push_map(&mut body, ScalarOp::Add, &[x, y], DType::F64, &[]);
    body.outputs = vec![sum, x];
    let mut graph = Graph::new();
    let args: Vec<Value> = (0..3).map(|_| graph.input(f64s.clone())).collect();
    let op = Op::While { cond: Arc::new(cond), body: Arc::new(body), n_cond_captures: 1, n_body_captures: 0 };
    let first = graph.push(op, &args, vec![f64s.clone(), f64s], 0);
    graph.outputs = vec![first, Value(first.0 + 1)];
    graph
}

#[test]
fn while_loops() {
    let scalars = |limit: f64| [limit, 1.0, 1.0].map(|x| Arc::new(Buffer::scalar(x)));
    let executable = Executable::compile(&fibonacci());
    for (limit, expected) in [(100.0, [144.0, 89.0]), (1.0, [1.0, 1.0]), (2.0, [2.0, 1.0])] {
        let got = executable.run(&scalars(limit)).expect("nothing fails");
        assert_eq!([got[0].as_slice::<f64>()[0], got[1].as_slice::<f64>()[0]], expected);
    }
}

#[test]
fn switch_clamps_its_index() {
    let f64s = TensorType::new(DType::F64, &[2]);
    let branch = |op| {
        let mut graph = Graph::new();
        let x = graph.input(f64s.clone());
        graph.outputs = vec![match op {
            Some(op) => push_map(&mut graph, op, &[x], DType::F64, &[2]),
            None => x,
        }];
        Arc::new(graph)
    };
    let op = || Op::Switch { branches: vec![branch(Some(ScalarOp::Neg)), branch(None), branch(Some(ScalarOp::Sqrt))] };
    for (index, expected) in [(-3, [-4.0, -9.0]), (1, [4.0, 9.0]), (2, [2.0, 3.0]), (99, [2.0, 3.0])] {
        check(op(), &[input(&[], &[index]), input(&[2], &[4.0, 9.0])], &[2], &expected);
    }
}

/// `(captured, carry, row) → (carry + captured · row, carry)`, length 3.
fn accumulate(length: usize, reverse: bool) -> Graph {
    let f64s = TensorType::scalar(DType::F64);
    let mut body = Graph::new();
    let args: Vec<Value> = (0..3).map(|_| body.input(f64s.clone())).collect();
    let product = push_map(&mut body, ScalarOp::Mul, &[args[0], args[2]], DType::F64, &[]);
    let sum = push_map(&mut body, ScalarOp::Add, &[args[1], product], DType::F64, &[]);
    body.outputs = vec![sum, args[1]];
    let rows = TensorType::new(DType::F64, &[length]);
    let mut graph = Graph::new();
    let args = [graph.input(f64s.clone()), graph.input(f64s.clone()), graph.input(rows.clone())];
    let op = Op::Scan { body: Arc::new(body), n_captures: 1, n_carry: 1, length, reverse };
    let first = graph.push(op, &args, vec![f64s, rows], 0);
    graph.outputs = vec![Value(first.0 + 1), first];
    graph
}

#[test]
fn scans() {
    let inputs = |rows: &[f64]| [input(&[], &[2.0]), input(&[], &[1.0]), input(&[rows.len()], rows)];
    check_graph(&accumulate(3, false), &inputs(&[1.0, 2.0, 4.0]), &[1.0, 3.0, 7.0]);
    check_graph(&accumulate(3, true), &inputs(&[1.0, 2.0, 4.0]), &[13.0, 9.0, 1.0]);
    check_graph(&accumulate(0, false), &inputs(&[]), &[0.0; 0]);
}

#[test]
fn outputs_that_are_inputs_or_constants_are_shared() {
    let mut graph = Graph::new();
    let x = graph.input(TensorType::new(DType::F32, &[2]));
    let value = Arc::new(Buffer::scalar(1u8));
    let c = graph.push(Op::Const(value.clone()), &[], vec![TensorType::scalar(DType::U8)], 0);
    graph.outputs = vec![x, c, x];
    let data = Arc::new(Buffer::zeros(DType::F32, 2));
    let got = Executable::compile(&graph).run(std::slice::from_ref(&data)).expect("nothing fails");
    assert!(Arc::ptr_eq(&got[0], &data) && Arc::ptr_eq(&got[1], &value) && Arc::ptr_eq(&got[2], &data));
}

fn call_graph(
    function: impl Fn(&[TensorRef<'_>], &mut [TensorMut<'_>]) -> Result<(), CallError> + Send + Sync + 'static,
) -> Graph {
    let t = TensorType::new(DType::F64, &[2]);
    let mut graph = Graph::new();
    let x = graph.input(t.clone());
    let doubled = push_map(&mut graph, ScalarOp::Add, &[x, x], DType::F64, &[2]);
    let call = Call { name: "double", function: Arc::new(function), effect: false, routine: None };
    let y = graph.push(Op::Call(call), &[doubled], vec![t], 42);
    graph.outputs = vec![push_map(&mut graph, ScalarOp::Neg, &[y], DType::F64, &[2])];
    graph
}

#[test]
fn calls_are_counted_fail_and_panic() {
    let mode = Arc::new(AtomicUsize::new(0));
    let seen = mode.clone();
    let graph = call_graph(move |args, outs| {
        assert_eq!((args[0].shape, outs[0].shape), (&[2][..], &[2][..]));
        match seen.load(Ordering::Relaxed) {
            0 => outs[0].data.as_mut_slice::<f64>().copy_from_slice(args[0].data.as_slice()),
            1 => return Err("no luck".into()),
            _ => panic!("boom"),
        }
        Ok(())
    });
    let executable = Executable::compile(&graph);
    let data = [Arc::new(Buffer::from_vec(vec![1.0, 2.0]))];
    let run = || executable.run(&data);
    let before = dini_cpu::counters::snapshot();
    assert_eq!(run().expect("mode 0 works")[0].as_slice::<f64>(), [-2.0, -4.0]);
    assert_eq!(dini_cpu::counters::snapshot().since(&before).calls.get("double"), Some(&1));
    mode.store(1, Ordering::Relaxed);
    let RunError::Call { origin, error } = run().expect_err("mode 1 fails") else { panic!("not out of memory") };
    assert_eq!((origin, error.to_string().as_str()), (42, "no luck"));
    mode.store(2, Ordering::Relaxed);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("mode 2 panics");
    mode.store(0, Ordering::Relaxed);
    assert_eq!(run().expect("mode 0 works again")[0].as_slice::<f64>(), [-2.0, -4.0]);
}

#[test]
fn runs_are_reentrant_and_concurrent() {
    let inner = Arc::new(Executable::compile(&fibonacci()));
    let slot: Arc<std::sync::OnceLock<Arc<Executable>>> = Arc::default();
    let (own, depth) = (slot.clone(), AtomicUsize::new(0));
    let graph = call_graph(move |args, outs| {
        // One level down the same executable runs again inside its own call.
        if depth.fetch_add(1, Ordering::Relaxed) % 2 == 0 {
            let data = [Arc::new(Buffer::from_vec(vec![100.0, 50.0]))];
            own.get().expect("set below").run(&data)?;
        }
        let fib = inner.run(&[3.0, 1.0, 1.0].map(|x| Arc::new(Buffer::scalar(x))))?;
        let (x, out) = (args[0].data.as_slice::<f64>(), outs[0].data.as_mut_slice::<f64>());
        (0..2).for_each(|i| out[i] = x[i] * fib[0].as_slice::<f64>()[0]);
        Ok(())
    });
    let executable = Arc::new(Executable::compile(&graph));
    slot.set(executable.clone()).ok().expect("set once");
    let data = || [Arc::new(Buffer::from_vec(vec![1.0, 2.0]))];
    assert_eq!(executable.run(&data()).expect("nothing fails")[0].as_slice::<f64>(), [-6.0, -12.0]);
    let plain = Executable::compile(&fibonacci());
    std::thread::scope(|scope| {
        for limit in 0..4 {
            let plain = &plain;
            scope.spawn(move || {
                for _ in 0..200 {
                    let got =
                        plain.run(&[f64::from(limit), 1.0, 1.0].map(|x| Arc::new(Buffer::scalar(x)))).expect("ok");
                    assert_eq!(got[0].as_slice::<f64>()[0], [1.0, 1.0, 2.0, 3.0][limit as usize]);
                }
            });
        }
    });
}

#[test]
fn wrong_graphs_are_named() {
    let mut graph = Graph::new();
    let x = graph.input(TensorType::new(DType::F64, &[3]));
    graph.push(Op::Map(ScalarOp::Add), &[x, x], vec![TensorType::new(DType::F64, &[2])], 0);
    assert_eq!(graph.check(), Err("node 0 (map): operand f64[3] for result f64[2]".to_string()));
    let mut graph = Graph::new();
    graph.push(Op::Map(ScalarOp::Neg), &[Value(0)], vec![TensorType::scalar(DType::F64)], 0);
    assert_eq!(graph.check(), Err("node 0: %0 is used before its definition".to_string()));
}

#[test]
fn memory_that_does_not_exist_is_an_error() {
    let mut g = Graph::new();
    let huge = TensorType::new(DType::F64, &[1 << 45]);
    let x = g.input(TensorType::scalar(DType::F64));
    let view = Op::View(Strided { shape: vec![1 << 45], strides: vec![0], offset: 0 });
    let repeated = g.push(view, &[x], vec![huge.clone()], 0);
    let y = g.push(Op::Map(ScalarOp::Exp), &[repeated], vec![huge], 0);
    g.outputs = vec![y];
    let executable = Executable::compile(&g);
    let one = Arc::new(Buffer::scalar(1.0));
    for _ in 0..2 {
        let error = executable.run(std::slice::from_ref(&one)).expect_err("256 TiB are too much");
        assert!(matches!(error, RunError::OutOfMemory(e) if e.bytes == 8 << 45), "{error}");
        assert!(error.to_string().contains("262144"), "{error}");
    }
}
