//! Zones that come by transfer, from BIND, Knot DNS, NSD and PowerDNS: what we sign is what they
//! have, after each of many random changes, a restart, and with TSIG (RFC 1995, 1996, 5936, 8945).
//! Loopback only. The seed of the changes is printed; `SEED=n` repeats them.

mod changes;
mod digest;
mod held;
mod kept;
mod lab;
mod lines;
mod refused;
