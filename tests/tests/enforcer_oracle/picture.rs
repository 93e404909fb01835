//! What an enforcer shows of its zones and keys at a moment, and the lines in which recordings
//! keep it: only what differs from the step before. Keys are called by role and number of
//! appearance (`ksk1`), since ids differ from run to run.
//! In: text. Out: pictures. Never: an enforcer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// All zones, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    /// The zones.
    pub(crate) zones: BTreeMap<String, ZonePicture>,
}

/// One zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ZonePicture {
    /// "Next change" of `zone list`.
    pub(crate) next: Next,
    /// The lines of `rollover list`, sorted: `ksk:+600`, `zsk:-`, `ksk:ds-seen`. That list has no
    /// names of keys.
    pub(crate) rolls: Vec<String>,
    /// Its keys, by what they are called here.
    pub(crate) keys: BTreeMap<String, KeyPicture>,
}

/// What an enforcer shows of its zones, before keys are called by labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Names, and when they are looked at again.
    pub(crate) zones: Vec<(String, Next)>,
    /// Lines of `rollover list`: zone, and what [`ZonePicture::rolls`] has.
    pub(crate) rolls: Vec<(String, String)>,
    /// Zone, role, id and key.
    pub(crate) keys: Vec<(String, String, String, KeyPicture)>,
}

/// When a zone will be looked at again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Next {
    /// "no changes scheduled".
    #[default]
    Never,
    /// "as soon as possible".
    Now,
    /// Then, in seconds since the start of the scenario.
    At(u64),
}

/// One key of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyPicture {
    /// Algorithm, bits and repository: `13/256/SoftHSM`.
    pub(crate) kind: String,
    /// DS, DNSKEY, RRSIGDNSKEY, RRSIG; initials, and `-` for NA.
    pub(crate) states: String,
    /// `Pub:`.
    pub(crate) published: bool,
    /// `Act:`.
    pub(crate) active: bool,
    /// The word of `key list`.
    pub(crate) word: String,
    /// What the operator is to do: `ds-submit`, `ds-seen`, `ds-retract`, `ds-gone`; or `-`.
    pub(crate) waiting: String,
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Next::Never => f.write_str("-"),
            Next::Now => f.write_str("now"),
            Next::At(time) => write!(f, "+{time}"),
        }
    }
}

impl fmt::Display for KeyPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (published, active) = (u8::from(self.published), u8::from(self.active));
        let KeyPicture { states, word, waiting, .. } = self;
        write!(f, "{states} {published}{active} {word} {waiting}")
    }
}

impl Picture {
    /// The lines that lead from `before` to this picture.
    pub(crate) fn changes(&self, before: &Picture) -> Vec<String> {
        let mut lines = Vec::new();
        for zone in before.zones.keys().filter(|zone| !self.zones.contains_key(*zone)) {
            lines.push(format!("zone {zone} gone"));
        }
        let nothing = ZonePicture::default();
        for (name, zone) in &self.zones {
            let known = before.zones.get(name);
            let old = known.unwrap_or(&nothing);
            if known.is_none() || zone.next != old.next {
                lines.push(format!("zone {name} {}", zone.next));
            }
            if zone.rolls != old.rolls {
                lines.push(format!("rolls {name} {}", zone.rolls.join(" ")).trim_end().to_owned());
            }
            let labels: BTreeSet<&String> = old.keys.keys().chain(zone.keys.keys()).collect();
            for label in labels {
                match (zone.keys.get(label), old.keys.get(label)) {
                    (Some(new), old) if old != Some(new) => {
                        let is_new = old.is_none_or(|old| old.kind != new.kind);
                        let kind = if is_new { format!(" {}", new.kind) } else { String::new() };
                        lines.push(format!("{name} {label} {new}{kind}"));
                    }
                    (None, Some(_)) => lines.push(format!("{name} {label} gone")),
                    _ => (),
                }
            }
        }
        lines
    }

    /// Applies a line of [`Picture::changes`].
    ///
    /// # Panics
    /// When the line is none: recordings are ours.
    pub(crate) fn apply(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["zone", zone, "gone"] => {
                self.zones.remove(*zone);
            }
            ["zone", zone, next] => {
                self.zones.entry((*zone).to_owned()).or_default().next = read_next(next);
            }
            ["rolls", zone, rolls @ ..] => {
                let zone = self.zones.entry((*zone).to_owned()).or_default();
                zone.rolls = rolls.iter().map(|roll| (*roll).to_owned()).collect();
            }
            [zone, label, "gone"] => {
                self.zones.entry((*zone).to_owned()).or_default().keys.remove(*label);
            }
            [zone, label, states, flags, word, waiting, kind @ ..] => {
                let zone = self.zones.entry((*zone).to_owned()).or_default();
                let known = zone.keys.get(*label).map(|key| key.kind.clone());
                let key = KeyPicture {
                    kind: kind.first().map_or(known.unwrap_or_default(), |kind| (*kind).to_owned()),
                    states: (*states).to_owned(),
                    published: flags.starts_with('1'),
                    active: flags.ends_with('1'),
                    word: (*word).to_owned(),
                    waiting: (*waiting).to_owned(),
                };
                zone.keys.insert((*label).to_owned(), key);
            }
            _ => panic!("not a line of a recording: {line}"),
        }
    }
}

fn read_next(text: &str) -> Next {
    match text {
        "-" => Next::Never,
        "now" => Next::Now,
        _ => Next::At(text[1..].parse().unwrap_or_else(|_| panic!("not a time: {text}"))),
    }
}

/// What keys are called: role and a number, in the order in which they appear. Keys that appear
/// together are numbered by zone and kind, so that two enforcers number them alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    by_id: BTreeMap<String, String>,
    counts: BTreeMap<String, usize>,
}

impl Labels {
    /// The id of the key with this label.
    pub(crate) fn id(&self, label: &str) -> Option<&str> {
        self.by_id.iter().find(|(_, known)| *known == label).map(|(id, _)| id.as_str())
    }

    /// The picture of what is shown. Numbers the keys that are new.
    pub(crate) fn picture(&mut self, shown: Shown) -> Picture {
        let Shown { zones, mut rolls, mut keys } = shown;
        rolls.sort();
        keys.sort_by_key(|(zone, role, _, key)| {
            (zone.clone(), role.clone(), key.kind.clone(), key.states.clone())
        });
        let mut picture = Picture::default();
        for (zone, next) in zones {
            picture.zones.insert(zone, ZonePicture { next, ..Default::default() });
        }
        for (zone, roll) in rolls {
            picture.zones.entry(zone).or_default().rolls.push(roll);
        }
        for (zone, role, id, key) in keys {
            if !self.by_id.contains_key(&id) {
                let count = self.counts.entry(role.clone()).or_default();
                *count += 1;
                self.by_id.insert(id.clone(), format!("{role}{count}"));
            }
            let label = self.by_id[&id].clone();
            picture.zones.entry(zone).or_default().keys.insert(label, key);
        }
        picture
    }
}
