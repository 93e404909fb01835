//! How the updates of a zone were answered (RFC 2136 §3), since the daemon's start.
//! In: each answer. Out: numbers by RCODE, and the last of those that were done and of those that
//! were not, for screens and metrics. Never: what was in an update.
//! Limit: as many numbers as there are RCODEs that we answer with.

use dnssec::transfer::Rcode;
use dnssec::{Name, Timestamp};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// An update that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredUpdate {
    /// When.
    pub at: Timestamp,
    /// Who sent it.
    pub from: IpAddr,
    /// The key that it named, whether or not the signature was right.
    pub key: Option<Name>,
    /// What it was answered with.
    pub rcode: Rcode,
}

/// How the updates of a zone were answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateTally {
    answers: BTreeMap<u16, u64>,
    /// The last one that was done.
    pub last_done: Option<AnsweredUpdate>,
    /// The last one that was not.
    pub last_refused: Option<AnsweredUpdate>,
}

impl UpdateTally {
    /// Notes an answer.
    pub fn note(&mut self, update: AnsweredUpdate) {
        *self.answers.entry(update.rcode.0).or_default() += 1;
        let last = match update.rcode {
            Rcode::NOERROR => &mut self.last_done,
            _ => &mut self.last_refused,
        };
        *last = Some(update);
    }

    /// How many were done.
    pub fn done(&self) -> u64 {
        self.answers.get(&Rcode::NOERROR.0).copied().unwrap_or(0)
    }

    /// How many were not, by what they were answered with.
    pub fn refused(&self) -> impl Iterator<Item = (Rcode, u64)> + '_ {
        let all = self.answers.iter().map(|(rcode, count)| (Rcode(*rcode), *count));
        all.filter(|(rcode, _)| *rcode != Rcode::NOERROR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn what_was_done_and_what_was_not() {
        let mut tally = UpdateTally::default();
        let update = |second, rcode| AnsweredUpdate {
            at: Timestamp(second),
            from: Ipv4Addr::LOCALHOST.into(),
            key: None,
            rcode,
        };
        let rcodes = [Rcode::NOERROR, Rcode::REFUSED, Rcode::NXRRSET, Rcode::REFUSED];
        for (second, rcode) in (1..).zip(rcodes) {
            tally.note(update(second, rcode));
        }
        assert_eq!(tally.done(), 1);
        let refused: Vec<_> = tally.refused().collect();
        assert_eq!(refused, [(Rcode::REFUSED, 2), (Rcode::NXRRSET, 1)]);
        assert_eq!(tally.last_done, Some(update(1, Rcode::NOERROR)));
        assert_eq!(tally.last_refused, Some(update(4, Rcode::REFUSED)));
    }
}
