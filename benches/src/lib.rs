//! Benchmarks: criterion benches of the inner loops are in `benches/`; whole programs are
//! compared by `cargo xtask bench-peers`.
#![forbid(unsafe_code)]
