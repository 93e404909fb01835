//! `anchorite ssh-host` with OpenSSH's client: commands with their exit codes, the shell, who may
//! come in and what nobody may; and that neither floods nor ends of it reach the signer. Needs the
//! packages that `cargo xtask setup` installs.

mod commands;
mod floods;
mod front;
mod long;
mod refused;
mod shell;
