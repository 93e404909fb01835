//! Our enforcer core beside OpenDNSSEC's: scenarios (a policy and a script of commands and leaps
//! in time) with the answers of Debian's OpenDNSSEC 2.1 recorded in `tests/data/enforcer-oracle`,
//! replayed through our core; after each step the exit status, each zone's next change and each
//! key's states, flags and words have to be the same. A scenario in which ours differs on purpose
//! names the row of the manual's table (`differs NAME`) and holds each line by which it does; after
//! `apart NAME` it is compared up to the first difference.
//! A handful run live each time, to show that the recordings are true; that needs root or user
//! namespaces, and is left out where neither is to be had, except in CI.
//!
//! `ENFORCER_ORACLE=record` (or `"record FILE"`) asks the real enforcer again and rewrites the
//! recordings; `ENFORCER_ORACLE=accept` rewrites the lines by which ours differs, in the scenarios
//! that say why; `ENFORCER_ORACLE=explore SEED=n COUNT=n` runs random scenarios live and compares
//! at once. Never: an actor, a token of ours, the network.

mod comparison;
mod live;
mod ours;
mod picture;
mod policy_text;
mod random;
mod recordings;
mod scenario;

/// When every scenario begins: 2026-01-01 00:00:00 UTC, in seconds since 1970.
const START: u64 = 1_767_225_600;
