//! What keys are called in plans: those that exist by their tag, those that are to be made by the
//! day on which they are taken, which stays the same from one plan to the next.
//! In: keys. Out: names.

use super::date::date;
use crate::enforcer::KeyLife;
use crate::key::{KeyId, KeyRole};
use crate::{Algorithm, KeyTag, Timestamp};

/// A key by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// CKA_ID; of a key that is not made yet, one of the plan's own.
    pub id: KeyId,
    /// What it signs.
    pub role: KeyRole,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its key tag; `None`: it is not made yet.
    pub tag: Option<KeyTag>,
    /// The repository that holds it; empty where that is not known.
    pub repository: String,
    /// `KSK 12345`, or `KSK of 2027-11-22` for one that is not made yet.
    pub text: String,
}

impl KeyName {
    /// A key that exists.
    pub(super) fn known(key: &KeyLife) -> KeyName {
        let name = KeyName::tagged(key.id.clone(), key.role, key.algorithm, key.key_tag);
        KeyName { repository: key.repository.clone(), ..name }
    }

    /// One that existed, from a history.
    pub(super) fn tagged(id: KeyId, role: KeyRole, algorithm: Algorithm, tag: KeyTag) -> KeyName {
        let (repository, text) = (String::new(), format!("{role} {tag}"));
        KeyName { id, role, algorithm, tag: Some(tag), repository, text }
    }

    /// One that is to be made; `others` have their names already.
    pub(super) fn planned(key: &KeyLife, at: Timestamp, others: &[KeyName]) -> KeyName {
        let first = format!("{} of {}", key.role, date(at));
        let numbered = |number: usize| match number {
            1 => first.clone(),
            _ => format!("{first} ({number})"),
        };
        let is_free = |text: &String| !others.iter().any(|other| other.text == *text);
        // One of so many names is free: there are more of them than other keys.
        let text = (1..=others.len() + 1).map(numbered).find(is_free).unwrap_or(first.clone());
        let (id, role, algorithm) = (key.id.clone(), key.role, key.algorithm);
        KeyName { id, role, algorithm, tag: None, repository: key.repository.clone(), text }
    }
}

/// The name of a key among `names`.
pub(super) fn find<'a>(names: &'a [KeyName], id: &KeyId) -> Option<&'a KeyName> {
    names.iter().find(|name| name.id == *id)
}

/// Foreign text without control characters, for terminals.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|one| if is_unsafe(one) { '?' } else { one }).collect()
}

/// Control characters, and those that turn the direction of writing.
fn is_unsafe(one: char) -> bool {
    let turns = ['\u{200e}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2066}'..='\u{2069}'];
    one.is_control() || turns.iter().any(|range| range.contains(&one))
}

/// A word for a shell: quoted, unless it needs no quotes.
pub(super) fn shell_word(text: &str) -> String {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "._-/".contains(one);
    match !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", plain(text).replace('\'', r"'\''")),
    }
}
