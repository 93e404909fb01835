//! What makes a version true and visible: snapshot or journal, commit, signed file, notify command.
//! In: an audited version. Out: the zone's new state.
//! Order of truth: snapshot or journal synced, then the commit, with the verdict in it, then
//! delivery. Nothing is saved while the auditor is not trusted.

use super::pipeline::{RunError, RunOrder, Services};
use super::verdicts::approving;
use crate::io::command;
use crate::settings::{ZoneOutput, zone_text};
use crate::stages::audit::AuditedZone;
use crate::stages::publish::{Durable, PublishInput, Stored, is_in_place};
use dnssec::Serial;
use dnssec::signing::SigningTimes;
use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::{Difference, difference_within};
use std::path::Path;
use std::sync::Arc;
use storage::state::ZoneState;

/// Part of the zone's bytes that a difference may have, as a divisor: a larger one is saved as a
/// whole version.
const JOURNALLED_SHARE: usize = 4;
/// A difference of so many bytes is never too large.
const JOURNALLED_BYTES: usize = 64 << 10;

impl Services {
    /// Journal or snapshot, then commit: after this the version is true.
    pub(super) async fn save(
        &self,
        order: &RunOrder,
        times: &SigningTimes,
        zone: AuditedZone,
    ) -> Result<(ZoneState, Durable), RunError> {
        self.vigil.check()?;
        let verdict = approving(times.now, &zone);
        let state = ZoneState {
            policy: order.settings.policy.name.clone(),
            input_serial: zone.unsigned().serial(),
            output_serial: zone.version().serial(),
            generation: order.state.generation,
            signed_at: Some(times.now),
            denial: Some(super::plan::denial_state(&order.settings.policy, &order.keys)),
            // Not yet: that is what a run after a crash has to know.
            last_published: None,
        };
        let (folder, name) = (self.snapshot_folder.clone(), &order.settings.name);
        if order.journal.is_usable() && is_journalled(&zone) {
            let (generation, journal) = (order.journal_generation, order.journal.clone());
            let signed_at = times.now;
            let append = PublishInput::Append { zone, folder, generation, journal, signed_at };
            let durable = self.ask(order, &self.publish, append).await?;
            self.store.commit_difference(name, state.clone(), verdict).await?;
            return Ok((state, durable));
        }
        let generation = order.generation_next;
        let state = ZoneState { generation, ..state };
        let save = PublishInput::Save { zone, folder, generation };
        let durable = self.ask(order, &self.publish, save).await?;
        self.store.commit_version(name, state.clone(), verdict).await?;
        // What comes next follows this snapshot.
        order.journal.clear();
        Ok((state, durable))
    }

    /// Whether the true version stands in its file or is served, and the notify command has heard
    /// of it.
    pub(super) async fn is_delivered(&self, order: &RunOrder, stored: &Stored) -> bool {
        if order.state.last_published.is_none() {
            return false;
        }
        let output = match &order.settings.output {
            ZoneOutput::File(output) => output.clone(),
            ZoneOutput::Dns(_) => return self.publications.serves(&stored.version),
        };
        let version = stored.version.clone();
        match self.pool.run(move || is_in_place(&version, &output)) {
            // On doubt it is written again, which harms nothing.
            Ok(look) => look.await.unwrap_or(false),
            Err(_) => false,
        }
    }

    /// The secondaries, the signed file, the notify command, the note that they are done: after a
    /// crash in between, all are done again.
    pub(super) async fn deliver(
        &self,
        order: &RunOrder,
        state: ZoneState,
        zone: Durable,
    ) -> Result<(ZoneState, Durable, Option<String>), RunError> {
        match zone.change() {
            Some(change) => self.publications.publish(zone.version(), Some(change)),
            None => {
                let step = self.large_step(zone.version()).await;
                self.publications.publish_shared(zone.version(), step);
            }
        }
        let file = order.settings.output_file().map(Path::to_owned);
        let zone = match file.clone() {
            Some(output) => {
                let deliver = PublishInput::Deliver { zone, output };
                self.ask(order, &self.publish, deliver).await?
            }
            None => zone,
        };
        let notify = match &self.notify_command {
            None => Ok(()),
            Some(command) => {
                let zone = zone_text(&order.settings.name);
                // A zone that goes out by transfer alone has no file.
                let file = file.unwrap_or_default();
                command::run(&command::expand(command, &zone, &file)).await
            }
        };
        let state = ZoneState { last_published: Some(self.clock.now()), ..state };
        self.store.update_zone(&order.settings.name, state.clone()).await?;
        Ok((state, zone, notify.err().map(|error| error.to_string())))
    }
}

impl Services {
    /// The difference to a version that was judged and saved as a whole, where secondaries are
    /// better off with it: of a zone with few signatures, such as one with opt-out, all that are
    /// made anew are less than the zone. It is gone with the next start.
    async fn large_step(&self, version: &Arc<ZoneVersion>) -> Option<(Serial, Arc<Difference>)> {
        // What is forgotten here (`ods-signer clear`) secondaries still have.
        let old = self.publications.get(&version.apex)?.version?;
        let octets_max = self.publications.step_octets_max(version)?;
        let (from, new) = (old.serial()?, version.clone());
        let make = move || {
            // RRSIGs of others are no signatures of RRsets, and not told apart here.
            let is_foreign = old.has_foreign_signatures() || new.has_foreign_signatures();
            (!is_foreign).then(|| difference_within(&old, &new, octets_max)).flatten()
        };
        // Without it they get the whole zone.
        Some((from, Arc::new(self.pool.run(make).ok()?.await.ok()??)))
    }
}

/// Whether it is the difference that is saved.
fn is_journalled(zone: &AuditedZone) -> bool {
    let bytes = || zone.version().chunks().map(|chunk| chunk.byte_count()).sum::<usize>();
    zone.change().is_some_and(|change| {
        change.byte_count() <= JOURNALLED_BYTES.max(bytes() / JOURNALLED_SHARE)
    })
}
