//! Everything the watcher of the auditor can be told.

use super::TestReports;
use crate::runtime::{Message, Reply};
use crate::store::StoreError;
use dnssec::Name;
use storage::state::User;

/// Everything the watcher of the auditor can be told.
pub enum AuditorMessage {
    /// Command. Tests the auditor with every change that a zone's version can have.
    Test {
        /// The zone.
        zone: Name,
        /// What came of it; or why there was no test.
        reply: Reply<TestReports>,
    },
    /// Command. The auditor is trusted again after a test that it did not pass.
    Trust {
        /// Who says so.
        by: Option<User>,
        /// Why.
        reason: String,
        /// `false`: it was trusted.
        reply: Reply<Result<bool, StoreError>>,
    },
}

impl Message for AuditorMessage {
    type Result = ();
}
