//! Telling the parent that CDS changed: what there is to tell, and where NOTIFY(CDS) goes
//! (RFC 9859 §2 DSYNC, §4.1 discovery, §4.2 sending).
//! In: a published version; a resolver's answers to the questions that [`Discovery`] asks.
//! Out: what the version announces, the next question, the target, the pause after a failure.
//! Never: sockets; trust in the target: NOTIFY only hastens what the parent checks anyway.
//! Limits: [`LOOKUPS_MAX`] questions for one discovery, [`NOTIFY_ATTEMPTS_MAX`] attempts for one
//! change, [`RESOLVERS_MAX`] resolvers.

use super::answer::{Response, is_above};
use crate::zone::ZoneVersion;
use crate::{Name, RrType, Seconds};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;

/// Most resolvers of `<Notify>`.
pub const RESOLVERS_MAX: usize = 8;
/// How often one change is told, before it is left to the parent's own looking.
pub const NOTIFY_ATTEMPTS_MAX: u32 = 12;
/// Most questions for one target; RFC 9859 needs three, or two more where the parent's zones are
/// told apart only by their answers.
const LOOKUPS_MAX: usize = 8;
/// Pause after the first failure; each further one doubles it (RFC 1996 §3.6).
const PAUSE_FIRST: Seconds = Seconds(60);
/// Longest pause.
const PAUSE_MAX: Seconds = Seconds(6 * 3600);
/// The label that RFC 9859 §3 reserves.
const LABEL: &[u8] = b"_dsync";
/// DSYNC's scheme NOTIFY (RFC 9859 §2.2).
const SCHEME_NOTIFY: u8 = 1;
const NO_ERROR: u16 = 0;
const NAME_ERROR: u16 = 3;

/// `<Notify>`: changes of CDS are told to the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyPolicy {
    /// Resolvers that are asked where to; each once.
    pub resolvers: Vec<SocketAddr>,
    /// How long after a publication, so that all of the zone's servers show it (RFC 9859 §4.2);
    /// `None`: the zone's propagation delay.
    pub delay: Option<Seconds>,
}

/// Where NOTIFY(CDS) goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyTarget {
    /// The host.
    pub host: Name,
    /// Its UDP port.
    pub port: u16,
}

/// What a version announces to the parent: a digest of its CDS and CDNSKEY, or nothing when it
/// has none. Equal digests need not be told twice.
pub fn announced(version: &ZoneVersion) -> Option<[u8; 32]> {
    let apex = version.apex_owner()?;
    let mut digest = Sha256::new();
    let mut count = 0;
    for rtype in [RrType::CDS, RrType::CDNSKEY] {
        let Some(rrset) = apex.rrset(rtype) else { continue };
        let mut rdatas: Vec<&[u8]> = rrset.rdatas().collect();
        rdatas.sort_unstable();
        for rdata in rdatas {
            count += 1;
            digest.update(rtype.0.to_be_bytes());
            digest.update((rdata.len() as u64).to_be_bytes());
            digest.update(rdata);
        }
    }
    (count > 0).then(|| digest.finalize().into())
}

/// The pause after so many failed attempts; `None`: enough.
pub fn pause_after(attempts: u32) -> Option<Seconds> {
    let doubled = PAUSE_FIRST.0 << attempts.saturating_sub(1).min(16);
    (attempts < NOTIFY_ATTEMPTS_MAX).then(|| Seconds(doubled).min(PAUSE_MAX))
}

/// The search for the target of one child (RFC 9859 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    child: Name,
    /// Labels behind `_dsync`.
    behind: usize,
    /// Whether the child's own labels stand before it.
    is_specific: bool,
    asked: usize,
    question: Name,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Another question.
    Again(Box<Discovery>),
    /// The target.
    Found(Box<NotifyTarget>),
    /// The parent wants no NOTIFY(CDS).
    Nothing,
}

