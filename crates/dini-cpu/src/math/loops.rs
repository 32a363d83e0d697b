//! The loops: one body per arity, compiled for the baseline and, on x86-64, for AVX2 and AVX-512.
//!
//! The bodies are inlined into functions that enable an instruction set, and the compiler vectorizes them there.
//! Operations are fused where a function says so and nowhere else, so the results of all versions are equal bit for bit;
//! the baseline of x86-64 pays for that with a library call per fused multiply-add.

use super::{
    level::{Level, level},
    real::Real,
    slice::{Scalar, Slice, SliceMut},
};

/// A loop over whole operands; the first argument is the operation's parameter, if it has one.
///
/// Unsafe to call: the processor must support the instruction set that the loop was compiled for.
pub(super) type Loop = unsafe fn(i32, &[Slice<'_>], SliceMut<'_>);

/// An operation of one operand.
pub(super) trait Unary<A: Scalar> {
    /// The type of the result.
    type Out: Scalar;
    fn at(x: A) -> Self::Out;
}

/// An operation of two operands of one type.
pub(super) trait Binary<A: Scalar> {
    /// The type of the result.
    type Out: Scalar;
    fn at(x: A, y: A) -> Self::Out;
}

/// An operation of three operands of one type.
pub(super) trait Ternary<A: Scalar> {
    fn at(x: A, y: A, z: A) -> A;
}

/// A real function with a vectorizable path for nearly all arguments.
pub(super) trait Guarded {
    /// The value, if not [`Guarded::is_rare`]; any number otherwise.
    fn common<R: Real>(x: R) -> R;
    /// Whether [`Guarded::rare`] must be asked.
    fn is_rare<R: Real>(x: R) -> R::Mask;
    /// The value at any argument.
    fn rare(x: f64) -> f64;
}

/// A real function of two arguments with a vectorizable path for nearly all of them.
pub(super) trait GuardedBinary {
    /// The value, if not [`GuardedBinary::is_rare`]; any number otherwise.
    fn common<R: Real>(x: R, y: R) -> R;
    /// Whether [`GuardedBinary::rare`] must be asked.
    fn is_rare<R: Real>(x: R, y: R) -> R::Mask;
    /// The value at any arguments.
    fn rare(x: f64, y: f64) -> f64;
}

/// A float type; what is written for `f64` only serves all.
pub(super) trait Float: Scalar + Real<Mask = bool> {
    fn widen(self) -> f64;
    fn narrow(x: f64) -> Self;
}

impl Float for f64 {
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
    #[inline(always)]
    fn narrow(x: f64) -> f64 {
        x
    }
}

impl Float for f32 {
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn narrow(x: f64) -> f32 {
        x as f32
    }
}

/// Number of elements that guarded functions and powers treat at a time: a few vector registers of `f64`.
const BLOCK: usize = 32;

#[cold]
#[inline(never)]
fn wrong_length(operand: usize, out: usize) -> ! {
    panic!("operand of {operand} elements given to a kernel for {out}: expected as many, or one")
}

/// Checks an operand's length and says whether it is read element by element.
#[inline(always)]
fn is_full(operand: usize, out: usize) -> bool {
    match operand {
        n if n == out => true,
        1 => false,
        n => wrong_length(n, out),
    }
}

#[inline(always)]
fn unary_body<O: Unary<A>, A: Scalar>(_: i32, args: &[Slice<'_>], out: SliceMut<'_>) {
    let (x, out) = (args[0].typed::<A>(), out.typed::<O::Out>());
    if is_full(x.len(), out.len()) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = O::at(x);
        }
    } else {
        out.fill(O::at(x[0]));
    }
}

#[inline(always)]
fn binary_body<O: Binary<A>, A: Scalar>(_: i32, args: &[Slice<'_>], out: SliceMut<'_>) {
    let (x, y, out) = (args[0].typed::<A>(), args[1].typed::<A>(), out.typed::<O::Out>());
    match (is_full(x.len(), out.len()), is_full(y.len(), out.len())) {
        (true, true) => {
            for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *out = O::at(x, y);
            }
        }
        (true, false) => {
            let y = y[0];
            for (out, &x) in out.iter_mut().zip(x) {
                *out = O::at(x, y);
            }
        }
        (false, true) => {
            let x = x[0];
            for (out, &y) in out.iter_mut().zip(y) {
                *out = O::at(x, y);
            }
        }
        (false, false) => out.fill(O::at(x[0], y[0])),
    }
}

