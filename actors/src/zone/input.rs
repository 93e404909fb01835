//! The input of a run: read now, or the last good one.
//! In: what the run begins with. Out: the unsigned zone, and how it differs from the one that the
//! published version was made from.
//! An input that the breaker holds (`dnssec::breaker`) is noted in the store and kept as a file
//! beside the snapshots, and the last good one goes on being signed. An operator's answer is in the
//! store, too, and counts for the input with its digest only; it is forgotten as soon as an input
//! passes without it.

use super::pipeline::{Reading, RunError, RunOrder, Services};
use super::refresh::ReceivedZone;
use super::updates::initial_file;
use crate::io::zone_files;
use crate::settings::{ZoneInput, zone_text};
use crate::stages::publish::write_zone_file;
use crate::stages::sort::{Held, Sort, SortInput, SortSource, Sorted, Touched, trips};
use crate::stages::{Stage, StageError};
use dnssec::Name;
use dnssec::breaker::{Trip, digest};
use dnssec::signing::apex::ZoneForm;
use dnssec::zone::ZoneVersion;
use dnssec::zone::load::DnssecRecords;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::snapshot::zone_file_stem;
use storage::state::{HeldInput, InputChoice};

/// The input of a run.
pub(super) struct Input {
    pub(super) unsigned: Arc<ZoneVersion>,
    /// Against what the published version was made from.
    pub(super) touched: Touched,
    pub(super) warnings: Vec<String>,
    /// Why it could not be read, when it is the last good one instead.
    pub(super) failure: Option<StageError>,
    /// Whether it was read, or was to be.
    pub(super) is_read: bool,
}

/// Whether the input is published as it is.
pub(super) fn is_passed_through(order: &RunOrder) -> bool {
    super::plan::form(&order.settings.policy, &order.keys) == ZoneForm::Passthrough
}

/// Whether the input read last has its DNSSEC records exactly if it is to be passed through.
fn is_read_as_wanted(order: &RunOrder) -> bool {
    if let (ZoneInput::Transfer(inbound), Some(unsigned)) = (&order.settings.input, &order.unsigned)
        && inbound.is_updated_only()
        && !unsigned.has_foreign_signatures()
    {
        // There is nothing else that it could be read from.
        return true;
    }
    let was = match (&order.basis, &order.unsigned) {
        (Some(basis), _) => basis.is_passed_through(),
        (None, Some(unsigned)) => unsigned.has_foreign_signatures(),
        (None, None) => return true,
    };
    was == is_passed_through(order)
}

impl Input {
    fn kept(order: &RunOrder, unsigned: Arc<ZoneVersion>, failure: Option<StageError>) -> Input {
        let stored = order.stored.as_ref();
        let touched = match stored.is_some_and(|stored| Arc::ptr_eq(&stored.unsigned, &unsigned)) {
            true => Touched::Owners(BTreeSet::new()),
            false => Touched::Unknown,
        };
        let is_read = failure.is_some();
        Input { unsigned, touched, warnings: Vec::new(), failure, is_read }
    }
}

impl Services {
    /// The input: read now, or the last good one.
    pub(super) async fn input(&self, order: &RunOrder) -> Result<Input, RunError> {
        let last_good = |failure| {
            let last = order.unsigned.clone();
            last.map(|unsigned| Input::kept(order, unsigned, failure))
        };
        if !is_read_as_wanted(order) {
            // What was read last has DNSSEC records that it must not have, or may lack those that
            // it must: it cannot stand in.
            return self.read(order).await;
        }
        // A zone that comes by transfer has nothing to be read before the next one.
        let is_transferred = matches!(order.settings.input, ZoneInput::Transfer(_));
        let has_news = !is_transferred || order.received.is_some();
        if (order.reading == Reading::Skip || !has_news)
            && let Some(input) = last_good(None)
        {
            return Ok(input);
        }
        match self.read(order).await {
            Ok(input) => Ok(input),
            Err(RunError::Stage(error)) => match order.unsigned.is_some() {
                true => last_good(Some(error)).ok_or(RunError::NoInput),
                false => Err(error.into()),
            },
            Err(error) => Err(error),
        }
    }

