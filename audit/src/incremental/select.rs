//! Which owner names an incremental audit looks at. The checks are those of the full audit, on a
//! small zone made of some names of the whole one; here these names are chosen so that each
//! question about a *checked* name has the same answer in the small zone and in the whole one.
//! RFC 4035 §2.3, RFC 5155 §7.1.
//!
//! Everything else holds by induction: it was right in the approved state, and nothing that it
//! depends on has changed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::expectations::{Denial, Expectations};
use crate::incremental::NotIncremental;
use crate::incremental::edit::Edited;
use crate::incremental::view::{Nsec3For, View};
use crate::index::NodeKind;
use crate::nsec3::{self, Hash};
use crate::wire;

/// The names of the small zone.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Owner names in lower case, and whether they are checked; the others are only context.
    pub(super) names: BTreeMap<Vec<u8>, bool>,
    /// Hashes of names whose existence may have changed: an NSEC3 that stands at one of them must
    /// match a name.
    pub(super) hashes: HashSet<Hash>,
}

/// Chooses names; see [`select`].
struct Selector<'s> {
    old: View<'s>,
    new: View<'s>,
    expectations: &'s Expectations,
    selection: Selection,
    /// Checked names whose questions have not been looked at.
    open: Vec<Vec<u8>>,
}

/// Chooses the names to check for a difference that leads from `old` to `new`; those of `of_keys`
/// are concerned by a change of keys.
///
/// # Errors
/// [`NotIncremental`] where the approved state and the difference do not settle a question.
pub(super) fn select(
    old: View<'_>,
    new: View<'_>,
    edited: &Edited,
    of_keys: &[(Vec<u8>, u16)],
    expectations: &Expectations,
) -> Result<Selection, NotIncremental> {
    let selection = Selection::default();
    let mut selector = Selector { old, new, expectations, selection, open: Vec::new() };
    let affected = selector.affected(edited)?;
    match expectations.denial {
        // A zone without a chain has no neighbours; one with its source's is not judged here.
        Denial::None | Denial::Source => {}
        Denial::Nsec => selector.choose_for_nsec(&affected),
        Denial::Nsec3 { .. } => {
            selector.choose_for_nsec3(&affected)?;
            selector.choose_nsec3_records(&edited.touched_nsec3s)?;
        }
    }
    for name in affected.iter().chain(&edited.touched_nsec3s) {
        selector.check(name);
    }
    of_keys.iter().for_each(|(name, _)| selector.check(name));
    selector.check(&expectations.apex);
    selector.check_window();
    selector.answer_questions();
    selector.add_ancestors();
    Ok(selector.selection)
}

