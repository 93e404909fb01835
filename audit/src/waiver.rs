//! Which findings an operator may waive, and what the verdict is when some are.
//!
//! A waiver is for a finding that is wrong by the rules and known to be harmless, or the smaller
//! evil. What would make the zone bogus for every validator, or break its secondaries, is never
//! published, whoever asks: these findings cannot be waived. A finding that the list below does
//! not name cannot be waived either.

use crate::Severity;
use crate::finding::FindingId;
use crate::report::{Report, Verdict};
use std::str::FromStr;

/// The findings that can be waived.
const WAIVABLE: &[FindingId] = &[
    // Keys that are not the policy's, yet sign.
    FindingId::KeySize,
    // What the source and the candidate do not share, and no validator sees.
    FindingId::DataMissing,
    FindingId::DataAdded,
    FindingId::DataCaseChanged,
    FindingId::DataTtl,
    FindingId::SoaPolicy,
    FindingId::SoaChanged,
    // Signatures that are good, but not for as long as they should be.
    FindingId::SignatureTooOld,
    FindingId::SignatureWithoutRrset,
    // Some caches, for some time: the price of an emergency.
    FindingId::CachedKeys,
    FindingId::CachedSignatures,
    FindingId::CachedDs,
    FindingId::CachesTooComplex,
    // A change of hands that was meant.
    FindingId::KeysReplaced,
    FindingId::KeyFlagsChanged,
    FindingId::RevocationUndone,
    // Nobody has looked for a DS, and an operator has.
    FindingId::WentUnsigned,
    // One secondary says so, and may lie.
    FindingId::SerialServed,
    // Digests that only secondaries look at.
    FindingId::ZonemdDigest,
    FindingId::ZonemdSerial,
    FindingId::ZonemdRepeated,
    FindingId::ZonemdPresence,
];

impl FindingId {
    /// Whether an operator may waive it. Warnings stop nothing, and need no waiver.
    #[must_use]
    pub fn can_be_waived(self) -> bool {
        WAIVABLE.contains(&self)
    }
}

/// A text that names no finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no finding; findings have a letter and a number, as A603")]
pub struct NoFinding(pub String);

impl FromStr for FindingId {
    type Err = NoFinding;

    fn from_str(text: &str) -> Result<Self, NoFinding> {
        let number = text.strip_prefix(['A', 'a']).and_then(|number| number.parse::<u16>().ok());
        let found = number.and_then(|number| FindingId::try_from(number).ok());
        found.ok_or_else(|| NoFinding(text.to_owned()))
    }
}

impl Report {
    /// The verdict when these findings are waived; those that cannot be are not. An audit that
    /// stopped early has not seen everything, and never approves.
    #[must_use]
    pub fn verdict_with(&self, waived: &[FindingId]) -> Verdict {
        if waived.is_empty() || self.stopped_early {
            return self.verdict();
        }
        let is_waived = |id: FindingId| waived.contains(&id) && id.can_be_waived();
        let counted = self.findings.iter().filter(|finding| !is_waived(finding.id));
        match counted.map(|finding| finding.severity).max() {
            Some(Severity::Refuse) => Verdict::Reject,
            Some(Severity::Hold) => Verdict::Hold,
            Some(Severity::Warn) | None => Verdict::Approve,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bogus_for_every_validator_cannot_be_waived() {
        for id in FindingId::ALL.iter().filter(|id| id.can_be_waived()) {
            let name = id.to_string();
            assert!(id.severity() > Severity::Warn, "{name} stops nothing");
            // Structure, denial, the chain to the parent and serials.
            assert!(!matches!(id.code(), 100..200 | 400..600 | 607 | 608 | 610..710), "{name}");
        }
        for id in [
            FindingId::SignatureWrong,
            FindingId::SignatureMissing,
            FindingId::SignatureExpired,
            FindingId::ChainBroken,
            FindingId::NsecMissing,
            FindingId::SerialNotRisen,
        ] {
            assert!(!id.can_be_waived(), "{id}");
        }
    }

    #[test]
    fn findings_are_read_by_their_number() {
        assert_eq!("A603".parse(), Ok(FindingId::DataCaseChanged));
        assert_eq!("a603".parse(), Ok(FindingId::DataCaseChanged));
        for text in ["603", "A", "A999", "B106", "A603 "] {
            assert_eq!(text.parse::<FindingId>(), Err(NoFinding(text.to_owned())));
        }
    }
}
