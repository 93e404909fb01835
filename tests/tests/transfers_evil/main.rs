//! Evil masters and hostile clients (R13, R14 and R16 of the fault table): what we have stays, time
//! and memory are bounded, honest peers are served. RFC 5936 §3, RFC 1995 §4, RFC 8945 §5.3.
//! Loopback only. The seed of random parts is printed; `SEED=n` repeats them.

mod clients;
mod daemon;
mod master;
mod mutations;
mod random;
mod streams;
