//! What the policy wants of a zone's keys: which are to leave, which rolls begin, which keys are
//! taken (catalogue 4.4). In: life, scene. Out: goals, keys taken, the next roll.
//! Where this is other than OpenDNSSEC 2.1, see the list in [`super`].

use super::scene::{Action, Leaving, LimitingTtl, Scene};
use super::standby;
use super::state::{
    Backup, DsAtParent, KeyLife, KeyUse, Minimize, RecordKind, RecordLife, RecordState, SupplyKey,
    ZoneLife,
};
use super::timing::max_zone_ttl;
use crate::first_keys::wanted_bits;
use crate::key::{KeyId, KeyRole};
use crate::policy::{KeyPolicy, Policy, RollType};
use crate::{KeyTag, Seconds, Timestamp};

/// How long to wait before asking again for a key that is not there (2.x).
pub(super) const RETRY: Seconds = Seconds(60);

/// What happens so far in an evaluation.
pub(super) struct Progress {
    pub(super) life: ZoneLife,
    pub(super) actions: Vec<Action>,
    pub(super) next: Option<Timestamp>,
}

impl Progress {
    /// Remembers to look again at `moment`, if not before.
    pub(super) fn look_again(&mut self, moment: Timestamp) {
        self.next = Some(self.next.map_or(moment, |next| next.min(moment)));
    }
}

/// The keys that a policy wants: none when the zone is to be published as it came.
pub(super) fn wanted_keys(policy: &Policy) -> &[KeyPolicy] {
    if policy.passthrough { &[] } else { &policy.keys.keys }
}

/// Whether a key is one that `wanted` asks for.
pub(super) fn fits(key: &KeyLife, wanted: &KeyPolicy) -> bool {
    key.role == wanted.role
        && key.algorithm == wanted.algorithm
        && key.bits == wanted_bits(wanted)
        && key.repository == wanted.repository
}

/// Brings the goals of all keys up to date with the policy.
pub(super) fn policy_pass(progress: &mut Progress, scene: &Scene<'_>) {
    let wanted = wanted_keys(scene.policy);
    for key in progress.life.keys.iter_mut().filter(|key| key.introducing) {
        if !wanted.iter().any(|wanted| fits(key, wanted)) {
            key.introducing = false;
            let why = Leaving::NotInPolicy;
            progress.actions.push(Action::KeyLeaves { id: key.id.clone(), why });
        }
    }
    if wanted.is_empty() {
        progress.actions.push(Action::NoKeysConfigured);
    }
    for role in [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk] {
        role_pass(progress, scene, role);
    }
    standby::standby_pass(progress, scene);
}

fn role_pass(progress: &mut Progress, scene: &Scene<'_>, role: KeyRole) {
    let wanted =
        || wanted_keys(scene.policy).iter().enumerate().filter(|(_, key)| key.role == role);
    if wanted().next().is_none() {
        *progress.life.next_roll.get_mut(role) = None;
        return;
    }
    let is_asked_for = *progress.life.roll_now.get(role);
    // A roll that was asked for begins for all keys of the role at once or not at all, because it
    // is asked for once.
    let lacks = |life: &ZoneLife, wanted: &KeyPolicy| find_key(life, scene, wanted).is_none();
    let has_all = wanted().all(|(_, wanted)| !lacks(&progress.life, wanted));
    let mut has_rolled = false;
    for (index, wanted) in wanted() {
        let is_forced = is_asked_for && (has_all || lacks(&progress.life, wanted));
        match due(&progress.life, scene, wanted, is_forced) {
            Due::Now => has_rolled |= take_key(progress, scene, index, wanted),
            Due::At(moment) => {
                progress.look_again(moment);
                *progress.life.next_roll.get_mut(role) = Some(moment);
            }
            Due::Late(moment) => *progress.life.next_roll.get_mut(role) = Some(moment),
            Due::Never => *progress.life.next_roll.get_mut(role) = None,
            Due::ByHand { at: Some(at) } if at > scene.now => progress.look_again(at),
            Due::ByHand { at: Some(since) } => {
                progress.actions.push(Action::ManualRollDue { role, since });
            }
            Due::ByHand { at: None } => {}
        }
    }
    if is_asked_for && has_all && has_rolled {
        *progress.life.roll_now.get_mut(role) = false;
    }
}

/// When a policy key's next key is due.
enum Due {
    Now,
    At(Timestamp),
    Never,
    /// It is, since this moment, but the last one is not done.
    Late(Timestamp),
    /// Only when somebody asks for it; `at`: when the lifetime is over.
    ByHand {
        at: Option<Timestamp>,
    },
}

