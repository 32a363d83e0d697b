//! The printed form of explanations: a table with one row per step.

use super::{Cost, Explained, Explanation, StepCode};
use std::{fmt, time::Duration};

/// Three digits and a power of a thousand: `1.23 M`.
fn scaled(n: u64) -> String {
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 999.5 && unit < 5 {
        value /= 1000.0;
        unit += 1;
    }
    let digits = match value {
        _ if unit == 0 => 0,
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.digits$}{}", ["", " k", " M", " G", " T", " P"][unit])
}

/// Three digits and a unit: `1.23 ms`.
fn seconds(time: Duration) -> String {
    let mut text = scaled(time.as_nanos().min(u128::from(u64::MAX)) as u64);
    let unit = match text.pop() {
        Some('k') => "µs",
        Some('M') => "ms",
        Some('G') => "s",
        Some(digit) => {
            text.push(digit);
            " ns"
        }
        None => "",
    };
    text + unit
}

impl fmt::Display for StepCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            StepCode::Machine => "machine",
            StepCode::Precompiled => "loops",
            StepCode::Called => "call",
            StepCode::Schedule => "",
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.time.is_some() {
            write!(f, "{:>8} {:<8}", "time", "code")?;
        }
        writeln!(f, "{:>8} {:>8} {:>8} {:>9}  step", "B read", "B written", "flops", "functions")?;
        self.rows(&self.steps, 0, f)?;
        let total = self.total();
        self.row(f, total, self.time, "", &format!("in all, {} launches", total.launches))?;
        writeln!(f, "memory: {}B of temporaries, {}B of results", unit(self.temporary_bytes), unit(self.result_bytes))
    }
}

impl Explanation {
    fn rows(&self, steps: &[Explained], depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in steps {
            let what = format!("{}{}", "  ".repeat(depth), step.what);
            let (time, code) = step.measured.map_or((None, String::new()), |m| (Some(m.time), m.code.to_string()));
            self.row(f, step.total(), time, &code, &what)?;
            self.rows(&step.inside, depth + 1, f)?;
        }
        Ok(())
    }

    fn row(
        &self,
        f: &mut fmt::Formatter<'_>,
        cost: Cost,
        time: Option<Duration>,
        code: &str,
        what: &str,
    ) -> fmt::Result {
        if self.time.is_some() {
            write!(f, "{:>8} {code:<8}", time.map(seconds).unwrap_or_default())?;
        }
        let [read, written, flops, functions] =
            [cost.bytes_read, cost.bytes_written, cost.flops, cost.functions].map(scaled);
        writeln!(f, "{read:>8} {written:>8} {flops:>8} {functions:>9}  {what}")
    }
}

/// A scaled number with the space that a unit wants.
fn unit(bytes: usize) -> String {
    let scaled = scaled(bytes as u64);
    if scaled.contains(' ') { scaled } else { scaled + " " }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(
            [7, 1234, 2_000_000, 3_000_000_000].map(|ns| seconds(Duration::from_nanos(ns))),
            ["7 ns", "1.23 µs", "2.00 ms", "3.00 s"]
        );
        let texts = [0, 7, 999, 1000, 12_345, 999_499, 999_500, 123_456_789].map(scaled);
        assert_eq!(texts, ["0", "7", "999", "1.00 k", "12.3 k", "999 k", "1.00 M", "123 M"]);
    }
}
