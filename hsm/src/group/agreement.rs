//! What a group of tokens may conclude from what its members show: which public key is the
//! group's, who differs, who has to leave. Pure.
//! In: one view of each member; the recorded public key, where there is one. Out: a verdict.
//! A recorded key is never outvoted: it is the one that is published. Without a record a quorum
//! of members has to show the same key, and no second key may have a quorum, too.
//! Never: slots, clocks, locks.

use crate::error::{Disposition, SlotError};
use dnssec::KeyTag;
use dnssec::key::{PublicKey, dnskey_rdata, key_tag};
use std::fmt;
use std::time::Duration;

/// First pause of a member whose slot has to be started anew.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause of a member that is away.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What one member shows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// This public half, and it has signed a challenge with the private one.
    Shows(PublicKey),
    /// It says that it has no such key, or none that can be used.
    Lacks,
    /// It is away or shut out: nobody knows.
    Silent,
}

/// What follows from the views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This is the group's key; the members at these positions show another one.
    Agreed { key: PublicKey, differing: Vec<usize> },
    /// A quorum says that there is no such key, and nobody shows one.
    Nowhere,
    /// Too few members show the same key, or several keys have a quorum.
    Refused,
}

/// Judges the views of one key.
pub(super) fn judge(views: &[View], recorded: Option<&PublicKey>, quorum: usize) -> Verdict {
    let shown = || {
        views.iter().enumerate().filter_map(|(position, view)| match view {
            View::Shows(key) => Some((position, key)),
            View::Lacks | View::Silent => None,
        })
    };
    let agreed = |key: &PublicKey| {
        let differing = shown().filter(|(_, other)| *other != key).map(|(at, _)| at).collect();
        Verdict::Agreed { key: key.clone(), differing }
    };
    if let Some(recorded) = recorded {
        return agreed(recorded);
    }
    let votes = |key: &PublicKey| shown().filter(|(_, other)| *other == key).count();
    let mut chosen: Vec<&PublicKey> = Vec::new();
    for (_, key) in shown() {
        if votes(key) >= quorum && !chosen.contains(&key) {
            chosen.push(key);
        }
    }
    let lacking = views.iter().filter(|view| **view == View::Lacks).count();
    match chosen.as_slice() {
        [key] => agreed(key),
        [] if shown().next().is_none() && lacking >= quorum => Verdict::Nowhere,
        _ => Verdict::Refused,
    }
}

/// What a member's error means for its place in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It leaves the rotation and is tried again after this time.
    Leaves { pause: Duration },
    /// It is shut out: it may have the wrong keys, or make wrong signatures.
    ShutOut,
    /// It cannot serve this key for now; the others are not touched.
    LosesKey,
    /// The request is at fault, not the member.
    Stays,
}

/// Judges an error.
pub(super) fn reaction(error: &SlotError) -> Reaction {
    match error {
        SlotError::NotFound { .. }
        | SlotError::AlgorithmMismatch { .. }
        | SlotError::KeyAmbiguous { .. }
        | SlotError::PublicKeyUnavailable { .. }
        | SlotError::RecordDamaged { .. } => Reaction::LosesKey,
        SlotError::GenerateSurprise { .. } => Reaction::Stays,
        other => match other.disposition() {
            Disposition::Retry { after } => Reaction::Leaves { pause: after },
            Disposition::Restart => Reaction::Leaves { pause: RESTART_PAUSE },
            Disposition::Refuse => Reaction::Stays,
            Disposition::Alarm => Reaction::ShutOut,
        },
    }
}

/// The pause after another failure: the error's own, or twice the one before.
pub(super) fn next_pause(own: Duration, before: Option<Duration>) -> Duration {
    before.map_or(own, |before| own.max(before * 2)).min(PAUSE_MAX)
}

/// The member with the least work among those that may sign: (batches under way, batches served)
/// of each; `None` for those that may not.
pub(super) fn least_busy(loads: impl Iterator<Item = Option<(usize, u64)>>) -> Option<usize> {
    let able = loads.enumerate().filter_map(|(position, load)| Some((load?, position)));
    able.min().map(|(_, position)| position)
}

/// The key tag of a public key as that of a ZSK; the token does not know the flags, and as a KSK
/// the tag is another one.
pub(super) fn zsk_tag(key: &PublicKey) -> KeyTag {
    key_tag(&dnskey_rdata(256, key))
}

