//! Samples: how many calls make one, and what is told of many.

use std::fmt;

/// A sample shorter than this says more about the clock than about the program.
const SHORTEST_NS: u64 = 20_000_000;

/// Median and quartiles of times in nanoseconds. They print as `median (lower–upper)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    pub lower: f64,
    pub median: f64,
    pub upper: f64,
}

impl Quartiles {
    /// Of at least one time; between two of them linearly.
    pub fn of(mut times: Vec<f64>) -> Quartiles {
        times.sort_by(f64::total_cmp);
        let at = |fraction: f64| {
            let place = fraction * (times.len() - 1) as f64;
            let (below, above) = (times[place.floor() as usize], times[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Quartiles { lower: at(0.25), median: at(0.5), upper: at(0.75) }
    }
}

impl fmt::Display for Quartiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}–{})", time(self.median), time(self.lower), time(self.upper))
    }
}

/// The number of calls to try next if `count` calls in `ns` nanoseconds are too few for a sample. It grows by at most
/// ten, since the first calls of a program are slower than the others.
pub fn next_count(count: u64, ns: u64) -> Option<u64> {
    if ns >= SHORTEST_NS {
        return None;
    }
    let wanted = (count as f64 * 1.1 * SHORTEST_NS as f64 / ns.max(1) as f64).ceil() as u64;
    Some(wanted.clamp(count + 1, count * 10))
}

/// Nanoseconds with three digits and a unit.
pub fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

/// A number with three digits, more before the point if there are.
pub fn three_digits(x: f64) -> String {
    let decimals = match x {
        x if x < 10.0 => 2,
        x if x < 100.0 => 1,
        _ => 0,
    };
    format!("{x:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_quartiles(times: &[f64], lower: f64, median: f64, upper: f64) {
        assert_eq!(Quartiles::of(times.to_vec()), Quartiles { lower, median, upper });
    }

    #[test]
    fn quartiles_of_any_number_of_times() {
        check_quartiles(&[7.0], 7.0, 7.0, 7.0);
        check_quartiles(&[3.0, 1.0], 1.5, 2.0, 2.5);
        check_quartiles(&[5.0, 1.0, 4.0, 2.0, 3.0], 2.0, 3.0, 4.0);
        check_quartiles(&[4.0, 3.0, 2.0, 1.0], 1.75, 2.5, 3.25);
    }

    #[test]
    fn a_sample_is_long_enough_and_grows_carefully() {
        assert_eq!(next_count(1, SHORTEST_NS), None);
        assert_eq!(next_count(1, SHORTEST_NS - 1), Some(2));
        assert_eq!(next_count(1, 10_000_000), Some(3));
        assert_eq!(next_count(1, 0), Some(10));
        assert_eq!(next_count(1000, 1_000_000), Some(10_000));
    }

    #[test]
    fn times_have_three_digits_and_a_unit() {
        let of = Quartiles { lower: 999.0, median: 1234.0, upper: 56_700.0 };
        assert_eq!(of.to_string(), "1.23 µs (999 ns–56.7 µs)");
        assert_eq!([time(0.5e9), time(2.5e9)], ["500 ms", "2.50 s"]);
    }
}
