//! A zone that is changed by DNS UPDATE (RFC 2136): who sends, waits until the change is durable.
//! In: updates that wait. Out: answers; runs with a new input; a journal beside the snapshots.
//! Updates are judged against the newest unsigned version, with all that was acknowledged before,
//! many at a time ([`batch`]). Their sum is in the journal before the first of them is answered;
//! what is not signed yet is read back from there after a restart ([`kept`]). Signing goes on
//! behind them: a run takes whatever has come until it begins, and one that fails or is refused is
//! tried again, as with any other input.
//! A zone takes no updates before a version with its first content is durable. An unsigned version
//! with another signer's records takes none at all.
//! Limits: one batch at a time; a journal of [`JOURNAL_BYTES_MAX`] that is not signed yet takes no
//! more: updates wait, and are answered SERVFAIL in the end.

mod batch;
mod kept;

use super::ZoneActor;
use super::pipeline::RunOrder;
use super::refresh::ReceivedZone;
use crate::runtime::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use crate::settings::ZoneInput;
use crate::transfers::updates::UpdateQueue;
use batch::{Batch, Judged, refuse_all};
use dnssec::Name;
use dnssec::transfer::Rcode;
use dnssec::transfer::peers::Inbound;
use dnssec::zone::ZoneVersion;
use kept::Journal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::snapshot::zone_file_stem;

/// The name of the folder of the journals, below that of the snapshots.
const FOLDER: &str = "updates";
/// A journal is not longer than this while some of it is not signed.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
/// A shorter one stays when all of it is signed.
const JOURNAL_BYTES_KEPT: u64 = 1 << 20;

/// Where the journals of updates are.
pub(crate) fn updates_folder(snapshots: &Path) -> PathBuf {
    snapshots.join(FOLDER)
}

/// The file that a zone begins with, where it has one.
pub(super) fn initial_file(inbound: &Inbound, zone: &Name) -> Option<PathBuf> {
    let file = inbound.initial_file.as_ref().filter(|_| inbound.is_updated_only())?;
    // The stem is the name in lower case, with nothing in it that leads elsewhere.
    Some(file.replace("%zone", &zone_file_stem(zone)).into())
}

/// The state of a zone that takes updates.
#[derive(Debug)]
pub(super) struct Updating {
    /// With all updates that were acknowledged.
    newest: Arc<ZoneVersion>,
    journal: Journal,
    /// Where updates wait; known from the first one on.
    queue: Option<Arc<UpdateQueue>>,
    is_judging: bool,
    /// Batches so far, the one that was read back counted.
    count: u64,
    /// The last batch, while no durable version has it.
    pending: Option<u64>,
    /// The last batch that the run under way has.
    in_run: Option<u64>,
}

impl ZoneActor {
    /// Whether its content comes by updates alone.
    pub(super) fn is_updated_only(&self) -> bool {
        matches!(&self.settings.input, ZoneInput::Transfer(inbound) if inbound.is_updated_only())
    }

    /// Whether a run finds something to begin with.
    pub(super) fn has_initial_file(&self) -> bool {
        let ZoneInput::Transfer(inbound) = &self.settings.input else { return false };
        inbound.is_updated_only() && inbound.initial_file.is_some()
    }

    /// Begins to take updates, when there is durable content; reads back what was acknowledged and
    /// is in no version yet.
    pub(super) fn begin_updates(&mut self, ctx: &mut Context<ZoneActor>) {
        let Some(stored) = &self.stored else { return };
        if self.updating.is_some() || stored.unsigned.has_foreign_signatures() {
            return;
        }
        let (unsigned, pool) = (stored.unsigned.clone(), self.pool.clone());
        let folder = updates_folder(&self.services.snapshot_folder);
        let zone = self.settings.name.clone();
        let look = async move {
            let own = unsigned.clone();
            let read = pool.run(move || kept::read_back(&folder, &zone, own));
            match read {
                Ok(read) => read.await.ok(),
                Err(_) => None,
            }
        };
        // Updates that come meanwhile would find nothing to be done to.
        ctx.wait(look.into_actor(self).map(|read, actor, _| match read {
            Some(read) => {
                if let Some(trouble) = read.trouble {
                    tracing::error!(target: "backup", zone = %actor.name,
                        "zone {}: acknowledged updates could not be read back: {trouble}",
                        actor.name);
                }
                if read.count > 0 {
                    tracing::info!(target: "backup", zone = %actor.name,
                        "zone {}: updates that were acknowledged before the restart are signed \
                         now: {} batches", actor.name, read.count);
                }
                actor.updating = Some(Updating {
                    newest: read.newest,
                    journal: read.journal,
                    queue: None,
                    is_judging: false,
                    count: 1,
                    pending: (read.count > 0).then_some(1),
                    in_run: None,
                });
            }
            None => tracing::error!(target: "backup", zone = %actor.name,
                "zone {} takes no updates: its journal of updates was not read", actor.name),
        }));
    }

