//! One run of a zone through the stages: fetch, sort, denial, sign, audit, publish.
//! In: what the zone knows and wants. Out: what became of it. The zone actor keeps the state;
//! this function owns nothing, so that a run cut short by a crash has changed nothing but what
//! it had made durable.
//! Order of truth: snapshot, commit, signed file, notify command.

use super::plan::{Basis, apex_plan, audit_expectations};
use crate::enforcer::ZoneKeys;
use crate::io::command;
use crate::runtime::{Clock, Outbox, Progress, Reply, WorkerPool};
use crate::settings::{ZoneSettings, zone_text};
use crate::slot::{SlotClient, SlotFailure};
use crate::stages::audit::{Audit, AuditInput, AuditedZone};
use crate::stages::denial::{Denial, DenialInput};
use crate::stages::fetch::Fetch;
use crate::stages::publish::{Durable, Publish, PublishInput, Stored, is_in_place};
use crate::stages::sign::{Extent, Sign, SignCounts, SignInput, SignOutput};
use crate::stages::sort::{Sort, SortInput};
use crate::stages::{Stage, StageError, Work};
use crate::store::{StoreClient, StoreError};
use dnssec::signing::reuse::PublishedKey;
use dnssec::signing::{Signer, SigningTimes};
use dnssec::zone::ZoneVersion;
use dnssec::zone::load::Limits;
use hsm::Slot;
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
    /// What the last published version was made with, when this process made it.
    pub basis: Option<Arc<Basis>>,
    /// Where it is counted how far the run is.
    pub progress: Arc<Progress>,
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
    /// What was odd about the input.
    pub warnings: Vec<String>,
    /// Why the input could not be read, when the last good one was signed instead.
    pub input_failure: Option<StageError>,
    /// What was done.
    pub action: RunAction,
    /// What the notify command said, when it failed.
    pub notify_failure: Option<String>,
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
    async fn ask<S: Stage>(
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

    async fn slots_of(
        &self,
        signers: &[Signer],
    ) -> Result<BTreeMap<String, Arc<dyn Slot>>, RunError> {
        let mut slots = BTreeMap::new();
        for Signer { repository, .. } in signers {
            if slots.contains_key(repository) {
                continue;
            }
            let client = self
                .slots
                .get(repository)
                .ok_or_else(|| StageError::RepositoryMissing { repository: repository.clone() })?;
            slots.insert(repository.clone(), client.lease().await?);
        }
        Ok(slots)
    }

    /// Runs a zone through the stages. When the auditor finds signatures wrong, some of which
    /// were kept from the last version, everything is signed anew and judged again, once.
    pub async fn run(&self, order: RunOrder) -> Result<RunEnd, RunError> {
        match self.run_once(&order).await {
            Err(RunError::Stage(StageError::Rejected(rejection)))
                if order.stored.is_some() && rejection.is_about_signatures() =>
            {
                let zone = zone_text(&order.settings.name);
                tracing::error!(target: "audit", %zone,
                    "{rejection}; signing zone {zone} anew without what the last version had");
                self.run_once(&RunOrder { stored: None, basis: None, ..order }).await
            }
            result => result,
        }
    }

    async fn run_once(&self, order: &RunOrder) -> Result<RunEnd, RunError> {
        let began = self.clock.uptime();
        let input = self.input(order).await?;
        let mut lengths = StepLengths { read: self.since(began), ..StepLengths::default() };
        let times = self.times(order);
        let plan = apex_plan(&order.settings.policy, &order.keys, order.state.output_serial);
        let basis = Arc::new(Basis::new(&order.settings.policy, &order.keys, &plan));
        let ask = match is_made_with(order, &input, &basis) {
            true => due_of(order, &times),
            false => {
                let unsigned = input.unsigned.clone();
                let (nsec3, ttl) = (basis.nsec3.clone(), basis.ttl);
                let denial = DenialInput { unsigned, apex: plan.clone(), nsec3, ttl };
                let version = self.ask(order, &self.denial, denial).await?;
                Some(SignAsk { version, extent: Extent::All, times: times.clone() })
            }
        };
        lengths.denial = self.since(began).saturating_sub(lengths.read);
        let signed = match ask {
            Some(ask) => self.sign(order, &input.unsigned, ask).await?,
            None => SignOutput::Unchanged,
        };
        lengths.sign = self.since(began).saturating_sub(lengths.read + lengths.denial);
        let last = order.state.output_serial.map(|serial| serial.0);
        let expectations = |last| audit_expectations(order, &plan, &input.unsigned, &times, last);
        let (state, stored, action, notify) = match signed {
            SignOutput::Unchanged => {
                let version = order.stored.clone().ok_or(RunError::NoInput)?.version;
                self.deliver_again(order, version, &input, expectations(None)).await?
            }
            SignOutput::Signed { version, counts } => {
                let audited = self.audit(order, &version, &input, expectations(last)).await?;
                let audit = audited.report().counts;
                let stored = Stored { version, unsigned: input.unsigned.clone() };
                let (state, durable) = self.save(order, &times, audited).await?;
                let (state, notify) = self.deliver(order, state, durable).await?;
                lengths.total = self.since(began);
                (state, stored, RunAction::Published { counts, audit, lengths }, notify)
            }
        };
        Ok(input.end(basis, state, stored, action, notify))
    }

    /// Sees to it that the version that stands is in its file.
    async fn deliver_again(
        &self,
        order: &RunOrder,
        version: Arc<ZoneVersion>,
        input: &Input,
        expectations: ::audit::Expectations,
    ) -> Result<(ZoneState, Stored, RunAction, Option<String>), RunError> {
        // Read anew, perhaps, but the same data.
        let stored = Stored { version, unsigned: input.unsigned.clone() };
        if self.is_delivered(order, &stored).await {
            return Ok((order.state.clone(), stored, RunAction::Nothing, None));
        }
        // Written before, perhaps long ago: judged again before it goes out.
        let audited = self.audit(order, &stored.version, input, expectations).await?;
        let action = RunAction::Delivered { audit: audited.report().counts };
        let durable = Durable::from_snapshot(audited, &stored);
        let (state, notify) = self.deliver(order, order.state.clone(), durable).await?;
        Ok((state, stored, action, notify))
    }

    fn since(&self, began: Duration) -> Duration {
        self.clock.uptime().saturating_sub(began)
    }

    fn times(&self, order: &RunOrder) -> Arc<SigningTimes> {
        let mut seed = [0; 8];
        // Without randomness the jitter is the same in each run, which harms nothing.
        let _ = getrandom::fill(&mut seed);
        Arc::new(SigningTimes {
            now: self.clock.now(),
            policy: order.settings.policy.signatures.clone(),
            seed: u64::from_be_bytes(seed),
        })
    }

    /// The input: read now, or the last good one.
    async fn input(&self, order: &RunOrder) -> Result<Input, RunError> {
        let last = order.unsigned.clone();
        let last_good = |failure| last.clone().map(|unsigned| Input::kept(unsigned, failure));
        if order.reading == Reading::Skip
            && let Some(input) = last_good(None)
        {
            return Ok(input);
        }
        match self.read(order).await {
            Ok(input) => Ok(input),
            Err(RunError::Stage(error)) => match last.is_some() {
                true => last_good(Some(error)).ok_or(RunError::NoInput),
                false => Err(error.into()),
            },
            Err(error) => Err(error),
        }
    }

    async fn read(&self, order: &RunOrder) -> Result<Input, RunError> {
        let file = self.ask(order, &self.fetch, order.settings.input.clone()).await?;
        let apex = order.settings.name.clone();
        let sort = SortInput { apex, file, limits: Limits::default() };
        let sorted = self.ask(order, &self.sort, sort).await?;
        let mut warnings = sorted.warnings;
        let more = sorted.warning_count.saturating_sub(warnings.len());
        if more > 0 {
            warnings.push(format!("{more} more warnings"));
        }
        Ok(Input { unsigned: sorted.version, warnings, failure: None })
    }

    async fn sign(
        &self,
        order: &RunOrder,
        unsigned: &ZoneVersion,
        ask: SignAsk,
    ) -> Result<SignOutput, RunError> {
        let SignAsk { version, extent, times } = ask;
        let keys: Vec<_> = order.keys.keys.iter().map(|(key, _)| key.clone()).collect();
        let signers: Arc<[Signer]> = Signer::of_keys(&keys).into();
        let input_serial = unsigned.serial().ok_or(RunError::NoInput)?;
        let input = SignInput {
            version,
            extent,
            previous: order.stored.as_ref().map(|stored| stored.version.clone()),
            slots: Arc::new(self.slots_of(&signers).await?),
            signers,
            published: PublishedKey::of_keys(&keys).into(),
            times,
            serial_mode: order.settings.policy.zone.serial,
            input_serial,
            previous_serial: order.state.output_serial,
            is_new_input: order.state.input_serial != Some(input_serial),
        };
        let result = self.ask(order, &self.sign, input).await;
        if let Err(RunError::Stage(StageError::Slot { repository, error })) = &result
            && let Some(slot) = self.slots.get(repository)
        {
            slot.failed(error.clone());
        }
        result
    }

    async fn audit(
        &self,
        order: &RunOrder,
        candidate: &Arc<ZoneVersion>,
        input: &Input,
        expectations: ::audit::Expectations,
    ) -> Result<AuditedZone, RunError> {
        let (candidate, unsigned) = (candidate.clone(), input.unsigned.clone());
        self.ask(order, &self.audit, AuditInput { candidate, unsigned, expectations }).await
    }

    /// Snapshot, then commit: after this the version is true.
    async fn save(
        &self,
        order: &RunOrder,
        times: &SigningTimes,
        zone: AuditedZone,
    ) -> Result<(ZoneState, Durable), RunError> {
        let generation = order.state.generation + 1;
        let state = ZoneState {
            policy: order.settings.policy.name.clone(),
            input_serial: zone.unsigned().serial(),
            output_serial: zone.version().serial(),
            generation,
            signed_at: Some(times.now),
            denial: Some(super::plan::denial_state(&order.settings.policy, &order.keys)),
            // Not yet: that is what a run after a crash has to know.
            last_published: None,
        };
        let folder = self.snapshot_folder.clone();
        let save = PublishInput::Save { zone, folder, generation };
        let durable = self.ask(order, &self.publish, save).await?;
        self.store.commit_version(&order.settings.name, state.clone()).await?;
        Ok((state, durable))
    }

    /// Whether the true version stands in its file, and the notify command has heard of it.
    async fn is_delivered(&self, order: &RunOrder, stored: &Stored) -> bool {
        if order.state.last_published.is_none() {
            return false;
        }
        let (version, output) = (stored.version.clone(), order.settings.output.clone());
        match self.pool.run(move || is_in_place(&version, &output)) {
            // On doubt it is written again, which harms nothing.
            Ok(look) => look.await.unwrap_or(false),
            Err(_) => false,
        }
    }

    /// The signed file, the notify command, the note that both are done: after a crash in
    /// between, all three are done again.
    async fn deliver(
        &self,
        order: &RunOrder,
        state: ZoneState,
        zone: Durable,
    ) -> Result<(ZoneState, Option<String>), RunError> {
        let output = order.settings.output.clone();
        self.ask(order, &self.publish, PublishInput::Deliver { zone, output }).await?;
        let notify = match &self.notify_command {
            None => Ok(()),
            Some(command) => {
                let zone = zone_text(&order.settings.name);
                command::run(&command::expand(command, &zone, &order.settings.output)).await
            }
        };
        let state = ZoneState { last_published: Some(self.clock.now()), ..state };
        self.store.update_zone(&order.settings.name, state.clone()).await?;
        Ok((state, notify.err().map(|error| error.to_string())))
    }
}

