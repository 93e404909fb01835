//! Plays a story on the real enforcer and the real store, from whatever a crash left. In: a
//! story, what is on the disk and in the token. Out: what happened. The clock leaps from one
//! moment at which the enforcer wants to look to the next; the zones publish at once what they
//! are told, and the parent does what it is asked.

use crate::checks::check_life;
use crate::outside::{Ear, Parent, ZoneEar};
use crate::story::{Story, Turn};
use crate::token::{Keys, REPOSITORY, Token, TokenActor};
use crate::trace::{Happened, Trace, lock, open};
use actors::enforcer::{
    Change, ChangeError, EnforcerActor, EnforcerMessage, EnforcerParts, KeysEvent, LifeEdit,
    Wanted, ZoneKeys,
};
use actors::parent::ParentMessage;
use actors::runtime::{
    Actor, Addr, Clock, Context, Handler, Outbox, PoolSpec, Recipient, Reply, System, WorkerPool,
};
use actors::settings::EnforcerSettings;
use actors::slot::SlotClient;
use actors::store::{StoreActor, StoreClient};
use dnssec::enforcer::{
    DsAtParent, KeyLife, PublishedKeys, RecordKind, RecordState, ZoneLife, ds_gone, ds_seen,
    roll_now,
};
use dnssec::key::KeyId;
use dnssec::policy::Policy;
use dnssec::{Name, Seconds, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use storage::StateStore;
use storage::faults::{DiskFault, FaultDisk};
use storage::state::KeyState;

/// Rounds after which a story that has not ended never will.
const ROUNDS_MAX: usize = 5000;
/// Rounds that are played on a disk that refuses.
const ROUNDS_AFTER_FAULT: usize = 4;
/// As long as the enforcer keeps forgotten keys.
const TRASH_PERIOD: Seconds = Seconds(7 * 86_400);
/// What the history says of the operator's command.
const ROLLOVER: &str = "key rollover";

/// From where a story is played.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) content: Vec<u8>,
    pub(crate) keys: Keys,
    pub(crate) now: Timestamp,
    pub(crate) has_policy_changed: bool,
    /// From this change of its log on the disk refuses everything.
    pub(crate) fails_from: Option<usize>,
}

/// How a story was played.
pub(crate) struct Played {
    pub(crate) trace: Arc<Trace>,
    pub(crate) keys: Keys,
    /// How the story ended; `None`: it was cut short.
    pub(crate) has_ended: bool,
}

/// Something that the enforcer was to save was not saved.
pub(crate) struct Refused;

pub(crate) fn zones(story: &Story) -> Vec<Name> {
    let names = ["a.example.", "b.example."].into_iter().take(story.zone_count);
    names.map(|name| Name::parse(name.as_bytes(), None).unwrap()).collect()
}

/// Plays a story in a system of its own, of which nothing is left afterwards.
pub(crate) fn play(story: &Story, start: Start) -> Played {
    let disk = FaultDisk::with_content(start.content);
    let store = Arc::new(open(&disk));
    let trace = Arc::new(Trace::new(disk.clone()));
    let token = Arc::new(Token::new(start.keys, trace.clone()));
    let parent = Parent::new(trace.clone());
    if let Some(change_count) = start.fails_from {
        disk.fail_from(change_count, DiskFault::Broken);
    }
    let has_ended = System::new().block_on(async {
        let clock = Clock::virtual_at(start.now);
        trace.note_time(start.now);
        let pools = [(); 2].map(|()| {
            WorkerPool::start(PoolSpec { name: "test", workers: 1, queue_bound: 1024 }).unwrap()
        });
        let mut player = Player {
            story,
            enforcer: start_enforcer(story, &store, &token, &parent, &clock, &pools),
            store: store.clone(),
            clock,
            trace: trace.clone(),
            watched: Vec::new(),
            policy: Arc::new(story.policy.clone()),
            has_policy_changed: false,
            fails_from: start.fails_from,
        };
        if start.has_policy_changed {
            player.change_policy();
        }
        player.watch();
        let end = player.play().await;
        pools.iter().for_each(WorkerPool::close);
        end.is_ok()
    });
    parent.end();
    Played { keys: token.keys(), trace, has_ended }
}

