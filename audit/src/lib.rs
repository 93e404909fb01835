//! Independent auditor of signed zones. RFC 4034, 4035, 5155, 6840, 9077; catalogue of findings in
//! [`FindingId`].
//!
//! In: the signed candidate and its unsigned source as blocks of wire records, and what the policy
//! expects. Out: a [`Report`] with findings and a verdict. It is a stranger to the signer: own
//! reader, own canonical order, own NSEC3 hash, own base32hex, and `ring` for cryptography.
//!
//! Work is split so that the caller may use its own threads: [`Prepared::new`] reads, orders and
//! classifies; [`Prepared::verify_range`] audits a range of owner names and may run on several
//! threads at once; [`Prepared::finish`] accepts the partial reports only when they cover every
//! owner name. [`audit`] does all three in sequence.
//!
//! Never: I/O, clock, threads, allocation per record. Memory: 12 bytes a record of either zone, 8
//! an owner name, 24 an NSEC3, 8 an empty non-terminal, beside the sort's scratch space.
//!
//! A zone that was approved once may be kept as [`Approved`]; [`Approved::judge`] then judges the
//! difference to the next version at a cost by the size of the difference.
//!
//! What the zone is judged against beside its source: the DS RRsets of the parent, the versions
//! that caches may still have ([`PublishedVersion`]), the policy's horizon.
#![forbid(unsafe_code)]

mod apex;
mod bitmap;
mod chain;
mod compare;
mod continuity;
mod denial;
mod expectations;
mod facts;
mod finding;
mod history;
mod horizon;
mod incremental;
mod index;
mod key_rules;
mod keys;
mod nsec3;
mod observed;
mod parent_sync;
mod prepared;
pub mod presentation;
mod rdata;
mod report;
mod signatures;
mod signer_sets;
mod signers;
mod waiver;
mod wire;
mod work;
mod zonemd;

pub use expectations::{
    Denial, DsSet, DsSource, Expectations, Horizon, KeyRule, Limits, ParentSync, Sampling,
    SignatureLifetimes, Signer, Signing, Zonemd,
};
pub use finding::{Finding, FindingId, RecordType, Severity, UnknownFinding};
pub use history::{PublishedKeys, PublishedVersion, SignedBy, remember};
pub use incremental::{
    Approval, Approved, ApprovedError, Difference, Judgement, NotIncremental, Side,
};
pub use observed::{Observed, name_text, observe};
pub use prepared::{AuditError, Prepared, Zones};
pub use report::{Counts, PartialReport, Report, Verdict};
pub use signer_sets::KeyId;
pub use waiver::NoFinding;

/// Audits a signed zone in one call, on the calling thread.
///
/// # Errors
/// Only for faults of the caller (see [`AuditError`]); whatever is wrong with the zone, however
/// broken its bytes, is a finding in the report.
pub fn audit(zones: Zones<'_>, expectations: &Expectations) -> Result<Report, AuditError> {
    let prepared = Prepared::new(zones, expectations)?;
    let whole = prepared.verify_range(0..prepared.owner_count());
    prepared.finish(vec![whole])
}
