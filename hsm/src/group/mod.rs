//! A repository group: several independent tokens that hold the same keys, as one [`Slot`].
//!
//! Before a member signs with a key it has shown the group's public key and signed a random
//! challenge with the private one; so at the start, when it comes back, and before a new key is
//! given out. Work goes to the least busy member that has; what one member fails at another does.
//! A member that shows another key, or signs with one, is shut out with an alarm: nobody has to
//! find out from resolvers that two HSMs held different keys. It is looked at again after a pause
//! that doubles each time, and at once when an operator says that it is mended; it is taken back
//! when it shows and proves the right keys.
//!
//! The tokens are independent, so a new key gets into all of them only by what the vendor
//! provides (a cluster, a key ceremony) or by cloning the token; the group makes it in one
//! member, waits for the others, and gives it out when a quorum shows it. The quorum rules new
//! keys only: with a recorded key any member that proves it may sign, since the record is the
//! truth and no vote.
//!
//! Every batch's first signature is verified here against the group's key: one batch is served
//! by one token, so this tells which key it signs with. Verifying all of a foreign module's
//! signatures is its slot's duty (rule HSM-5).
//! Limits: [`CHALLENGES_MAX`] keys are proven when a member comes in, the others at first use.

mod agreement;
mod contract;
mod look;
mod state;
#[cfg(test)]
mod tests;

pub use state::MemberFault;

use crate::error::{Cause, Disposition, Place, SlotError};
use crate::packed::Packed;
use crate::slot::{SignBatch, Slot};
use crate::verify::Verifier;
use agreement::{GroupFault, Said};
use dnssec::key::{KeyId, PublicKey};
use state::{Change, GroupKey, KeyName, Presence, Seat, State};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most keys that are proven before a member comes into the rotation.
pub const CHALLENGES_MAX: usize = 256;
/// How exactly is known for how long a member is not in.
const TICK: Duration = Duration::from_secs(1);

/// Opens one member's token; called again when the member has to be opened anew.
pub type OpenMember = Box<dyn Fn() -> Result<Arc<dyn Slot>, SlotError> + Send + Sync>;

/// One token of a group.
pub struct Member {
    /// Its repository name.
    pub name: String,
    /// How it is opened.
    pub open: OpenMember,
}

/// What a group is made of.
pub struct GroupSettings {
    /// The group's repository name.
    pub repository: String,
    /// The members; keys are made in the first that is in the rotation.
    pub members: Vec<Member>,
    /// How many members have to show a new key before it is given out; at least 1.
    pub quorum: usize,
    /// Keys that are known from before, with the public half that may be published.
    pub recorded: Vec<(KeyId, PublicKey)>,
    /// How long a new key is waited for.
    pub patience: Patience,
}

/// How long a new key is waited for in one call; the caller asks again later.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Looks at the other members.
    pub look_count: u32,
    /// Pause between two looks.
    pub pause: Duration,
}

impl Default for Patience {
    /// Ten looks in five seconds.
    fn default() -> Patience {
        Patience { look_count: 10, pause: Duration::from_millis(500) }
    }
}

/// How a group is, for health checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStatus {
    /// The group's repository name.
    pub repository: String,
    /// How many members have to show a new key.
    pub quorum: usize,
    /// How many keys are agreed.
    pub key_count: usize,
    /// The members, in the order of conf.xml.
    pub members: Vec<MemberStatus>,
}

/// How a member of a group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its repository name.
    pub name: String,
    /// Where it is.
    pub presence: MemberPresence,
    /// How long it is not in by now, at least; zero for a member that is in.
    pub absent: Duration,
    /// When it is tried again by itself; `None` for a member that is in, and for one that waits
    /// for an operator.
    pub next_try: Option<Duration>,
    /// How many of the agreed keys it has proven since it came in.
    pub proven_count: usize,
    /// Batches that it is signing.
    pub under_way: usize,
}

/// Where a member of a group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberPresence {
    /// In the rotation.
    In,
    /// Away; it is tried again by itself. No reason before the first try.
    Away(Option<SlotError>),
    /// Shut out: it signs nothing until it has proven the right keys again.
    ShutOut(MemberFault),
}

/// Several tokens as one slot, with a thread that takes members back.
pub struct GroupSlot {
    group: Arc<Group>,
}