fn start_enforcer(
    story: &Story,
    store: &Arc<StateStore>,
    token: &Arc<Token>,
    parent: &Parent,
    clock: &Clock,
    pools: &[WorkerPool; 2],
) -> Outbox<EnforcerMessage> {
    let store = begin(StoreActor::new(store.clone(), pools[0].clone(), pools[0].clone()));
    let slot = begin(TokenActor { token: token.clone(), clock: clock.clone() });
    let slot = SlotClient::new(REPOSITORY, Outbox::new("slot", slot.recipient()));
    let parts = EnforcerParts {
        store: StoreClient::new(Outbox::new("store", store.recipient())),
        parent: Outbox::new("parent", begin(NobodyAsks).recipient()),
        slots: BTreeMap::from([(REPOSITORY.to_owned(), slot)]),
        pool: pools[1].clone(),
        files: pools[1].clone(),
        clock: clock.clone(),
        allow_deprecated: false,
        settings: EnforcerSettings {
            keys_ahead: story.keys_ahead,
            submit_command: Some(parent.command("submit")),
            retract_command: Some(parent.command("retract")),
            ..EnforcerSettings::default()
        },
    };
    Outbox::new("enforcer", begin(EnforcerActor::new(Arc::new(parts))).recipient())
}

/// In the place of who asks the parents.
struct NobodyAsks;

impl Actor for NobodyAsks {
    type Context = Context<NobodyAsks>;
}

impl Handler<ParentMessage> for NobodyAsks {
    type Result = ();

    fn handle(&mut self, _: ParentMessage, _: &mut Context<NobodyAsks>) {}
}

fn begin<A: Actor<Context = Context<A>>>(actor: A) -> Addr<A> {
    A::create(|ctx| {
        ctx.set_mailbox_capacity(1024);
        actor
    })
}

/// A zone, as the enforcer sees it.
struct Zone {
    name: Name,
    ear: Ear,
    to: Recipient<KeysEvent>,
}

struct Player<'s> {
    story: &'s Story,
    enforcer: Outbox<EnforcerMessage>,
    store: Arc<StateStore>,
    clock: Clock,
    trace: Arc<Trace>,
    watched: Vec<Zone>,
    policy: Arc<Policy>,
    has_policy_changed: bool,
    fails_from: Option<usize>,
}

