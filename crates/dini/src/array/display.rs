//! `Display` and `Debug` of arrays, laid out as NumPy does.
//!
//! Columns are aligned; an array of more than [`THRESHOLD`] elements shows the first and the last [`EDGE`] along each
//! axis. A scalar prints all of its digits, so that it reads back exactly; the elements of an array share one format of
//! at most eight significant digits, as short as their values allow. `{:.3}` fixes the number of digits behind the
//! point.

mod number;

use super::{Array, Repr};
use crate::{
    shape::Aval,
    trace::{is_live, strip},
};
use dini_cpu::{buffer::Buffer, dtype::DType};
use std::fmt;

/// Above this number of elements the middle is left out.
const THRESHOLD: usize = 1000;
/// Elements shown at each end of an axis whose middle is left out.
const EDGE: usize = 3;
/// Lines of numbers break before this column.
const WIDTH: usize = 80;

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_array(self, "", f)
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.repr() {
            Repr::Concrete(c) => {
                let prefix = format!("Array({}, ", c.aval);
                f.write_str(&prefix)?;
                write_array(self, &" ".repeat(prefix.chars().count()), f)?;
                f.write_str(")")
            }
            Repr::Tracer(_) => write_array(self, "", f),
            Repr::Poison(e) => write!(f, "Array(poisoned: {e})"),
        }
    }
}

/// Writes the value; its lines after the first are indented.
fn write_array(x: &Array, indent: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match x.repr() {
        Repr::Concrete(c) => f.write_str(&layout(&c.aval, &c.data, indent, f.precision())),
        Repr::Tracer(t) => {
            let origin = match t.origin.what {
                what if what.starts_with("an argument") => format!(", {what}"),
                what => format!(" from `{what}`"),
            };
            write!(f, "Traced<{}{origin}>", t.aval)?;
            // Under differentiation alone there is a value to show.
            match strip(x).repr() {
                Repr::Concrete(c) if is_live(t.tag) => {
                    let text = layout(&c.aval, &c.data, indent, f.precision());
                    write!(f, " with primal{}{text}", if text.contains('\n') { "\n" } else { " " })
                }
                Repr::Concrete(_) | Repr::Tracer(_) | Repr::Poison(_) => Ok(()),
            }
        }
        Repr::Poison(e) => write!(f, "{e}"),
    }
}

fn layout(aval: &Aval, data: &Buffer, indent: &str, precision: Option<usize>) -> String {
    if aval.size() == 0 {
        return "[]".to_string();
    }
    let shown = Shown::of(&aval.shape);
    let places = shown.places(&aval.shape);
    let cells = match data.dtype() {
        DType::Bool => number::align(pick(data.as_slice::<bool>(), &places)),
        DType::U8 => number::align(pick(data.as_slice::<u8>(), &places)),
        DType::U32 => number::align(pick(data.as_slice::<u32>(), &places)),
        DType::U64 => number::align(pick(data.as_slice::<u64>(), &places)),
        DType::I32 => number::align(pick(data.as_slice::<i32>(), &places)),
        DType::I64 => number::align(pick(data.as_slice::<i64>(), &places)),
        DType::F32 if aval.ndim() == 0 => vec![number::scalar(data.as_slice::<f32>()[0], precision)],
        DType::F64 if aval.ndim() == 0 => vec![number::scalar(data.as_slice::<f64>()[0], precision)],
        DType::F32 => number::align_floats(pick(data.as_slice::<f32>(), &places), precision),
        DType::F64 => number::align_floats(pick(data.as_slice::<f64>(), &places), precision),
        // Their elements cannot be read yet, or hold nothing.
        other => return format!("<{other}>"),
    };
    let mut out = String::new();
    shown.write(&mut cells.iter(), 0, indent, &mut out);
    out
}

fn pick<T: Copy>(elements: &[T], places: &[usize]) -> Vec<T> {
    places.iter().map(|&place| elements[place]).collect()
}

