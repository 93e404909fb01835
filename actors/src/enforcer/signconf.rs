//! Signer configuration files (signconf.xml, catalogue 2.4) for those who read such files; nobody
//! here does. They are written when what they say changes, after it is durable, and those of
//! deleted zones get another name. In: what a look at a zone found. Out: files, each replaced as a
//! whole; an alarm for each that cannot be.
//! Never: a zone that waits for its file. One batch of files at a time, so that no older text
//! follows a newer one. What failed is tried again after [`FAILURE_PAUSE`].
//! Limits: [`BATCH_MAX`] files in a batch; of the texts for one file, the newest waits.

use super::jobs::Task;
use super::keys::KeysError;
use super::messages::ChangeError;
use super::{EnforcerActor, FAILURE_PAUSE};
use crate::io::signer_files::{self, SignerFileError};
use crate::runtime::{ActorFutureExt, AsyncContext, Context, Reply, WrapFuture};
use crate::settings::zone_text;
use appliance_config::{SignconfKey, write_signconf};
use dnssec::Name;
use dnssec::enforcer::{KeyLife, ZoneLife};
use dnssec::key::REVOKE;
use dnssec::policy::Policy;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Files that a worker writes in one go.
const BATCH_MAX: usize = 256;

/// Who hears what became of a file.
type Asker = Reply<Result<(), ChangeError>>;

/// What is known of a zone's file.
#[derive(Default)]
pub(super) struct Signconf {
    path: Option<PathBuf>,
    /// Of the text that it has, or is going to have.
    hash: Option<u64>,
    askers: Vec<Asker>,
}

impl Signconf {
    pub(super) fn at(path: Option<PathBuf>) -> Signconf {
        Signconf { path, ..Signconf::default() }
    }

    /// The same, when the file may be in another place from now on.
    pub(super) fn moved_to(self, path: Option<PathBuf>) -> Signconf {
        let hash = self.hash.filter(|_| self.path == path);
        Signconf { path, hash, ..self }
    }

    /// What the file says has to be looked at again.
    pub(super) fn forget(&mut self) {
        self.hash = None;
        self.askers.clear();
    }
}

/// What is to be done about a file.
struct Work {
    zone: Name,
    /// What is there now gets another name, first.
    puts_aside: bool,
    /// What it is to say then; `None`: nothing more.
    text: Option<String>,
    askers: Vec<Asker>,
    /// Whether it failed before.
    has_failed: bool,
}

impl Work {
    /// Runs on a worker. `true`: something was written.
    fn carry_out(&self, path: &Path) -> Result<bool, SignerFileError> {
        if self.puts_aside {
            signer_files::put_aside(path)?;
        }
        self.text.as_ref().map_or(Ok(false), |text| signer_files::write(path, text))
    }

    /// What is to be done when this comes after `earlier`.
    fn after(self, earlier: Work) -> Work {
        Work {
            puts_aside: self.puts_aside || earlier.puts_aside,
            askers: earlier.askers.into_iter().chain(self.askers).collect(),
            has_failed: earlier.has_failed,
            ..self
        }
    }
}

/// The files that are to be written.
#[derive(Default)]
pub(super) struct Signconfs {
    waiting: BTreeMap<PathBuf, Work>,
    is_busy: bool,
    /// They wait for the next try.
    failed: BTreeMap<PathBuf, Work>,
    is_pausing: bool,
}

impl Signconfs {
    pub(super) fn failed(&self) -> usize {
        self.failed.len()
    }

    fn push(&mut self, path: PathBuf, work: Work) {
        let earlier = self.failed.remove(&path);
        let work = match earlier.or_else(|| self.waiting.remove(&path)) {
            Some(earlier) => work.after(earlier),
            None => work,
        };
        self.waiting.insert(path, work);
    }

    /// Notes work that failed.
    fn push_failed(&mut self, path: PathBuf, work: Work) {
        let work = Work { has_failed: true, ..work };
        match self.waiting.remove(&path) {
            Some(newer) => drop(self.waiting.insert(path, newer.after(work))),
            None => drop(self.failed.insert(path, work)),
        }
    }

    fn batch(&mut self) -> Vec<(PathBuf, Work)> {
        let count = self.waiting.len().min(BATCH_MAX);
        (0..count).filter_map(|_| self.waiting.pop_first()).collect()
    }
}

/// A batch that was carried out.
type Done = Vec<(PathBuf, Work, Result<bool, SignerFileError>)>;

impl EnforcerActor {
    /// A look at a zone found that its file is to say this.
    pub(super) fn write_signconf(
        &mut self,
        zone: &Name,
        text: String,
        ctx: &mut Context<EnforcerActor>,
    ) {
        let Some(watched) = self.zones.get_mut(zone) else { return };
        let signconf = &mut watched.signconf;
        let askers = std::mem::take(&mut signconf.askers);
        let Some(path) = signconf.path.clone() else {
            return askers.into_iter().for_each(|asker| asker.send(Ok(())));
        };
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        if signconf.hash.replace(hash) == Some(hash) && askers.is_empty() {
            return;
        }
        let work = Work {
            zone: zone.clone(),
            puts_aside: false,
            text: Some(text),
            askers,
            has_failed: false,
        };
        self.signconfs.push(path, work);
        self.write_signconfs(ctx);
    }

