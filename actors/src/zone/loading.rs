//! A zone's beginning: what is durable is read back, after a start, a crash or a failed run.
//! In: the store, the snapshot, the journal; for a zone that nothing is known of, the signed file.
//! Out: the actor's state, and its first run.

use super::ZoneActor;
use super::gate::served::serial_of_output;
use super::pipeline::RunError;
use super::status::Phase;
use crate::runtime::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use crate::settings::zone_text;
use crate::stages::publish::{Recovered, ZoneJournal, recovered};
use dnssec::transfer::ixfr::Step;
use dnssec::zone::ZoneVersion;
use dnssec::{Name, Serial};
use std::path::Path;
use std::sync::Arc;
use storage::state::ZoneState;

impl ZoneActor {
    /// Reads back what is durable; the mailbox is closed meanwhile.
    pub(super) fn load(&mut self, ctx: &mut Context<ZoneActor>) {
        self.set(|status| status.phase = Phase::Loading);
        let (services, pool) = (self.services.clone(), self.pool.clone());
        let (zone, policy) = (self.settings.name.clone(), self.settings.policy.name.clone());
        let output = self.settings.output_file().map(Path::to_owned);
        // What updates have made of a zone is nowhere else.
        let keeps_input = self.is_updated_only();
        let load = async move {
            let mut state = services.store.open_zone(&zone, &policy).await?;
            let eras = services.store.eras(&zone).await?;
            let name = zone.clone();
            let look = move || serial_of_output(&output?, &name);
            let in_file = match pool.run(look) {
                Ok(answer) => answer.await.ok().flatten(),
                Err(_) => None,
            };
            let is_behind = take_serial_of_file(&mut state, in_file, &zone);
            let folder = services.snapshot_folder.clone();
            let generation = if is_behind && !keeps_input { 0 } else { state.generation };
            let serial = state.output_serial;
            let own = pool.clone();
            let read = move || {
                let read = recovered(&own, &folder, &zone, generation, serial);
                read.map(Some).map_err(|error| error.to_string())
            };
            let read = match generation {
                0 => Ok(None),
                _ => match pool.run(read) {
                    Ok(answer) => answer.await.unwrap_or_else(|error| Err(error.to_string())),
                    Err(error) => Err(error.to_string()),
                },
            };
            Ok::<_, RunError>((state, read, is_behind, eras))
        };
        ctx.wait(load.into_actor(self).map(|loaded, actor, ctx| match loaded {
            Ok((state, read, is_behind, eras)) => {
                actor.history = super::gate::eras::decode(&actor.name, eras.as_deref());
                actor.loaded(state, read, is_behind, ctx);
            }
            Err(error) => {
                actor.failed(&error, ctx);
            }
        }));
    }

    fn loaded(
        &mut self,
        state: ZoneState,
        read: Result<Option<Recovered>, String>,
        is_behind: bool,
        ctx: &mut Context<ZoneActor>,
    ) {
        (self.stored, self.basis, self.approved) = (None, None, None);
        self.made_with = None;
        self.journal = ZoneJournal::default();
        self.journal_generation = state.generation;
        let mut input = None;
        match read {
            Ok(None) => {}
            Ok(Some(read)) if is_behind => input = Some(read.stored.unsigned),
            Ok(Some(read)) => {
                if let Some(damage) = read.damage {
                    tracing::error!(target: "backup", zone = %self.name,
                        "zone {}: {damage}; what was good before it is used, and the next version \
                         follows the last published one", self.name);
                }
                // One that was committed but never delivered is judged again first.
                if state.last_published.is_some() {
                    self.serve_again(&read.stored.version, read.steps);
                }
                self.stored = Some(read.stored);
                self.journal = read.journal;
                self.journal_generation = read.journal_generation;
            }
            Err(error) => tracing::warn!(target: "backup", zone = %self.name, %error,
                "unable to recover zone {} from backup, performing full sign", self.name),
        }
        self.unsigned = self.stored.as_ref().map(|stored| stored.unsigned.clone()).or(input);
        let now = self.services.clock.now();
        self.set(|status| {
            status.take(&state);
            // Its signatures expire, whatever the next run comes to.
            if let Some(stored) = &self.stored {
                status.take_version(&stored.version, state.signed_at.unwrap_or(now));
            }
        });
        self.state = Some(state);
        self.begin_refresh(ctx);
        self.want_run(ctx);
    }

    /// Secondaries get the version that they could have before, whatever the next run brings.
    fn serve_again(&self, version: &Arc<ZoneVersion>, steps: Vec<Step>) {
        let publications = &self.services.publications;
        publications.restore(version, steps);
        let status = publications.status(&self.settings.name);
        if let Some(serial) = status.and_then(|status| status.serial) {
            tracing::info!(target: "backup", zone = %self.name,
                "zone {}: serial {serial} is served again", self.name);
        }
    }
}

/// The serial in the signed file counts when it is newer than the one that is known: the state was
/// lost, or an older one was put back, or another signer had the zone. Its secondaries have that
/// version, so the next serial has to be newer. Answers whether the version that is known is an
/// older one, which must not be delivered again.
fn take_serial_of_file(state: &mut ZoneState, in_file: Option<Serial>, zone: &Name) -> bool {
    let Some(serial) = in_file else { return false };
    let known = state.output_serial;
    if known.is_some_and(|known| !serial.is_after(known)) {
        return false;
    }
    state.output_serial = Some(serial);
    let zone = zone_text(zone);
    match known {
        None => tracing::warn!(target: "backup", %zone,
            "nothing is known of the last version; its serial {serial} is taken from the signed \
             file"),
        Some(known) => tracing::error!(target: "backup", %zone,
            "zone {zone}: the signed file has serial {serial}, newer than the last version that is \
             known, {known}: an old state was put back, or somebody else writes the file; all is \
             signed anew with a newer serial"),
    }
    known.is_some()
}
