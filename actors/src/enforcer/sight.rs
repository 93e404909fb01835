//! What the enforcer sees of a zone as it decides about its keys: one way for its own turns, for
//! explanations, plans and previews, so that what is told is what will be done.
//! In: records of keys, what is remembered, what the parent shows. Out: scenes of the core.
//! Never: changes. A key whose making was cut short is not finished for a look.

use super::effects;
use super::keys::{KeysError, collide};
use super::pass::{Pass, public_key};
use super::{EnforcerActor, Watched};
use crate::runtime::{ActorFutureExt, AsyncContext, Context, Reply, WrapFuture};
use crate::settings::EnforcerSettings;
use crate::store::StoreError;
use dnssec::enforcer::history::KeyEvent;
use dnssec::enforcer::{DsSighting, Scene, SupplyKey, ZoneLife};
use dnssec::key::KeyId;
use dnssec::policy::{DenialPolicy, Policy};
use dnssec::{Name, Seconds, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use storage::state::{KeyOwner, KeyRecord, KeyState, PolicyState};

/// The scene in which the enforcer decides about a zone's keys. `parent`: what is seen of it,
/// where the policy has somebody asked.
pub fn scene<'s>(
    policy: &'s Policy,
    now: Timestamp,
    supply: &'s [SupplyKey],
    parent: Option<&'s [DsSighting]>,
    settings: &EnforcerSettings,
) -> Scene<'s> {
    Scene {
        rollover_notification: settings.rollover_notification.unwrap_or(Seconds(0)),
        waits_for_publication: true,
        parent,
        ..Scene::new(policy, now, supply)
    }
}

/// A zone as the enforcer sees it, under its policy or a proposed one.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The zone.
    pub zone: Name,
    /// The policy.
    pub policy: Arc<Policy>,
    /// When it was looked at.
    pub now: Timestamp,
    /// What is remembered, with the backups as they are.
    pub life: ZoneLife,
    /// Keys that the zone may take, in order of preference.
    pub supply: Vec<SupplyKey>,
    /// What the parent shows; `None`: nobody asks.
    pub parent: Option<Vec<DsSighting>>,
    /// When the policy's salt was made; 0: it is to be made now.
    pub salted: Option<Timestamp>,
}

impl Sight {
    /// The scene in which the enforcer would decide.
    pub fn scene(&self, settings: &EnforcerSettings) -> Scene<'_> {
        scene(&self.policy, self.now, &self.supply, self.parent.as_deref(), settings)
    }
}

/// Some zones as the enforcer sees them.
#[derive(Clone, Debug)]
pub struct Sights {
    /// The zones, as they were asked for.
    pub zones: Vec<Sight>,
    /// `<Enforcer>`, as the enforcer goes by it.
    pub settings: EnforcerSettings,
    /// How many more keys go into each repository that these zones use; those without a limit, and
    /// those that do not answer, are left out.
    pub free: BTreeMap<String, u64>,
}

/// A zone that somebody wants to look at: its policy, or a proposed one.
pub type Asked = (Name, Arc<Policy>);

/// A zone with what is seen of its parent.
type Observed = (Name, Arc<Policy>, Option<Vec<DsSighting>>);

impl EnforcerActor {
    /// Answers what is seen of zones, without waiting for anybody's turn.
    pub(super) fn see(
        &self,
        zones: Vec<Asked>,
        reply: Reply<Result<Sights, StoreError>>,
        ctx: &mut Context<EnforcerActor>,
    ) {
        let pass = self.pass.clone();
        let now = pass.now();
        let observed = |(zone, policy): Asked| {
            let parent = parent_under(self.zones.get(&zone), &policy, now);
            (zone, policy, parent)
        };
        let zones: Vec<Observed> = zones.into_iter().map(observed).collect();
        let work = async move { reply.send(pass.sights(zones, now).await) };
        ctx.spawn(work.into_actor(self).map(|(), _, _| ()));
    }
}

/// What is seen of the parent under a policy that need not be the zone's.
fn parent_under(
    watched: Option<&Watched>,
    policy: &Policy,
    now: Timestamp,
) -> Option<Vec<DsSighting>> {
    let agents = policy.parent.agents.as_ref()?;
    let same = watched.filter(|watched| watched.policy.parent.agents.as_ref() == Some(agents));
    // Others have not been asked yet.
    Some(same.and_then(|watched| watched.parent(now)).unwrap_or_default())
}

impl Pass {
    async fn sights(&self, zones: Vec<Observed>, now: Timestamp) -> Result<Sights, StoreError> {
        let store = &self.parts.store;
        let (lives, records) = (store.lives().await?, store.keys().await?);
        let used = used_keys(&lives);
        let lives: BTreeMap<Name, ZoneLife> = lives.into_iter().collect();
        let mut by_owner: HashMap<KeyOwner, Vec<KeyRecord>> = HashMap::new();
        for record in records.into_iter().filter(|record| record.state == KeyState::Present) {
            by_owner.entry(record.owner.clone()).or_default().push(record);
        }
        let (mut salts, mut free) = (BTreeMap::new(), BTreeMap::new());
        let mut sights = Vec::new();
        for (zone, policy, parent) in zones {
            if !salts.contains_key(&policy.name) {
                let state = store.policy(&policy.name).await?;
                salts.insert(policy.name.clone(), state);
                free.extend(self.free_places(&policy).await);
            }
            let own = KeyOwner::Zone(Box::new(zone.clone()));
            let owners = [own, KeyOwner::Policy(policy.name.clone())];
            let records: Vec<KeyRecord> =
                owners.iter().filter_map(|owner| by_owner.get(owner)).flatten().cloned().collect();
            let mut life = lives.get(&zone).cloned().unwrap_or_default();
            with_backups(&mut life, &records);
            let supply = self.supply_of(&zone, &policy, (&records, &life), &used).await?;
            let salted = salts.get(&policy.name).and_then(Option::as_ref);
            let salted = salted.and_then(|state| salted_at(&policy, state));
            sights.push(Sight { zone, policy, now, life, supply, parent, salted });
        }
        Ok(Sights { zones: sights, settings: self.parts.settings.clone(), free })
    }

