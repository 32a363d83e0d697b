//! Executable memory. Pages are written first and made executable then, never both at a time (W^X).

use memmap2::{Mmap, MmapMut};
use std::sync::OnceLock;

/// Machine code, mapped to be run and not to be written.
#[derive(Debug)]
pub(crate) struct Code(Mmap);

impl Code {
    /// Maps code; `None` where the system denies that.
    pub fn new(bytes: &[u8]) -> Option<Code> {
        #[cfg(test)]
        if DENIED.get() {
            return None;
        }
        let mut pages = MmapMut::map_anon(bytes.len().max(1)).ok()?;
        pages[..bytes.len()].copy_from_slice(bytes);
        pages.make_exec().ok().map(Code)
    }

    /// The address of the first byte.
    pub fn start(&self) -> *const u8 {
        self.0.as_ptr()
    }
}

/// Whether the system lets this process run code that it wrote (asked once, by running some).
pub(super) fn is_granted() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| {
        // mov eax, 42; ret
        let Some(code) = Code::new(&[0xb8, 42, 0, 0, 0, 0xc3]) else { return false };
        // SAFETY: the bytes are a function of this type, and its pages are executable.
        let function: extern "sysv64" fn() -> u32 = unsafe { std::mem::transmute(code.start()) };
        function() == 42
    })
}

#[cfg(test)]
thread_local! {
    /// Whether tests make the system deny executable memory, as it may at any time.
    pub(super) static DENIED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_code_runs() {
        assert!(is_granted());
    }
}