fn due(life: &ZoneLife, scene: &Scene<'_>, wanted: &KeyPolicy, is_forced: bool) -> Due {
    let ours = life
        .keys
        .iter()
        .filter(|key| key.introducing && key.purpose == KeyUse::Regular && fits(key, wanted));
    let end = match ours.map(|key| key.inception).max() {
        // A key of another length or from another repository is rolled by hand, too; it goes on
        // until then.
        None if wanted.manual_rollover && has_similar(life, wanted) && !is_forced => {
            return Due::ByHand { at: None };
        }
        None => return Due::Now,
        Some(_) if is_forced => return Due::Now,
        Some(_) if wanted.lifetime == Seconds(0) => None,
        Some(inception) => Some(inception.plus(wanted.lifetime)),
    };
    match end {
        _ if wanted.manual_rollover => Due::ByHand { at: end },
        Some(end) if end <= scene.now => {
            match scene.waits_for_publication && is_coming(life, wanted) {
                true => Due::Late(end),
                false => Due::Now,
            }
        }
        Some(end) => Due::At(end),
        None => Due::Never,
    }
}

/// Whether a key for `wanted` is still on its way into the world.
fn is_coming(life: &ZoneLife, wanted: &KeyPolicy) -> bool {
    let is_out =
        |key: &KeyLife, kind| matches!(key.state(kind), None | Some(RecordState::Omnipresent));
    let is_ours =
        |key: &&KeyLife| key.introducing && key.purpose == KeyUse::Regular && fits(key, wanted);
    let mut ours = life.keys.iter().filter(is_ours);
    ours.any(|key| !RecordKind::ALL.into_iter().all(|kind| is_out(key, kind)))
}

/// Whether a key of the same role and algorithm, but of another length or from another
/// repository, does the work.
fn has_similar(life: &ZoneLife, wanted: &KeyPolicy) -> bool {
    let is_similar = |key: &KeyLife| {
        let is_regular = key.purpose == KeyUse::Regular && key.is_published();
        let is_same_kind = key.role == wanted.role && key.algorithm == wanted.algorithm;
        is_regular && is_same_kind && !fits(key, wanted)
    };
    life.keys.iter().any(is_similar)
}

/// A key that can be taken for `wanted`.
enum Found<'a> {
    /// A standby key of the zone, by its index.
    Standby(usize),
    /// One of the supply.
    New(&'a SupplyKey),
}

fn find_key<'a>(life: &ZoneLife, scene: &Scene<'a>, wanted: &KeyPolicy) -> Option<Found<'a>> {
    standby::ready_standby(life, wanted)
        .map(Found::Standby)
        .or_else(|| find_new(life, scene, wanted).map(Found::New))
}

/// The first key in supply that fits and whose key tag does not stand for another key already.
pub(super) fn find_new<'a>(
    life: &ZoneLife,
    scene: &Scene<'a>,
    wanted: &KeyPolicy,
) -> Option<&'a SupplyKey> {
    scene.supply.iter().find(|key| {
        key.role == wanted.role
            && key.algorithm == wanted.algorithm
            && key.bits == wanted_bits(wanted)
            && key.repository == wanted.repository
            && !life.keys.iter().any(|ours| {
                ours.id == key.id
                    || tags(ours.key_tag).any(|tag| tags(key.key_tag).any(|other| other == tag))
            })
    })
}

/// The key tags a key may have in its life: its own, and that with the REVOKE bit, which is 128
/// more, or 129 when the sum carries (RFC 4034 appendix B).
fn tags(tag: KeyTag) -> impl Iterator<Item = u16> {
    [0, 128, 129].into_iter().map(move |more| tag.0.wrapping_add(more))
}

