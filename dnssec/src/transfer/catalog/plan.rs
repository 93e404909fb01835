//! What a catalog means for the zones that are there. RFC 9432 §4.3.1 (change of ownership), §5.2
//! (name clash), §5.3 (removal), §5.4 (another label), §5.5 (migration).
//! In: a catalog that was read, the zones that are there with whom they belong to, the other
//! catalogs. Out: a [`Plan`], and whether it goes beyond what a catalog may change at once.
//! It is made of what is there and not of what the catalog was before: whatever was left half done
//! is in the next plan again.
//! Never: policies, files, state of zones; a zone that belongs to nobody or to another catalog
//! which does not give it away.

use std::collections::BTreeMap;

use super::{Catalog, may_take_over};
use crate::Name;

/// Whom a zone belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The catalog that brought it.
    pub catalog: Name,
    /// Its unique label there, in lower case.
    pub label: Vec<u8>,
}

/// What is to be done about the zones of a catalog; names in canonical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Zones that are new.
    pub add: Vec<Name>,
    /// Zones that are not in the catalog any more: they go, with their state (§5.3).
    pub remove: Vec<Name>,
    /// Zones with another label: they go with their state, and come anew (§5.4, §5.6).
    pub reset: Vec<Name>,
    /// Zones of another catalog that gives them to this one, with their state (§4.3.1).
    pub take_over: Vec<Name>,
    /// Zones of another catalog that gives them to this one, and a label that says: without state.
    pub take_over_anew: Vec<Name>,
    /// Zones that are this catalog's and stay.
    pub keep: Vec<Name>,
    /// Zones that are somebody else's and stay so (§5.2): of that catalog, or of no catalog.
    pub clashes: Vec<(Name, Option<Name>)>,
    /// Zones that were this catalog's before.
    pub owned_count: usize,
}

/// What is to be done about the zones of `catalog`. `zones`: those that are there; of no catalog:
/// `None`. `others`: the catalogs that are in force.
pub fn plan(
    catalog: &Catalog,
    zones: &BTreeMap<Name, Option<Membership>>,
    others: &BTreeMap<Name, &Catalog>,
) -> Plan {
    let own = &catalog.name;
    let mut plan = Plan::default();
    for (zone, membership) in zones {
        if membership.as_ref().is_some_and(|it| it.catalog == *own) {
            plan.owned_count += 1;
            if !catalog.members.contains_key(zone) {
                plan.remove.push(zone.clone());
            }
        }
    }
    for (zone, member) in &catalog.members {
        let list = match zones.get(zone) {
            None => &mut plan.add,
            Some(Some(known)) if known.catalog == *own => match known.label == member.label {
                true => &mut plan.keep,
                false => &mut plan.reset,
            },
            Some(Some(known)) => {
                let old = others.get(&known.catalog).and_then(|old| old.members.get(zone));
                match old.is_some_and(|old| may_take_over(old, own)) {
                    true if known.label == member.label => &mut plan.take_over,
                    true => &mut plan.take_over_anew,
                    false => {
                        plan.clashes.push((zone.clone(), Some(known.catalog.clone())));
                        continue;
                    }
                }
            }
            Some(None) => {
                plan.clashes.push((zone.clone(), None));
                continue;
            }
        };
        list.push(zone.clone());
    }
    plan
}

/// What a catalog may have, and change at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most members.
    pub member_count_max: usize,
    /// Of its zones so many percent may go at once, or lose their state.
    pub removal_percent_max: u8,
    /// So many may always.
    pub removal_count_free: usize,
}

/// Why a catalog is held until an operator has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Too many members.
    #[error("it has {count} members, limit {limit}")]
    Members {
        /// So many.
        count: usize,
        /// Most.
        limit: usize,
    },
    /// Too many of its zones would go.
    #[error("{count} of its {of} zones would go or lose their keys, limit {limit} %")]
    Removals {
        /// So many.
        count: usize,
        /// Of so many.
        of: usize,
        /// Most, in percent.
        limit: u8,
    },
}

