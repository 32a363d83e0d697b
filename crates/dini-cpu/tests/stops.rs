//! Long operations are stopped in their midst, on any number of threads: the run gives an error that names them, and
//! afterwards everything runs as before.

use dini_cpu::{
    CompileOptions, Executable, Executor, RunError,
    buffer::Buffer,
    dtype::DType::{self, F64, I64},
    graph::{Call, Combine, DotAxes, Graph, Op, OutOfBounds, ScatterKind, Strided, TensorType, Value},
    interrupt::{self, StopReason},
    linalg::{cholesky, lu, triangular_solve},
    scalar::ScalarOp,
    set_num_threads,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// What stops runs, and the number of threads, belong to the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of the operation that takes long.
const LONG: u32 = 7;

fn tensor(dtype: DType, shape: &[usize]) -> TensorType {
    TensorType::new(dtype, shape)
}

fn waves(n: usize) -> Arc<Buffer> {
    Arc::new(Buffer::from_vec((0..n).map(|i| (i as f64 * 0.37).sin()).collect::<Vec<f64>>()))
}

fn places(n: usize, among: usize) -> Arc<Buffer> {
    Arc::new(Buffer::from_vec((0..n).map(|i| (i * 7919 % (among + 1)) as i64).collect::<Vec<i64>>()))
}

type Case = (&'static str, Graph, Vec<Arc<Buffer>>);

/// An operation on inputs of these types, each of so many places or else of numbers.
fn case(name: &'static str, op: Op, inputs: &[(TensorType, Option<usize>)], out: TensorType) -> Case {
    let mut graph = Graph::new();
    let args: Vec<Value> = inputs.iter().map(|(t, _)| graph.input(t.clone())).collect();
    graph.outputs = vec![graph.push(op, &args, vec![out], LONG)];
    let data = inputs.iter().map(|(t, among)| among.map_or_else(|| waves(t.len()), |n| places(t.len(), n)));
    (name, graph, data.collect())
}

/// Functions of many elements, combined along these axes.
fn combined(name: &'static str, shape: &[usize], axes: &[usize]) -> Case {
    let mut graph = Graph::new();
    let x = graph.input(tensor(F64, shape));
    let sines = graph.push(Op::Map(ScalarOp::Sin), &[x], vec![tensor(F64, shape)], LONG);
    let out = tensor(F64, shape).without_axes(axes);
    let reduce = Op::Reduce { combine: Combine::Add, axes: axes.to_vec() };
    graph.outputs = vec![graph.push(reduce, &[sines], vec![out], LONG)];
    (name, graph, vec![waves(shape.iter().product())])
}

fn cumulative(name: &'static str, shape: &[usize], axis: usize) -> Case {
    let op = Op::Cumulative { combine: Combine::Add, axis, reverse: false };
    case(name, op, &[(tensor(F64, shape), None)], tensor(F64, shape))
}

/// Rows that pass through two kernels.
fn shares_of_rows(m: usize, n: usize) -> Case {
    let mut graph = Graph::new();
    let t = tensor(F64, &[m, n]);
    let x = graph.input(t.clone());
    let powers = graph.push(Op::Map(ScalarOp::Exp), &[x], vec![t.clone()], LONG);
    let sum = Op::Reduce { combine: Combine::Add, axes: vec![1] };
    let sums = graph.push(sum, &[powers], vec![tensor(F64, &[m])], LONG);
    let view = Op::View(Strided { shape: vec![m, n], strides: vec![1, 0], offset: 0 });
    let sums = graph.push(view, &[sums], vec![t.clone()], LONG);
    graph.outputs = vec![graph.push(Op::Map(ScalarOp::Div), &[powers, sums], vec![t], LONG)];
    ("strips", graph, vec![waves(m * n)])
}

fn dot(name: &'static str, dtype: DType, lhs: &[usize], rhs: &[usize]) -> Case {
    let rank = lhs.len();
    let axes = DotAxes {
        lhs_batch: (0..rank - 2).collect(),
        rhs_batch: (0..rank - 2).collect(),
        lhs_contract: vec![rank - 1],
        rhs_contract: vec![rank - 2],
    };
    let out = [&lhs[..rank - 1], &rhs[rank - 1..]].concat();
    let among = (dtype == I64).then_some(1000);
    case(name, Op::Dot(axes), &[(tensor(dtype, lhs), among), (tensor(dtype, rhs), among)], tensor(dtype, &out))
}

/// A function of a symmetric matrix of order n, diagonally dominant.
fn called(name: &'static str, n: usize, function: fn(&[f64], usize, &mut [f64])) -> Case {
    let call = Call {
        name,
        function: Arc::new(move |args, outs| {
            function(args[0].data.as_slice(), n, outs[0].data.as_mut_slice());
            Ok(())
        }),
        effect: false,
        routine: None,
    };
    let (_, graph, _) = case(name, Op::Call(call), &[(tensor(F64, &[n, n]), None)], tensor(F64, &[n, n]));
    let element = |at: usize| if at.is_multiple_of(n + 1) { n as f64 } else { ((at / n + at % n) as f64).sin() };
    (name, graph, vec![Arc::new(Buffer::from_vec((0..n * n).map(element).collect::<Vec<f64>>()))])
}

fn eliminated(a: &[f64], n: usize, out: &mut [f64]) {
    lu(a, n, n, out, &mut vec![-1; n], &mut vec![-1; n]);
}

fn eliminated_all(a: &[f64], n: usize, out: &mut [f64]) {
    let (n, n_matrices) = (8, n * n / 64);
    lu(a, n, n, out, &mut vec![-1; n * n_matrices], &mut vec![-1; n * n_matrices]);
}

fn solved(a: &[f64], n: usize, out: &mut [f64]) {
    triangular_solve(a, a, n, n, out, true, false, false);
}

/// Operations of some milliseconds and more.
fn cases() -> Vec<Case> {
    let n = 1 << 21;
    let long = tensor(F64, &[n]);
    let rows = [(tensor(F64, &[1000, 50]), None), (tensor(I64, &[n / 16, 1]), Some(1000))];
    let scattered = [rows[0].clone(), rows[1].clone(), (tensor(F64, &[n / 16, 50]), None)];
    let singles = [(tensor(F64, &[1000]), None), (tensor(I64, &[n, 1]), Some(1000)), (long.clone(), None)];
    let gather = Op::Gather { n_batch: 0, mode: OutOfBounds::Zero };
    let scatter = |kind| Op::Scatter { n_batch: 0, kind };
    vec![
        case("elements", Op::Map(ScalarOp::Sin), &[(long.clone(), None)], long.clone()),
        combined("all", &[n], &[0]),
        combined("rows", &[n / 1000, 1000], &[1]),
        combined("short rows", &[n / 8, 8], &[1]),
        combined("columns", &[n / 1000, 1000], &[0]),
        combined("short columns", &[n / 8, 8], &[0]),
        cumulative("cumulative rows", &[n / 1000, 1000], 1),
        cumulative("cumulative columns", &[n / 100, 100], 0),
        cumulative("one cumulative row", &[n], 0),
        shares_of_rows(n / 1000, 1000),
        case("gathered", gather.clone(), &singles[..2], long),
        case("gathered rows", gather, &rows, tensor(F64, &[n / 16, 50])),
        case("set", scatter(ScatterKind::Set), &scattered, tensor(F64, &[1000, 50])),
        case("added", scatter(ScatterKind::Combine(Combine::Add)), &singles, tensor(F64, &[1000])),
        dot("product", F64, &[700, 700], &[700, 700]),
        dot("product of integers", I64, &[400, 400], &[400, 400]),
        dot("products", F64, &[100, 100, 100], &[100, 100, 100]),
        called("cholesky", 1000, cholesky),
        called("lu", 1000, eliminated),
        called("small lu", 1600, eliminated_all),
        called("triangular solve", 700, solved),
    ]
}

fn bits(buffer: &Buffer) -> Vec<u8> {
    buffer.bytes().to_vec()
}

/// Runs each operation on several numbers of threads.
fn for_each_case(executors: &[Executor], mut check: impl FnMut(&str, &Executable, &[Arc<Buffer>])) {
    for (name, graph, inputs) in cases() {
        for &executor in executors {
            let executable = Executable::compile_with(&graph, &executor.into());
            for n_threads in [1, 3] {
                set_num_threads(n_threads);
                check(&format!("{name}, {executor}, {n_threads} threads"), &executable, &inputs);
            }
        }
    }
}

/// The one that this process chose.
fn chosen() -> [Executor; 1] {
    [CompileOptions::default().executor]
}

#[test]
fn callback() {
    let _alone = alone();
    for_each_case(&Executor::available(), |name, executable, inputs| {
        let expected = executable.run(inputs).expect("nothing fails");
        interrupt::set_stop_callback(Some(Arc::new(|| false)));
        // It is not asked again at once: an operation may be over before.
        let mut outcomes = (0..100).map(|_| executable.run(inputs));
        let stopped = outcomes.find_map(Result::err);
        interrupt::set_stop_callback(None);
        let Some(RunError::Stopped { origin: LONG, reason: StopReason::Callback }) = stopped else {
            panic!("{name}: {stopped:?}");
        };
        let found = executable.run(inputs).expect("nothing fails again");
        assert!(bits(&found[0]) == bits(&expected[0]), "{name}: other results after a stop");
    });
}

#[test]
fn request_from_another_thread() {
    let _alone = alone();
    for_each_case(&chosen(), |name, executable, inputs| {
        let is_over = AtomicBool::new(false);
        let stopped = thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    interrupt::request_stop();
                    thread::sleep(Duration::from_micros(300));
                }
            });
            let stopped = (0..1000).find_map(|_| executable.run(inputs).err());
            is_over.store(true, Ordering::Relaxed);
            stopped
        });
        let Some(RunError::Stopped { origin: LONG, reason: StopReason::Requested }) = stopped else {
            panic!("{name}: {stopped:?}");
        };
        executable.run(inputs).expect("an earlier request concerns no later run");
    });
}