impl GroupSlot {
    /// Opens every member at once. At least one has to open; the others are tried again.
    pub fn open(settings: GroupSettings) -> Result<GroupSlot, SlotError> {
        let group = Arc::new(Group::new(settings));
        std::thread::scope(|scope| {
            for member in 0..group.members.len() {
                let group = &group;
                let builder = std::thread::Builder::new().name("repository-group".to_owned());
                let spawned = builder.spawn_scoped(scope, move || group.take_back(member));
                if spawned.is_err() {
                    // Without threads one after the other has to do.
                    group.take_back(member);
                }
            }
        });
        if group.lock().seats().is_empty() {
            return Err(group.not_open());
        }
        let own = Arc::clone(&group);
        let builder = std::thread::Builder::new().name("repository-group".to_owned());
        builder.spawn(move || own.tend()).map_err(|error| SlotError::ModuleFault {
            place: group.place(),
            operation: "opening",
            cause: Cause::of(error),
        })?;
        Ok(GroupSlot { group })
    }

    /// Which member is in what state.
    pub fn status(&self) -> GroupStatus {
        self.group.status()
    }

    /// An operator has mended something: members that are not in are tried now, in the background.
    pub fn mended(&self) {
        self.group.lock().mended();
        self.group.changed.notify_all();
    }
}

impl Drop for GroupSlot {
    fn drop(&mut self) {
        self.group.lock().closing = true;
        self.group.changed.notify_all();
    }
}

/// The group itself: it has no thread, and time passes when it is told so.
struct Group {
    repository: String,
    members: Vec<Member>,
    quorum: usize,
    patience: Patience,
    state: Mutex<State>,
    /// Told when a member leaves or the group closes.
    changed: Condvar,
    /// Held while members are asked about a key, so that they are asked once.
    looking: Mutex<()>,
}

/// One batch under way at a member.
struct Work<'g> {
    group: &'g Group,
    seat: Seat,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.group.lock().done(self.seat.member);
    }
}

impl Group {
    fn new(settings: GroupSettings) -> Group {
        let GroupSettings { repository, members, quorum, recorded, patience } = settings;
        let mut state = State::new(members.len());
        for (id, public) in recorded {
            // A record that nothing verifies is as good as none: the key is refused when used.
            if let Some(verifier) = Verifier::new(&public) {
                state.add_key((id, public.algorithm), GroupKey { public, verifier });
            }
        }
        Group {
            repository,
            members,
            quorum: quorum.max(1),
            patience,
            state: Mutex::new(state),
            changed: Condvar::new(),
            looking: Mutex::new(()),
        }
    }