/// Takes a key for `wanted`, and lets those that it replaces leave. Whether it did.
fn take_key(
    progress: &mut Progress,
    scene: &Scene<'_>,
    policy_key: usize,
    wanted: &KeyPolicy,
) -> bool {
    let now = scene.now;
    if let Some(ttl) = too_short(scene.policy, wanted) {
        let keys_ttl = scene.policy.keys.ttl;
        let lifetime = wanted.lifetime;
        let action = Action::LifetimeTooShort { policy_key, lifetime, ttl, keys_ttl };
        progress.actions.push(action);
        *progress.life.next_roll.get_mut(wanted.role) = Some(now);
        return false;
    }
    let before =
        |key: &KeyLife| key.introducing && key.purpose == KeyUse::Regular && fits(key, wanted);
    let from: Vec<KeyId> =
        progress.life.keys.iter().filter(|key| before(key)).map(|key| key.id.clone()).collect();
    let to = match find_key(&progress.life, scene, wanted) {
        None => {
            let purpose = KeyUse::Regular;
            progress.actions.push(Action::KeyWanted { policy_key, purpose });
            progress.look_again(now.plus(RETRY));
            *progress.life.next_roll.get_mut(wanted.role) = Some(now);
            return false;
        }
        Some(Found::Standby(index)) => {
            let key = &mut progress.life.keys[index];
            key.purpose = KeyUse::Regular;
            key.inception = now;
            let id = key.id.clone();
            progress.actions.push(Action::CallStandby { id: id.clone(), policy_key });
            id
        }
        Some(Found::New(key)) => {
            let purpose = KeyUse::Regular;
            progress.life.keys.push(new_key(key, wanted, purpose, now));
            let id = key.id.clone();
            progress.actions.push(Action::TakeKey { id: id.clone(), policy_key, purpose });
            id
        }
    };
    for key in progress.life.keys.iter_mut().filter(|key| from.contains(&key.id)) {
        key.introducing = false;
        let why = Leaving::Rolled;
        progress.actions.push(Action::KeyLeaves { id: key.id.clone(), why });
    }
    if !from.is_empty() {
        progress.actions.push(Action::RollStarted { role: wanted.role, from, to });
    }
    let end = (wanted.lifetime != Seconds(0)).then(|| now.plus(wanted.lifetime));
    if let Some(end) = end {
        progress.look_again(end);
    }
    *progress.life.next_roll.get_mut(wanted.role) = end;
    true
}

/// The TTL that, with that of the keys, lasts as long as the key lives: its roll could not end
/// before the next one begins (2.x).
fn too_short(policy: &Policy, wanted: &KeyPolicy) -> Option<LimitingTtl> {
    if wanted.lifetime == Seconds(0) || wanted.manual_rollover {
        return None;
    }
    let lasts = |ttl: Seconds| ttl.0.saturating_add(policy.keys.ttl.0) >= wanted.lifetime.0;
    let ds_ttl = policy.parent.ds_ttl;
    let zone_ttl = max_zone_ttl(policy);
    if wanted.role.signs_keyset() && lasts(ds_ttl) {
        return Some(LimitingTtl::ParentDs(ds_ttl));
    }
    (wanted.role.signs_zone() && lasts(zone_ttl)).then_some(LimitingTtl::MaxZone(zone_ttl))
}

/// The beginning of a key's life in a zone.
pub(super) fn new_key(
    key: &SupplyKey,
    wanted: &KeyPolicy,
    purpose: KeyUse,
    now: Timestamp,
) -> KeyLife {
    let hidden = RecordLife { state: RecordState::Hidden, since: now, confirmed: None };
    let role = key.role;
    KeyLife {
        id: key.id.clone(),
        repository: key.repository.clone(),
        role,
        algorithm: key.algorithm,
        bits: key.bits,
        key_tag: key.key_tag,
        inception: now,
        introducing: true,
        purpose,
        revoked: None,
        is_anchor: false,
        minimize: Minimize::of(wanted.roll_type),
        ds_at_parent: DsAtParent::Unsubmitted,
        ds_was_seen: false,
        backup: key.backup,
        ds: role.signs_keyset().then_some(hidden),
        dnskey: hidden,
        rrsig_dnskey: role.signs_keyset().then_some(hidden),
        rrsig: role.signs_zone().then_some(hidden),
    }
}

impl Minimize {
    /// What a roll type lets wait (catalogue 4.2).
    pub fn of(roll_type: RollType) -> Minimize {
        let (ds, dnskey, rrsig) = match roll_type {
            RollType::KskDoubleRrset | RollType::ZskDoubleSignature | RollType::CskDoubleRrset => {
                (false, false, false)
            }
            RollType::KskDoubleDs | RollType::ZskDoubleRrsig | RollType::CskDoubleDs => {
                (false, true, false)
            }
            RollType::KskDoubleSignature | RollType::CskDoubleSignature => (true, false, false),
            RollType::ZskPrePublication | RollType::CskSingleSignature => (false, false, true),
            RollType::CskPrePublication => (true, false, true),
        };
        Minimize { ds, dnskey, rrsig }
    }
}

impl Backup {
    /// Whether the key may be relied on.
    pub fn is_enough(self) -> bool {
        self != Backup::Missing
    }
}
