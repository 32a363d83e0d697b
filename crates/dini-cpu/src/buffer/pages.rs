//! Huge pages for large blocks, where the operating system gives them on request (Linux).
//!
//! Reads at scattered places of a few megabytes miss the table of page addresses with nearly every one of them; with pages
//! of 2 MiB they do not, and fresh memory takes one fault for each of these instead of 512.

/// Size and alignment of a huge page.
pub(super) const HUGE: usize = 2 << 20;

/// Asks for huge pages; without them memory works all the same.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn ask_for_huge(data: std::ptr::NonNull<u8>, bytes: usize) {
    use std::ffi::{c_int, c_void};
    unsafe extern "C" {
        fn madvise(address: *mut c_void, bytes: usize, advice: c_int) -> c_int;
    }
    const MADV_HUGEPAGE: c_int = 14;
    // SAFETY: the advice changes nothing that a program can see, whatever the memory is; refusals are no matter.
    let _ = unsafe { madvise(data.as_ptr().cast(), bytes, MADV_HUGEPAGE) };
}

/// Asks for nothing.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(super) fn ask_for_huge(_: std::ptr::NonNull<u8>, _: usize) {}
