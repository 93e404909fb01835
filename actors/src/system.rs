//! Builds the tree out of settings and runs it until it is told to stop.
//! In: [`Settings`]. Out: [`Running`]: the zones' states to look at, orders to give.
//! Never: decisions about zones; reading configuration files.

mod zones;

use zones::ZoneStarter;
pub use zones::{RunningZone, Zones};

use crate::audit::{AuditorActor, AuditorParts, Vigil};
use crate::catalog::CatalogActor;
use crate::console::site::Site;
use crate::console::{ConsoleActor, ConsoleParts};
use crate::enforcer::{EnforcerActor, EnforcerMessage, EnforcerParts};
use crate::health::{HealthActor, HealthBoard, HealthParts};
use crate::io::dns_server::Bound;
use crate::io::folders::private_folder;
use crate::io::transfer_client::TransferSlots;
use crate::parent::{ParentActor, ParentParts};
use crate::runtime::{
    AddError, Child, ChildRef, Clock, Failure, HealthTable, Outbox, PoolSpec, Supervised,
    SupervisorRef, WorkerPool, start_root,
};
use crate::settings::{Auditor, RepositorySettings, Settings};
use crate::slot::{
    self, NewToken, OpenSlot, Openings, SlotActor, SlotClient, SlotMessage, SlotParts, TokenBook,
};
use crate::stages::{Stage, StageActor};
use crate::store::{StoreActor, StoreClient};
use crate::transfers::{TransferActor, TransferParts};
use crate::tree;
use crate::zone::ZoneMessage;
use crate::zone::pipeline::Services;
use audit_host::Judge;
use dnssec::key::{KeyId, PublicKey};
use dnssec::key_room::{KeyDemand, demand};
use dnssec::policy::Policy;
use hsm::hosted::HostProgram;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use storage::state::{KeyRecord, KeyState};
use storage::{StateError, StateStore};
use tokio::sync::watch;

/// Jobs that may wait for a worker.
const POOL_QUEUE_BOUND: usize = 65_536;
/// Jobs that may wait for the disk; the store has one.
const STORE_QUEUE_BOUND: usize = 16;
/// Threads that look up what the store remembers, and as many for commands.
const READERS: usize = 2;
/// Threads of a slot: a module that hangs while it is opened or makes a key holds up nobody else.
const SLOT_WORKERS: usize = 2;
/// Tickets that a stage works on at once, beside its parallel work on each.
const STAGE_CREDITS: usize = 4;
/// Threads that wait for the auditor: one for each ticket that its stage has at work.
const AUDIT_WAITERS: usize = STAGE_CREDITS;