    /// A look at a zone failed: nobody knows what its file is to say.
    pub(super) fn refuse_signconf(&mut self, zone: &Name, error: &KeysError) {
        let Some(watched) = self.zones.get_mut(zone) else { return };
        for asker in std::mem::take(&mut watched.signconf.askers) {
            asker.send(Err(ChangeError::Failed(error.to_string())));
        }
    }

    /// `signconf`.
    pub(super) fn want_signconf(
        &mut self,
        zone: Name,
        reply: Asker,
        ctx: &mut Context<EnforcerActor>,
    ) {
        match self.zones.get_mut(&zone) {
            Some(watched) => {
                watched.signconf.askers.push(reply);
                self.take(zone, Task::Look, ctx);
            }
            None => reply.send(Err(ChangeError::ZoneUnknown(Box::new(zone)))),
        }
    }

    /// `zone delete`.
    pub(super) fn put_signconf_aside(
        &mut self,
        zone: Name,
        path: PathBuf,
        reply: Asker,
        ctx: &mut Context<EnforcerActor>,
    ) {
        let askers = vec![reply];
        let work = Work { zone, puts_aside: true, text: None, askers, has_failed: false };
        self.signconfs.push(path, work);
        self.write_signconfs(ctx);
    }

    /// Has a worker carry out what waits, unless one is at it.
    fn write_signconfs(&mut self, ctx: &mut Context<EnforcerActor>) {
        if self.signconfs.is_busy || self.signconfs.waiting.is_empty() {
            return;
        }
        let batch = self.signconfs.batch();
        let carry_out = move || -> Done {
            let done = batch.into_iter().map(|(path, work)| {
                let result = work.carry_out(&path);
                (path, work, result)
            });
            done.collect()
        };
        let answer = match self.pass.parts.files.run(carry_out) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(target: "enforcer", %error,
                    "ALARM: signer configuration files are not written");
                return self.write_all_again();
            }
        };
        self.signconfs.is_busy = true;
        ctx.spawn(answer.into_actor(self).map(|done, actor, ctx| {
            actor.signconfs.is_busy = false;
            match done {
                Ok(done) => actor.written(done, ctx),
                Err(error) => {
                    tracing::error!(target: "enforcer", %error,
                        "ALARM: signer configuration files are not written");
                    actor.write_all_again();
                }
            }
            actor.write_signconfs(ctx);
        }));
    }

    /// A batch was lost: the next look at each zone writes its file.
    fn write_all_again(&mut self) {
        self.zones.values_mut().for_each(|watched| watched.signconf.hash = None);
    }

    fn written(&mut self, done: Done, ctx: &mut Context<EnforcerActor>) {
        let mut still: Option<(usize, String)> = None;
        for (path, mut work, result) in done {
            let askers = std::mem::take(&mut work.askers);
            let zone = zone_text(&work.zone);
            let error = match result {
                Ok(is_new) => {
                    if is_new {
                        tracing::info!(target: "enforcer", %zone,
                            "signconf done for zone {zone}, notifying signer");
                    }
                    askers.into_iter().for_each(|asker| asker.send(Ok(())));
                    continue;
                }
                Err(error) => error.to_string(),
            };
            for asker in askers {
                asker.send(Err(ChangeError::Failed(error.clone())));
            }
            if work.has_failed {
                let count = still.map_or(0, |(count, _)| count);
                still = Some((count + 1, error));
            } else {
                tracing::error!(target: "enforcer", %zone,
                    "ALARM: the signer configuration file of zone {zone}: {error}; it is tried \
                     again in {} seconds", FAILURE_PAUSE.0);
            }
            self.signconfs.push_failed(path, work);
        }
        if let Some((count, error)) = still {
            tracing::error!(target: "enforcer",
                "ALARM: {count} signer configuration files are still not written; the last: \
                 {error}");
        }
        self.try_again_later(ctx);
    }

    fn try_again_later(&mut self, ctx: &mut Context<EnforcerActor>) {
        if self.signconfs.is_pausing || self.signconfs.failed.is_empty() {
            return;
        }
        self.signconfs.is_pausing = true;
        let (clock, again) = (self.pass.clock(), self.pass.now().plus(FAILURE_PAUSE));
        let pause = async move { clock.sleep_until(again).await };
        ctx.spawn(pause.into_actor(self).map(|(), actor, ctx| {
            actor.signconfs.is_pausing = false;
            for (path, work) in std::mem::take(&mut actor.signconfs.failed) {
                actor.signconfs.push(path, work);
            }
            actor.write_signconfs(ctx);
        }));
    }
}

/// What the file of a zone says.
pub(super) fn text(zone: &Name, policy: &Policy, salt: &[u8], life: &ZoneLife) -> String {
    let used = |key: &&KeyLife| key.is_published() || key.signs_keyset() || key.signs_zone();
    let written = |key: &KeyLife| SignconfKey {
        flags: key.role.flags() | if key.revoked.is_some() { REVOKE } else { 0 },
        algorithm: key.algorithm,
        id: key.id.clone(),
        signs_keyset: key.signs_keyset(),
        signs_zone: key.signs_zone(),
        is_published: key.is_published(),
    };
    let keys: Vec<SignconfKey> = life.keys.iter().filter(used).map(written).collect();
    write_signconf(&zone_text(zone), policy, salt, &keys)
}
