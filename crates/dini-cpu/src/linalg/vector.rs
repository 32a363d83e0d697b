//! Vectors in registers, for kernels that keep many sums there: of plain arrays the compiler keeps only few.
//!
//! A kernel is written once over [`Vector`], and [`by_level`] runs it with the widest vectors that the processor has.

use crate::math::level::{Level, level};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// The vectors of an element type.
pub trait Vectors: Copy {
    /// On every processor.
    type Portable: Vector<Element = Self>;
    /// With AVX2 and fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Element = Self>;
    /// With AVX-512.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Element = Self>;
}

/// A few elements side by side.
pub trait Vector: Copy {
    /// What it has so many of.
    type Element: Copy;
    /// The number of elements.
    const LEN: usize;

    /// # Safety
    /// The processor has the instruction set of this type, here and below, and `LEN` elements can be read.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// # Safety
    /// As above, and `LEN` elements can be written.
    unsafe fn store(self, to: *mut Self::Element);
    /// # Safety
    /// As above.
    unsafe fn splat(x: Self::Element) -> Self;
    /// # Safety
    /// As above.
    unsafe fn times(self, y: Self) -> Self;
    /// The quotient.
    ///
    /// # Safety
    /// As above.
    unsafe fn over(self, y: Self) -> Self;
    /// self + y z, rounded once if the processor can.
    ///
    /// # Safety
    /// As above.
    unsafe fn plus_product(self, y: Self, z: Self) -> Self;
    /// self − y z, rounded as often.
    ///
    /// # Safety
    /// As above.
    unsafe fn minus_product(self, y: Self, z: Self) -> Self;
}

/// Vectors have at most so many elements.
pub(super) const MAX_LEN: usize = 16;

/// A loop over vectors. `ROWS` vectors, three times, fit the registers as sums.
pub(super) trait Kernel<T: Vectors> {
    type Output;

    /// # Safety
    /// The processor has the instruction set of `V`. To be inlined always, into a function compiled for that.
    unsafe fn run<V: Vector<Element = T>, const ROWS: usize>(self) -> Self::Output;
}

/// Runs a kernel with the widest vectors.
pub(super) fn by_level<T: Vectors, K: Kernel<T>>(kernel: K) -> K::Output {
    // SAFETY: `level` has found the instruction set on this processor.
    unsafe {
        match level() {
            Level::Baseline => kernel.run::<T::Portable, 4>(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => avx2(kernel),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => avx512(kernel),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<T: Vectors, K: Kernel<T>>(kernel: K) -> K::Output {
    // SAFETY: that is the instruction set.
    unsafe { kernel.run::<T::Avx2, 4>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f")]
fn avx512<T: Vectors, K: Kernel<T>>(kernel: K) -> K::Output {
    // SAFETY: that is the instruction set.
    unsafe { kernel.run::<T::Avx512, 8>() }
}

macro_rules! vectors {
    ($($t:ty: $portable:ty, $avx2:ident, $avx512:ident;)*) => { $(
        impl Vectors for $t {
            type Portable = $portable;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = $avx2;
            #[cfg(target_arch = "x86_64")]
            type Avx512 = $avx512;
        }

        impl Vector for $portable {
            type Element = $t;
            const LEN: usize = size_of::<$portable>() / size_of::<$t>();

            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: promised by the caller; an array is aligned as its elements are.
                unsafe { from.cast::<Self>().read() }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: as above.
                unsafe { to.cast::<Self>().write(self) }
            }

            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                [x; Self::LEN]
            }

            #[inline(always)]
            unsafe fn times(mut self, y: Self) -> Self {
                for l in 0..Self::LEN {
                    self[l] *= y[l];
                }
                self
            }

            #[inline(always)]
            unsafe fn over(mut self, y: Self) -> Self {
                for l in 0..Self::LEN {
                    self[l] /= y[l];
                }
                self
            }

            #[inline(always)]
            unsafe fn plus_product(mut self, y: Self, z: Self) -> Self {
                for l in 0..Self::LEN {
                    self[l] += y[l] * z[l];
                }
                self
            }

            #[inline(always)]
            unsafe fn minus_product(mut self, y: Self, z: Self) -> Self {
                for l in 0..Self::LEN {
                    self[l] -= y[l] * z[l];
                }
                self
            }
        }
    )* };
}
vectors! {
    f32: [f32; 4], __m256, __m512;
    f64: [f64; 2], __m256d, __m512d;
}

#[cfg(target_arch = "x86_64")]
macro_rules! registers {
    ($($v:ident: $t:ty, $load:ident, $store:ident, $splat:ident, $times:ident, $over:ident, $plus_product:ident,
        $minus_product:ident;)*) => { $(
        impl Vector for $v {
            type Element = $t;
            const LEN: usize = size_of::<$v>() / size_of::<$t>();

            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: promised by the caller.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: promised by the caller.
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                // SAFETY: promised by the caller.
                unsafe { $splat(x) }
            }

            #[inline(always)]
            unsafe fn times(self, y: Self) -> Self {
                // SAFETY: promised by the caller.
                unsafe { $times(self, y) }
            }

            #[inline(always)]
            unsafe fn over(self, y: Self) -> Self {
                // SAFETY: promised by the caller.
                unsafe { $over(self, y) }
            }

            #[inline(always)]
            unsafe fn plus_product(self, y: Self, z: Self) -> Self {
                // SAFETY: promised by the caller.
                unsafe { $plus_product(y, z, self) }
            }

            #[inline(always)]
            unsafe fn minus_product(self, y: Self, z: Self) -> Self {
                // SAFETY: promised by the caller.
                unsafe { $minus_product(y, z, self) }
            }
        }
    )* };
}
#[cfg(target_arch = "x86_64")]
registers! {
    __m256: f32, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_mul_ps, _mm256_div_ps, _mm256_fmadd_ps, _mm256_fnmadd_ps;
    __m256d: f64, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_set1_pd, _mm256_mul_pd, _mm256_div_pd, _mm256_fmadd_pd, _mm256_fnmadd_pd;
    __m512: f32, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_mul_ps, _mm512_div_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps;
    __m512d: f64, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_set1_pd, _mm512_mul_pd, _mm512_div_pd, _mm512_fmadd_pd, _mm512_fnmadd_pd;
}
