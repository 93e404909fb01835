//! The HSM tools: `ods-hsmutil` and `ods-hsmspeed` beside Debian's on the same SoftHSM tokens, and
//! what is ours alone. Needs the packages that `cargo xtask setup` installs.

mod bench;
mod builtin;
mod check;
mod copy;
mod different;
mod group;
mod import;
mod login;
mod same;
mod transfer;
