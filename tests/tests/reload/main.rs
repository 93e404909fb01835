//! Zones and policies change while the daemon runs: commands of `ods-enforcer`, SIGHUP, files with
//! faults. In: an installation, edits, commands. Out: what is said, what is signed, what is left
//! of files and keys. Texts are OpenDNSSEC 2.1's, compared with Debian's by hand once.

mod policies;
mod said;
mod zones;
