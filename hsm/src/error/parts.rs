//! What errors are made of: places, causes, tries, and what is allowed next.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Where something happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Repository name of `conf.xml`.
    pub repository: String,
    /// Token label.
    pub token: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "repository {}, token \"{}\"", self.repository, self.token)
    }
}

/// The words of the layer below (operating system, PKCS#11 module, cryptographic library).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause(String);

impl Cause {
    /// Takes over the words of an error.
    pub fn of(error: impl fmt::Display) -> Cause {
        Cause(error.to_string())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

/// What a token says about further PIN tries after a wrong one (PKCS#11 v3.1 §3.2, token flags).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PinTries {
    /// The token does not tell, or it does not count.
    Unknown,
    /// At least one wrong PIN was counted since the last right one; more than one try is left.
    Low,
    /// One try is left.
    One,
    /// No try is left: the PIN is locked now.
    None,
}

impl fmt::Display for PinTries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PinTries::Unknown => "the token does not tell how many tries are left",
            PinTries::Low => "few tries are left",
            PinTries::One => "one try is left",
            PinTries::None => "no try is left, the PIN is locked",
        })
    }
}

/// What the caller may do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The same request may be sent again after this time; back off when it fails again.
    Retry {
        /// Pause before the next try.
        after: Duration,
    },
    /// The slot (its process, for PKCS#11) has to be started anew; then the request may be
    /// repeated.
    Restart,
    /// The request cannot be fulfilled as it is; the slot itself is well.
    Refuse,
    /// Stop using the token until an operator has looked at it.
    Alarm,
}

/// Names for a message.
pub(super) struct Labels<'a>(pub(super) &'a [String]);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (position, label) in self.0.iter().enumerate() {
            write!(f, "{}\"{label}\"", if position == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Slots that could not be read, for a message.
pub(super) struct Unreadable(pub(super) usize);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} more slots could not be read)"),
        }
    }
}
