//! DNS UPDATE (RFC 2136) into the running daemon, by nsupdate of BIND and knsupdate of Knot DNS and
//! by messages of our own: what is acknowledged is signed and served, survives kill -9 at any call
//! that changes files, and many updates are few versions. Loopback only.
//! `SEED=n` repeats the moments of the kills; `ROUNDS=n` has more of them than the usual few.

mod kept;
mod lab;
mod load;
mod tools;
