//! TSIG: a message, or a stream of messages, authenticated by a shared secret. RFC 8945.
//! In: messages, keys, the time. Out: messages with a TSIG at the end, verdicts on those of peers.
//! A server reads a request's record by [`TsigRecord::find`], checks it by [`TsigRecord::verify`],
//! which yields the [`Signer`] of the answers; a client signs by [`sign_request`], which yields the
//! [`Verifier`] of the answers. We sign every message; a peer may leave [`UNSIGNED_MESSAGES_MAX`]
//! in between without (§5.3.1).
//! Never: the clock; a key or MAC in `Debug` output; a MAC that is cut shorter (§5.2.2.1 lets a
//! policy refuse them); TKEY, GSS, SIG(0). Comparison takes the same time wherever MACs differ.

mod algorithm;
mod record;
mod rejection;
mod stream;

use std::fmt;

use zeroize::Zeroizing;

use algorithm::Context;
pub use algorithm::TsigAlgorithm;
pub use record::{MalformedTsig, TsigRecord};
pub use rejection::{Rejected, Rejection};
pub use stream::{Signer, TsigFault, UNSIGNED_MESSAGES_MAX, Verifier, sign_request};

use crate::Name;

/// Difference of clocks that we ask peers to allow, in seconds (§10 recommends 300).
pub const FUDGE_SECONDS: u16 = 300;

/// A shared secret with its name. Two are equal when they authenticate the same.
#[derive(Clone, PartialEq, Eq)]
pub struct TsigKey {
    name: Name,
    algorithm: TsigAlgorithm,
    secret: Zeroizing<Vec<u8>>,
}

impl TsigKey {
    /// A key; `secret` in octets, base64 already undone.
    pub fn new(name: Name, algorithm: TsigAlgorithm, secret: Zeroizing<Vec<u8>>) -> TsigKey {
        TsigKey { name, algorithm, secret }
    }

    /// Name of the key: both sides know it by this.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> TsigAlgorithm {
        self.algorithm
    }

    /// How many octets a TSIG of this key adds to a message: room to leave.
    pub fn record_octets(&self) -> usize {
        let names = self.name.as_wire().len() + self.algorithm.wire_name().as_wire().len();
        // Fixed fields of a record (10), of the rdata (16), and the time of a BADTIME answer (6).
        names + 10 + 16 + 6 + self.algorithm.mac_octets()
    }

    fn context(&self) -> Context {
        Context::new(self.algorithm, &self.secret)
    }
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TsigKey({} {})", self.name, self.algorithm)
    }
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
