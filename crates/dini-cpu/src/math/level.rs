//! Instruction sets, chosen at run time, and functions that are compiled once for each.

/// The instruction sets that loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// What every processor of the target has.
    Baseline,
    /// 256-bit vectors and fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors with 64-bit integer products and conversions.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The widest instruction set of this processor (the standard library caches the detection).
#[inline]
pub(crate) fn level() -> Level {
    #[cfg(test)]
    if let Some(level) = FORCED.get() {
        return level;
    }
    detected()
}

#[cfg(test)]
thread_local! {
    /// What tests make [`level`] say.
    static FORCED: std::cell::Cell<Option<Level>> = const { std::cell::Cell::new(None) };
}

/// Runs a test with the loops for each level of this processor.
#[cfg(test)]
pub(crate) fn at_each_level(mut test: impl FnMut()) {
    for level in supported() {
        FORCED.set(Some(level));
        test();
    }
    FORCED.set(None);
}

/// The levels of this processor.
#[cfg(test)]
fn supported() -> Vec<Level> {
    match detected() {
        Level::Baseline => vec![Level::Baseline],
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => vec![Level::Baseline, Level::Avx2],
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => vec![Level::Baseline, Level::Avx2, Level::Avx512],
    }
}

#[inline]
fn detected() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("fma");
        if avx512 {
            return Level::Avx512;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Level::Avx2;
        }
    }
    Level::Baseline
}

/// Compiles a function for every [`Level`] and calls the version for this processor. Whatever the body calls must be
/// inlined into it to gain from that.
macro_rules! multiversion {
    ($(
        $(#[$doc:meta])*
        $visibility:vis fn $name:ident<$p:ident: $bound:path $(, const $n:ident: usize)?>(
            $($arg:ident: $t:ty),* $(,)?
        ) $(-> $r:ty)? $body:block
    )*) => { $(
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "one function per loop over raw matrices")]
        $visibility fn $name<$p: $bound $(, const $n: usize)?>($($arg: $t),*) $(-> $r)? {
            #[inline(always)]
            fn body<$p: $bound $(, const $n: usize)?>($($arg: $t),*) $(-> $r)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$p: $bound $(, const $n: usize)?>($($arg: $t),*) $(-> $r)? {
                body::<$p $(, $n)?>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512<$p: $bound $(, const $n: usize)?>($($arg: $t),*) $(-> $r)? {
                body::<$p $(, $n)?>($($arg),*)
            }
            match $crate::math::level::level() {
                $crate::math::level::Level::Baseline => body::<$p $(, $n)?>($($arg),*),
                // SAFETY: `level` has found the instruction set on this processor.
                #[cfg(target_arch = "x86_64")]
                $crate::math::level::Level::Avx2 => unsafe { avx2::<$p $(, $n)?>($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::math::level::Level::Avx512 => unsafe { avx512::<$p $(, $n)?>($($arg),*) },
            }
        }
    )* };
}
pub(crate) use multiversion;