/// A resolver that did not answer the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("answers with RCODE {0}")]
pub struct DiscoveryError(pub u16);

impl Discovery {
    /// The type that is asked for.
    pub const RTYPE: RrType = RrType(66);

    /// The first question: the label after the first of the child's. `None` for the root, which
    /// has no parent.
    pub fn new(child: &Name) -> Option<Discovery> {
        let behind = child.label_count().checked_sub(1)?;
        Discovery {
            child: child.clone(),
            behind,
            is_specific: true,
            asked: 0,
            question: child.clone(),
        }
        .asking()
    }

    /// The name to ask for.
    pub fn question(&self) -> &Name {
        &self.question
    }

    /// Goes on by what a resolver answered.
    pub fn answered(mut self, response: &Response) -> Result<Lookup, DiscoveryError> {
        if ![NO_ERROR, NAME_ERROR].contains(&response.rcode) {
            return Err(DiscoveryError(response.rcode));
        }
        let records = || {
            let answers = response.answers.iter();
            answers.filter(|record| record.rtype == Discovery::RTYPE)
        };
        if records().next().is_some() {
            // There is at most one for NOTIFY(CDS); of more, the same one is taken each time.
            let mut targets: Vec<NotifyTarget> =
                records().filter_map(|record| read_target(&record.rdata)).collect();
            targets.sort_by(|one, other| {
                (one.host.as_wire(), one.port).cmp(&(other.host.as_wire(), other.port))
            });
            let first = targets.into_iter().next();
            return Ok(first.map_or(Lookup::Nothing, |target| Lookup::Found(Box::new(target))));
        }
        self.asked += 1;
        let soa = response.authorities.iter().find(|record| record.rtype == RrType::SOA);
        let parent = soa.map(|soa| &soa.owner).filter(|owner| is_above(owner, &self.child));
        match parent.map(Name::label_count) {
            Some(labels) if labels < self.behind => {
                (self.behind, self.is_specific) = (labels, true);
            }
            _ if self.is_specific => self.is_specific = false,
            _ => return Ok(Lookup::Nothing),
        }
        Ok(self.asking().map_or(Lookup::Nothing, |next| Lookup::Again(Box::new(next))))
    }

    /// With the name to ask for, unless that would be too long, or the question one too many.
    fn asking(mut self) -> Option<Discovery> {
        if self.asked >= LOOKUPS_MAX {
            return None;
        }
        let labels: Vec<&[u8]> = self.child.labels().collect();
        let (before, behind) = labels.split_at(labels.len().checked_sub(self.behind)?);
        let before = if self.is_specific { before } else { &[] };
        let mut wire = Vec::new();
        for label in before.iter().chain([&LABEL]).chain(behind) {
            // Labels of a name have at most 63 octets.
            wire.push(label.len() as u8);
            wire.extend(*label);
        }
        wire.push(0);
        match Name::from_wire(&wire) {
            Ok((name, _)) => self.question = name,
            // No such name, so no such record; the shorter one may be there.
            Err(_) if self.is_specific => {
                self.is_specific = false;
                return self.asking();
            }
            Err(_) => return None,
        }
        Some(self)
    }
}

/// The target in a DSYNC record, where it is one for NOTIFY(CDS).
fn read_target(rdata: &[u8]) -> Option<NotifyTarget> {
    let [high, low, scheme, port_high, port_low, host @ ..] = rdata else { return None };
    let rtype = RrType(u16::from_be_bytes([*high, *low]));
    let port = u16::from_be_bytes([*port_high, *port_low]);
    let (host, length) = Name::from_wire(host).ok()?;
    let is_ours = rtype == RrType::CDS && *scheme == SCHEME_NOTIFY && port != 0;
    let is_whole = rdata.len() == 5 + length && !host.is_root();
    (is_ours && is_whole).then(|| NotifyTarget { host: host.to_lowercase(), port })
}

#[cfg(test)]
mod tests;
