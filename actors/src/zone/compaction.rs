//! Compaction: a journal that has grown becomes a new snapshot, while versions go on being made.
//! A new journal begins at the version that the snapshot will have; then the snapshot is written,
//! in the background; then the store is told to begin with it, and older files go. A crash in
//! between loses nothing: the old snapshot and both journals make the same versions.
//! In: the end of a run. Out: files, and the zone's generation.

use super::ZoneActor;
use crate::runtime::{
    ActorFutureExt, AsyncContext, Context, JobError, SubmitError, WorkerPool, WrapFuture,
};
use crate::stages::publish::write_stored;

/// Part of the version's bytes that its journal may have, as a divisor.
const JOURNAL_SHARE: usize = 4;
/// A journal of so many bytes is never too large.
const JOURNAL_BYTES: u64 = 256 << 10;
/// A journal has no more entries.
const JOURNAL_ENTRIES: u64 = 10_000;

/// A compaction under way.
pub(super) struct Compaction {
    /// Of the new snapshot.
    generation: u64,
    is_written: bool,
}

/// Why a step of a compaction was not done.
#[derive(Debug, thiserror::Error)]
enum CompactionError {
    #[error(transparent)]
    Busy(#[from] SubmitError),
    #[error(transparent)]
    Crashed(#[from] JobError),
    #[error(transparent)]
    Journal(#[from] storage::journal::JournalError),
    #[error(transparent)]
    Snapshot(#[from] storage::SnapshotError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

async fn done<T, E>(
    pool: WorkerPool,
    job: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, CompactionError>
where
    T: Send + 'static,
    E: Send + Into<CompactionError> + 'static,
{
    pool.run(job)?.await?.map_err(Into::into)
}

impl ZoneActor {
    /// A generation that no file has yet.
    pub(super) fn generation_next(&self) -> u64 {
        let state = self.state.as_ref().map_or(0, |state| state.generation);
        let compaction = self.compaction.as_ref().map_or(0, |compaction| compaction.generation);
        state.max(self.journal_generation).max(compaction) + 1
    }

    /// At the end of a run: goes on with a compaction, or begins one when the journal has grown.
    pub(super) fn compact_if_due(&mut self, ctx: &mut Context<ZoneActor>) {
        if self.compaction.is_some() {
            return self.commit_compacted(ctx);
        }
        let Some(stored) = &self.stored else { return };
        let (length, entries) = self.journal.size();
        let bytes: usize = stored.version.chunks().map(|chunk| chunk.byte_count()).sum();
        let bytes = (bytes / JOURNAL_SHARE) as u64;
        let Some(serial) = stored.version.serial() else { return };
        if length <= JOURNAL_BYTES.max(bytes) && entries <= JOURNAL_ENTRIES {
            return;
        }
        let generation = self.generation_next();
        let (journal, zone) = (self.journal.clone(), self.settings.name.clone());
        let folder = self.services.snapshot_folder.clone();
        let begin = move || journal.go_on_in(&folder, &zone, generation, serial);
        // Nothing else may happen until it is known where the next difference goes.
        ctx.wait(done(self.pool.clone(), begin).into_actor(self).map(move |begun, actor, ctx| {
            match begun {
                Ok(()) => actor.write_compacted(generation, ctx),
                Err(error) => actor.not_compacted(&error),
            }
        }));
    }

    fn write_compacted(&mut self, generation: u64, ctx: &mut Context<ZoneActor>) {
        self.journal_generation = generation;
        let Some(stored) = self.stored.clone() else { return };
        self.compaction = Some(Compaction { generation, is_written: false });
        let folder = self.services.snapshot_folder.clone();
        let write = move || write_stored(&stored, &folder, generation);
        ctx.spawn(done(self.pool.clone(), write).into_actor(self).map(
            move |written, actor, ctx| match (written, &mut actor.compaction) {
                (Ok(()), Some(compaction)) if compaction.generation == generation => {
                    compaction.is_written = true;
                    if !actor.running && actor.state.is_some() {
                        actor.commit_compacted(ctx);
                    }
                }
                (Ok(()), _) => {}
                (Err(error), _) => actor.not_compacted(&error),
            },
        ));
    }

    /// Begins with the new snapshot from now on; not while a run is under way.
    fn commit_compacted(&mut self, ctx: &mut Context<ZoneActor>) {
        let Some(Compaction { generation, is_written: true }) = self.compaction else { return };
        self.compaction = None;
        if self.state.as_ref().is_none_or(|state| state.generation > generation) {
            // A later version was saved as a whole meanwhile.
            return self.remove_generations(generation, generation + 1);
        }
        let (services, zone) = (self.services.clone(), self.settings.name.clone());
        let commit = async move {
            services.store.commit_snapshot(&zone, generation).await?;
            Ok(())
        };
        ctx.wait(commit.into_actor(self).map(move |committed, actor, _| match committed {
            Ok(()) => {
                actor.take_generation(generation);
                if let Some(state) = &mut actor.state {
                    state.generation = generation;
                }
                actor.set(|status| status.generation = generation);
                tracing::debug!(target: "backup", zone = %actor.name,
                    "zone {}: the journal has become snapshot {generation}", actor.name);
            }
            Err(error) => actor.not_compacted(&error),
        }));
    }

    fn not_compacted(&mut self, error: &CompactionError) {
        self.compaction = None;
        tracing::warn!(target: "backup", zone = %self.name, %error,
            "the journal of zone {} was not compacted; it goes on growing", self.name);
    }

    /// Files of earlier generations are of no use once a later one is committed.
    pub(super) fn take_generation(&mut self, generation: u64) {
        let before = self.state.as_ref().map_or(0, |state| state.generation);
        if before < generation {
            self.journal_generation = self.journal_generation.max(generation);
            self.remove_generations(before.max(1), generation);
        }
    }

    fn remove_generations(&self, from: u64, to: u64) {
        let (folder, zone) = (self.services.snapshot_folder.clone(), self.settings.name.clone());
        let name = self.name.clone();
        let remove = move || {
            (from..to).try_for_each(|generation| {
                storage::snapshot::remove_generation(&folder, &zone, generation)
            })
        };
        let warn = move |error: &dyn std::fmt::Display| {
            tracing::warn!(zone = %name, %error, "an old snapshot of {name} was not removed");
        };
        let own = warn.clone();
        let then = move |result: Result<Result<(), _>, _>| match result {
            Ok(Err(error)) => own(&error),
            Err(error) => own(&error),
            Ok(Ok(())) => {}
        };
        if let Err(error) = self.pool.submit(remove, then) {
            warn(&error);
        }
    }
}
