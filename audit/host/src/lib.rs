//! The auditor in a process of its own (`audit-host`), which holds no keys, opens no files, knows
//! no network, and has its own copy of what it approved.
//!
//! In: tickets: a zone as wire records, or how it differs from a version that was approved, and
//! what is expected of it. Out: a [`Verdict`], bound by a SHA-256 digest to the very records that
//! were judged; or a [`Fault`], after which nothing may be published.
//!
//! [`host::run`] is the process. [`Judge`] is what asks it: it starts the process, and starts it
//! again when it is gone. The judging itself is in `audit`, which this crate only carries bytes to;
//! of the signer's crates it knows none.
//!
//! Limits: frames of 16 MiB, [`TICKETS_MAX`] tickets at once; the named constants of each file.
#![forbid(unsafe_code)]

mod connection;
mod frames;
pub mod host;
mod judge;
mod messages;
mod process;
mod sandbox;
mod service;

pub use judge::{Fault, HostProgram, Judge, JudgeStatus};
pub use messages::{Changes, Copy, Ticket, Verdict, Whole};
pub use service::verify;

use std::time::Duration;

/// Longest time in which nothing is heard of a host that somebody waits for.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Most tickets that a host has at once.
pub const TICKETS_MAX: usize = 64;