/// Along each axis, how many elements are shown before and after the gap, if there is one.
struct Shown {
    axes: Vec<(usize, Option<usize>)>,
}

impl Shown {
    fn of(shape: &[usize]) -> Shown {
        let long = shape.iter().product::<usize>() > THRESHOLD;
        let axis = |&n: &usize| if long && n > 2 * EDGE { (EDGE, Some(EDGE)) } else { (n, None) };
        Shown { axes: shape.iter().map(axis).collect() }
    }

    /// Row-major places of the elements that are shown.
    fn places(&self, shape: &[usize]) -> Vec<usize> {
        let mut places = vec![0];
        for (&n, &(head, tail)) in shape.iter().zip(&self.axes) {
            let along: Vec<usize> = (0..head).chain(n - tail.unwrap_or(0)..n).take(head + tail.unwrap_or(0)).collect();
            places = places.iter().flat_map(|&place| along.iter().map(move |&i| place * n + i)).collect();
        }
        places
    }

    /// Writes the sub-array behind the next cells, `depth` axes deep.
    fn write<'a>(&self, cells: &mut impl Iterator<Item = &'a String>, depth: usize, indent: &str, out: &mut String) {
        let Some(&(head, tail)) = self.axes.get(depth) else {
            out.extend(cells.next().map(String::as_str));
            return;
        };
        out.push('[');
        let count = head + tail.unwrap_or(0);
        let inner = self.axes.len() - depth - 1;
        for i in 0..count {
            let gap = tail.is_some() && i == head;
            if inner == 0 {
                if gap {
                    self.word("...", i == 0, depth, indent, out);
                }
                let cell = cells.next().map_or("", String::as_str);
                self.word(cell, i == 0, depth, indent, out);
            } else {
                // One empty line more for each further axis between two sub-arrays.
                let rule = format!("{}{indent}{}", "\n".repeat(inner), " ".repeat(depth + 1));
                if gap {
                    out.push_str(&rule);
                    out.push_str("...");
                }
                if i > 0 {
                    out.push_str(&rule);
                }
                self.write(cells, depth + 1, indent, out);
            }
        }
        out.push(']');
    }

    /// Appends a cell to the innermost list, on a new line if it would pass the last column.
    fn word(&self, cell: &str, first: bool, depth: usize, indent: &str, out: &mut String) {
        let line = out.rsplit('\n').next().map_or(0, |line| line.chars().count());
        // The first line of `Debug` starts behind its prefix, which is as long as the indentation of the others.
        let line = if out.contains('\n') { line } else { line + indent.len() };
        if !first && line + 1 + cell.chars().count() + depth + 1 > WIDTH {
            out.push('\n');
            out.push_str(indent);
            out.push_str(&" ".repeat(depth + 1));
        } else if !first {
            out.push(' ');
        }
        out.push_str(cell);
    }
}

#[cfg(test)]
mod tests {
    use crate::{array::Array, transform::jvp::jvp};
    use dini_cpu::dtype::DType;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(x: impl Into<Array>, expected: Expect) {
        expected.assert_eq(&x.into().to_string());
    }

    #[test]
    fn scalars_show_all_digits() {
        check(0.1 + 0.2, expect!["0.30000000000000004"]);
        check(0.1f32, expect!["0.1"]);
        check(2.0, expect!["2.0"]);
        check(-1e-10, expect!["-1.e-10"]);
        check(6.02214076e23, expect!["6.02214076e+23"]);
        check(f64::NAN, expect!["nan"]);
        check(f64::NEG_INFINITY, expect!["-inf"]);
        check(7u8, expect!["7"]);
        check(true, expect!["true"]);
    }

