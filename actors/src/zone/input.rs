//! The input of a run: read now, or the last good one.
//! In: what the run begins with. Out: the unsigned zone, and how it differs from the one that the
//! published version was made from.

use super::pipeline::{Reading, RunError, RunOrder, Services};
use crate::stages::StageError;
use crate::stages::sort::{SortInput, Touched};
use dnssec::signing::apex::ZoneForm;
use dnssec::zone::ZoneVersion;
use dnssec::zone::load::DnssecRecords;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The input of a run.
pub(super) struct Input {
    pub(super) unsigned: Arc<ZoneVersion>,
    /// Against what the published version was made from.
    pub(super) touched: Touched,
    pub(super) warnings: Vec<String>,
    /// Why it could not be read, when it is the last good one instead.
    pub(super) failure: Option<StageError>,
}

/// Whether the input is published as it is.
pub(super) fn is_passed_through(order: &RunOrder) -> bool {
    super::plan::form(&order.settings.policy, &order.keys) == ZoneForm::Passthrough
}

/// Whether the input read last has its DNSSEC records exactly if it is to be passed through.
fn is_read_as_wanted(order: &RunOrder) -> bool {
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
        Input { unsigned, touched, warnings: Vec::new(), failure }
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
        if order.reading == Reading::Skip
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
        let file = self.ask(order, &self.fetch, order.settings.input.clone()).await?;
        let sort = SortInput {
            apex: order.settings.name.clone(),
            file,
            limits: order.settings.limits,
            dnssec_records: match is_passed_through(order) {
                true => DnssecRecords::Kept,
                false => DnssecRecords::Dropped,
            },
            previous: order.stored.as_ref().map(|stored| stored.unsigned.clone()),
        };
        let sorted = self.ask(order, &self.sort, sort).await?;
        let mut warnings = sorted.warnings;
        let more = sorted.warning_count.saturating_sub(warnings.len());
        if more > 0 {
            warnings.push(format!("{more} more warnings"));
        }
        let (unsigned, touched) = (sorted.version, sorted.touched);
        Ok(Input { unsigned, touched, warnings, failure: None })
    }
}
