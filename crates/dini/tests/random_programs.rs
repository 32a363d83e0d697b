//! A fixed slice of the random programs that `xtask fuzz` runs for minutes: see `dini_fuzz::programs`.

use dini_cpu::Executor;
use dini_fuzz::Kind;
use std::time::Duration;

/// A few seconds.
const N_SEEDS: u64 = 30;

#[test]
fn random_programs_agree() {
    let executors = Executor::available();
    let mut n_telling = 0;
    for seed in 0..N_SEEDS {
        match Kind::Programs.check(seed, &executors, Duration::from_secs(60)) {
            Ok(is_telling) => n_telling += u64::from(is_telling),
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(2 * n_telling >= N_SEEDS, "only {n_telling} of {N_SEEDS} programs have results that are not 0");
}