    async fn read(&self, order: &RunOrder) -> Result<Input, RunError> {
        let source = match (&order.settings.input, &order.received) {
            (ZoneInput::File(path), _) => {
                SortSource::File(self.ask(order, &self.fetch, path.clone()).await?)
            }
            (ZoneInput::Transfer(_), Some(ReceivedZone::Whole(path))) => {
                SortSource::Received(path.clone())
            }
            (
                ZoneInput::Transfer(_),
                Some(ReceivedZone::Changed(version) | ReceivedZone::Updated(version)),
            ) => SortSource::Version(version.clone()),
            (ZoneInput::Transfer(inbound), None) => {
                let file = initial_file(inbound, &order.settings.name).ok_or(RunError::NoInput)?;
                SortSource::File(self.ask(order, &self.fetch, file).await?)
            }
        };
        let sort = SortInput {
            apex: order.settings.name.clone(),
            source,
            limits: order.settings.limits,
            dnssec_records: match is_passed_through(order) {
                true => DnssecRecords::Kept,
                false => DnssecRecords::Dropped,
            },
            previous: order.stored.as_ref().map(|stored| stored.unsigned.clone()),
        };
        let sorted = self.ask(order, &self.sort, sort).await?;
        let (sorted, trips) = match order.received {
            // What was acknowledged is signed: it was judged before.
            Some(ReceivedZone::Updated(_)) => (sorted, Vec::new()),
            _ => self.judged(order, sorted).await?,
        };
        let accepted = match trips.is_empty() {
            true => self.forget_held(order).await.map(|()| None)?,
            false => Some(self.accepted(order, &sorted.version, &trips).await?),
        };
        let mut warnings = sorted.warnings;
        let more = sorted.warning_count.saturating_sub(warnings.len());
        if more > 0 {
            warnings.push(format!("{more} more warnings"));
        }
        warnings.extend(accepted);
        let (unsigned, touched) = (sorted.version, sorted.touched);
        Ok(Input { unsigned, touched, warnings, failure: None, is_read: true })
    }

    /// What the input breaker says of an input.
    async fn judged(
        &self,
        order: &RunOrder,
        sorted: Sorted,
    ) -> Result<(Sorted, Vec<Trip>), RunError> {
        let stored = order.stored.as_ref().map(|stored| stored.unsigned.clone());
        let last = stored.or_else(|| order.unsigned.clone());
        let limits = order.settings.policy.input.clone();
        let pool = self.pool.clone();
        self.off_thread(move || {
            let trips = trips(&pool, last, &sorted, &limits)?;
            Ok((sorted, trips))
        })
        .await
    }

    /// Lets an input pass that an operator has accepted, and says so; holds any other.
    async fn accepted(
        &self,
        order: &RunOrder,
        version: &Arc<ZoneVersion>,
        trips: &[Trip],
    ) -> Result<String, RunError> {
        let name = &order.settings.name;
        let own = version.clone();
        let digest = self.off_thread(move || Ok(digest(&own))).await?;
        let known = self.store.held_input(name).await?.filter(|known| known.digest == digest);
        let choice = known.as_ref().and_then(|known| known.answer.as_ref()).map(|it| it.choice);
        let reasons: Vec<String> = trips.iter().map(Trip::to_string).collect();
        let copy = held_path(&self.snapshot_folder, name);
        if choice == Some(InputChoice::Accepted) {
            return Ok(format!("this input was accepted by an operator: {}", reasons.join("; ")));
        }
        if known.is_none() {
            let (pool, own, path) = (self.pool.clone(), version.clone(), copy.clone());
            self.off_thread(move || write_zone_file(&pool, &own, &path)).await?;
            let held = HeldInput {
                digest,
                serial: version.serial(),
                held_at: self.clock.now(),
                reasons: reasons.clone(),
                answer: None,
            };
            self.store.hold_input(name, Some(held)).await?;
        }
        let held = Held {
            zone: zone_text(name),
            serial: version.serial(),
            reasons,
            is_rejected: choice == Some(InputChoice::Rejected),
            copy,
        };
        Err(StageError::Held(Box::new(held)).into())
    }

    /// An input has passed: whatever was held before it is of no interest any more.
    async fn forget_held(&self, order: &RunOrder) -> Result<(), RunError> {
        let name = &order.settings.name;
        if self.store.held_input(name).await?.is_none() {
            return Ok(());
        }
        self.store.hold_input(name, None).await?;
        let (path, zone) = (held_path(&self.snapshot_folder, name), zone_text(name));
        self.off_thread(move || {
            if let Err(error) = zone_files::remove(&path) {
                let path = path.display();
                tracing::warn!(target: "adapter", %zone, %error, "{path} was not removed");
            }
            Ok(())
        })
        .await
    }

    /// Does on a worker what takes long.
    async fn off_thread<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, StageError> + Send + 'static,
    ) -> Result<T, RunError> {
        let overloaded = |cause: String| StageError::Overloaded { stage: Sort::NAME, cause };
        let crashed = |cause: String| StageError::Crashed { stage: Sort::NAME, cause };
        let answer = self.pool.run(job).map_err(|error| overloaded(error.to_string()))?;
        Ok(answer.await.map_err(|error| crashed(error.to_string()))??)
    }
}

/// How the names of held inputs end.
pub(crate) const HELD_SUFFIX: &str = ".held.zone";

/// Where a held input is kept.
pub(crate) fn held_path(folder: &Path, zone: &Name) -> PathBuf {
    folder.join(format!("{}{HELD_SUFFIX}", zone_file_stem(zone)))
}
