//! The language of samples: `"f64[3,2] i32[2]@0..3"`, operand types with the range of their values.
//!
//! Without a range, floats are between −1 and 1, signed integers from −3 to 3, unsigned ones from 0 to 3. Upper bounds
//! are exclusive. Floats of one operand keep clear of each other and, in the default range, of 0: ties and kinks are
//! for golden values.

use crate::{array::Array, shape::Aval, testing::random::Random};
use dini_cpu::dtype::{DType, Element};

/// An operand of a sample.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spec {
    pub aval: Aval,
    low: f64,
    high: f64,
}

impl Spec {
    /// Without elements along axes of this extent.
    pub fn emptied(&self, extent: usize) -> Spec {
        let shape: Vec<usize> = self.aval.shape.iter().map(|&n| if n == extent { 0 } else { n }).collect();
        Spec { aval: self.aval.with_shape(&shape), ..*self }
    }

    /// Random values.
    pub fn array(&self, random: &mut Random) -> Array {
        match self.aval.dtype {
            DType::F64 => self.dense(self.floats(random), |x| x),
            DType::F32 => self.dense(self.floats(random), |x| x as f32),
            DType::I64 => self.dense(self.whole(random), |x| x as i64),
            DType::I32 => self.dense(self.whole(random), |x| x as i32),
            DType::U64 => self.dense(self.whole(random), |x| x as u64),
            DType::U32 => self.dense(self.whole(random), |x| x as u32),
            DType::U8 => self.dense(self.whole(random), |x| x as u8),
            DType::Bool => self.dense(self.whole(random), |x| x != 0.0),
            other => panic!("a sample cannot have dtype {other}"),
        }
    }

    fn dense<T: Element>(&self, values: Vec<f64>, convert: impl Fn(f64) -> T) -> Array {
        Array::new(values.into_iter().map(convert).collect(), &self.aval.shape)
    }

    /// One value from each of as many equal parts of the range as there are elements, in random order.
    fn floats(&self, random: &mut Random) -> Vec<f64> {
        let n = self.aval.size();
        let mut parts: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            parts.swap(i, (random.unit() * (i + 1) as f64) as usize);
        }
        let mut place = |part: usize| match n {
            1 => random.unit(),
            // Between 0.6 and 0.85 of the part: away from its neighbours, and from the middle of the range.
            _ => (part as f64 + 0.6 + 0.25 * random.unit()) / n as f64,
        };
        parts.into_iter().map(|part| self.low + (self.high - self.low) * place(part)).collect()
    }

    fn whole(&self, random: &mut Random) -> Vec<f64> {
        (0..self.aval.size()).map(|_| (self.low + (self.high - self.low) * random.unit()).floor()).collect()
    }
}

/// The operands of a sample.
pub(super) fn parse(text: &str) -> Vec<Spec> {
    text.split_whitespace().map(|word| operand(word).unwrap_or_else(|| panic!("`{word}` is no operand"))).collect()
}

fn operand(word: &str) -> Option<Spec> {
    let (aval, range) = match word.split_once('@') {
        Some((aval, range)) => (aval, Some(range)),
        None => (word, None),
    };
    let (name, shape) = aval.strip_suffix(']')?.split_once('[')?;
    let dtypes = [DType::Bool, DType::U8, DType::U32, DType::U64, DType::I32, DType::I64, DType::F32, DType::F64];
    let dtype = dtypes.into_iter().find(|d| d.name() == name)?;
    let extents = shape.split(',').filter(|n| !n.is_empty());
    let shape: Vec<usize> = extents.map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let (low, high) = match range {
        Some(range) => {
            let (low, high) = range.split_once("..")?;
            (low.parse().ok()?, high.parse().ok()?)
        }
        None if dtype.is_float() => (-1.0, 1.0),
        None if dtype.is_signed_integer() => (-3.0, 4.0),
        None if dtype == DType::Bool => (0.0, 2.0),
        None => (0.0, 4.0),
    };
    Some(Spec { aval: Aval::new(dtype, &shape), low, high })
}

#[test]
fn samples_are_read() {
    let [x, i] = &parse("f64[3,2]  i32[2]@-1..3")[..] else { panic!("two operands") };
    assert_eq!((x.aval.to_string(), x.low, x.high), ("f64[3,2]".to_string(), -1.0, 1.0));
    assert_eq!((i.aval.to_string(), i.low, i.high), ("i32[2]".to_string(), -1.0, 3.0));
    assert_eq!(parse("f64[]@0.5..2")[0].aval.ndim(), 0);
    assert!(parse("").is_empty());
}

#[test]
fn values_stay_in_range_and_apart() {
    let spec = &parse("f64[7]@0.5..2")[0];
    let mut values: Vec<f64> = spec.array(&mut Random::new(1)).to_vec().unwrap();
    values.sort_by(f64::total_cmp);
    assert!(values[0] >= 0.5 && values[6] < 2.0);
    assert!(values.windows(2).all(|w| w[1] - w[0] > 0.1));
    let spec = &parse("i32[100]@-2..3")[0];
    let values: Vec<i32> = spec.array(&mut Random::new(2)).to_vec().unwrap();
    assert!((-2..3).all(|i| values.contains(&i)) && values.iter().all(|i| (-2..3).contains(i)));
}
