//! Walks over two lists against naive references.

use super::*;
use crate::RrType;
use crate::zone::edit::{apply_edits, edit_ranges, edits_between, edits_between_in};
use crate::zone::replace::Replacements;
use crate::zone::tests::{Owners, any_owners, load_owners};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Owners that are not glue and no DS, so that any mixture of them is a zone.
fn plain(owners: Owners) -> Owners {
    let keep = |types: &BTreeSet<RrType>| -> BTreeSet<RrType> {
        types.iter().copied().filter(|rtype| *rtype != RrType::DS).collect()
    };
    let kept = owners.iter().map(|(owner, types)| (owner.clone(), keep(types)));
    kept.filter(|(_, types)| !types.is_empty()).collect()
}

fn bytes(edits: &Replacements) -> Vec<(&[u8], Option<&[u8]>)> {
    edits.iter().map(|(key, chunk)| (&key[..], chunk.as_ref().map(|it| it.as_bytes()))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Each owner that differs is met once, by whole and by ranges, whether chunks are shared or
    /// only equal.
    #[test]
    fn ranges_meet_what_the_whole_meets(
        before in any_owners(),
        after in any_owners(),
        range_count in 1usize..9,
        is_shared in any::<bool>(),
    ) {
        let old = load_owners(&plain(before)).version;
        let full = load_owners(&plain(after)).version;
        let edits = edits_between(&old, &full);
        let new = if is_shared { apply_edits(&old, &edits).0 } else { full };
        let expect: BTreeSet<&[u8]> = {
            let entries = |version: &'_ ZoneVersion| -> BTreeSet<Vec<u8>> {
                let owners = version.names.iter().flat_map(|chunk| chunk.owners());
                owners.map(|owner| owner.as_bytes().to_vec()).collect()
            };
            let (old_entries, new_entries) = (entries(&old), entries(&new));
            let differs = |owner: &OwnerView<'_>| {
                old_entries.contains(owner.as_bytes()) != new_entries.contains(owner.as_bytes())
            };
            let owners = old.names.iter().chain(new.names.iter()).flat_map(|chunk| chunk.owners());
            owners.filter(differs).map(|owner| owner.key()).collect()
        };
        let ranges = edit_ranges(&old, &new, range_count);
        prop_assert!((1..=range_count).contains(&ranges.len()));
        let mut met = Vec::new();
        let mut in_parts = Replacements::new();
        for range in &ranges {
            each_difference(&old.names, &new.names, range, |left, right| {
                met.extend(left.or(right).map(|owner| owner.key()));
            });
            in_parts.append(&mut edits_between_in(&old, &new, range));
        }
        prop_assert_eq!(met, expect.into_iter().collect::<Vec<_>>());
        let whole = edits_between(&old, &new);
        prop_assert_eq!(bytes(&in_parts), bytes(&whole));
    }
}

#[test]
fn nothing_is_met_in_equal_versions() {
    let owners = Owners::from([(crate::zone::tests::name("a.example."), [RrType::A].into())]);
    let (old, new) = (load_owners(&owners).version, load_owners(&owners).version);
    assert!(!Arc::ptr_eq(&old.names[0], &new.names[0]));
    assert!(difference(&old, &new).is_empty());
    let (left, right) = unshared_chunks(&old.names, &new.names);
    assert!(left.is_empty() && right.is_empty(), "equal chunks are passed over whole");
}

/// What is larger than a limit is none, and what is not is the same with a limit.
#[test]
fn a_difference_has_its_limit() {
    let owners = |names: &[&str]| -> Owners {
        let types = BTreeSet::from([RrType::A]);
        let name = |text: &str| crate::zone::tests::name(&format!("{text}.example."));
        names.iter().map(|text| (name(text), types.clone())).collect()
    };
    let (old, new) = (load_owners(&owners(&["a", "b"])), load_owners(&owners(&["b", "c", "d"])));
    let whole = difference(&old.version, &new.version);
    let octets = whole.removed.len() + whole.added.len();
    assert!(octets > 0);
    let within = |most| difference_within(&old.version, &new.version, most);
    assert_eq!((within(octets), within(octets - 1)), (Some(whole), None));
}
