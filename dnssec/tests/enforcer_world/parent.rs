//! The parent and the operator who talks to it: when a DS that was handed over is shown, and when
//! the operator says so.
//!
//! The operator does not lie. `ds-seen` means that a server of the parent shows the DS, or that
//! the registry has accepted it and shows it within its registration delay; `ds-gone` likewise.
//! A DS that the operator says to be seen and that never comes is nothing a program can find out
//! from its policy.

use super::random::Random;
use super::sync::Wish;
use dnssec::key::KeyId;
use dnssec::policy::Policy;

/// What comes next at the parent or from the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ParentEvent {
    /// The parent's first server shows the DS, or shows it no more.
    Shows { id: KeyId, is_there: bool },
    /// The operator hands the DS over or asks for it back (`ds-submit`, `ds-retract`).
    Asks { id: KeyId, is_there: bool },
    /// The operator says that it is there or gone (`ds-seen`, `ds-gone`).
    Says { id: KeyId, is_there: bool },
    /// The parent does what it has read in CDS.
    Follows { wish: Wish },
}

#[derive(Clone, Debug)]
struct Planned {
    at: u64,
    order: u64,
    event: ParentEvent,
}

/// The queue of what the parent and the operator will do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parent {
    planned: Vec<Planned>,
    order: u64,
    /// Always at the earliest legal second, for mutants.
    is_eager: bool,
    /// Its servers are asked what they show; the operator reports nothing.
    is_watched: bool,
}

impl Parent {
    pub(crate) fn new(is_eager: bool, is_watched: bool) -> Parent {
        Parent { is_eager, is_watched, ..Parent::default() }
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.planned.iter().map(|it| it.at).min()
    }

    /// What happens at `now`, in its order.
    pub(crate) fn take(&mut self, now: u64) -> Option<ParentEvent> {
        let due = self.planned.iter().enumerate().filter(|(_, it)| it.at <= now);
        let (index, _) = due.min_by_key(|(_, it)| (it.at, it.order))?;
        Some(self.planned.remove(index).event)
    }

    pub(crate) fn plan(&mut self, at: u64, event: ParentEvent) {
        self.order += 1;
        self.planned.push(Planned { at, order: self.order, event });
    }

    /// Whether some DS is to be shown, or to be shown no more.
    pub(crate) fn is_at_work(&self) -> bool {
        let changes_ds = |event: &ParentEvent| {
            matches!(event, ParentEvent::Shows { .. } | ParentEvent::Follows { .. })
        };
        self.planned.iter().any(|it| changes_ds(&it.event))
    }

    /// The parent will do what it has read last, in place of what it has read before.
    pub(crate) fn replace_follows(&mut self, at: u64, wish: Wish) {
        self.planned.retain(|it| !matches!(it.event, ParentEvent::Follows { .. }));
        self.plan(at, ParentEvent::Follows { wish });
    }

    /// Whether what the parent is about to do brings this DS.
    pub(crate) fn will_follow(&self, id: &KeyId) -> bool {
        let brings =
            |event: &ParentEvent| matches!(event, ParentEvent::Follows { wish } if wish.names(id));
        self.planned.iter().any(|it| brings(&it.event))
    }

    /// Nobody reports anything: the parent's servers are asked instead.
    pub(crate) fn say_nothing(&mut self) {
        self.planned.retain(|it| !matches!(it.event, ParentEvent::Says { .. }));
    }

    /// When the parent will show what the operator is about to report, if it does not yet.
    pub(crate) fn shows_at(&self, id: &KeyId) -> Option<u64> {
        let shows =
            |event: &ParentEvent| matches!(event, ParentEvent::Shows { id: its, .. } if its == id);
        self.planned.iter().filter(|it| shows(&it.event)).map(|it| it.at).max()
    }

    /// The enforcer wants the DS handed over (`is_there`) or taken back: the operator does so now
    /// or later, or never.
    pub(crate) fn want(&mut self, now: u64, id: &KeyId, is_there: bool, random: &mut Random) {
        let event = ParentEvent::Asks { id: id.clone(), is_there };
        match random.below(if self.is_eager { 1 } else { 20 }) {
            0..=14 => self.plan(now, event),
            15..=18 => self.plan(now + random.below(20 * 86_400), event),
            _ => {}
        }
    }

    /// The operator has asked: the parent acts, and the operator reports.
    pub(crate) fn asked(
        &mut self,
        now: u64,
        id: &KeyId,
        is_there: bool,
        policy: &Policy,
        random: &mut Random,
    ) {
        // What was under way and not reported is called off; what was reported comes first. Where
        // the servers are asked, nobody reports.
        let is_opposite =
            |event: &ParentEvent| matches!(event, ParentEvent::Shows { id: its, .. } if its == id);
        let is_reported = !self.is_watched
            && !self
                .planned
                .iter()
                .any(|it| matches!(&it.event, ParentEvent::Says { id: its, .. } if its == id));
        let under_way = self.planned.iter().filter(|it| is_opposite(&it.event));
        let not_before = under_way.map(|it| it.at).max().filter(|_| is_reported).unwrap_or(now);
        let is_of_key = |event: &ParentEvent| match event {
            ParentEvent::Shows { id: its, .. } => its == id && !is_reported,
            ParentEvent::Asks { id: its, .. } | ParentEvent::Says { id: its, .. } => its == id,
            ParentEvent::Follows { .. } => false,
        };
        self.planned.retain(|it| !is_of_key(&it.event));
        let registration = policy.parent.registration_delay.0;
        let delay = match random.below(if self.is_eager { 2 } else { 20 }) {
            0 | 2..=8 => registration,
            1 | 9..=12 => 0,
            13..=18 => random.below(40 * 86_400),
            _ => return,
        };
        let shows = (now + delay).max(not_before);
        let earliest = shows.saturating_sub(registration).max(now);
        let late = match random.below(if self.is_eager { 1 } else { 4 }) {
            0 | 1 => 0,
            2 => random.below(86_400),
            _ => random.below(30 * 86_400),
        };
        self.plan(shows, ParentEvent::Shows { id: id.clone(), is_there });
        self.plan(earliest + late, ParentEvent::Says { id: id.clone(), is_there });
    }
}
