//! A play's parent: what happens there, what the operator asks of it and says of it, what it takes
//! from CDS, and what is seen of it by who asks its servers.
//! Never: a lie. An operator says `ds-gone` only when no pending request and no CDS that the
//! parent may still read would bring the DS back.

use super::lives::Why;
use super::parent::ParentEvent;
use super::play::Play;
use super::sync::Wish;
use super::versions::KeySet;
use super::world::{Fault, is_leaving};
use dnssec::Timestamp;
use dnssec::enforcer::{
    Action, CompatibilityState, DsAtParent, DsShown, DsSighting, KeyLife, RecordKind, RecordState,
    ds_gone, ds_retract, ds_seen, ds_submit, state_word_1x, stay,
};
use dnssec::key::KeyId;
use std::collections::BTreeSet;

const DAY: u64 = 86_400;

impl Play {
    pub(crate) fn parent_event(&mut self, event: ParentEvent) -> Result<(), Why> {
        self.log(|_| format!("{event:?}"));
        let now = self.world.now;
        match event {
            ParentEvent::Shows { id, is_there } => self.show(&id, is_there)?,
            ParentEvent::Asks { id, is_there } => self.ask_parent(&id, is_there)?,
            ParentEvent::Follows { wish } => self.follow_cds(&wish)?,
            ParentEvent::Says { id, is_there } if self.cast.has_cds => {
                if !self.is_waiting(&id, is_there) {
                    return Ok(());
                }
                if !self.is_at_rest(&id, is_there) {
                    self.parent.plan(now + DAY, ParentEvent::Says { id, is_there });
                    return Ok(());
                }
                self.say(&id, is_there)?;
            }
            ParentEvent::Says { id, is_there } => {
                // The registration delay may be another one since the operator asked.
                let shows = self.parent.shows_at(&id).unwrap_or(0);
                let earliest = shows.saturating_sub(self.policy.parent.registration_delay.0);
                if earliest > now {
                    self.parent.plan(earliest, ParentEvent::Says { id, is_there });
                    return Ok(());
                }
                self.say(&id, is_there)?;
            }
        }
        Ok(())
    }

    /// `ds-seen` or `ds-gone`, where it applies; where the parent was told by CDS, the operator
    /// says first that it was.
    fn say(&mut self, id: &KeyId, is_there: bool) -> Result<(), Why> {
        let now = Timestamp(self.world.now);
        let (asked, told) = match is_there {
            true => (DsAtParent::Submit, DsAtParent::Submitted),
            false => (DsAtParent::Retract, DsAtParent::Retracted),
        };
        let refused = |_| Why::GoodCommandRefused("ds-seen/gone");
        if self.cast.has_cds && self.ds_at_parent(id) == Some(asked) {
            let done = match is_there {
                true => ds_submit(&self.life, id, now),
                false => ds_retract(&self.life, id, now),
            };
            self.life = done.map_err(refused)?;
        }
        if self.ds_at_parent(id) == Some(told) {
            let done = match is_there {
                true => ds_seen(&self.life, id, now),
                false => ds_gone(&self.life, id, now),
            };
            self.life = done.map_err(refused)?;
            if is_there && self.cast.command_days > 0 && self.random.one_in(4) {
                self.keep_old(id);
            }
        }
        Ok(())
    }

    /// What `ds-seen --no-retire` of a new key says of those before it, as the daemon says it: all
    /// of them stay, or none.
    fn keep_old(&mut self, new: &KeyId) {
        let is_leaving =
            |key: &KeyLife| matches!(key.ds_at_parent, DsAtParent::Retract | DsAtParent::Retracted);
        let is_old = |key: &&KeyLife| {
            let works = || state_word_1x(key) == CompatibilityState::Active;
            key.id != *new && key.role.signs_keyset() && (is_leaving(key) || works())
        };
        let old: Vec<KeyId> =
            self.life.keys.iter().filter(is_old).map(|it| it.id.clone()).collect();
        self.keep(&old);
    }

