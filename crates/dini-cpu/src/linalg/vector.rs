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
    /// Vectors of at most eight elements, for the same processors.
    type AtMostEight: Vector<Element = Self::Element>;

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
    /// The sum of all elements, by halves.
    ///
    /// # Safety
    /// As above.
    unsafe fn sum(self) -> Self::Element;
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
            type AtMostEight = Self;

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
            unsafe fn sum(mut self) -> $t {
                let mut half = Self::LEN / 2;
                while half > 0 {
                    for l in 0..half {
                        self[l] += self[l + half];
                    }
                    half /= 2;
                }
                self[0]
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

/// The sum of a register's elements; here and below.
///
/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn sum_m256(x: __m256) -> f32 {
    // SAFETY: promised by the caller.
    unsafe {
        let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
        let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
        _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
    }
}

/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn sum_m256d(x: __m256d) -> f64 {
    // SAFETY: promised by the caller.
    unsafe {
        let x = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x));
        _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)))
    }
}

/// # Safety
/// The processor has AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn sum_m512(x: __m512) -> f32 {
    // SAFETY: promised by the caller.
    unsafe {
        let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x)));
        sum_m256(_mm256_add_ps(_mm512_castps512_ps256(x), high))
    }
}

/// # Safety
/// The processor has AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn sum_m512d(x: __m512d) -> f64 {
    // SAFETY: promised by the caller.
    unsafe { sum_m256d(_mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd::<1>(x))) }
}

#[cfg(target_arch = "x86_64")]
macro_rules! registers {
    ($($v:ident: $t:ty, $at_most_eight:ident, $load:ident, $store:ident, $splat:ident, $times:ident, $over:ident, $sum:expr,
        $plus_product:ident, $minus_product:ident;)*) => { $(
        impl Vector for $v {
            type Element = $t;
            const LEN: usize = size_of::<$v>() / size_of::<$t>();
            type AtMostEight = $at_most_eight;

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
            unsafe fn sum(self) -> $t {
                // SAFETY: promised by the caller.
                unsafe { $sum(self) }
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
    __m256: f32, __m256, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_mul_ps, _mm256_div_ps, sum_m256,
        _mm256_fmadd_ps, _mm256_fnmadd_ps;
    __m256d: f64, __m256d, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_set1_pd, _mm256_mul_pd, _mm256_div_pd, sum_m256d,
        _mm256_fmadd_pd, _mm256_fnmadd_pd;
    __m512: f32, __m256, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_mul_ps, _mm512_div_ps, sum_m512,
        _mm512_fmadd_ps, _mm512_fnmadd_ps;
    __m512d: f64, __m512d, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_set1_pd, _mm512_mul_pd, _mm512_div_pd, sum_m512d,
        _mm512_fmadd_pd, _mm512_fnmadd_pd;
}