impl Player<'_> {
    fn watch(&mut self) {
        for name in zones(self.story) {
            let ear = Ear::default();
            let (zone, policy) = (name.clone(), self.policy.name.clone());
            let actor = ZoneEar { zone, policy, trace: self.trace.clone(), ear: ear.clone() };
            self.watched.push(Zone { name, ear, to: begin(actor).recipient() });
        }
        self.want_keys();
    }

    fn want_keys(&self) {
        for zone in &self.watched {
            let wanted = Wanted {
                zone: zone.name.clone(),
                policy: self.policy.clone(),
                to: zone.to.clone(),
                signconf: None,
            };
            self.tell(EnforcerMessage::KeysWanted(wanted));
        }
    }

    fn change_policy(&mut self) {
        if let Turn::Policy(policy) = &self.story.turn {
            self.has_policy_changed = true;
            self.policy = Arc::new(Policy::clone(policy));
            self.want_keys();
        }
    }

    fn tell(&self, message: EnforcerMessage) {
        self.enforcer.tell(message).unwrap();
    }

    async fn change(&self, zone: &Name, cause: &str, edit: LifeEdit) -> Result<(), Refused> {
        let (reply, answer) = Reply::channel();
        let (zone, cause) = (zone.clone(), cause.into());
        self.tell(EnforcerMessage::Change(Change { zone, edit, cause, reply }));
        match answer.within(self.enforcer.to(), Duration::from_secs(60)).await.unwrap() {
            Ok(()) => Ok(()),
            Err(ChangeError::Failed(_)) if self.fails_from.is_some() => Err(Refused),
            Err(error) => panic!("a command was refused: {error}"),
        }
    }

    fn life(&self, zone: &Name) -> Result<ZoneLife, Refused> {
        match self.store.life(zone) {
            Ok(life) => Ok(life.unwrap_or_default()),
            Err(_) if self.fails_from.is_some() => Err(Refused),
            Err(error) => panic!("{error}"),
        }
    }

    async fn play(&mut self) -> Result<(), Refused> {
        let (mut before, mut struck) = (Vec::new(), 0);
        for _ in 0..ROUNDS_MAX {
            if self.fails_from.is_some_and(|from| self.trace.disk.change_count() >= from) {
                struck += 1;
                if struck > ROUNDS_AFTER_FAULT {
                    return Err(Refused);
                }
            }
            let mut lives = Vec::new();
            for zone in &self.watched {
                self.round(zone).await?;
                lives.push(self.life(&zone.name)?);
            }
            if lives != before || lives.iter().any(|life| self.is_parent_to_be_told(life)) {
                before = lives;
                continue;
            }
            if !lives.iter().all(|life| self.is_settled(life)) {
                self.leap_to_next().await;
            } else if !self.has_turned()? {
                self.turn().await?;
            } else if self.is_tidy()? {
                return Ok(());
            }
        }
        panic!("the story does not end: {before:#?}");
    }

    /// Everything that may happen now to a zone.
    async fn round(&self, zone: &Zone) -> Result<(), Refused> {
        // The answer comes after all jobs that came before, and a look.
        self.change(&zone.name, "test", Box::new(|life, _| Ok(life.clone()))).await?;
        check_life(&self.life(&zone.name)?);
        let told = lock(&zone.ear).clone();
        if let Some(keys) = told {
            let report = report(&keys, self.clock.now());
            self.tell(EnforcerMessage::Published { zone: zone.name.clone(), report });
        }
        for key in self.life(&zone.name)?.keys {
            let id = key.id;
            let edit: LifeEdit = match key.ds_at_parent {
                DsAtParent::Submitted => Box::new(move |life, now| Ok(ds_seen(life, &id, now)?)),
                DsAtParent::Retracted => Box::new(move |life, now| Ok(ds_gone(life, &id, now)?)),
                _ => continue,
            };
            self.change(&zone.name, "the parent did it", edit).await?;
        }
        Ok(())
    }

    /// Whether a command is running, or about to.
    fn is_parent_to_be_told(&self, life: &ZoneLife) -> bool {
        let is_known = |key: &KeyLife| match key.state(RecordKind::Ds) {
            Some(RecordState::Omnipresent) => true,
            Some(RecordState::Rumoured) => key.ds_at_parent == DsAtParent::Seen,
            _ => false,
        };
        let may_retract = self.policy.keys.keys.is_empty() || life.keys.iter().any(is_known);
        life.keys.iter().any(|key| match key.ds_at_parent {
            DsAtParent::Submit => true,
            DsAtParent::Retract => may_retract,
            _ => false,
        })
    }

    /// Whether the zone has the keys that its policy wants, and all caches have them.
    fn is_settled(&self, life: &ZoneLife) -> bool {
        let is_out = |key: &KeyLife| {
            let mut records = RecordKind::ALL.into_iter().filter_map(|kind| key.state(kind));
            key.introducing && records.all(|state| state == RecordState::Omnipresent)
        };
        life.keys.len() == self.policy.keys.keys.len() && life.keys.iter().all(is_out)
    }

    async fn leap_to_next(&self) {
        let (reply, answer) = Reply::channel();
        self.tell(EnforcerMessage::Agenda { reply });
        let agenda = answer.within(self.enforcer.to(), Duration::from_secs(60)).await.unwrap();
        if let Some((next, _)) = agenda.first() {
            self.leap(next.since(self.clock.now()));
        }
    }

    fn leap(&self, length: Seconds) {
        self.clock.leap_by(length);
        self.trace.note_time(self.clock.now());
    }

    fn has_rolled(&self, zone: &Name) -> Result<bool, Refused> {
        let history = self.store.history(zone).map_err(|_| Refused)?;
        Ok(history.iter().any(|entry| entry.cause.text == ROLLOVER))
    }

    fn has_turned(&self) -> Result<bool, Refused> {
        if let Turn::Policy(_) = self.story.turn {
            return Ok(self.has_policy_changed);
        }
        for zone in &self.watched {
            if !self.has_rolled(&zone.name)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn turn(&mut self) -> Result<(), Refused> {
        let Turn::Roll(role) = self.story.turn else {
            self.trace.note(Happened::PolicyChanged, |_| true);
            self.change_policy();
            return Ok(());
        };
        for zone in &self.watched {
            if !self.has_rolled(&zone.name)? {
                let edit: LifeEdit = Box::new(move |life, _| Ok(roll_now(life, role)));
                self.change(&zone.name, ROLLOVER, edit).await?;
            }
        }
        Ok(())
    }

    /// Whether all keys that are to go are gone; lets time pass if not.
    fn is_tidy(&self) -> Result<bool, Refused> {
        let records = self.store.keys().map_err(|_| Refused)?;
        let is_trashed = records.iter().any(|key| matches!(key.state, KeyState::Trashed { .. }));
        let is_tidy = records.iter().all(|key| key.state == KeyState::Present);
        if is_trashed {
            self.leap(TRASH_PERIOD);
        } else if !is_tidy {
            self.leap(Seconds(1));
        }
        Ok(is_tidy)
    }
}

/// What a version that does what the zone was told shows.
fn report(keys: &ZoneKeys, at: Timestamp) -> PublishedKeys {
    let ids = |is_meant: &dyn Fn(&dnssec::signing::ZoneKey) -> bool| -> Vec<KeyId> {
        let keys = keys.keys.iter().map(|(key, _)| key);
        keys.filter(|key| is_meant(key)).map(|key| key.id.clone()).collect()
    };
    let signers = ids(&|key| key.signs.is_some_and(|role| role.signs_zone()));
    PublishedKeys {
        at,
        dnskeys: ids(&|key| key.is_published),
        keyset_signers: ids(&|key| key.signs.is_some_and(|role| role.signs_keyset())),
        revoked: ids(&|key| key.is_published && key.is_revoked),
        named_to_parent: Vec::new(),
        zone_signers_some: signers.clone(),
        zone_signers_all: signers,
    }
}