impl Selector<'_> {
    /// Names of which the records, or what hides them, changed.
    fn affected(&self, edited: &Edited) -> Result<BTreeSet<Vec<u8>>, NotIncremental> {
        let mut affected = BTreeSet::new();
        for name in &edited.touched {
            if matches!(self.new.kind(name), Some(NodeKind::DenialOnly | NodeKind::OutOfZone)) {
                return Err(NotIncremental::StrayRecords { owner: name.clone() });
            }
            if self.old.hides_below(name) != self.new.hides_below(name) {
                let below = self.new.all_below(name)?;
                affected.extend(below.into_iter().map(<[u8]>::to_ascii_lowercase));
            }
            affected.insert(name.clone());
        }
        Ok(affected)
    }

    /// Each affected name may change where the name before it must point.
    fn choose_for_nsec(&mut self, affected: &BTreeSet<Vec<u8>>) {
        for name in affected {
            if let Some(before) = self.new.previous_in_chain(name) {
                self.check(before);
            }
        }
    }

    /// Each affected name may end or begin its own existence and that of what is above it.
    fn choose_for_nsec3(&mut self, affected: &BTreeSet<Vec<u8>>) -> Result<(), NotIncremental> {
        let apex_labels = wire::label_count(&self.expectations.apex);
        let mut done: HashSet<&[u8]> = HashSet::new();
        for name in affected {
            for labels in (apex_labels..=wire::label_count(name)).rev() {
                let name = wire::ancestor(name, labels);
                // What is above was done together with it.
                if !done.insert(name) {
                    break;
                }
                self.choose_existence(name)?;
            }
        }
        Ok(())
    }

    fn choose_existence(&mut self, name: &[u8]) -> Result<(), NotIncremental> {
        let Some(hash) = self.hash(name) else { return Ok(()) };
        self.selection.hashes.insert(hash);
        self.check(name);
        let answer = self.new.nsec3_for(&hash);
        self.add_nsec3(answer);
        if self.new.is_in_chain(name) || self.new.hidden_by(name).is_some() {
            return Ok(());
        }
        // It may be an empty non-terminal, which is checked at the first name below it.
        let Some(first) = self.new.first_below(name) else { return Ok(()) };
        self.check(first);
        let was_matched = matches!(self.old.nsec3_for(&hash), Nsec3For::Matching(_));
        if was_matched
            && !matches!(answer, Nsec3For::Matching(_))
            && let Some(required) = self.new.first_required_below(name)?
        {
            self.add(required);
        }
        Ok(())
    }

    /// NSEC3 records that changed. Whether one may come, go or change its bitmap depends on the
    /// name it belongs to, which must be among those that are looked at.
    fn choose_nsec3_records(&mut self, touched: &[Vec<u8>]) -> Result<(), NotIncremental> {
        for owner in touched {
            let Some(hash) = nsec3::owner_hash(owner, &self.expectations.apex) else { continue };
            let (before, after) = (self.old.nsec3_bitmaps(owner), self.new.nsec3_bitmaps(owner));
            if before != after && !self.selection.hashes.contains(&hash) {
                return Err(NotIncremental::UnexplainedNsec3 { owner: owner.clone() });
            }
            if before.len() != after.len()
                && let Some(before) = self.new.previous_in_ring(owner)
            {
                self.check(before);
            }
        }
        Ok(())
    }

    /// Names with signatures that time has made unfit.
    fn check_window(&mut self) {
        let Expectations { now, refresh_seconds, ref limits, .. } = *self.expectations;
        for list in [self.new.others, self.new.nsec3s] {
            // Each of them causes an error, so more than the limit of errors says no more; only
            // the apex may be allowed to wait for its keys.
            let most = limits.findings.max(1).saturating_add(1);
            for name in list.names_out_of_window(now, refresh_seconds, most) {
                self.check(name);
            }
        }
    }

    /// Adds the context that the checks of each checked name ask for.
    fn answer_questions(&mut self) {
        while let Some(name) = self.open.pop() {
            if self.new.nsec3s.find(&name).is_some()
                && let Some(next) = self.new.next_in_ring(&name)
            {
                self.add(next);
            }
            if !self.new.is_in_chain(&name) {
                continue;
            }
            if self.expectations.denial == Denial::Nsec {
                if let Some(next) = self.new.next_in_chain(&name) {
                    self.add(next);
                }
                continue;
            }
            let apex_labels = wire::label_count(&self.expectations.apex);
            for labels in (apex_labels..=wire::label_count(&name)).rev() {
                let at = wire::ancestor(&name, labels);
                // Names above that are in the chain have questions of their own.
                if (at.len() == name.len() || !self.new.is_in_chain(at))
                    && let Some(hash) = self.hash(at)
                {
                    let answer = self.new.nsec3_for(&hash);
                    self.add_nsec3(answer);
                }
            }
        }
    }

    /// What hides a name is above it.
    fn add_ancestors(&mut self) {
        let apex_labels = wire::label_count(&self.expectations.apex);
        let names: Vec<Vec<u8>> = self.selection.names.keys().cloned().collect();
        for name in &names {
            if wire::is_at_or_below(name, &self.expectations.apex) {
                for labels in apex_labels..wire::label_count(name) {
                    self.add(wire::ancestor(name, labels));
                }
            }
        }
    }

    fn hash(&self, name: &[u8]) -> Option<Hash> {
        match &self.expectations.denial {
            Denial::None | Denial::Source | Denial::Nsec => None,
            Denial::Nsec3 { iterations, salt, .. } => Some(nsec3::hash(name, *iterations, salt)),
        }
    }

    fn add_nsec3(&mut self, answer: Nsec3For<'_>) {
        if let Nsec3For::Matching(owner) | Nsec3For::Covering(owner) = answer {
            self.add(owner);
        }
    }

    /// A name of the small zone that is only context, if it has records.
    fn add(&mut self, name: &[u8]) {
        let name = name.to_ascii_lowercase();
        if !self.selection.names.contains_key(&name) && self.new.has(&name) {
            self.selection.names.insert(name, false);
        }
    }

    /// A name to be checked, if it has records.
    fn check(&mut self, name: &[u8]) {
        let name = name.to_ascii_lowercase();
        let is_checked = self.selection.names.get(&name);
        if is_checked != Some(&true) && self.new.has(&name) {
            self.selection.names.insert(name.clone(), true);
            self.open.push(name);
        }
    }
}
