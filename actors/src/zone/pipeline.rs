//! One run of a zone through the stages: fetch, sort, denial, sign, audit, publish.
//! In: what the zone knows and wants. Out: what became of it. The zone actor keeps the state;
//! this function owns nothing, so that a run cut short by a crash has changed nothing but what
//! it had made durable.
//! A run costs what changed: owners of the input that differ from what the published version was
//! made from, the apex where keys changed that sign nothing else, and chunks with something due.
//! All is made anew only when the chain or who signs everything changed (`dnssec::signing::step`),
//! or nothing is known of how the published version was made.

use super::gate::{LastVerdict, Refusal, Refused, ServedSerials};
use super::input::{Input, is_passed_through};
use super::plan::{Basis, apex_plan, audit_expectations, seconds};
use super::refresh::ReceivedZone;
use super::signing::Late;
use crate::audit::{Distrusted, Vigil};
use crate::enforcer::ZoneKeys;
use crate::io::checker::Checker;
use crate::io::transfer_client::TransferSlots;
use crate::runtime::{Clock, Outbox, Progress, Reply, WorkerPool};
use crate::settings::{ZoneSettings, zone_text};
use crate::slot::{SlotClient, SlotFailure};
use crate::stages::audit::{Audit, AuditInput, AuditedZone};
use crate::stages::denial::{Chained, Change, Denial, DenialInput};
use crate::stages::fetch::Fetch;
use crate::stages::publish::{Durable, Publish, Stored, ZoneJournal};
use crate::stages::sign::{Extent, Sign, SignCounts, SignOutput, renewals_of};
use crate::stages::sort::{Sort, Touched};
use crate::stages::{Stage, StageError, Work};
use crate::store::{StoreClient, StoreError};
use crate::transfers::Publications;
use ::audit::{Expectations, FindingId, PublishedVersion};
use audit_host::{Copy, Judge};
use dnssec::Name;
use dnssec::Serial;
use dnssec::denial::foreign::is_signed_elsewhere;
use dnssec::signing::SigningTimes;
use dnssec::signing::apex::{ApexPlan, dnskeys_of};
use dnssec::signing::step::Reach;
use dnssec::zone::ZoneVersion;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use storage::state::ZoneState;

/// Longest time one stage may take for one zone.
pub const STAGE_DEADLINE: Duration = Duration::from_secs(3600);

