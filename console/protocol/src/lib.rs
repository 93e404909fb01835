//! The control protocol between the daemon and its front ends, and the one table of commands:
//! the only part of `console` that `actors` may use.
//!
//! [`messages`] are what the two ends say, [`frame`] how it goes over a socket, [`table`] the
//! commands there are, [`parse`] how words become a command, [`help`] what is said about them,
//! [`unknown`] what about words that are none.
//! Never: I/O, clocks, threads; everything is a function of bytes or words.
#![forbid(unsafe_code)]

pub mod frame;
pub mod help;
pub mod line;
pub mod messages;
pub mod nearest;
pub mod options;
pub mod parse;
pub mod table;
pub mod unknown;

/// Version byte of every frame; a peer that does not know it closes the connection.
pub const PROTOCOL_VERSION: u8 = 4;
