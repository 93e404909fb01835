//! A PIN in memory that is never swapped out, and wiped when it is dropped.
//! Never: copied, printed, written anywhere. Limit: the memory that the user may lock
//! (RLIMIT_MEMLOCK); one page is enough.

use crate::system;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use cryptoki::types::AuthPin;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::io;

/// A PIN.
pub(crate) struct Pin(SecretString);

impl Pin {
    /// Takes a PIN over and locks its memory; the error says why that was not possible.
    pub(crate) fn lock(secret: SecretString) -> (Pin, io::Result<()>) {
        let locked = system::lock_memory(secret.expose_secret().as_bytes());
        (Pin(secret), locked)
    }

    /// The form that cryptoki takes.
    pub(crate) fn secret(&self) -> &AuthPin {
        &self.0
    }

    /// The PIN itself.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether two PINs are the same; takes equally long for each PIN of a length.
    pub(crate) fn is_same(&self, other: &Pin) -> bool {
        let [one, two] = [self, other].map(|pin| pin.expose().as_bytes());
        verify_slices_are_equal(one, two).is_ok()
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}
