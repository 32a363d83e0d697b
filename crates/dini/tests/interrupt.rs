//! Loops that never end can be stopped: by a limit of rounds, from another thread, and by a callback; as machine code, as
//! programs of the interpreter, and as schedules; and so can long operations. Afterwards everything runs again.

use dini::{Error, ErrorKind, interrupt, prelude::*};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// What stops loops belongs to the process, so one test runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn scalar() -> Array {
    Array::from(1.0)
}

/// Too many elements for registers.
fn vector() -> Array {
    Array::from(vec![1.0; 1000])
}

/// Counts to `n` in the elements of x, which start at 1.
fn count_to(n: f64, x: Array) -> Result<Array> {
    while_loop(|x: Array| x.sum().lt(n), |x: Array| Ok(&x + 1.0 / x.len() as f64), x)
}

/// Never ends.
fn forever(x: Array) -> Result<Array> {
    while_loop(|x: Array| x.sum().gt(0.0), |x: Array| Ok(x * 1.0), x)
}

/// Never ends, around a loop of three rounds.
fn forever_around(x: Array) -> Result<Array> {
    let inner = |x: Array| fori_loop(0, 3, |_, x: Array| Ok(x * 1.0), x);
    while_loop(|x: Array| x.sum().gt(0.0), inner, x)
}

/// Never ends, in a branch.
fn forever_in_branch(x: Array) -> Result<Array> {
    cond(&x.sum().gt(0.0), forever, |x: Array| x, x.clone())
}

/// Ends some day.
fn very_long(x: Array) -> Result<Array> {
    fori_loop(0, 1_000_000_000_000_i64, |_, x: Array| Ok(x * 1.0), x)
}

type Endless = fn(Array) -> Result<Array>;
const ENDLESS: [(&str, Endless); 4] = [
    ("loop", forever),
    ("nested loops", forever_around),
    ("loop in a branch", forever_in_branch),
    ("counted loop", very_long),
];

/// Runs what does not end, with few elements and with many.
fn for_each_endless(check: impl Fn(&str, &dyn Fn() -> Result<Array>)) {
    for (name, endless) in ENDLESS {
        for (size, x) in [("small", scalar()), ("large", vector())] {
            let endless = jit(endless);
            check(&format!("{size} {name}"), &|| endless(x.clone()));
        }
    }
}

#[track_caller]
fn assert_stopped(name: &str, outcome: Result<Array>, why: &str) {
    let error: Error = outcome.expect_err(name);
    assert_eq!(error.kind(), ErrorKind::Stopped, "{name}: {error}");
    let text = error.to_string();
    assert!(text.contains(why) && text.contains("tests/interrupt.rs"), "{name}: {text}");
}

#[test]
fn limit_of_rounds() {
    let _alone = alone();
    for x in [scalar(), vector()] {
        let start = x.len() as f64;
        let f = jit(move |x: Array| count_to(start + 9.5, x));
        interrupt::set_max_iterations(Some(10));
        assert!(f(x.clone()).is_ok(), "ten rounds are allowed");
        interrupt::set_max_iterations(Some(9));
        assert_stopped("ten rounds", f(x.clone()), "more than 9 rounds");
        interrupt::set_max_iterations(Some(0));
        assert_stopped("ten rounds", f(x.clone()), "more than 0 rounds");
        interrupt::set_max_iterations(None);
        assert!(f(x).is_ok(), "runs again");
    }
}

#[test]
fn each_run_of_a_loop_counts_by_itself() {
    let _alone = alone();
    for x in [scalar(), vector()] {
        let n = x.len() as f64;
        // Eight rounds of four and fewer.
        let step = move |x: Array| count_to(n + 3.5, x).map(|y| y * 0.0 + 1.0);
        let f = jit(move |x: Array| fori_loop(0, 8, |_, x: Array| step(x), x));
        interrupt::set_max_iterations(Some(4));
        assert!(f(x.clone()).is_ok());
        interrupt::set_max_iterations(Some(3));
        assert_stopped("inner loop", f(x), "more than 3 rounds");
        interrupt::set_max_iterations(None);
    }
}