    /// How many more keys go into the repositories of a policy, where that is known.
    async fn free_places(&self, policy: &Policy) -> BTreeMap<String, u64> {
        let names: BTreeSet<&String> = policy.keys.keys.iter().map(|key| &key.repository).collect();
        let mut free = BTreeMap::new();
        for name in names {
            let Some(slot) = self.parts.slots.get(name) else { continue };
            if let Some(room) = slot.room_if_known().await {
                free.insert(name.clone(), room);
            }
        }
        free
    }

    /// Keys that a zone may take: its own that it does not use, as after a crash between a
    /// key's making and its taking; then those that it may share, newest first; then the pool.
    /// `used`: the keys that zones introduce, and since when.
    pub(super) async fn supply_of(
        &self,
        zone: &Name,
        policy: &Policy,
        (records, life): (&[KeyRecord], &ZoneLife),
        used: &BTreeMap<KeyId, Timestamp>,
    ) -> Result<Vec<SupplyKey>, StoreError> {
        let is_held = |record: &&KeyRecord| life.keys.iter().any(|key| key.id == record.id);
        let mut free: Vec<&KeyRecord> = records.iter().filter(|one| !is_held(one)).collect();
        let held = || records.iter().filter(is_held);
        free.retain(|record| !held().any(|other| collide(other, record)));
        if free.iter().any(|record| !is_policys(record)) {
            let dropped = self.dropped(zone).await?;
            free.retain(|record| !dropped.contains(&record.id));
        }
        free.sort_by_key(|record| {
            let in_use = used.get(&record.id).filter(|_| policy.keys.share_keys);
            let in_use = in_use.map(|at| std::cmp::Reverse(*at));
            (is_policys(record), in_use.is_none(), in_use, record.inception)
        });
        Ok(free.into_iter().filter_map(supply_key).collect())
    }

    /// Keys that the zone once had and forgot: back from the trash, they are no fresh keys.
    async fn dropped(&self, zone: &Name) -> Result<BTreeSet<KeyId>, StoreError> {
        let history = self.parts.store.history(zone).await?;
        let events = history.into_iter().flat_map(|entry| entry.events);
        let gone = events.filter(|(_, event)| *event == KeyEvent::Gone);
        Ok(gone.map(|(id, _)| id).collect())
    }

    /// When the policy's next salt is due; `None`: never, or it has none.
    pub(super) async fn salt_due(&self, policy: &Policy) -> Result<Option<Timestamp>, KeysError> {
        let DenialPolicy::Nsec3(nsec3) = &policy.denial else { return Ok(None) };
        if nsec3.resalt == Seconds(0) || nsec3.salt_length == 0 {
            return Ok(None);
        }
        let state = self.parts.store.policy(&policy.name).await?;
        Ok(state.map(|state| state.salt_changed.plus(nsec3.resalt)))
    }
}

/// The age of a policy's salt, as plans count it.
fn salted_at(policy: &Policy, state: &PolicyState) -> Option<Timestamp> {
    let DenialPolicy::Nsec3(nsec3) = &policy.denial else { return None };
    match state.salt.len() == usize::from(nsec3.salt_length) {
        true => Some(state.salt_changed),
        // One of another length is replaced at the next look.
        false => Some(Timestamp(0)),
    }
}

/// The keys that zones introduce, and since when.
pub(super) fn used_keys(lives: &[(Name, ZoneLife)]) -> BTreeMap<KeyId, Timestamp> {
    let keys = lives.iter().flat_map(|(_, life)| &life.keys).filter(|key| key.introducing);
    keys.map(|key| (key.id.clone(), key.inception)).collect()
}

/// Brings the backups of a zone's keys up to date.
pub(super) fn with_backups(life: &mut ZoneLife, records: &[KeyRecord]) {
    for key in &mut life.keys {
        if let Some(record) = records.iter().find(|record| record.id == key.id) {
            key.backup = effects::backup(record.backup);
        }
    }
}

pub(super) fn is_policys(record: &KeyRecord) -> bool {
    matches!(record.owner, KeyOwner::Policy(_))
}

fn supply_key(record: &KeyRecord) -> Option<SupplyKey> {
    let public_key = public_key(record)?;
    let rdata = dnssec::key::dnskey_rdata(record.role.flags(), &public_key);
    Some(SupplyKey {
        id: record.id.clone(),
        repository: record.repository.clone(),
        role: record.role,
        algorithm: record.algorithm,
        bits: record.bits,
        key_tag: dnssec::key::key_tag(&rdata),
        backup: effects::backup(record.backup),
    })
}
