//! Evil masters and hostile clients (R13, R14 and R16 of the fault table): what we have stays, time
//! and memory are bounded, honest peers are served. RFC 5936 §3, RFC 1995 §4, RFC 8945 §5.3.
//! Sizes are small where they say so; `EVIL=full` takes them as large as R13 and R16 have them: ten
//! million records, an octet a second, ten thousand datagrams a second for a minute.
//! Loopback only. The seed of random parts is printed; `SEED=n` repeats them.

mod clients;
mod daemon;
mod large;
mod master;
mod mutations;
mod random;
mod streams;

/// Whether everything is as large as it gets, which takes minutes.
fn is_full() -> bool {
    std::env::var_os("EVIL").is_some_and(|word| word == "full")
}