/// A panic of the callback passes through, from any thread, and leaves nothing behind.
#[test]
fn callback_that_panics() {
    let _alone = alone();
    for_each_case(&chosen(), |name, executable, inputs| {
        interrupt::set_stop_callback(Some(Arc::new(|| panic!("out of patience"))));
        let panic = (0..100).find_map(|_| catch_unwind(AssertUnwindSafe(|| executable.run(inputs))).err());
        interrupt::set_stop_callback(None);
        let panic = panic.unwrap_or_else(|| panic!("{name} does not stop"));
        assert_eq!(panic.downcast_ref(), Some(&"out of patience"), "{name}");
        executable.run(inputs).expect("nothing fails again");
    });
}

/// What is given away in vain is gone; what others hold stays as it is.
#[test]
fn donated_arguments() {
    let _alone = alone();
    let n = 1 << 22;
    let (_, mut graph, inputs) =
        case("elements", Op::Map(ScalarOp::Sin), &[(tensor(F64, &[n]), None)], tensor(F64, &[n]));
    graph.donated = vec![Value(0)];
    let executable = Executable::compile(&graph);
    let expected = bits(&inputs[0]);
    for n_threads in [1, 3] {
        set_num_threads(n_threads);
        interrupt::set_stop_callback(Some(Arc::new(|| false)));
        let outcomes = (0..100).map(|_| executable.run_each(|i| &inputs[i], |i| inputs[i].clone(), |_| {}));
        assert!(outcomes.filter(Result::is_err).count() > 0);
        let alone = || Arc::new((*inputs[0]).clone());
        let outcomes = (0..100).map(|_| executable.run_each(|i| &inputs[i], |_| alone(), |_| {}));
        assert!(outcomes.filter(Result::is_err).count() > 0);
        interrupt::set_stop_callback(None);
        assert!(bits(&inputs[0]) == expected);
        assert!(executable.run(&inputs).is_ok());
    }
}
