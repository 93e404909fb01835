//! `ods-ksmutil` as users and scripts of OpenDNSSEC 1.1 to 1.4 know it, against the running daemon:
//! each command with its exit code, the shape of its output, and what it says to bad input.
//! Needs the packages that `cargo xtask setup` installs.

mod files;
mod keys;
mod lab;
mod lists;
mod stock;
mod zones;
