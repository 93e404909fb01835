//! Commands about keys, against the running daemon: OpenDNSSEC's recorded answers, whole rolls by
//! commands and time leaps with a foreign judge at each step, and the command that tells a parent.
//! Needs the packages that `cargo xtask setup` installs.

mod answers;
mod causes;
mod lab;
mod parent;
mod rolls;
mod same_tag;
mod schedule;
mod signconf;
