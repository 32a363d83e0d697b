//! Systems that let no process run what it wrote: the interpreter takes over, in a process that is really denied it.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use dini_cpu::{
    CompileOptions, Executable, Executor,
    buffer::Buffer,
    dtype::DType,
    graph::{Graph, Op, TensorType},
    scalar::ScalarOp,
};
use std::{
    ffi::{c_int, c_ulong},
    process::Command,
    sync::Arc,
};

unsafe extern "C" {
    fn prctl(option: c_int, a: c_ulong, b: c_ulong, c: c_ulong, d: c_ulong) -> c_int;
}

/// Makes the kernel deny execution of memory that was writable, for the rest of this process; false where it cannot
/// (before Linux 6.3).
fn deny() -> bool {
    const PR_SET_MDWE: c_int = 65;
    const PR_MDWE_REFUSE_EXEC_GAIN: c_ulong = 1;
    // SAFETY: this call takes numbers only, and changes nothing but later mappings.
    unsafe { prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0 }
}

/// √1, √2, … of a compiled graph, and a single one.
fn check() {
    for shape in [&[1000][..], &[]] {
        let mut graph = Graph::new();
        let t = TensorType::new(DType::F64, shape);
        let x = graph.input(t.clone());
        graph.outputs = vec![graph.push(Op::Map(ScalarOp::Sqrt), &[x], vec![t.clone()], 0)];
        let input: Vec<f64> = (0..t.len()).map(|i| i as f64).collect();
        let expected: Vec<f64> = input.iter().map(|x| x.sqrt()).collect();
        for executor in [Executor::of_process(), Executor::Avx2, Executor::Avx512] {
            let executable = Executable::compile_with(&graph, &CompileOptions::from(executor));
            let found = executable.run(&[Arc::new(Buffer::from_slice(&input))]).expect("nothing fails");
            assert_eq!(found[0].as_slice::<f64>(), expected);
        }
    }
}

/// What the child process does, and nothing in the parent.
#[test]
fn child() {
    match std::env::var("DINI_TEST_DENY").as_deref() {
        Ok("at once") if deny() => {
            assert_eq!(Executor::available(), [Executor::Interpreter]);
            check();
        }
        Ok("later") => {
            check();
            deny();
            check();
        }
        _ => {}
    }
}

#[test]
fn the_interpreter_takes_over() {
    let this = std::env::current_exe().expect("the test has a file");
    for when in ["at once", "later"] {
        let output = Command::new(&this).args(["--exact", "child"]).env("DINI_TEST_DENY", when).output();
        let output = output.expect("the test can be started again");
        assert!(output.status.success(), "{when}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
