//! Finds the program under test. Out: the path of `anchorite`, built in the same profile as the
//! test that asks. Cargo builds it for `cargo test --workspace` because `tests/names.rs` is an
//! integration test of its package; for a single package of tests, run `cargo build` before.

use std::path::PathBuf;

/// The path of the `anchorite` binary; a panic says what to do when it was not built.
pub fn anchorite() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    // A test runs as target/PROFILE/deps/NAME-HASH.
    let folder = test.ancestors().nth(2).expect("cargo puts tests two folders deep");
    let program = folder.join("anchorite");
    assert!(program.is_file(), "{} is missing; run cargo build", program.display());
    program
}