#[inline(always)]
fn guarded_body<O: Guarded, A: Float>(_: i32, args: &[Slice<'_>], out: SliceMut<'_>) {
    let (x, out) = (args[0].typed::<A>(), out.typed::<A>());
    if !is_full(x.len(), out.len()) {
        return out.fill(guarded_at::<O, A>(x[0]));
    }
    if let ([x], [out]) = (x, &mut *out) {
        *out = guarded_at::<O, A>(*x);
        return;
    }
    for (x, out) in x.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        let mut any_rare = false;
        for (out, &x) in out.iter_mut().zip(x) {
            any_rare |= O::is_rare(x);
            *out = O::common(x);
        }
        if any_rare {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = guarded_at::<O, A>(x);
            }
        }
    }
}

#[inline(always)]
fn guarded_at<O: Guarded, A: Float>(x: A) -> A {
    if O::is_rare(x) { A::narrow(O::rare(x.widen())) } else { O::common(x) }
}

#[inline(always)]
fn guarded_binary_body<O: GuardedBinary, A: Float>(_: i32, args: &[Slice<'_>], out: SliceMut<'_>) {
    let (x, y, out) = (args[0].typed::<A>(), args[1].typed::<A>(), out.typed::<A>());
    let (x_is_full, y_is_full) = (is_full(x.len(), out.len()), is_full(y.len(), out.len()));
    match out {
        [] => return,
        [out] => {
            *out = guarded_binary_at::<O, A>(x[0], y[0]);
            return;
        }
        [_, _, ..] => {}
    }
    // Broadcast operands are written out.
    let (x_block, y_block) = ([x[0]; BLOCK], [y[0]; BLOCK]);
    for (block_idx, out) in out.chunks_mut(BLOCK).enumerate() {
        let range = block_idx * BLOCK..block_idx * BLOCK + out.len();
        let x = if x_is_full { &x[range.clone()] } else { &x_block[..out.len()] };
        let y = if y_is_full { &y[range] } else { &y_block[..out.len()] };
        let mut any_rare = false;
        for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
            any_rare |= O::is_rare(x, y);
            *out = O::common(x, y);
        }
        if any_rare {
            for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *out = guarded_binary_at::<O, A>(x, y);
            }
        }
    }
}

#[inline(always)]
fn guarded_binary_at<O: GuardedBinary, A: Float>(x: A, y: A) -> A {
    if O::is_rare(x, y) { A::narrow(O::rare(x.widen(), y.widen())) } else { O::common(x, y) }
}

/// A type with products, wrapping for integers.
pub(super) trait Product: Scalar {
    const ONE: Self;
    fn times(self, other: Self) -> Self;
    /// `1 / self`; asked of floats only.
    fn reciprocal(self) -> Self;
}

