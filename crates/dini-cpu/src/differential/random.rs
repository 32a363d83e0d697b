//! Random numbers, and tensors of them.

use crate::{buffer::Buffer, dtype::DType, graph::TensorType};
use std::sync::Arc;

/// Larger tensors are not made.
pub(super) const MAX_LEN: usize = 6000;

pub(super) const DTYPES: [DType; 6] = [DType::F64, DType::F64, DType::F32, DType::I32, DType::U8, DType::Bool];

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) struct Random {
    pub state: u64,
    pub sizes: Sizes,
}

/// How large the tensors are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sizes {
    /// None to thousands of elements.
    Any,
    /// Few elements: whole programs become one kernel.
    Few,
}

impl Random {
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    pub fn extent(&mut self) -> usize {
        if self.sizes == Sizes::Few {
            return self.pick(&[1, 1, 2, 3, 4]);
        }
        match self.below(30) {
            0 => 0,
            1..=4 => 1,
            5..=24 => 2 + self.below(4),
            25..=28 => 10 + self.below(60),
            _ => 500 + self.below(800),
        }
    }

    pub fn shape(&mut self) -> Vec<usize> {
        loop {
            let rank = if self.sizes == Sizes::Few { self.pick(&[0, 0, 0, 1, 2]) } else { self.below(4) };
            let shape: Vec<usize> = (0..rank).map(|_| self.extent()).collect();
            if shape.iter().product::<usize>() <= MAX_LEN {
                return shape;
            }
        }
    }

    pub fn tensor_type(&mut self) -> TensorType {
        TensorType { dtype: self.pick(&DTYPES), shape: self.shape() }
    }

    pub fn data(&mut self, t: &TensorType) -> Arc<Buffer> {
        let mut out = Buffer::zeros(t.dtype, t.len());
        match t.dtype {
            DType::Bool => out.as_mut_slice::<bool>().iter_mut().for_each(|x| *x = self.chance(2)),
            DType::U8 => out.as_mut_slice::<u8>().iter_mut().for_each(|x| *x = self.below(9) as u8),
            DType::I32 => out.as_mut_slice::<i32>().iter_mut().for_each(|x| *x = self.below(19) as i32 - 9),
            DType::F32 => out.as_mut_slice::<f32>().iter_mut().for_each(|x| *x = self.below(19) as f32 - 9.0),
            DType::F64 => out.as_mut_slice::<f64>().iter_mut().for_each(|x| *x = self.below(19) as f64 - 9.0),
            other => unreachable!("{other} is not generated"),
        }
        Arc::new(out)
    }
}
