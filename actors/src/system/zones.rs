//! The zones of the running system: which there are, starting one, ending one, telling all.
//! In: settings of zones, from the start or from a newer zone list. Out: [`RunningZone`]s.
//! Never: decisions about what a zone does; that is its actor's.

use crate::catalog::board::{CatalogBoard, Order};
use crate::enforcer::EnforcerMessage;
use crate::runtime::{AddError, ChildRef, Outbox, Progress, SupervisorRef, WorkerPool};
use crate::settings::{ZoneInput, ZoneOutput, ZoneSettings, zone_text};
use crate::slot::{Openings, SlotClient};
use crate::store::StoreClient;
use crate::transfers::Publications;
use crate::transfers::hearing::Heard;
use crate::transfers::requests::Desk;
use crate::transfers::updates::{UpdateQueue, Updates};
use crate::tree;
use crate::zone::pipeline::Services;
use crate::zone::{ZoneActor, ZoneMessage, ZoneParts, ZoneStatus};
use dnssec::Name;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A zone of the running system.
pub struct RunningZone {
    /// What it goes by.
    pub settings: ZoneSettings,
    /// Its actor.
    pub actor: ChildRef<ZoneActor>,
    /// Its state, always the newest.
    pub status: watch::Receiver<ZoneStatus>,
    /// How far its run is.
    pub progress: Arc<Progress>,
    /// Where its actor finds its settings.
    newest: watch::Sender<ZoneSettings>,
}

impl RunningZone {
    /// Its name as users write it.
    pub fn text(&self) -> String {
        zone_text(&self.settings.name)
    }

    /// Tells its actor. A mailbox that is full is logged: the zone has more to do than it can.
    pub fn tell(&self, message: ZoneMessage) {
        if let Err(undelivered) = self.actor.outbox().tell(message) {
            let (error, message) = (undelivered.error, undelivered.message);
            tracing::error!(%error, ?message, "zone was not told");
        }
    }
}

/// What every zone is started with.
pub(super) struct ZoneStarter {
    pub(super) supervisor: SupervisorRef,
    pub(super) services: Arc<Services>,
    pub(super) enforcer: Arc<Outbox<EnforcerMessage>>,
    pub(super) pool: WorkerPool,
    pub(super) openings: watch::Sender<Openings>,
    pub(super) catalogs: Arc<CatalogBoard>,
}

/// The zones; clones mean the same ones.
#[derive(Clone)]
pub struct Zones {
    starter: Arc<ZoneStarter>,
    running: Arc<Mutex<BTreeMap<Name, Arc<RunningZone>>>>,
}

impl Zones {
    pub(super) fn new(starter: ZoneStarter) -> Zones {
        Zones { starter: Arc::new(starter), running: Arc::default() }
    }

    /// Starts a zone; refused when one of that name runs.
    pub fn add(&self, settings: &ZoneSettings) -> Result<(), AddError> {
        let starter = &self.starter;
        let (sender, status) = watch::channel(ZoneStatus::default());
        let progress = Arc::<Progress>::default();
        let newest = watch::Sender::new(settings.clone());
        let parts = ZoneParts {
            settings: newest.subscribe(),
            services: starter.services.clone(),
            enforcer: starter.enforcer.clone(),
            pool: starter.pool.clone(),
            status: sender,
            progress: progress.clone(),
            openings: starter.openings.subscribe(),
        };
        // Before its actor, which has a version to serve as soon as it runs.
        if self.get(&settings.name).is_none() {
            self.set_adapters(settings);
        }
        let spec = tree::zone(&zone_text(&settings.name));
        let actor = starter.supervisor.add(&spec, move || ZoneActor::new(&parts))?;
        let zone = RunningZone { settings: settings.clone(), actor, status, progress, newest };
        self.running().insert(settings.name.clone(), Arc::new(zone));
        Ok(())
    }

