//! Kernels printed.
