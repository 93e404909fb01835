//! What a play's operator does beside the parent's business: rolls, commands that do not apply,
//! removals, imports, revocations, backups, keys made ahead; and outages.

use super::lives::Why;
use super::parent::ParentEvent;
use super::play::{BEGIN, KEYS_MAX, Play};
use dnssec::Timestamp;
use dnssec::enforcer::SupplyKey;
use dnssec::enforcer::{
    Backup, DsAtParent, ImportState, KeyLife, RecordKind, Scene, ZoneLife, ds_gone, ds_retract,
    ds_seen, ds_submit, import_key, ksk_retire, removable_keys, revoke, roll_now,
};
use dnssec::key::KeyRole;

const DAY: u64 = 86_400;

impl Play {
    /// The operator rolls a key, or tries a command at a bad moment.
    pub(crate) fn command(&mut self) -> Result<(), Why> {
        let may_roll = self.world.keys.count() < KEYS_MAX;
        if self.life.keys.is_empty() || self.random.one_in(2) && may_roll {
            let role = self.random.pick(&[KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk]);
            self.log(|_| format!("key rollover {role}"));
            self.life = roll_now(&self.life, role);
            return Ok(());
        }
        let key = self.random.pick(&self.life.keys);
        match self.random.below(8) {
            0..=3 => self.bad_command(&key),
            4 => {
                self.purge();
                Ok(())
            }
            5 => {
                self.retire(&key);
                Ok(())
            }
            6 => {
                self.revoke(&key);
                Ok(())
            }
            _ if may_roll => {
                self.import_new();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A command of the DS family where it does not apply.
    fn bad_command(&mut self, key: &KeyLife) -> Result<(), Why> {
        let now = Timestamp(self.world.now);
        let (name, fits, result) = match self.random.below(4) {
            0 => ("ds-submit", DsAtParent::Submit, ds_submit(&self.life, &key.id, now)),
            1 => ("ds-seen", DsAtParent::Submitted, ds_seen(&self.life, &key.id, now)),
            2 => ("ds-retract", DsAtParent::Retract, ds_retract(&self.life, &key.id, now)),
            _ => ("ds-gone", DsAtParent::Retracted, ds_gone(&self.life, &key.id, now)),
        };
        // Where the command applies, it would be a lie: the parent's own events tell the truth.
        if key.ds_at_parent == fits && key.role != KeyRole::Zsk {
            return Ok(());
        }
        self.covered.refused_commands += 1;
        if result.is_ok() { Err(Why::BadCommandTaken(name)) } else { Ok(()) }
    }

    /// Whether each command of the DS family is refused for a key where it does not apply.
    pub(crate) fn refuses_bad_commands(&mut self, key: &KeyLife) -> bool {
        let now = Timestamp(self.world.now);
        let is_bad = |fits| key.ds_at_parent != fits || key.role == KeyRole::Zsk;
        let (life, id) = (&self.life, &key.id);
        (!is_bad(DsAtParent::Submit) || ds_submit(life, id, now).is_err())
            && (!is_bad(DsAtParent::Submitted) || ds_seen(life, id, now).is_err())
            && (!is_bad(DsAtParent::Retract) || ds_retract(life, id, now).is_err())
            && (!is_bad(DsAtParent::Retracted) || ds_gone(life, id, now).is_err())
    }

    /// `key purge`.
    pub(crate) fn purge(&mut self) {
        let scene = Scene::new(&self.policy, Timestamp(self.world.now), &[]);
        let ids = removable_keys(&self.life, &scene);
        self.log(|_| format!("key purge: {ids:?}"));
        self.life.keys.retain(|key| !ids.contains(&key.id));
    }

    /// `key ksk-retire`; whether it was taken.
    pub(crate) fn retire(&mut self, key: &KeyLife) -> bool {
        let result = ksk_retire(&self.life, &key.id);
        self.take("ksk-retire", key, result.ok())
    }

    /// RFC 5011 revocation by hand; whether it was taken.
    pub(crate) fn revoke(&mut self, key: &KeyLife) -> bool {
        let result = revoke(&self.life, &key.id, Timestamp(self.world.now));
        self.take("revoke", key, result.ok())
    }

    fn take(&mut self, name: &str, key: &KeyLife, result: Option<ZoneLife>) -> bool {
        let Some(life) = result else {
            self.covered.refused_commands += 1;
            return false;
        };
        self.log(|_| format!("key {name} {}", key.id));
        self.life = life;
        true
    }

    /// `key import --keystate generate` of a key that nobody has seen; whether there was one.
    pub(crate) fn import_new(&mut self) -> bool {
        let now = Timestamp(self.world.now);
        let import =
            |key: &SupplyKey| import_key(&self.life, key, ImportState::Generate, now, &self.policy);
        let Some(life) = self.pool.iter().find_map(|key| import(key).ok()) else { return false };
        self.log(|_| "key import".to_owned());
        self.life = life;
        self.pool.retain(|key| !self.life.keys.iter().any(|held| held.id == key.id));
        true
    }

    /// The zone goes to a new machine: each key is imported in the state it is in. Whether each is
    /// in a state that can be imported.
    pub(crate) fn migrate(&mut self) -> bool {
        let now = Timestamp(self.world.now);
        let mut life = ZoneLife::default();
        for key in &self.life.keys {
            let imported = ImportState::ALL.into_iter().find_map(|state| {
                let supply = supply_of(key);
                let life = import_key(&life, &supply, state, now, &self.policy).ok()?;
                is_same(life.keys.last()?, key).then_some(life)
            });
            let Some(imported) = imported else { return false };
            life = imported;
        }
        self.log(|_| "the zone is taken to a new machine".to_owned());
        self.life = life;
        true
    }

    /// `backup commit`: all keys that there are have a backup.
    pub(crate) fn back_up(&mut self) {
        self.log(|_| "backup commit".to_owned());
        self.world.back_up();
        for backup in self
            .life
            .keys
            .iter_mut()
            .map(|key| &mut key.backup)
            .chain(self.pool.iter_mut().map(|key| &mut key.backup))
        {
            if *backup == Backup::Missing {
                *backup = Backup::Done;
            }
        }
    }

    /// The machine is off for a while, or nothing is published for a while.
    pub(crate) fn outage(&mut self) -> Result<(), Why> {
        self.covered.outages += 1;
        let length = self.random.pick(&[600, DAY / 2, 3 * DAY, 20 * DAY]);
        let until = self.world.now + 1 + self.random.below(length);
        if self.random.one_in(2) {
            self.log(|_| format!("publication is refused until {}", until - BEGIN));
            self.blocked_until = Some(until);
            return Ok(());
        }
        self.log(|_| format!("off until {}", until - BEGIN));
        while let Some(at) = self.parent.next().filter(|at| *at < until) {
            self.world.pass_off(at);
            while let Some(event) = self.parent.take(at) {
                match event {
                    ParentEvent::Shows { id, is_there } => self.show(&id, is_there)?,
                    ParentEvent::Follows { .. } => self.parent_event(event)?,
                    other => self.parent.plan(until, other),
                }
            }
        }
        self.world.pass_off(until);
        self.world.pass(until);
        Ok(())
    }
}

pub(crate) fn supply_of(key: &KeyLife) -> SupplyKey {
    SupplyKey {
        id: key.id.clone(),
        repository: key.repository.clone(),
        role: key.role,
        algorithm: key.algorithm,
        bits: key.bits,
        key_tag: key.key_tag,
        backup: key.backup,
    }
}

/// Whether an imported key stands where the original does.
fn is_same(imported: &KeyLife, key: &KeyLife) -> bool {
    let is_same = |kind| imported.state(kind) == key.state(kind);
    RecordKind::ALL.into_iter().all(is_same)
        && imported.ds_at_parent == key.ds_at_parent
        && imported.introducing == key.introducing
        && imported.purpose == key.purpose
        && key.revoked.is_none()
}