    /// Gives a zone other settings; it goes on with its keys, its serial and its version.
    /// `false`: it does not run.
    pub fn change(&self, settings: &ZoneSettings) -> bool {
        let mut running = self.running();
        let Some(old) = running.get(&settings.name) else { return false };
        let zone = Arc::new(RunningZone {
            settings: settings.clone(),
            actor: old.actor.clone(),
            status: old.status.clone(),
            progress: old.progress.clone(),
            newest: old.newest.clone(),
        });
        zone.newest.send_replace(settings.clone());
        self.set_adapters(settings);
        running.insert(settings.name.clone(), zone.clone());
        drop(running);
        zone.tell(ZoneMessage::SettingsChanged);
        true
    }

    /// Ends a zone; its state, its keys and its signed file stay. `false`: there was none.
    pub async fn remove(&self, name: &Name) -> bool {
        let zone = self.running().remove(name);
        match zone {
            Some(zone) => {
                self.starter.supervisor.remove(&zone.actor).await;
                self.publications().withdraw(name);
                true
            }
            None => false,
        }
    }

    /// Says who may have a zone, and who may say that it has changed.
    fn set_adapters(&self, settings: &ZoneSettings) {
        let inbound = match &settings.input {
            ZoneInput::Transfer(inbound) => Some(inbound.clone()),
            ZoneInput::File(_) => None,
        };
        let outbound = match &settings.output {
            ZoneOutput::Dns(outbound) => Some(outbound.clone()),
            ZoneOutput::File(_) => None,
        };
        self.publications().set_adapters(&settings.name, inbound, outbound);
    }

    /// What secondaries get.
    pub fn publications(&self) -> &Arc<Publications> {
        &self.starter.services.publications
    }

    /// Where the catalogs' actor is met.
    pub fn catalogs(&self) -> &Arc<CatalogBoard> {
        &self.starter.catalogs
    }

    /// What zones work with.
    pub(crate) fn services(&self) -> &Arc<Services> {
        &self.starter.services
    }

    /// What answers requests of secondaries and masters.
    pub(super) fn desk(&self) -> Desk {
        let (zones, services) = (self.clone(), &self.starter.services);
        let updated = self.clone();
        let tell = move |zone: &Name, queue: &Arc<UpdateQueue>| {
            let zone = updated.get(zone);
            zone.map(|zone| zone.tell(ZoneMessage::UpdatesWait { queue: queue.clone() })).is_some()
        };
        Desk {
            publications: services.publications.clone(),
            served: services.served.clone(),
            heard: Arc::new(Heard::new(Arc::new(move |zone, from, serial| {
                // One that is being removed needs no news.
                match zones.get(zone) {
                    Some(zone) => zone.tell(ZoneMessage::Notified { from, serial }),
                    None => {
                        let catalog = zone.clone();
                        zones.catalogs().tell(Order::Notified { catalog, from, serial });
                    }
                }
            }))),
            updates: Arc::new(Updates::new(Arc::new(tell), services.clock.clone())),
            clock: services.clock.clone(),
        }
    }

    /// The zones in canonical order.
    pub fn all(&self) -> Vec<Arc<RunningZone>> {
        self.running().values().cloned().collect()
    }

    /// One zone.
    pub fn get(&self, name: &Name) -> Option<Arc<RunningZone>> {
        self.running().get(name).cloned()
    }

    /// Whether there is a slot for a repository.
    pub fn has_slot(&self, repository: &str) -> bool {
        self.starter.services.slots.contains_key(repository)
    }

    /// Folder of the snapshots.
    pub(crate) fn snapshot_folder(&self) -> &std::path::Path {
        &self.starter.services.snapshot_folder
    }

    /// The durable facts.
    pub(crate) fn store(&self) -> &StoreClient {
        &self.starter.services.store
    }

    /// Where an input of a zone that is held is kept.
    pub(crate) fn held_path(&self, zone: &Name) -> PathBuf {
        crate::zone::held_path(&self.starter.services.snapshot_folder, zone)
    }

    /// Who sees to the zones' keys.
    pub(crate) fn enforcer(&self) -> &Arc<Outbox<EnforcerMessage>> {
        &self.starter.enforcer
    }

    /// The slot of a repository.
    pub(crate) fn slot(&self, repository: &str) -> Option<&SlotClient> {
        self.starter.services.slots.get(repository)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Name, Arc<RunningZone>>> {
        // The map is whole after each call, so a panic elsewhere leaves it good.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