/// What each member says, for a message.
pub(super) struct Said(pub(super) Vec<(String, String)>);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (member, words)) in self.0.iter().enumerate() {
            write!(f, "{}{member}: {words}", if position == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// Why a group does not do what one token would.
#[derive(thiserror::Error)]
pub(super) enum GroupFault {
    /// A key that may not be published.
    #[error(
        "{agreeing} of {members} members of the group agree on the key and {quorum} have to; {said}"
    )]
    TooFew { agreeing: usize, members: usize, quorum: usize, said: Said },
    /// Nobody serves.
    #[error("no member of the group can do it; {said}")]
    Nobody { said: Said },
    /// No software verifies signatures of this key.
    #[error("its signatures cannot be verified, so members cannot be compared")]
    Unverifiable,
    /// The token that made the key shows another one.
    #[error("{member} shows another key than it has made")]
    OtherThanMade { member: String },
}

impl fmt::Debug for GroupFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupFault({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Cause, Place};
    use dnssec::Algorithm;
    use proptest::prelude::*;

    fn key(number: u8) -> PublicKey {
        PublicKey { algorithm: Algorithm::Ed25519, bytes: vec![number; 32] }
    }

    /// A digit shows the key of that number, `-` lacks it, `?` is silent.
    fn views(text: &str) -> Vec<View> {
        let view = |letter: char| match letter {
            '-' => View::Lacks,
            '?' => View::Silent,
            digit => View::Shows(key(digit as u8)),
        };
        text.chars().map(view).collect()
    }

    #[track_caller]
    fn check(
        text: &str,
        recorded: Option<char>,
        quorum: usize,
        expected: Option<(char, &[usize])>,
    ) {
        let recorded = recorded.map(|digit| key(digit as u8));
        let verdict = judge(&views(text), recorded.as_ref(), quorum);
        let expected = expected.map(|(digit, differing)| Verdict::Agreed {
            key: key(digit as u8),
            differing: differing.to_vec(),
        });
        assert_eq!(verdict, expected.unwrap_or(Verdict::Refused));
    }

    #[test]
    fn a_quorum_or_a_record_makes_the_key_of_the_group() {
        check("11", None, 2, Some(('1', &[])));
        check("12", None, 2, None);
        check("1-", None, 2, None);
        check("1?", None, 2, None);
        check("112", None, 2, Some(('1', &[2])));
        check("1122", None, 2, None);
        check("2?", Some('1'), 2, Some(('1', &[0])));
        check("221", Some('1'), 2, Some(('1', &[0, 1])));
        check("-?", None, 2, None);
        assert_eq!(judge(&views("--"), None, 2), Verdict::Nowhere);
        assert_eq!(judge(&views("--?"), None, 2), Verdict::Nowhere);
    }

    #[test]
    fn errors_move_members() {
        let place = || Place { repository: "r".to_owned(), token: "t".to_owned() };
        let cause = || Cause::of("x");
        let gone = SlotError::TokenGone { place: place(), cause: cause() };
        assert!(matches!(reaction(&gone), Reaction::Leaves { .. }));
        let host = SlotError::HostEnded { place: place(), operation: "x", cause: cause() };
        assert_eq!(reaction(&host), Reaction::Leaves { pause: RESTART_PAUSE });
        assert_eq!(reaction(&SlotError::PinLocked { place: place() }), Reaction::ShutOut);
        let id = dnssec::key::KeyId::new(&[1]).unwrap();
        let missing = SlotError::NotFound { place: place(), key: id.clone() };
        assert_eq!(reaction(&missing), Reaction::LosesKey);
        let long = SlotError::MessageTooLong { place: place(), key: id, length: 1 };
        assert_eq!(reaction(&long), Reaction::Stays);
        let second = Duration::from_secs(1);
        assert_eq!(next_pause(second, None), second);
        assert_eq!(next_pause(second, Some(2 * second)), 4 * second);
        assert_eq!(next_pause(second, Some(PAUSE_MAX)), PAUSE_MAX);
    }

    #[test]
    fn work_goes_to_the_least_busy() {
        let loads = [Some((2, 0)), None, Some((1, 9)), Some((1, 8))];
        assert_eq!(least_busy(loads.into_iter()), Some(3));
        assert_eq!(least_busy([None, None].into_iter()), None);
    }

    proptest! {
        #[test]
        fn no_key_is_agreed_without_quorum_or_record(text in "[12?-]{2,6}", quorum in 2_usize..6) {
            if let Verdict::Agreed { key, differing } = judge(&views(&text), None, quorum) {
                let views = views(&text);
                let alike = views.iter().filter(|view| **view == View::Shows(key.clone())).count();
                let shown = views.iter().filter(|view| matches!(view, View::Shows(_))).count();
                prop_assert!(alike >= quorum && shown == alike + differing.len());
                prop_assert!(differing.len() < quorum);
            }
        }
    }
}