/// xⁿ by squaring, the factors for the lowest bits of n first; block by block, so that the products vectorize.
#[inline(always)]
fn powi_body<A: Product>(power: i32, args: &[Slice<'_>], out: SliceMut<'_>) {
    let (x, out) = (args[0].typed::<A>(), out.typed::<A>());
    if !is_full(x.len(), out.len()) {
        return out.fill(powi_block(power, [x[0]; BLOCK])[0]);
    }
    let (x_blocks, x) = x.as_chunks::<BLOCK>();
    let (out_blocks, out) = out.as_chunks_mut::<BLOCK>();
    for (out, &x) in out_blocks.iter_mut().zip(x_blocks) {
        *out = powi_block(power, x);
    }
    if !x.is_empty() {
        let mut padded = [A::ONE; BLOCK];
        padded[..x.len()].copy_from_slice(x);
        out.copy_from_slice(&powi_block(power, padded)[..x.len()]);
    }
}

#[inline(always)]
fn powi_block<A: Product>(power: i32, mut square: [A; BLOCK]) -> [A; BLOCK] {
    let mut bits = power.unsigned_abs();
    if bits == 0 {
        return [A::ONE; BLOCK];
    }
    while bits & 1 == 0 {
        square_all(&mut square);
        bits >>= 1;
    }
    let mut result = square;
    loop {
        bits >>= 1;
        if bits == 0 {
            break;
        }
        square_all(&mut square);
        if bits & 1 == 1 {
            for (r, &s) in result.iter_mut().zip(&square) {
                *r = r.times(s);
            }
        }
    }
    if power < 0 {
        for r in &mut result {
            *r = r.reciprocal();
        }
    }
    result
}

#[inline(always)]
fn square_all<A: Product>(x: &mut [A; BLOCK]) {
    for x in x {
        *x = x.times(*x);
    }
}

#[inline(always)]
fn select_body<A: Scalar>(_: i32, args: &[Slice<'_>], out: SliceMut<'_>) {
    let (p, x, y) = (args[0].typed::<bool>(), args[1].typed::<A>(), args[2].typed::<A>());
    let out = out.typed::<A>();
    let n = out.len();
    match (is_full(p.len(), n), is_full(x.len(), n), is_full(y.len(), n)) {
        (true, true, true) => {
            for (((out, &p), &x), &y) in out.iter_mut().zip(p).zip(x).zip(y) {
                *out = if p { x } else { y };
            }
        }
        (true, true, false) => {
            let y = y[0];
            for ((out, &p), &x) in out.iter_mut().zip(p).zip(x) {
                *out = if p { x } else { y };
            }
        }
        (true, false, true) => {
            let x = x[0];
            for ((out, &p), &y) in out.iter_mut().zip(p).zip(y) {
                *out = if p { x } else { y };
            }
        }
        (true, false, false) => {
            let (x, y) = (x[0], y[0]);
            for (out, &p) in out.iter_mut().zip(p) {
                *out = if p { x } else { y };
            }
        }
        (false, x_is_full, y_is_full) => {
            let (chosen, chosen_is_full) = if p[0] { (x, x_is_full) } else { (y, y_is_full) };
            if chosen_is_full {
                out.copy_from_slice(chosen);
            } else {
                out.fill(chosen[0]);
            }
        }
    }
}

#[inline(always)]
fn ternary_body<O: Ternary<A>, A: Scalar>(_: i32, args: &[Slice<'_>], out: SliceMut<'_>) {
    let (x, y, z) = (args[0].typed::<A>(), args[1].typed::<A>(), args[2].typed::<A>());
    let out = out.typed::<A>();
    let n = out.len();
    match (is_full(x.len(), n), is_full(y.len(), n), is_full(z.len(), n)) {
        (true, true, true) => {
            for (((out, &x), &y), &z) in out.iter_mut().zip(x).zip(y).zip(z) {
                *out = O::at(x, y, z);
            }
        }
        (true, false, true) => {
            let y = y[0];
            for ((out, &x), &z) in out.iter_mut().zip(x).zip(z) {
                *out = O::at(x, y, z);
            }
        }
        (false, true, false) => {
            let (x, z) = (x[0], z[0]);
            for (out, &y) in out.iter_mut().zip(y) {
                *out = O::at(x, y, z);
            }
        }
        // The other five are uncommon: a masked index, not vectorized.
        (x_is_full, y_is_full, z_is_full) => {
            let mask = |full: bool| if full { usize::MAX } else { 0 };
            let (x_mask, y_mask, z_mask) = (mask(x_is_full), mask(y_is_full), mask(z_is_full));
            for (i, out) in out.iter_mut().enumerate() {
                *out = O::at(x[i & x_mask], y[i & y_mask], z[i & z_mask]);
            }
        }
    }
}

/// For a loop body: a function that gives its version for this processor.
macro_rules! versions {
    ($($(#[$doc:meta])* $name:ident<$($p:ident: $bound:path),*> = $body:ident<$($arg:ident),*>;)*) => { $(
        $(#[$doc])*
        pub(super) fn $name<$($p: $bound),*>() -> Loop {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$($p: $bound),*>(parameter: i32, args: &[Slice<'_>], out: SliceMut<'_>) {
                $body::<$($arg),*>(parameter, args, out);
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512<$($p: $bound),*>(parameter: i32, args: &[Slice<'_>], out: SliceMut<'_>) {
                $body::<$($arg),*>(parameter, args, out);
            }
            fn baseline<$($p: $bound),*>(parameter: i32, args: &[Slice<'_>], out: SliceMut<'_>) {
                $body::<$($arg),*>(parameter, args, out);
            }
            match level() {
                Level::Baseline => baseline::<$($arg),*>,
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => avx2::<$($arg),*>,
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => avx512::<$($arg),*>,
            }
        }
    )* };
}

versions! {
    /// The loop of a unary operation.
    unary<O: Unary<A>, A: Scalar> = unary_body<O, A>;
    /// The loop of a binary operation.
    binary<O: Binary<A>, A: Scalar> = binary_body<O, A>;
    /// The loop of a real function with a vectorizable path.
    guarded<O: Guarded, A: Float> = guarded_body<O, A>;
    /// The loop of a real function of two arguments with a vectorizable path.
    guarded_binary<O: GuardedBinary, A: Float> = guarded_binary_body<O, A>;
    /// The loop of a whole power, the parameter.
    powi<A: Product> = powi_body<A>;
    /// The loop of a choice between two operands.
    select<A: Scalar> = select_body<A>;
    /// The loop of an operation of three operands.
    ternary<O: Ternary<A>, A: Scalar> = ternary_body<O, A>;
}

/// The loop of a unary operation for the baseline: no vectors, or a type that is rare.
pub(super) fn unary_plain<O: Unary<A>, A: Scalar>() -> Loop {
    unary_body::<O, A>
}

/// The loop of a binary operation for the baseline: no vectors, or a type that is rare.
pub(super) fn binary_plain<O: Binary<A>, A: Scalar>() -> Loop {
    binary_body::<O, A>
}