/// What zones share: the stages, the slots, the store.
pub struct Services {
    /// The fetch stage.
    pub fetch: Outbox<Work<Fetch>>,
    /// The sort stage.
    pub sort: Outbox<Work<Sort>>,
    /// The denial stage.
    pub denial: Outbox<Work<Denial>>,
    /// The sign stage.
    pub sign: Outbox<Work<Sign>>,
    /// The audit stage.
    pub audit: Outbox<Work<Audit>>,
    /// The publish stage.
    pub publish: Outbox<Work<Publish>>,
    /// The slots by repository.
    pub slots: BTreeMap<String, SlotClient>,
    /// The durable facts.
    pub store: StoreClient,
    /// The time.
    pub clock: Clock,
    /// For a look at files between two stages.
    pub pool: WorkerPool,
    /// Folder of the snapshots.
    pub snapshot_folder: PathBuf,
    /// `<NotifyCommand>`.
    pub notify_command: Option<String>,
    /// External checkers, which are asked after the auditor.
    pub checkers: Vec<Checker>,
    /// The auditor.
    pub judge: Arc<Judge>,
    /// Whether it is trusted, and who waits for it.
    pub vigil: Arc<Vigil>,
    /// Whether it keeps a copy of what it approved.
    pub keeps_approved: bool,
    /// The places from which masters are asked.
    pub transfer_slots: TransferSlots,
    /// What secondaries were seen to have.
    pub served: Arc<ServedSerials>,
    /// DS RRsets (RDATA) that the operator says the parent has.
    pub expected_ds: BTreeMap<Name, Vec<Vec<u8>>>,
    /// What secondaries get.
    pub publications: Arc<Publications>,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A stage.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A stage that does not answer.
    #[error("the {stage} stage does not answer: {cause}")]
    Silent {
        /// Which.
        stage: &'static str,
        /// How.
        cause: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A slot.
    #[error(transparent)]
    Slot(#[from] SlotFailure),
    /// A zone that is to be signed is never published unsigned before it is.
    #[error("policy {policy} has keys, and zone {zone} has none yet")]
    NoKeys {
        /// The zone.
        zone: String,
        /// The policy.
        policy: String,
    },
    /// The candidate may not be published.
    #[error(transparent)]
    Refused(#[from] Box<Refused>),
    /// Nothing is published now.
    #[error(transparent)]
    Distrusted(#[from] Distrusted),
    /// No input was ever read.
    #[error("there is no input to sign")]
    NoInput,
}

/// Whether a run reads the input first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Read it.
    Read,
    /// Sign what was read last.
    Skip,
}

/// What a run begins with.
#[derive(Clone)]
pub struct RunOrder {
    /// The zone.
    pub settings: ZoneSettings,
    /// Its keys.
    pub keys: ZoneKeys,
    /// What is true about it.
    pub state: ZoneState,
    /// The last published version.
    pub stored: Option<Stored>,
    /// The input read last.
    pub unsigned: Option<Arc<ZoneVersion>>,
    /// Whether to read it anew.
    pub reading: Reading,
    /// What a transfer brought, to be read.
    pub received: Option<ReceivedZone>,
    /// What the last published version was made with, when this process made it.
    pub basis: Option<Arc<Basis>>,
    /// The auditor's copy of that version, when it has one.
    pub approved: Option<Copy>,
    /// What caches may have of earlier versions.
    pub history: Vec<PublishedVersion>,
    /// The journal that goes on after that version.
    pub journal: ZoneJournal,
    /// Generation that the journal belongs to.
    pub journal_generation: u64,
    /// Generation of a version that is saved as a whole.
    pub generation_next: u64,
    /// Where it is counted how far the run is.
    pub progress: Arc<Progress>,
    /// The serial that somebody wants the version to have.
    pub serial_wanted: Option<Serial>,
}

/// What came of a run.
pub struct RunEnd {
    /// What is true about the zone now.
    pub state: ZoneState,
    /// The version that is published now.
    pub stored: Stored,
    /// The input that was signed.
    pub unsigned: Arc<ZoneVersion>,
    /// What the version was made with.
    pub basis: Arc<Basis>,
    /// The auditor's copy of the version.
    pub approved: Option<Copy>,
    /// What caches may have, of this version too.
    pub history: Vec<PublishedVersion>,
    /// What the gate said of the version, when it was asked.
    pub verdict: Option<LastVerdict>,
    /// Why the newest input is not in the version.
    pub refusal: Option<Refusal>,
    /// What was odd about the input.
    pub warnings: Vec<String>,
    /// Why the input could not be read, when the last good one was signed instead.
    pub input_failure: Option<StageError>,
    /// Whether the input was read, or was to be.
    pub is_read: bool,
    /// What was done.
    pub action: RunAction,
    /// What the notify command said, when it failed.
    pub notify_failure: Option<String>,
    /// Signatures of the keys that are due, and that a token has to make that is away.
    pub late: Option<Late>,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunAction {
    /// Nothing was due.
    Nothing,
    /// The version was there, but its file was not: written again.
    Delivered {
        /// What the auditor counted.
        audit: ::audit::Counts,
    },
    /// A new version.
    Published {
        /// Signatures made and kept.
        counts: SignCounts,
        /// What the auditor counted.
        audit: ::audit::Counts,
        /// How long the steps took.
        lengths: StepLengths,
    },
}

/// How long the steps of a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepLengths {
    /// Reading the input; next to nothing when the last one is signed again.
    pub read: Duration,
    /// The denial chain.
    pub denial: Duration,
    /// Signing.
    pub sign: Duration,
    /// Everything, up to the notify command's end.
    pub total: Duration,
}

impl Services {
    pub(super) async fn ask<S: Stage>(
        &self,
        order: &RunOrder,
        stage: &Outbox<Work<S>>,
        input: S::Input,
    ) -> Result<S::Output, RunError> {
        let silent = |cause: String| RunError::Silent { stage: S::NAME, cause };
        let (reply, answer) = Reply::channel();
        stage
            .tell(Work { input, progress: order.progress.clone(), reply })
            .map_err(|undelivered| silent(undelivered.error.to_string()))?;
        let answer = answer.within(stage.to(), STAGE_DEADLINE).await;
        Ok(answer.map_err(|error| silent(error.to_string()))??)
    }

    /// Runs a zone through the stages once.
    pub(super) async fn run_once(&self, order: &RunOrder) -> Result<RunEnd, RunError> {
        let began = self.clock.uptime();
        check_keys(order)?;
        let input = self.input(order).await?;
        let mut lengths = StepLengths { read: self.since(began), ..StepLengths::default() };
        let times = self.times(order);
        let plan = apex_plan(&order.settings, &order.keys, order.state.output_serial);
        let basis = Arc::new(Basis::new(&order.settings.policy, &order.keys, &plan));
        let extent = self.extent(order, &input, &plan, &basis, &times).await?;
        lengths.denial = self.since(began).saturating_sub(lengths.read);
        let (signed, late) = match extent {
            Some(extent) => self.sign(order, &input.unsigned, extent, &times).await?,
            None => (SignOutput::Unchanged, None),
        };
        lengths.sign = self.since(began).saturating_sub(lengths.read + lengths.denial);
        let last = order.state.output_serial.map(|serial| serial.0);
        let leniency = late.as_ref().map(|_| times.least_life_left());
        let expectations = |last| Expectations {
            keyset_refresh_seconds: leniency.map(seconds),
            ..self.expectations(order, &plan, &input.unsigned, &times, last)
        };
        let end = match signed {
            SignOutput::Unchanged => {
                let stored = order.stored.clone().ok_or(RunError::NoInput)?;
                self.deliver_again(order, stored, expectations(None)).await?
            }
            SignOutput::Signed { version, counts } => {
                let is_small =
                    counts.made <= RESIGNED_COUNT.max(version.signature_count() / RESIGNED_SHARE);
                let is_step = is_small && is_difference_known(order, &input.touched, &version);
                let previous = order.stored.clone().filter(|_| is_step);
                let stored = Stored { version, unsigned: input.unsigned.clone() };
                let audited = self.pass(order, &stored, expectations(last), previous).await?;
                let audit = audited.report().counts;
                let verdict = Some(LastVerdict::approving(times.now, &audited));
                let keys = audited.report().keys.clone();
                let (state, durable) = self.save(order, &times, audited).await?;
                let history = self.remembered(order, keys).await?;
                let (state, durable, notify) = self.deliver(order, state, durable).await?;
                lengths.total = self.since(began);
                let approved = durable.into_approved();
                let action = RunAction::Published { counts, audit, lengths };
                Delivery { state, stored, action, notify, approved, history, verdict }
            }
        };
        Ok(RunEnd { late, ..end_of(input, basis, end) })
    }

    /// What is to be signed; `None`: nothing.
    async fn extent(
        &self,
        order: &RunOrder,
        input: &Input,
        plan: &ApexPlan,
        basis: &Basis,
        times: &SigningTimes,
    ) -> Result<Option<Extent>, RunError> {
        let known = order.stored.as_ref().zip(order.basis.as_deref());
        let reach = known.map(|(_, last)| basis.reach_from(last));
        let made_so = known.filter(|_| reach != Some(Some(Reach::Zone)));
        let change = match (made_so, &input.touched) {
            (Some((stored, _)), Touched::Owners(touched))
                if touched.is_empty() && reach == Some(None) =>
            {
                let version = stored.version.clone();
                let renewals = renewals_of(&version, times, works_ahead(order));
                let is_due = renewals.iter().any(Option::is_some) || order.serial_wanted.is_some();
                return Ok(is_due.then_some(Extent::Due(version)));
            }
            (Some((previous, last)), Touched::Owners(touched)) => {
                let mut touched = touched.clone();
                if reach == Some(Some(Reach::Apex)) {
                    touched.insert(Vec::new());
                }
                Some(Change { previous: previous.clone(), apex: last.apex.clone(), touched })
            }
            _ => None,
        };
        let last = made_so.map(|(stored, _)| stored.version.clone());
        let (unsigned, apex) = (input.unsigned.clone(), plan.clone());
        let (nsec3, ttl) = (basis.nsec3.clone(), basis.ttl);
        let denial = DenialInput { unsigned, apex, nsec3, ttl, change };
        Ok(Some(match (self.ask(order, &self.denial, denial).await?, last) {
            (Chained::Changed(changed), Some(last)) => Extent::Changed(last, changed),
            (Chained::Whole(version), _) => Extent::Whole(version),
            // Only asked for with a last version.
            (Chained::Changed(_), None) => return Err(RunError::NoInput),
        }))
    }

    /// Sees to it that the version that stands is in its file.
    async fn deliver_again(
        &self,
        order: &RunOrder,
        stored: Stored,
        expectations: Expectations,
    ) -> Result<Delivery, RunError> {
        if self.is_delivered(order, &stored).await {
            self.vigil.rests(&order.settings.name);
            let (state, approved) = (order.state.clone(), order.approved.clone());
            let action = RunAction::Nothing;
            let (history, verdict) = (order.history.clone(), None);
            let notify = None;
            return Ok(Delivery { state, stored, action, notify, approved, history, verdict });
        }
        // Written before, perhaps long ago: judged again before it goes out.
        let served_serials = match stored.version.serial() {
            Some(serial) => self.served_after(order, serial).await,
            None => Vec::new(),
        };
        let expectations = Expectations { served_serials, ..expectations };
        let audited = self.with_waivers(order, &stored, expectations, None).await?;
        self.vigil.check()?;
        self.note_approval(&audited).await?;
        let verdict = Some(LastVerdict::approving(self.clock.now(), &audited));
        let history = self.remembered(order, audited.report().keys.clone()).await?;
        let action = RunAction::Delivered { audit: audited.report().counts };
        let durable = Durable::from_disk(audited, &stored);
        let (state, durable, notify) = self.deliver(order, order.state.clone(), durable).await?;
        let approved = durable.into_approved();
        Ok(Delivery { state, stored, action, notify, approved, history, verdict })
    }

    /// What a version is held against: what the policy and the keys say, and the DS RRset that the
    /// operator says the parent has.
    pub(super) fn expectations(
        &self,
        order: &RunOrder,
        plan: &ApexPlan,
        unsigned: &ZoneVersion,
        times: &SigningTimes,
        last: Option<u32>,
    ) -> Expectations {
        let mut keys = Cow::Borrowed(&order.keys);
        if let Some(ds) = self.expected_ds.get(&order.settings.name) {
            keys.to_mut().shown_ds.push(ds.clone());
        }
        audit_expectations((&order.settings, &keys), plan, unsigned, times, last)
    }

    fn since(&self, began: Duration) -> Duration {
        self.clock.uptime().saturating_sub(began)
    }

    pub(super) fn times(&self, order: &RunOrder) -> Arc<SigningTimes> {
        let mut seed = [0; 8];
        // Without randomness the jitter is the same in each run, which harms nothing.
        let _ = getrandom::fill(&mut seed);
        Arc::new(SigningTimes {
            now: self.clock.now(),
            policy: order.settings.policy.signatures.clone(),
            seed: u64::from_be_bytes(seed),
        })
    }

    /// `previous` is what the difference is made against, where there is to be one.
    pub(super) async fn audit(
        &self,
        order: &RunOrder,
        candidate: &Stored,
        expectations: Expectations,
        previous: Option<Stored>,
        waived: Vec<FindingId>,
    ) -> Result<AuditedZone, RunError> {
        let has_other_keys = has_other_foreign_keys(order, &candidate.version);
        let input = |approved| AuditInput {
            candidate: candidate.version.clone(),
            unsigned: candidate.unsigned.clone(),
            expectations: expectations.clone(),
            previous: previous.clone(),
            approved,
            waived: waived.clone(),
            keeps_approved: self.keeps_approved,
            judge: self.judge.clone(),
        };
        // Whoever waits for a verdict is known, so that silence is.
        self.vigil.waits(&order.settings.name, self.clock.uptime());
        let approved = order.approved.clone().filter(|_| !has_other_keys);
        let mut judged = self.ask(order, &self.audit, input(approved)).await;
        if let Err(RunError::Stage(StageError::Rejected(rejection))) = &judged
            && rejection.is_judged_by_difference
            && is_passed_through(order)
        {
            // Other signers make steps that ours does not: the whole zone has the last word.
            judged = self.ask(order, &self.audit, input(None)).await;
        }
        self.note_verdict(order, candidate, &judged).await;
        judged
    }
}

/// Part of the signatures that may be new in a version that is saved and judged as a difference,
/// as a divisor.
const RESIGNED_SHARE: usize = 8;
/// So many may always be new.
const RESIGNED_COUNT: usize = 1000;

/// How the steps of a run ended.
struct Delivery {
    state: ZoneState,
    stored: Stored,
    action: RunAction,
    notify: Option<String>,
    approved: Option<Copy>,
    history: Vec<PublishedVersion>,
    verdict: Option<LastVerdict>,
}

/// Whether a zone without keys may be published: by its policy, or because it was on its way there
/// when the policy changed.
fn check_keys(order: &RunOrder) -> Result<(), RunError> {
    let policy = &order.settings.policy;
    let is_to_be_signed = !policy.passthrough && !policy.keys.keys.is_empty();
    // A serial alone may be another signer's.
    let is_new = order.state.generation == 0;
    if order.keys.keys.is_empty() && is_to_be_signed && is_new {
        let (zone, policy) = (zone_text(&order.settings.name), policy.name.clone());
        return Err(RunError::NoKeys { zone, policy });
    }
    Ok(())
}

/// Whether the step from the last version to this one can be told by a difference: both have the
/// RRSIGs that we made, or both those of another signer, as their apex shows.
fn is_difference_known(order: &RunOrder, touched: &Touched, version: &ZoneVersion) -> bool {
    let Some(stored) = &order.stored else { return false };
    let was_passed_through = match &order.basis {
        Some(basis) => basis.is_passed_through(),
        None => stored.version.has_foreign_signatures(),
    };
    match (was_passed_through, is_passed_through(order)) {
        (false, false) => true,
        (true, true) => {
            // Where all is new, so is the difference: to judge it would cost more than the zone.
            matches!(touched, Touched::Owners(_))
                && is_signed_elsewhere(&stored.version)
                && is_signed_elsewhere(version)
        }
        _ => false,
    }
}

/// Whether the keys of another signer are others than in the last version: an occasion to judge the
/// whole zone.
fn has_other_foreign_keys(order: &RunOrder, version: &ZoneVersion) -> bool {
    let is_other = |stored: &Stored| dnskeys_of(&stored.version) != dnskeys_of(version);
    is_passed_through(order) && order.stored.as_ref().is_some_and(is_other)
}

fn end_of(input: Input, basis: Arc<Basis>, end: Delivery) -> RunEnd {
    RunEnd {
        state: end.state,
        // Where nothing changed, the input has no other data than what was signed, and that is
        // what the journal goes on from.
        unsigned: end.stored.unsigned.clone(),
        stored: end.stored,
        basis,
        approved: end.approved,
        history: end.history,
        verdict: end.verdict,
        refusal: None,
        warnings: input.warnings,
        input_failure: input.failure,
        is_read: input.is_read,
        action: end.action,
        notify_failure: end.notify,
        late: None,
    }
}

/// A run that does not read the input is a pass of the resign timer.
pub(super) fn works_ahead(order: &RunOrder) -> bool {
    order.reading == Reading::Skip
}
