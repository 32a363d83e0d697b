//! Texts of numbers that stand in one column.

use std::fmt;

/// Significant digits of an array's element.
const DIGITS: i32 = 8;

/// Texts of one width.
pub(super) fn align<T: fmt::Display>(values: Vec<T>) -> Vec<String> {
    pad(values.iter().map(T::to_string).collect())
}

fn pad(texts: Vec<String>) -> Vec<String> {
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    texts.into_iter().map(|text| format!("{text:>width$}")).collect()
}

/// What formatting needs of `f32` and `f64`: the shortest text that reads back exactly depends on the type.
pub(super) trait Float: Copy + fmt::Display + fmt::LowerExp {
    fn wide(self) -> f64;
}
impl Float for f32 {
    fn wide(self) -> f64 {
        f64::from(self)
    }
}
impl Float for f64 {
    fn wide(self) -> f64 {
        self
    }
}

fn special(x: f64) -> Option<&'static str> {
    if x.is_nan() {
        Some("nan")
    } else if x.is_infinite() {
        Some(if x > 0.0 { "inf" } else { "-inf" })
    } else {
        None
    }
}

/// The exponent of the leading decimal digit; 0 of 0.
fn exponent(x: f64) -> i32 {
    let text = format!("{x:e}");
    text.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0)
}

/// A scalar on its own: all digits, in scientific notation if it is very small or large.
pub(super) fn scalar<T: Float>(x: T, precision: Option<usize>) -> String {
    let wide = x.wide();
    if let Some(text) = special(wide) {
        return text.to_string();
    }
    if let Some(precision) = precision {
        return format!("{x:.precision$}");
    }
    if wide != 0.0 && !(-4..16).contains(&exponent(wide)) {
        return scientific(x, usize::MAX);
    }
    let text = x.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// `1.25e-07`: at most `fraction` digits behind the point, without trailing zeros, two digits of exponent.
fn scientific<T: Float>(x: T, fraction: usize) -> String {
    let shortest = format!("{x:e}");
    let digits = |text: &str| text.split('e').next().and_then(|m| m.split_once('.')).map_or(0, |(_, f)| f.len());
    let text = if digits(&shortest) <= fraction { shortest } else { format!("{x:.fraction$e}") };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{}e{sign}{exponent:0>2}", trimmed(mantissa))
}

/// Without trailing zeros behind the point, which stays.
fn trimmed(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{whole}.{}", fraction.trim_end_matches('0')),
        None => format!("{text}."),
    }
}

/// At most [`DIGITS`] significant digits, without trailing zeros.
fn fixed<T: Float>(x: T) -> String {
    let fraction = (DIGITS - 1 - exponent(x.wide())).max(0) as usize;
    let shortest = x.to_string();
    let digits = shortest.split_once('.').map_or(0, |(_, f)| f.len());
    trimmed(&if digits <= fraction { shortest } else { format!("{x:.fraction$}") })
}

/// Texts of one width with their points in one column.
///
/// As in NumPy, scientific notation serves arrays with a magnitude of 10⁸ or more, below 10⁻⁴, or with magnitudes more than
/// a factor of 1000 apart.
pub(super) fn align_floats<T: Float>(values: Vec<T>, precision: Option<usize>) -> Vec<String> {
    let magnitudes: Vec<f64> = values.iter().map(|x| x.wide().abs()).filter(|x| x.is_finite() && *x > 0.0).collect();
    let largest = magnitudes.iter().copied().fold(0.0, f64::max);
    let smallest = magnitudes.iter().copied().fold(f64::INFINITY, f64::min);
    let text = |x: T, finite: &dyn Fn(T) -> String| special(x.wide()).map_or_else(|| finite(x), str::to_string);
    if let Some(precision) = precision {
        return pad(values.iter().map(|&x| text(x, &|x| format!("{x:.precision$}"))).collect());
    }
    let wide = !magnitudes.is_empty() && (largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1000.0);
    if wide {
        let fraction = DIGITS as usize - 1;
        return pad(level(values.iter().map(|&x| text(x, &|x| scientific(x, fraction))).collect(), "0"));
    }
    pad(level(values.iter().map(|&x| text(x, &fixed)).collect(), " "))
}

/// Fills up fractions so that points stand in one column when texts are aligned on the right.
fn level(texts: Vec<String>, fill: &str) -> Vec<String> {
    let fraction = |text: &str| {
        let number = text.split('e').next().unwrap_or(text);
        number.split_once('.').map(|(_, fraction)| fraction.len())
    };
    let longest = texts.iter().filter_map(|text| fraction(text)).max().unwrap_or(0);
    texts
        .into_iter()
        .map(|text| match (fraction(&text), text.split_once('e')) {
            (Some(n), Some((mantissa, exponent))) => format!("{mantissa}{}e{exponent}", fill.repeat(longest - n)),
            (Some(n), None) => format!("{text}{}", fill.repeat(longest - n)),
            (None, _) => text,
        })
        .collect()
}