/// What of a plan goes beyond the bounds.
pub fn excess(catalog: &Catalog, plan: &Plan, bounds: &Bounds) -> Option<Excess> {
    let (count, limit) = (catalog.members.len(), bounds.member_count_max);
    if count > limit {
        return Some(Excess::Members { count, limit });
    }
    let (count, of) = (plan.remove.len() + plan.reset.len(), plan.owned_count);
    let limit = bounds.removal_percent_max;
    let is_much = count * 100 > of * usize::from(limit) && count > bounds.removal_count_free;
    is_much.then_some(Excess::Removals { count, of, limit })
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_done(&self) -> bool {
        let lists = [&self.add, &self.remove, &self.reset, &self.take_over, &self.take_over_anew];
        lists.iter().all(|list| list.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Member;
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), Some(&Name::root())).unwrap()
    }

    fn names(list: &[Name]) -> String {
        list.iter().map(Name::to_string).collect::<Vec<_>>().join(" ")
    }

    /// A catalog of zones, labels, and whom they are given to.
    fn catalog(own: &str, members: &[(&str, &str, Option<&str>)]) -> Catalog {
        let member = |(zone, label, moves_to): &(&str, &str, Option<&str>)| {
            let (label, groups) = (label.as_bytes().to_vec(), Vec::new());
            (name(zone), Member { label, groups, moves_to: moves_to.map(name) })
        };
        Catalog { name: name(own), members: members.iter().map(member).collect() }
    }

    fn zones(list: &[(&str, Option<(&str, &str)>)]) -> BTreeMap<Name, Option<Membership>> {
        let membership = |(catalog, label): (&str, &str)| Membership {
            catalog: name(catalog),
            label: label.as_bytes().to_vec(),
        };
        list.iter().map(|(zone, of)| (name(zone), of.map(membership))).collect()
    }

    #[test]
    fn each_zone_gets_what_the_catalog_says_and_nobody_elses_is_touched() {
        let new = catalog(
            "new",
            &[
                ("added", "1", None),
                ("kept", "2", None),
                ("reset", "3", None),
                ("manual", "4", None),
                ("given", "5", None),
                ("given-anew", "6", None),
                ("not-given", "7", None),
                ("given-to-another", "8", None),
                ("of-a-lost-catalog", "9", None),
            ],
        );
        let old = catalog(
            "old",
            &[
                ("given", "5", Some("new")),
                ("given-anew", "5", Some("NEW")),
                ("not-given", "7", None),
                ("given-to-another", "8", Some("third")),
            ],
        );
        let there = zones(&[
            ("kept", Some(("new", "2"))),
            ("reset", Some(("new", "1"))),
            ("gone", Some(("new", "0"))),
            ("manual", None),
            ("other-manual", None),
            ("given", Some(("old", "5"))),
            ("given-anew", Some(("old", "5"))),
            ("not-given", Some(("old", "7"))),
            ("given-to-another", Some(("old", "8"))),
            ("of-a-lost-catalog", Some(("lost", "9"))),
            ("only-in-old", Some(("old", "9"))),
        ]);
        let others = [(name("old"), &old)].into();
        let plan = plan(&new, &there, &others);
        assert_eq!(names(&plan.add), "added.");
        assert_eq!(names(&plan.remove), "gone.");
        assert_eq!(names(&plan.reset), "reset.");
        assert_eq!(names(&plan.take_over), "given.");
        assert_eq!(names(&plan.take_over_anew), "given-anew.");
        assert_eq!(names(&plan.keep), "kept.");
        assert_eq!(plan.owned_count, 3);
        let clash = |zone: &str, of: Option<&str>| (name(zone), of.map(name));
        let clashes = [
            clash("given-to-another", Some("old")),
            clash("manual", None),
            clash("not-given", Some("old")),
            clash("of-a-lost-catalog", Some("lost")),
        ];
        assert_eq!(plan.clashes, clashes);
        assert!(!plan.is_done());
    }

    #[test]
    fn a_catalog_that_loses_much_is_held() {
        let members: Vec<String> = (0..100).map(|number| format!("z{number}")).collect();
        let there: Vec<_> =
            members.iter().map(|zone| (zone.as_str(), Some(("catz", "l")))).collect();
        let there = zones(&there);
        let of = |count: usize| {
            let left: Vec<_> =
                members[..count].iter().map(|zone| (zone.as_str(), "l", None)).collect();
            catalog("catz", &left)
        };
        let bounds =
            Bounds { member_count_max: 99, removal_percent_max: 20, removal_count_free: 3 };
        let judge = |count: usize, bounds: &Bounds| {
            let catalog = of(count);
            excess(&catalog, &plan(&catalog, &there, &BTreeMap::new()), bounds)
        };
        assert_eq!(judge(100, &bounds), Some(Excess::Members { count: 100, limit: 99 }));
        assert_eq!(judge(80, &bounds), None);
        let held = Some(Excess::Removals { count: 21, of: 100, limit: 20 });
        assert_eq!(judge(79, &bounds), held);
        assert_eq!(judge(0, &Bounds { removal_count_free: 100, ..bounds }), None);
        // All of few, and a new label for all of many.
        let few = zones(&[("a", Some(("catz", "l"))), ("b", Some(("catz", "l")))]);
        let empty = of(0);
        let plan_of_few = plan(&empty, &few, &BTreeMap::new());
        assert_eq!(excess(&empty, &plan_of_few, &bounds), None);
        let relabelled: Vec<_> =
            members[..99].iter().map(|zone| (zone.as_str(), "m", None)).collect();
        let relabelled = catalog("catz", &relabelled);
        let plan = plan(&relabelled, &there, &BTreeMap::new());
        assert_eq!((plan.reset.len(), plan.remove.len()), (99, 1));
        let all = Some(Excess::Removals { count: 100, of: 100, limit: 20 });
        assert_eq!(excess(&relabelled, &plan, &bounds), all);
    }
}