    /// Has these keys stay; whether all of them do, and some would not have.
    pub(crate) fn keep(&mut self, old: &[KeyId]) -> bool {
        let now = Timestamp(self.world.now);
        let stayed =
            old.iter().try_fold(self.life.clone(), |life, id| stay(&life, id, &self.policy, now));
        let Ok(life) = stayed else {
            self.covered.refused_commands += 1;
            return false;
        };
        if life == self.life {
            return false;
        }
        self.log(|_| format!("ds-seen --no-retire: {old:?} stay"));
        self.covered.stays += 1;
        self.life = life;
        for id in old {
            // Of a DS that nobody has seen the operator speaks when it is there.
            let waits = self.ds_at_parent(id) == Some(DsAtParent::Submitted);
            let number = self.world.keys.number(id, false, self.algorithms[id]);
            let is_there = self.world.ds_shown().has(number);
            if waits && !self.cast.is_watched && (is_there || self.parent.shows_at(id).is_some()) {
                self.parent.plan(now.0 + 1, ParentEvent::Says { id: id.clone(), is_there: true });
            }
        }
        true
    }

    /// Whether the core waits to hear that the DS is there, or gone.
    fn is_waiting(&self, id: &KeyId, is_there: bool) -> bool {
        use DsAtParent::{Retract, Retracted, Submit, Submitted};
        match self.ds_at_parent(id) {
            Some(Submit | Submitted) => is_there,
            Some(Retract | Retracted) => !is_there,
            _ => false,
        }
    }

    /// Whether a parent that follows CDS shows the DS and will go on with it (`is_there`), or
    /// shows it no more and will not show it again.
    fn is_at_rest(&mut self, id: &KeyId, is_there: bool) -> bool {
        let number = self.world.keys.number(id, false, self.algorithms[id]);
        let is_shown = self.world.ds_shown().has(number);
        let may_come = self.sync.may_name(self.world.now, id) || self.parent.will_follow(id);
        if is_there { is_shown } else { !is_shown && !may_come }
    }

    /// The parent has read a CDS set: its DS set becomes that.
    fn follow_cds(&mut self, wish: &Wish) -> Result<(), Fault> {
        let ids: &[KeyId] = match wish {
            Wish::Silent => return Ok(()),
            Wish::Delete => &[],
            Wish::Keys(ids) => ids,
        };
        let numbers = ids.iter().map(|id| self.world.keys.number(id, false, self.algorithms[id]));
        let ds = KeySet::of(&numbers.collect::<Vec<_>>());
        self.covered.syncs += 1;
        self.world.show_ds(ds)
    }

    /// The parent looks at the zone's CDS.
    pub(crate) fn poll(&mut self) {
        let now = self.world.now;
        let Some(said) = self.sync.poll(now, &mut self.random) else { return };
        self.log(|_| format!("parent reads {said:?}"));
        let registration = self.policy.parent.registration_delay.0;
        let delay = self.random.pick(&[0, registration, registration]);
        let delay = if self.cast.is_eager { delay } else { self.random.below(delay + 1) };
        self.parent.replace_follows(now + delay, said.wish);
    }

    fn ask_parent(&mut self, id: &KeyId, is_there: bool) -> Result<(), Why> {
        let now = self.world.now;
        let wanted = if is_there { DsAtParent::Submit } else { DsAtParent::Retract };
        if self.ds_at_parent(id) != Some(wanted) {
            return Ok(());
        }
        if self.cast.is_eager && !is_there && self.is_other_ds_coming(id) {
            // A prudent operator does not have the last DS removed while the next is not there.
            let event = ParentEvent::Asks { id: id.clone(), is_there };
            let later = self.parent.next().unwrap_or(0).max(now);
            self.parent.plan(if later > now { later } else { now + 3600 }, event);
            return Ok(());
        }
        let done = match is_there {
            true => ds_submit(&self.life, id, Timestamp(now)),
            false => ds_retract(&self.life, id, Timestamp(now)),
        };
        self.life = done.map_err(|_| Why::GoodCommandRefused("ds-submit/retract"))?;
        self.parent.asked(now, id, is_there, &self.policy, &mut self.random);
        if self.cast.is_watched {
            self.parent.say_nothing();
        }
        while let Some(event) = self.parent.take(now) {
            self.parent_event(event)?;
        }
        Ok(())
    }

