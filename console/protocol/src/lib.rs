//! Types of the control protocol between the daemon and its front ends: the only part of
//! `console` that `actors` may use.
//! Frames are length-prefixed postcard with a version byte.
//! Not yet: any message; the first come with the enforcer's commands.
#![forbid(unsafe_code)]

/// Version byte of every frame; a peer that does not know it closes the connection.
pub const PROTOCOL_VERSION: u8 = 1;
