//! Zone transfers over TLS (RFC 9103) with real software: BIND as primary and as secondary, kdig
//! and openssl as clients. Knot DNS of Debian 12 (3.2) and NSD of Debian 12 as a server have none.
//! Loopback only.

mod from_bind;
mod lab;
mod to_bind;
mod told;
