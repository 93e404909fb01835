//! Rounds of answers: what follows for each key whose DS is looked for.
//! In: what each server answered, or that it did not. Out: [`Sightings`], and what to tell people.
//! A server that does not answer takes nothing back: what all showed before is still the last
//! that was heard, but nothing moves until all answer again.

use super::answer::{ShownDs, Unusable};
use super::{Bogus, Sightings, TTL_SEEN_MAX, WatchedKey};
use crate::enforcer::{DsShown, DsSighting};
use crate::key::{DigestType, KeyId, ds_rdata};
use crate::{Name, Seconds, Timestamp};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What one server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The DS RRset, or that there is none.
    Shown(ShownDs),
    /// Something that says neither.
    Unusable(Unusable),
    /// Something that may be anybody's: it does not verify to a trust anchor.
    Bogus(Bogus),
    /// Nothing, with the reason.
    Silent(String),
}

/// What is remembered from round to round of one zone. Begun anew, it only makes waits longer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rounds {
    keys: BTreeMap<KeyId, Memory>,
    /// Largest TTL seen, of any DS RRset.
    ttl: Seconds,
}

/// What is remembered of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Memory {
    comes: bool,
    shown: DsShown,
    since: Timestamp,
    /// On what all agreed last, and since when, without a contrary answer after it.
    agreed: Option<(DsShown, Timestamp)>,
}

/// What an RRset says of one key's DS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    There,
    NotThere,
    /// A record that may be its, with a digest that we cannot make.
    Unclear,
}

impl Rounds {
    /// Takes in a round that ended at `now`.
    pub fn take(
        &mut self,
        zone: &Name,
        keys: &[WatchedKey],
        answers: &[Heard],
        now: Timestamp,
    ) -> Sightings {
        let shown = |heard: &Heard| match heard {
            Heard::Shown(shown) => Some(shown.clone()),
            Heard::Unusable(_) | Heard::Bogus(_) | Heard::Silent(_) => None,
        };
        let sets: Vec<Option<ShownDs>> = answers.iter().map(shown).collect();
        for set in sets.iter().flatten() {
            self.ttl = self.ttl.max(Seconds(u64::from(set.ttl.0)).min(TTL_SEEN_MAX));
        }
        self.keys
            .retain(|id, memory| keys.iter().any(|key| key.id == *id && key.comes == memory.comes));
        let mut of_keys = Vec::new();
        for key in keys {
            let signs: Vec<Option<Sign>> =
                sets.iter().map(|set| set.as_ref().map(|set| sign(zone, key, set))).collect();
            let memory = Memory::after(self.keys.remove(&key.id), key.comes, &signs, now);
            let Memory { shown, since, .. } = memory;
            of_keys.push(DsSighting { id: key.id.clone(), shown, since, ttl: self.ttl });
            self.keys.insert(key.id.clone(), memory);
        }
        let mut shown: Vec<Vec<Vec<u8>>> =
            sets.into_iter().flatten().map(ShownDs::sorted).collect();
        shown.sort_unstable();
        shown.dedup();
        Sightings { at: now, of_keys, sets: shown }
    }
}

impl Memory {
    fn after(
        before: Option<Memory>,
        comes: bool,
        signs: &[Option<Sign>],
        now: Timestamp,
    ) -> Memory {
        let last = before.as_ref().and_then(|memory| memory.agreed);
        let heard: Vec<Sign> = signs.iter().copied().flatten().collect();
        let has_all = !signs.is_empty() && heard.len() == signs.len();
        let all_say = |sign: Sign| heard.iter().all(|heard| *heard == sign);
        let is_not_contrary = |(shown, _): &(DsShown, Timestamp)| match shown {
            DsShown::Everywhere => all_say(Sign::There),
            DsShown::Nowhere => all_say(Sign::NotThere),
            DsShown::Somewhere => false,
        };
        let last = last.filter(is_not_contrary);
        let shown = match has_all {
            true if all_say(Sign::There) => DsShown::Everywhere,
            true if all_say(Sign::NotThere) => DsShown::Nowhere,
            _ => DsShown::Somewhere,
        };
        let since = before.filter(|memory| memory.shown == shown).map_or(now, |one| one.since);
        match shown {
            DsShown::Somewhere => Memory { comes, shown, since, agreed: last },
            all => {
                let since = last.map_or(now, |(_, since)| since);
                Memory { comes, shown, since, agreed: Some((all, since)) }
            }
        }
    }
}

/// What an RRset says of a key's DS (RFC 4034 §5.1).
fn sign(zone: &Name, key: &WatchedKey, shown: &ShownDs) -> Sign {
    let mut sign = Sign::NotThere;
    for record in &shown.records {
        let digest_type = match record.get(3) {
            Some(1) => DigestType::Sha1,
            Some(2) => DigestType::Sha256,
            Some(4) => DigestType::Sha384,
            Some(_) => {
                let ours = ds_rdata(zone, &key.dnskey, DigestType::Sha256);
                if record[..3] == ours[..3] {
                    sign = Sign::Unclear;
                }
                continue;
            }
            // Too short for a DS, so it is nobody's.
            None => continue,
        };
        if *record == ds_rdata(zone, &key.dnskey, digest_type) {
            return Sign::There;
        }
    }
    sign
}

/// Why the parent's servers do not let a zone's keys go on, in words; `None` when they agree.
pub fn disagreement(
    zone: &Name,
    keys: &[WatchedKey],
    asked: &[(SocketAddr, Heard)],
) -> Option<String> {
    let mut words = Vec::new();
    for (address, heard) in asked {
        match heard {
            Heard::Unusable(why) => words.push(format!("{address}: {why}")),
            Heard::Bogus(why) => words.push(format!("{address}: not validated: {why}")),
            Heard::Silent(why) => words.push(format!("{address}: {why}")),
            Heard::Shown(_) => {}
        }
    }
    for key in keys {
        let of = |wanted: Sign| -> Vec<String> {
            let has = |(address, heard): &(SocketAddr, Heard)| match heard {
                Heard::Shown(shown) if sign(zone, key, shown) == wanted => {
                    Some(address.to_string())
                }
                _ => None,
            };
            asked.iter().filter_map(has).collect()
        };
        let (there, not_there, unclear) = (of(Sign::There), of(Sign::NotThere), of(Sign::Unclear));
        let tag = crate::key::key_tag(&key.dnskey);
        if !unclear.is_empty() {
            let who = unclear.join(", ");
            words.push(format!("a DS of key tag {tag} with an unknown digest is on {who}"));
        }
        if !there.is_empty() && !not_there.is_empty() {
            let (yes, no) = (there.join(", "), not_there.join(", "));
            words.push(format!("the DS of key tag {tag} is on {yes}, but not on {no}"));
        }
    }
    (!words.is_empty()).then(|| words.join("; "))
}
