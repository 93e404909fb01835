//! The gate of a running daemon: versions that the auditor or an external checker refuses are not
//! published, the last good one stays served and fresh, the alarm says what to do, and a waiver
//! lets pass what it names, for as long as it lasts.

mod checkers;
mod events;
mod expectations;
mod lab;
mod waivers;