/// Why the system did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// A folder could not be made.
    #[error("cannot make folder {}: {cause}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// No threads.
    #[error("cannot start worker threads: {0}")]
    Threads(#[source] io::Error),
    /// Two zones or repositories of one name.
    #[error(transparent)]
    Twice(#[from] AddError),
}

/// Those who take orders; clones mean the same ones.
#[derive(Clone)]
pub struct Staff {
    /// The slots, each with what operators see of it.
    pub slots: Arc<Vec<ChildRef<SlotActor>>>,
    /// The zones.
    pub zones: Zones,
    /// Who sees to their keys.
    pub enforcer: Arc<Outbox<EnforcerMessage>>,
    /// Who watches the auditor.
    pub auditor: Arc<ChildRef<AuditorActor>>,
    /// How everybody is.
    pub health: HealthBoard,
    /// The time they go by.
    pub clock: Clock,
    /// For work on zones.
    pub pool: WorkerPool,
    /// For what commands have to read, write or compute: no command waits for work on zones.
    pub desk: WorkerPool,
}

/// The running system.
pub struct Running {
    root: SupervisorRef,
    /// Those who take orders.
    pub staff: Staff,
}

/// Opens the store. Apart from [`start`], since it blocks and its errors are the operator's.
pub fn open_store(settings: &Settings, clock: &Clock) -> Result<Arc<StateStore>, StartError> {
    if let Some(folder) = settings.state_file.parent() {
        private_folder(folder)
            .map_err(|cause| StartError::Folder { path: folder.to_owned(), cause })?;
    }
    Ok(Arc::new(StateStore::open(&settings.state_file, clock.now())?))
}

/// Starts everything. Must be called in an actor system; `on_failure` is called when the root
/// gives up. Tokens are opened in processes of their own by the program that calls this, which has
/// to be `anchorite`.
pub fn start(
    settings: &Settings,
    store: Arc<StateStore>,
    clock: Clock,
    on_failure: impl FnOnce(Failure) + Send + 'static,
) -> Result<Running, StartError> {
    start_with(settings, store, clock, slot::hosted(HostProgram::own()), on_failure)
}

/// [`start`], with another way to open tokens.
pub fn start_with(
    settings: &Settings,
    store: Arc<StateStore>,
    clock: Clock,
    open: OpenSlot,
    on_failure: impl FnOnce(Failure) + Send + 'static,
) -> Result<Running, StartError> {
    let workers = settings.worker_count.max(1);
    let pool =
        WorkerPool::start(PoolSpec { name: "worker", workers, queue_bound: POOL_QUEUE_BOUND })
            .map_err(StartError::Threads)?;
    let keys = store.keys()?;
    let vigil = Arc::new(Vigil::new(store.auditor_distrusted()?));
    let root = start_root(tree::root(), on_failure);

    let base = root.add_supervisor(&tree::base())?;
    // A thread of its own waits for the disk: the others have work.
    let disk = PoolSpec { name: "store", workers: 1, queue_bound: STORE_QUEUE_BOUND };
    let disk = WorkerPool::start(disk).map_err(StartError::Threads)?;
    // Whoever looks something up does not wait until a stage is done with a large zone.
    let readers = PoolSpec { name: "facts", workers: READERS, queue_bound: POOL_QUEUE_BOUND };
    let readers = WorkerPool::start(readers).map_err(StartError::Threads)?;
    let book_store = store.clone();
    let new_store = move || StoreActor::new(store.clone(), readers.clone(), disk.clone());
    let storage = base.add(&tree::storage(), new_store)?;
    let store_client = || StoreClient::new(storage.outbox());

    let book = TokenBook::new(book_store, clock.clone());
    let open = slot::known(open, book.clone());
    let slots = root.add_supervisor(&tree::slots())?;
    let openings = watch::Sender::new(Openings::new());
    let slot_actors = add_slots(&slots, settings, &keys, |repository, new_token| {
        let spec = PoolSpec { name: "slot", workers: SLOT_WORKERS, queue_bound: POOL_QUEUE_BOUND };
        Ok(SlotParts {
            settings: repository.clone(),
            new_token,
            open: open.clone(),
            pool: WorkerPool::start(spec).map_err(StartError::Threads)?,
            clock: clock.clone(),
            openings: openings.clone(),
            book: book.clone(),
            demand: demand_of(&repository.name, settings),
        })
    })?;
    let slot_clients = || -> BTreeMap<String, SlotClient> {
        let client = |(name, actor): (&String, &ChildRef<SlotActor>)| {
            (name.clone(), SlotClient::new(name, actor.outbox()))
        };
        slot_actors.iter().map(client).collect()
    };

    let waiters = PoolSpec { name: "audit", workers: AUDIT_WAITERS, queue_bound: POOL_QUEUE_BOUND };
    let waiters = WorkerPool::start(waiters).map_err(StartError::Threads)?;
    let uptime = clock.clone();
    let judge = Arc::new(match &settings.auditor {
        Auditor::Here => Judge::here(workers, move || uptime.uptime()),
        Auditor::Process(program) => Judge::in_host(program.clone(), move || uptime.uptime()),
    });
    let stages = root.add_supervisor(&tree::stages())?;
    let services = Arc::new(Services {
        fetch: add_stage(&stages, &pool)?.outbox(),
        sort: add_stage(&stages, &pool)?.outbox(),
        denial: add_stage(&stages, &pool)?.outbox(),
        sign: add_stage(&stages, &pool)?.outbox(),
        audit: add_stage(&stages, &waiters)?.outbox(),
        publish: add_stage(&stages, &pool)?.outbox(),
        slots: slot_clients(),
        store: store_client(),
        clock: clock.clone(),
        pool: pool.clone(),
        snapshot_folder: settings.snapshot_folder.clone(),
        notify_command: settings.notify_command.clone(),
        checkers: settings.checkers.clone(),
        judge: judge.clone(),
        vigil: vigil.clone(),
        keeps_approved: settings.keeps_approved,
        transfer_slots: TransferSlots::default(),
        served: Arc::default(),
        expected_ds: settings.expected_ds.clone(),
        publications: Arc::default(),
    });

    let parent_parts = ParentParts::network(clock.clone(), store_client());
    let parent = root.add(&tree::parent(), move || ParentActor::new(parent_parts.clone()))?;
    let parts = Arc::new(EnforcerParts {
        store: store_client(),
        parent: parent.outbox(),
        slots: slot_clients(),
        pool: WorkerPool::start(PoolSpec {
            name: "keys",
            workers: 1,
            queue_bound: POOL_QUEUE_BOUND,
        })
        .map_err(StartError::Threads)?,
        files: pool.clone(),
        clock: clock.clone(),
        allow_deprecated: settings.allow_deprecated,
        settings: settings.enforcer.clone(),
    });
    let enforcer = root.add(&tree::enforcer(), move || EnforcerActor::new(parts.clone()))?;
    let enforcer = Arc::new(enforcer.outbox());

    let zones_supervisor = root.add_supervisor(&tree::zones())?;
    let zones = Zones::new(ZoneStarter {
        supervisor: zones_supervisor,
        services,
        enforcer: enforcer.clone(),
        pool: pool.clone(),
        openings,
        catalogs: Arc::default(),
    });
    let parts = Arc::new(AuditorParts {
        clock: clock.clone(),
        judge,
        vigil,
        store: store_client(),
        zones: zones.clone(),
        pool: waiters,
        log_kept: settings.audit_log_kept,
    });
    let auditor = root.add(&tree::auditor(), move || AuditorActor::new(parts.clone()))?;
    let auditor = Arc::new(auditor);
    for zone in &settings.zones {
        zones.add(zone)?;
    }
    let slots = Arc::new(slot_actors.into_values().collect());
    let health = HealthBoard::default();
    let desk = PoolSpec { name: "desk", workers: READERS, queue_bound: POOL_QUEUE_BOUND };
    let desk = WorkerPool::start(desk).map_err(StartError::Threads)?;
    let staff = Staff { slots, zones, enforcer, auditor, health, clock, pool, desk };
    Ok(Running { root, staff })
}

fn add_slots(
    slots: &SupervisorRef,
    settings: &Settings,
    keys: &[KeyRecord],
    parts: impl Fn(&RepositorySettings, NewToken) -> Result<SlotParts, StartError>,
) -> Result<BTreeMap<String, ChildRef<SlotActor>>, StartError> {
    let mut actors = BTreeMap::new();
    for repository in &settings.repositories {
        // A key that is only intended may be in no token yet.
        let holds =
            |key: &KeyRecord| key.repository == repository.name && key.state == KeyState::Present;
        let new_token = match keys.iter().any(holds) {
            true => NewToken::Refused,
            false => NewToken::Allowed,
        };
        let recorded = keys.iter().filter(|key| holds(key)).filter_map(public_half);
        let parts = parts(&repository.with_recorded(recorded), new_token)?;
        let spec = tree::slot(&repository.name);
        let actor = slots.add(&spec, move || SlotActor::new(&parts))?;
        actors.insert(repository.name.clone(), actor);
    }
    Ok(actors)
}

/// What the zones need of a repository.
fn demand_of(repository: &str, settings: &Settings) -> KeyDemand {
    let mut counts: BTreeMap<&str, (&Policy, u64)> = BTreeMap::new();
    for zone in &settings.zones {
        let entry = counts.entry(&zone.policy.name).or_insert((&zone.policy, 0));
        entry.1 += 1;
    }
    demand(repository, counts.into_values())
}

fn public_half(key: &KeyRecord) -> Option<(KeyId, PublicKey)> {
    let bytes = key.public_key.clone()?;
    Some((key.id.clone(), PublicKey { algorithm: key.algorithm, bytes }))
}

fn add_stage<S: Stage>(
    stages: &SupervisorRef,
    pool: &WorkerPool,
) -> Result<ChildRef<StageActor<S>>, AddError>
where
    StageActor<S>: Child + Supervised,
{
    let pool = pool.clone();
    stages.add(&tree::stage(S::NAME), move || StageActor::new(pool.clone(), STAGE_CREDITS))
}

impl Staff {
    /// The slots, each with what operators see of it.
    pub(crate) fn slots(&self) -> &[ChildRef<SlotActor>] {
        &self.slots
    }

    /// Has every zone read its input and sign now. Before that, tokens that are closed are tried
    /// again: whoever says this may have mended them.
    pub fn sign_all(&self) {
        for slot in self.slots.iter() {
            if let Err(undelivered) = slot.outbox().tell(SlotMessage::TryAgain) {
                tracing::error!(error = %undelivered.error, "slot was not told to try again");
            }
        }
        for zone in self.zones.all() {
            zone.tell(ZoneMessage::SignNow);
        }
    }
}

impl Running {
    /// The health table of the whole tree.
    pub fn health(&self) -> &HealthTable {
        self.root.table()
    }

    /// The slots, each with what operators see of it.
    pub fn slots(&self) -> &[ChildRef<SlotActor>] {
        &self.staff.slots
    }

    /// Opens the door to operators: the console, which is started last and stopped first.
    pub fn add_console(&self, parts: ConsoleParts) -> Result<(), StartError> {
        let parts = Arc::new(parts);
        self.root.add(&tree::console(), move || ConsoleActor::new(parts.clone()))?;
        Ok(())
    }

    /// Has zones come and go with catalog zones. After the console, whose door they take.
    pub fn add_catalogs(&self, site: Arc<Site>) -> Result<(), StartError> {
        self.root.add(&tree::catalogs(), move || CatalogActor::new(site.clone()))?;
        Ok(())
    }

    /// Lets secondaries in, and tells them of new versions. Ports are bound before, while this
    /// process may.
    pub fn add_transfers(&self, bound: Vec<Bound>) -> Result<ChildRef<TransferActor>, StartError> {
        let pool = PoolSpec {
            name: "transfer",
            workers: self.staff.pool.workers(),
            queue_bound: POOL_QUEUE_BOUND,
        };
        let pool = WorkerPool::start(pool).map_err(StartError::Threads)?;
        let (desk, clock) = (self.staff.zones.desk(), self.staff.clock.clone());
        let parts = Arc::new(TransferParts { bound, desk, pool, clock });
        Ok(self.root.add(&tree::transfers(), move || TransferActor::new(parts.clone()))?)
    }

    /// Has somebody look after everybody's health. A system that lives for one version, or in a
    /// test's time, does without.
    pub fn add_health(&self, transfers: ChildRef<TransferActor>) -> Result<(), StartError> {
        let (staff, table) = (self.staff.clone(), self.health().clone());
        let parts = Arc::new(HealthParts { staff, transfers, table });
        self.root.add(&tree::health(), move || HealthActor::new(parts.clone()))?;
        Ok(())
    }

    /// Stops everything in order: the console and the zones first, storage last; then the workers.
    pub async fn stop(self) {
        self.root.stop().await;
        self.staff.desk.close();
        self.staff.pool.close();
    }
}
