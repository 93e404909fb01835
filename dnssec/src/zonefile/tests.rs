//! Zone file tests.