    #[test]
    fn floats_share_the_shortest_format() {
        check([1.0, 2.0], expect!["[1. 2.]"]);
        check([1.0, -2.25], expect!["[ 1.   -2.25]"]);
        check([2.0f64.sqrt(), 100.0], expect!["[  1.4142136 100.       ]"]);
        check([f64::NAN, 1.5, f64::INFINITY], expect!["[nan 1.5 inf]"]);
        check([0.0, 0.0], expect!["[0. 0.]"]);
        check([0.1f32, 0.3], expect!["[0.1 0.3]"]);
        check([0.00123456789, 0.001], expect!["[0.0012345679 0.001       ]"]);
    }

    #[test]
    fn a_wide_range_is_scientific() {
        check([1e10, -1.5e-7], expect!["[ 1.0e+10 -1.5e-07]"]);
        check([1.0 / 3.0, 1e8, 0.0], expect!["[3.3333333e-01 1.0000000e+08 0.0000000e+00]"]);
        check([1e-300, 1.0, f64::INFINITY], expect!["[1.e-300  1.e+00     inf]"]);
    }

    #[test]
    fn matrices_align_and_nest() {
        check([[1, 20], [-3, 4]], expect!["[[ 1 20]\n [-3  4]]"]);
        check([true, false], expect!["[ true false]"]);
        check(
            Array::arange(12, DType::I32).reshape(&[2, 2, 3]),
            expect![[r#"
                [[[ 0  1  2]
                  [ 3  4  5]]

                 [[ 6  7  8]
                  [ 9 10 11]]]"#]],
        );
        check(Array::zeros(&[0, 3], DType::F64), expect!["[]"]);
    }

    #[test]
    fn long_lines_break() {
        check(
            Array::arange(40, DType::U32),
            expect![[r#"
                [ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25
                 26 27 28 29 30 31 32 33 34 35 36 37 38 39]"#]],
        );
    }

    #[test]
    fn large_arrays_are_summarized() {
        check(Array::arange(3000, DType::I64), expect!["[   0    1    2 ... 2997 2998 2999]"]);
        check(
            Array::arange(2000, DType::I64).reshape(&[500, 4]),
            expect![[r#"
                [[   0    1    2    3]
                 [   4    5    6    7]
                 [   8    9   10   11]
                 ...
                 [1988 1989 1990 1991]
                 [1992 1993 1994 1995]
                 [1996 1997 1998 1999]]"#]],
        );
    }

    #[test]
    fn precision_fixes_the_digits_behind_the_point() {
        expect!["[  1.235 100.000]"].assert_eq(&format!("{:.3}", Array::from([1.23456, 100.0])));
        expect!["1.2"].assert_eq(&format!("{:.1}", Array::from(1.23456)));
    }

    #[test]
    fn debug_names_the_type() {
        expect!["Array(f64[2,2], [[1. 2.]\n                 [3. 4.]])"]
            .assert_eq(&format!("{:?}", Array::from([[1.0, 2.0], [3.0, 4.0]])));
        expect!["Array(bool[], true)"].assert_eq(&format!("{:?}", Array::from(true)));
    }

    #[test]
    fn traced_values_show_their_type_and_origin() {
        let shown = std::cell::RefCell::new(String::new());
        let f = |x: Array| {
            *shown.borrow_mut() = format!("{x}; {:?}", x.sin());
            x
        };
        jvp(f, Array::from([0.0, 0.5]), Array::from([1.0, 1.0])).unwrap();
        expect!["Traced<f64[2], an argument of `jvp`> with primal [0.  0.5]; Traced<f64[2] from `sin`> with primal [0.         0.47942554]"]
            .assert_eq(&shown.borrow());
    }

    #[test]
    fn poison_shows_its_error() {
        let poisoned = Array::from([1.0, 2.0]).reshape(&[3]);
        assert!(poisoned.to_string().starts_with("error[shape]: `reshape`: f64[2] has 2 elements, shape [3] has 3"));
        assert!(format!("{poisoned:?}").starts_with("Array(poisoned: error[shape]"));
    }
}