    /// The zone comes from elsewhere now: updates that are in no version go with the old input.
    pub(super) fn end_updates(&mut self) {
        if let Some(updating) = self.updating.take() {
            let (journal, zone) = (updating.journal, self.settings.name.clone());
            let folder = updates_folder(&self.services.snapshot_folder);
            // One that stays does not fit what the zone will have then.
            let _ = self.pool.submit(move || journal.forget(&folder, &zone), |_| ());
        }
    }

    /// Updates wait.
    pub(super) fn updates_wait(&mut self, queue: Arc<UpdateQueue>, ctx: &mut Context<ZoneActor>) {
        let is_passed_through = self.settings.policy.passthrough;
        match &mut self.updating {
            Some(updating) if !is_passed_through => {
                updating.queue = Some(queue);
                self.judge_updates(ctx);
            }
            _ => {
                let (rcode, why) = match self.is_updated_only() && !is_passed_through {
                    true => (Rcode::SERVFAIL, "it has no durable content yet"),
                    false => (Rcode::REFUSED, "it is not changed by updates"),
                };
                let jobs = queue.take();
                tracing::warn!(target: "query", zone = %self.name,
                    "zone {}: {} updates are answered {rcode}: {why}", self.name, jobs.len());
                refuse_all(jobs, rcode);
            }
        }
    }

    /// Does what waits, unless something is being done.
    pub(super) fn judge_updates(&mut self, ctx: &mut Context<ZoneActor>) {
        let Some(updating) = self.updating.as_mut().filter(|updating| !updating.is_judging) else {
            return;
        };
        let length = updating.journal.length();
        let signed = self.stored.as_ref().and_then(|stored| stored.unsigned.serial());
        let is_all_signed = updating.pending.is_none() && signed == updating.newest.serial();
        if length > JOURNAL_BYTES_MAX && !is_all_signed {
            return;
        }
        let jobs = updating.queue.as_ref().map(|queue| queue.take()).unwrap_or_default();
        if jobs.is_empty() {
            return;
        }
        let batch = Batch {
            zone: self.name.clone(),
            base: updating.newest.clone(),
            signed: self.stored.as_ref().map(|stored| stored.unsigned.clone()),
            input_limits: self.settings.policy.input.clone(),
            limits: self.settings.limits,
            journal: updating.journal.clone(),
            folder: updates_folder(&self.services.snapshot_folder),
            begins_anew: is_all_signed
                && (length > JOURNAL_BYTES_KEPT || updating.journal.is_closed()),
            now: self.services.clock.now(),
        };
        updating.is_judging = true;
        let (pool, own) = (self.pool.clone(), self.pool.clone());
        let judged = async move {
            match pool.run(move || batch.done(&own, jobs)) {
                Ok(judged) => judged.await.ok(),
                // What waited is dropped with the job, and answered by that.
                Err(_) => None,
            }
        };
        ctx.spawn(judged.into_actor(self).map(|judged, actor, ctx| {
            actor.updates_judged(judged.unwrap_or_default(), ctx);
        }));
    }

    fn updates_judged(&mut self, judged: Judged, ctx: &mut Context<ZoneActor>) {
        let Some(updating) = &mut self.updating else { return };
        updating.is_judging = false;
        if let Some(newest) = judged.newest {
            updating.newest = newest;
            updating.count += 1;
            updating.pending = Some(updating.count);
            self.read_and_sign(ctx);
        }
        self.judge_updates(ctx);
    }

    /// What a run is to read, when there are updates that no version has.
    pub(super) fn updated(&self) -> Option<ReceivedZone> {
        let updating = self.updating.as_ref().filter(|_| self.is_updated_only())?;
        updating.pending.map(|_| ReceivedZone::Updated(updating.newest.clone()))
    }

    /// A run begins with this order.
    pub(super) fn note_updated(&mut self, order: &RunOrder) {
        if let Some(updating) = &mut self.updating {
            let is_read = matches!(order.received, Some(ReceivedZone::Updated(_)));
            updating.in_run = updating.pending.filter(|_| is_read);
        }
    }

    /// A run has made a durable version of what it was given.
    pub(super) fn updates_are_used(&mut self, ctx: &mut Context<ZoneActor>) {
        if let Some(updating) = &mut self.updating {
            let used = updating.in_run.take();
            updating.pending.take_if(|pending| Some(*pending) == used);
            // Those for which there was no room.
            self.judge_updates(ctx);
        }
    }
}
