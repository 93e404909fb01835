//! What is asked of a host, and what it answers.

use crate::judge::Unwanted;
use audit::{Expectations, Report};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A zone to be judged as a whole.
pub struct Whole<'t> {
    /// What is expected of it.
    pub expectations: &'t Expectations,
    /// Gives the blocks of wire records of the signed candidate, one after the other.
    pub candidate: &'t mut dyn Iterator<Item = Vec<u8>>,
    /// The same of the unsigned source; `None`: data are not compared.
    pub source: Option<&'t mut dyn Iterator<Item = Vec<u8>>>,
    /// Whether the auditor is to keep a copy, so that the next version can be judged by how it
    /// differs.
    pub keeps_copy: bool,
}

/// How a version differs from one that was approved.
#[derive(Clone, Copy)]
pub struct Changes<'t> {
    /// What is expected of it.
    pub expectations: &'t Expectations,
    /// The copy of the version before.
    pub follows: &'t Copy,
    /// The difference.
    pub difference: audit::Difference<'t>,
}

/// What is to be judged.
pub enum Ticket<'t> {
    /// All of it.
    Whole(Whole<'t>),
    /// The difference.
    Changes(Changes<'t>),
}

/// A verdict, on exactly the records that were sent.
#[derive(Debug)]
pub struct Verdict {
    /// What was found.
    pub report: Report,
    /// SHA-256 of the records judged: of the whole zone's in the order in which they were sent, or
    /// of the difference with the digest of the version before.
    pub digest: [u8; 32],
    /// The auditor's copy of what it approved, if it was to keep one.
    pub copy: Option<Copy>,
}

/// The auditor's copy of a version that it approved, in the process that has it. When the last of
/// its clones is dropped, the process forgets it too.
#[derive(Clone)]
pub struct Copy(pub(crate) Arc<CopyPlace>);

impl std::fmt::Debug for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Copy({} of host {})", self.0.number, self.0.host)
    }
}

/// Where a copy is.
pub(crate) struct CopyPlace {
    /// Which auditor of all that there were.
    pub(crate) host: u64,
    pub(crate) number: u64,
    pub(crate) digest: [u8; 32],
    /// Takes the number when nobody wants the copy any more.
    pub(crate) unwanted: Unwanted,
}

impl Drop for CopyPlace {
    fn drop(&mut self) {
        self.unwanted.tell(self.number);
    }
}

/// The first frame of a ticket; records follow.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Judge the whole zone.
    Whole { expectations: Expectations, has_source: bool, keeps_copy: bool },
    /// Judge a difference to the copy with this number.
    Changes { expectations: Expectations, follows: u64 },
}

/// What came of a ticket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It was judged. A copy has the ticket's number.
    Judged { report: Box<Report>, digest: [u8; 32], has_copy: bool },
    /// The difference cannot be judged by itself; a full audit can tell.
    NotIncremental(String),
    /// The auditor cannot judge this at all.
    Impossible(String),
}
