//! Owner keys: owner names as byte strings whose `memcmp` order is the canonical order.
//! RFC 4034 §6.1. A key is the labels below the apex from the right, lower-cased, each ended by
//! 00; inside a label 00 is written 01 01 and 01 is written 01 02. The apex itself is the empty
//! key, and the keys of all descendants of a name begin with that name's key.
//! In: names. Out: keys, and names again (in lower case). Never: names outside the zone.

use crate::name::{NAME_LENGTH_MAX, Name};

/// Longest key in bytes: every octet of a label may take two.
pub const KEY_LENGTH_MAX: usize = 2 * NAME_LENGTH_MAX;

/// Appends the key of `owner` to `out`. Returns false, with `out` unchanged, when `owner` is
/// not at or below `apex`.
pub fn push_owner_key(apex: &Name, owner: &Name, out: &mut Vec<u8>) -> bool {
    let wire = owner.as_wire();
    let apex_wire = apex.as_wire();
    let Some(split) = wire.len().checked_sub(apex_wire.len()) else { return false };
    let mut starts = [0u8; NAME_LENGTH_MAX / 2 + 1];
    let mut count = 0;
    let mut position = 0;
    while position < split {
        starts[count] = position as u8;
        count += 1;
        position += 1 + usize::from(wire[position]);
    }
    if position != split || !wire[split..].eq_ignore_ascii_case(apex_wire) {
        return false;
    }
    for start in starts[..count].iter().rev() {
        let start = usize::from(*start);
        push_label(&wire[start + 1..start + 1 + usize::from(wire[start])], out);
    }
    true
}

/// Appends one label, lower-cased, escaped and ended.
pub fn push_label(label: &[u8], out: &mut Vec<u8>) {
    for octet in label {
        match octet {
            0 => out.extend([1, 1]),
            1 => out.extend([1, 2]),
            octet => out.push(octet.to_ascii_lowercase()),
        }
    }
    out.push(0);
}

/// The lower-case name with this key, in wire form, written to `out` (which is cleared first).
/// Returns false when the bytes are no key of a name in this zone.
pub fn key_to_wire(apex: &Name, key: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    if key.last().is_some_and(|last| *last != 0) {
        return false;
    }
    // The labels of a key stand from the right; those of a name from the left.
    let mut end = key.len();
    while end > 0 {
        let start = key[..end - 1].iter().rposition(|octet| *octet == 0).map_or(0, |at| at + 1);
        let length_at = out.len();
        out.push(0);
        let mut octets = key[start..end - 1].iter();
        while let Some(octet) = octets.next() {
            match (octet, *octet == 1) {
                (_, true) => match octets.next() {
                    Some(escaped @ 1..=2) => out.push(escaped - 1),
                    _ => return false,
                },
                (octet, false) => out.push(*octet),
            }
        }
        match out.len() - length_at - 1 {
            length @ 1..=63 => out[length_at] = length as u8,
            _ => return false,
        }
        end = start;
    }
    out.extend(apex.as_wire().iter().map(|octet| octet.to_ascii_lowercase()));
    out.len() <= NAME_LENGTH_MAX
}

/// The lower-case name with this key; `None` when the bytes are no key.
pub fn key_to_name(apex: &Name, key: &[u8]) -> Option<Name> {
    let mut wire = Vec::with_capacity(NAME_LENGTH_MAX);
    if !key_to_wire(apex, key, &mut wire) {
        return None;
    }
    Name::from_wire(&wire).ok().map(|(name, _)| name)
}

/// Number of labels in a key.
pub fn label_count(key: &[u8]) -> usize {
    key.iter().filter(|octet| **octet == 0).count()
}

/// Length of the longest common ancestor's key of two keys.
pub fn common_ancestor_length(left: &[u8], right: &[u8]) -> usize {
    let common = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    left[..common].iter().rposition(|octet| *octet == 0).map_or(0, |at| at + 1)
}

/// Lengths of the keys of the ancestors of `key` that are longer than `above`, nearest the apex
/// first, `key` itself not among them.
pub fn ancestor_lengths(key: &[u8], above: usize) -> impl Iterator<Item = usize> + '_ {
    let end = key.len();
    (above..end)
        .filter(|position| key[*position] == 0)
        .map(|position| position + 1)
        .filter(move |length| *length < end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(labels: &[Vec<u8>], apex: &Name) -> Option<Name> {
        let mut wire = Vec::new();
        for label in labels {
            wire.push(label.len() as u8);
            wire.extend(label);
        }
        wire.extend(apex.as_wire());
        Name::from_wire(&wire).ok().map(|(name, _)| name)
    }

    fn key(apex: &Name, owner: &Name) -> Vec<u8> {
        let mut key = Vec::new();
        assert!(push_owner_key(apex, owner, &mut key));
        key
    }

    fn any_labels() -> impl Strategy<Value = Vec<Vec<u8>>> {
        // Few distinct octets, so that prefixes and escapes meet often.
        let octet = prop_oneof![Just(0u8), Just(1), Just(2), Just(b'a'), Just(b'A'), any::<u8>()];
        proptest::collection::vec(proptest::collection::vec(octet, 1..6), 0..5)
    }

    proptest! {
        #[test]
        fn key_order_is_canonical_order(left in any_labels(), right in any_labels()) {
            let apex = Name::parse(b"Example.", None).unwrap();
            let (left, right) = (name(&left, &apex).unwrap(), name(&right, &apex).unwrap());
            prop_assert_eq!(key(&apex, &left).cmp(&key(&apex, &right)), left.cmp(&right));
        }

        #[test]
        fn keys_turn_back_into_names(labels in any_labels()) {
            let apex = Name::parse(b"Example.", None).unwrap();
            let name = name(&labels, &apex).unwrap();
            prop_assert_eq!(key_to_name(&apex, &key(&apex, &name)), Some(name));
        }

        #[test]
        fn any_bytes_are_a_key_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let apex = Name::root();
            if let Some(name) = key_to_name(&apex, &bytes) {
                prop_assert_eq!(key_to_name(&apex, &key(&apex, &name)), Some(name));
            }
        }
    }

    #[test]
    fn ancestors_between_two_names() {
        let apex = Name::root();
        let key_of = |text: &str| key(&apex, &Name::parse(text.as_bytes(), None).unwrap());
        let (left, right) = (key_of("x.b.a."), key_of("z.y.c.a."));
        let common = common_ancestor_length(&left, &right);
        assert_eq!(common, 2);
        assert_eq!(ancestor_lengths(&right, common).collect::<Vec<_>>(), [4, 6]);
        assert!(!push_owner_key(
            &Name::parse(b"b.", None).unwrap(),
            &Name::parse(b"ab.", None).unwrap(),
            &mut Vec::new()
        ));
    }
}