#[test]
fn request_from_another_thread() {
    let _alone = alone();
    for_each_endless(|name, endless| {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            // Again and again: the first requests may come before the loop begins.
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(2));
                    interrupt::request_stop();
                }
            });
            let outcome = endless();
            is_over.store(true, Ordering::Relaxed);
            assert_stopped(name, outcome, "a stop was requested");
        });
    });
    interrupt::request_stop();
    assert!(jit(|x: Array| count_to(5.0, x))(scalar()).is_ok(), "an earlier request concerns no later run");
}

#[test]
fn callback() {
    let _alone = alone();
    for_each_endless(|name, endless| {
        let n_calls = Arc::new(AtomicUsize::new(0));
        let counted = n_calls.clone();
        interrupt::set_stop_callback(Some(Arc::new(move || counted.fetch_add(1, Ordering::Relaxed) < 3)));
        let outcome = endless();
        interrupt::set_stop_callback(None);
        assert_stopped(name, outcome, "the stop callback said so");
        assert_eq!(n_calls.load(Ordering::Relaxed), 4, "{name}");
    });
}

#[test]
fn long_operations() {
    let _alone = alone();
    let (many, matrix) = (Array::from(vec![0.5; 1 << 22]), Array::from(vec![0.5; 1 << 20]).reshape(&[1024, 1024]));
    let compiled = jit(|x: Array| x.sin().sum());
    let product = jit(|x: Array| x.matmul(&x));
    let cases: [(&str, &dyn Fn() -> Result<Array>); 3] = [
        ("compiled", &|| compiled(many.clone())),
        ("at once", &|| many.sin().check().cloned()),
        ("product", &|| product(matrix.clone())),
    ];
    for (name, run) in cases {
        interrupt::set_stop_callback(Some(Arc::new(|| false)));
        // The callback is not asked again at once: an operation may be over before.
        let stopped = (0..100).find_map(|_| run().err());
        interrupt::set_stop_callback(None);
        assert_stopped(name, stopped.map_or(run(), Err), "the stop callback said so");
        assert!(run().is_ok(), "{name} runs again");
    }
}

#[test]
fn callback_that_runs_programs() {
    let _alone = alone();
    let n_calls = Arc::new(AtomicUsize::new(0));
    let inner = jit(|x: Array| count_to(50.0, x));
    let inner = Mutex::new(inner);
    interrupt::set_stop_callback(Some(Arc::new(move || {
        assert!(inner.lock().unwrap()(scalar()).is_ok());
        n_calls.fetch_add(1, Ordering::Relaxed) < 3
    })));
    let outcome = jit(forever)(scalar());
    interrupt::set_stop_callback(None);
    assert_stopped("loop", outcome, "the stop callback said so");
}

#[test]
fn callback_that_panics() {
    let _alone = alone();
    for_each_endless(|name, endless| {
        interrupt::set_stop_callback(Some(Arc::new(|| panic!("out of patience"))));
        let panic = catch_unwind(AssertUnwindSafe(endless)).expect_err(name);
        interrupt::set_stop_callback(None);
        assert_eq!(panic.downcast_ref(), Some(&"out of patience"), "{name}");
    });
    assert!(jit(|x: Array| count_to(5.0, x))(scalar()).is_ok(), "runs again");
}

/// The tests above once more with each executor that this process does not use.
#[test]
fn every_executor() {
    const CHILD: &str = "DINI_TEST_OF_ONE_EXECUTOR";
    if std::env::var(CHILD).is_ok() {
        return;
    }
    for executor in ["off", "avx2"] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let outcome = command.env("DINI_JIT", executor).env(CHILD, "1").output().unwrap();
        assert!(outcome.status.success(), "{executor}: {}", String::from_utf8_lossy(&outcome.stdout));
    }
}
