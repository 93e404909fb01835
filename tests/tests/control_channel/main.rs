//! The control channel end to end: `ods-enforcer`, `ods-signer`, `ods-control` and
//! `anchorite COMMAND` beside Debian's own tools while no daemon runs, with the recorded words of
//! OpenDNSSEC 2.1.12 while one does, and what the commands do to zones.
//! Needs the packages that `cargo xtask setup` installs.

mod away;
mod busy;
mod changes;
mod client;
mod configuration;
mod json;
mod life;
mod limits;
mod lists;
mod walk;