/// Whether the published version was made with this input and this basis, and nothing is left
/// to do but to renew what is due.
fn is_made_with(order: &RunOrder, input: &Input, basis: &Basis) -> bool {
    let same_input =
        order.stored.as_ref().is_some_and(|stored| Arc::ptr_eq(&stored.unsigned, &input.unsigned));
    same_input && order.basis.as_deref() == Some(basis)
}

/// What of the published version is due; the chain and every other record stand. `None`: nothing.
fn due_of(order: &RunOrder, times: &Arc<SigningTimes>) -> Option<SignAsk> {
    let version = order.stored.as_ref()?.version.clone();
    let is_due = version.earliest_expiration().is_some_and(|earliest| times.is_due(earliest));
    is_due.then(|| SignAsk { version, extent: Extent::Due, times: times.clone() })
}

/// What the sign stage is asked for.
struct SignAsk {
    version: Arc<ZoneVersion>,
    extent: Extent,
    times: Arc<SigningTimes>,
}

/// The input of a run.
struct Input {
    unsigned: Arc<ZoneVersion>,
    warnings: Vec<String>,
    failure: Option<StageError>,
}

impl Input {
    fn kept(unsigned: Arc<ZoneVersion>, failure: Option<StageError>) -> Input {
        Input { unsigned, warnings: Vec::new(), failure }
    }

    fn end(
        self,
        basis: Arc<Basis>,
        state: ZoneState,
        stored: Stored,
        action: RunAction,
        notify_failure: Option<String>,
    ) -> RunEnd {
        RunEnd {
            state,
            stored,
            unsigned: self.unsigned,
            basis,
            warnings: self.warnings,
            input_failure: self.failure,
            action,
            notify_failure,
        }
    }
}