    /// Whether this DS is the only one at the parent, and another one is under way.
    fn is_other_ds_coming(&mut self, id: &KeyId) -> bool {
        let number = self.world.keys.number(id, false, self.algorithms[id]);
        let others = self.world.ds_shown().without(KeySet::of(&[number]));
        let is_coming = |key: &KeyLife| {
            use DsAtParent::{Seen, Submit, Submitted};
            key.id != *id && matches!(key.ds_at_parent, Submit | Submitted | Seen)
        };
        others.is_empty() && self.life.keys.iter().any(is_coming)
    }

    pub(crate) fn show(&mut self, id: &KeyId, is_there: bool) -> Result<(), Fault> {
        let number = self.world.keys.number(id, false, self.algorithms[id]);
        let this = KeySet::of(&[number]);
        let shown = self.world.ds_shown();
        self.world.show_ds(if is_there { shown.or(this) } else { shown.without(this) })
    }

    pub(crate) fn ds_at_parent(&self, id: &KeyId) -> Option<DsAtParent> {
        self.life.keys.iter().find(|key| key.id == *id).map(|key| key.ds_at_parent)
    }

    /// The operator hears what is to be handed over or taken back; it is said again and again.
    pub(crate) fn tell_parent(&mut self, actions: &[Action]) {
        let said = |action: &Action| match action {
            Action::SubmitDs { id } => Some((id.clone(), true)),
            Action::RetractDs { id } => Some((id.clone(), false)),
            _ => None,
        };
        let said: BTreeSet<(KeyId, bool)> = actions.iter().filter_map(said).collect();
        let now = self.world.now;
        for (id, is_there) in said.difference(&self.said) {
            match (self.cast.has_cds, self.cast.is_watched) {
                (true, true) => {}
                (true, false) => {
                    let late = if self.cast.is_eager { 0 } else { self.random.below(3 * DAY) };
                    let event = ParentEvent::Says { id: id.clone(), is_there: *is_there };
                    self.parent.plan(now + late + 1, event);
                }
                (false, _) => self.parent.want(now, id, *is_there, &mut self.random),
            }
        }
        self.said = said;
    }

    /// The zone's CDS RRset follows the keys.
    pub(crate) fn publish_cds(&mut self) -> Result<(), Why> {
        let right = Wish::of(&self.life, &self.policy);
        let wish = self.mistake.wish(&self.life, right);
        if wish == Wish::Delete && !is_leaving(&self.policy) && !self.cast.is_eager {
            return Err(Fault::AsksForRemoval { at: self.world.now }.into());
        }
        let delay = self.policy.zone.propagation_delay.0;
        self.sync.publish(self.world.now, wish, delay, &mut self.random);
        Ok(())
    }

    /// Somebody asks all of the parent's servers.
    pub(crate) fn watch(&mut self) {
        let now = self.world.now;
        let mut seen = Vec::new();
        for key in self.life.keys.iter().filter(|key| key.ds.is_some()) {
            let number = self.world.keys.find(&key.id, false);
            let has = |set: &KeySet| number.is_some_and(|number| set.has(number));
            let with = self.world.ds.fetchable(now).filter(|set| has(set)).count();
            let all = self.world.ds.fetchable(now).count();
            let shown = match with {
                0 => DsShown::Nowhere,
                _ if with == all => DsShown::Everywhere,
                _ => DsShown::Somewhere,
            };
            let before = self.sightings.iter().find(|it| it.id == key.id && it.shown == shown);
            let since = before.map_or(Timestamp(now), |it| it.since);
            let ttl = self.policy.parent.ds_ttl;
            seen.push(DsSighting { id: key.id.clone(), shown, since, ttl });
        }
        self.sightings = seen;
        let is_moving = |key: &KeyLife| {
            use RecordState::{Rumoured, Unretentive};
            let is_on_its_way = matches!(key.state(RecordKind::Ds), Some(Rumoured | Unretentive));
            is_on_its_way || !matches!(key.ds_at_parent, DsAtParent::Seen | DsAtParent::Unsubmitted)
        };
        let interval = if self.cast.is_eager { 3600 } else { 1 + self.random.below(DAY) };
        self.next_watch = self.life.keys.iter().any(is_moving).then_some(now + interval);
    }
}