    // A poisoned lock only means that a thread panicked between two whole changes.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> Place {
        let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
        Place { repository: self.repository.clone(), token: names.join(", ") }
    }

    fn status(&self) -> GroupStatus {
        let state = self.lock();
        let member = |(at, member): (usize, &Member)| MemberStatus {
            name: member.name.clone(),
            presence: match state.presence(at) {
                Presence::In => MemberPresence::In,
                Presence::Away { reason, .. } => MemberPresence::Away(reason.clone()),
                Presence::Out { fault, .. } => MemberPresence::ShutOut(fault.clone()),
            },
            absent: state.absent(at),
            next_try: match state.presence(at) {
                Presence::In => None,
                Presence::Away { left, .. } => Some(*left),
                Presence::Out { left, .. } => *left,
            },
            proven_count: state.proven_count(at),
            under_way: state.under_way(at),
        };
        GroupStatus {
            repository: self.repository.clone(),
            quorum: self.quorum,
            key_count: state.key_count(),
            members: self.members.iter().enumerate().map(member).collect(),
        }
    }

    /// Takes members back when their pauses are over, until the group is dropped.
    fn tend(&self) {
        let mut state = self.lock();
        while !state.closing {
            let idle = (!state.is_whole()).then_some(TICK);
            let Some(pause) = state.next_due().or(idle) else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let pause = if state.is_whole() { pause } else { pause.min(TICK) };
            let waited = self.changed.wait_timeout(state, pause);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() && !state.closing {
                let due = state.elapse(pause);
                drop(state);
                due.into_iter().for_each(|member| self.take_back(member));
                state = self.lock();
            }
        }
    }

    /// Says once, and aloud, what happened to a member.
    fn report(&self, member: usize, change: Change) {
        let (repository, member_name) = (&self.repository, &self.members[member].name);
        let (presence, retired) = {
            let mut state = self.lock();
            (state.presence(member).clone(), std::mem::take(&mut state.retired))
        };
        drop(retired);
        match (change, presence) {
            (Change::ShutOut, Presence::Out { fault, .. }) => {
                tracing::error!(target: "hsm", %repository, member = %member_name, error = %fault,
                    "member {member_name} of repository group {repository} is shut out: {fault}");
                self.changed.notify_all();
            }
            (Change::Left, Presence::Away { reason: Some(error), .. }) => {
                tracing::error!(target: "hsm", %repository, member = %member_name, %error,
                    "member {member_name} of repository group {repository} is away and is tried \
                     again by itself");
                self.changed.notify_all();
            }
            _ => {}
        }
    }

    fn failed(&self, name: Option<&KeyName>, seat: &Seat, error: &SlotError) {
        let change = self.lock().failed(name, seat, error);
        self.report(seat.member, change);
    }

    /// What each member says: its own words, or where it is.
    fn said(&self, words: &BTreeMap<usize, String>) -> Said {
        let state = self.lock();
        let said = (0..self.members.len()).map(|at| {
            let own = words.get(&at).cloned();
            let own = own.unwrap_or_else(|| match state.presence(at) {
                Presence::In => "it does not serve this key now".to_owned(),
                Presence::Away { reason: Some(reason), .. } => format!("away: {reason}"),
                Presence::Away { reason: None, .. } => "away".to_owned(),
                Presence::Out { fault, .. } => format!("shut out: {fault}"),
            });
            (self.members[at].name.clone(), own)
        });
        Said(said.collect())
    }

    /// Nobody can: waiting helps, or the operator. Whatever the reasons are, it is no reason to
    /// give up the group, which other keys may need.
    fn unable(&self, failures: &BTreeMap<usize, SlotError>) -> SlotError {
        match failures.values().next() {
            // All say the same.
            Some(first) if is_request_at_fault(failures) => first.clone(),
            _ => SlotError::TokenGone { place: self.place(), cause: self.nobody_cause(failures) },
        }
    }

    fn nobody_cause(&self, failures: &BTreeMap<usize, SlotError>) -> Cause {
        let words = failures.iter().map(|(at, error)| (*at, error.to_string())).collect();
        Cause::of(GroupFault::Nobody { said: self.said(&words) })
    }

    fn is_somebody_away(&self) -> bool {
        let state = self.lock();
        (0..self.members.len()).any(|at| matches!(state.presence(at), Presence::Away { .. }))
    }

    /// No member opened: with one that is only away the opening is worth another try.
    fn not_open(&self) -> SlotError {
        if self.is_somebody_away() {
            return self.unable(&BTreeMap::new());
        }
        let state = self.lock();
        let first = (0..self.members.len()).find_map(|at| match state.presence(at) {
            Presence::Out { fault, .. } => Some(fault.clone()),
            Presence::In | Presence::Away { .. } => None,
        });
        drop(state);
        let place = self.place();
        match first {
            Some(MemberFault::Slot(error)) => error,
            Some(MemberFault::OtherKey { key, .. }) => {
                let cause = self.nobody_cause(&BTreeMap::new());
                SlotError::PublicKeyUnavailable { place, key, cause }
            }
            None => SlotError::TokenMissing { place, labels: Vec::new(), unreadable: 0 },
        }
    }

    /// Asks every member in the rotation the same; an error when nobody answers.
    fn each<T>(
        &self,
        ask: impl Fn(&dyn Slot) -> Result<T, SlotError>,
    ) -> Result<Vec<(Seat, T)>, SlotError> {
        let seats = self.lock().seats();
        let (mut answers, mut failures) = (Vec::new(), BTreeMap::new());
        for seat in seats {
            match ask(seat.slot.as_ref()) {
                Ok(answer) => answers.push((seat, answer)),
                Err(error) => {
                    self.failed(None, &seat, &error);
                    failures.insert(seat.member, error);
                }
            }
        }
        match answers.is_empty() {
            true => Err(self.unable(&failures)),
            false => Ok(answers),
        }
    }

    fn take(&self, name: &KeyName, but: &BTreeMap<usize, SlotError>) -> Option<Work<'_>> {
        let but: Vec<usize> = but.keys().copied().collect();
        let seat = self.lock().take(name, &but)?;
        Some(Work { group: self, seat })
    }

    /// Whether an answer is what the group gives out.
    fn check(&self, key: &GroupKey, batch: &SignBatch, signed: &Packed) -> Result<(), SlotError> {
        let is_whole = signed.len() == batch.messages.len();
        let is_right = match (batch.messages.get(0), signed.get(0)) {
            (Some(message), Some(signature)) => key.verifier.verify(message, signature),
            _ => true,
        };
        if is_whole && is_right {
            return Ok(());
        }
        Err(SlotError::WrongSignature {
            place: self.place(),
            key: batch.key.clone(),
            algorithm: batch.algorithm,
            index: 0,
        })
    }
}

/// Whether no member would take the request, whoever it is.
fn is_request_at_fault(failures: &BTreeMap<usize, SlotError>) -> bool {
    let is_refused = |error: &SlotError| error.disposition() == Disposition::Refuse;
    let all_refuse = failures
        .values()
        .all(|error| is_refused(error) && agreement::reaction(error) == agreement::Reaction::Stays);
    all_refuse && !failures.is_empty()
}
