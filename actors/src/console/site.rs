//! What handlers of commands see: the running system, the configuration, the way to `main`.
//! In: what `main` gives at the start. Out: orders and snapshots.

use super::catalogue::{Catalogue, CatalogueError};
use super::output::Wish;
use crate::settings::{Notice, Settings, SettingsError};
use crate::system::{RunningZone, Staff};
use dnssec::Name;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Reads the settings anew.
pub type ReadSettings =
    Box<dyn Fn() -> Result<(Settings, Vec<Notice>), SettingsError> + Send + Sync>;

/// Wishes that may wait for `main`; it has no other work than to fulfil them.
const WISHES_MAX: usize = 16;

/// What handlers see.
pub struct Site {
    /// Those who take orders.
    pub staff: Staff,
    conf_file: PathBuf,
    read_settings: ReadSettings,
    catalogue: watch::Sender<Arc<Catalogue>>,
    wishes: mpsc::Sender<Wish>,
    /// One change of the list of zones at a time.
    pub(super) updating: tokio::sync::Mutex<()>,
}

impl Site {
    /// A site, and where its wishes come out.
    pub fn new(
        staff: Staff,
        conf_file: PathBuf,
        catalogue: Catalogue,
        read_settings: ReadSettings,
    ) -> (Arc<Site>, mpsc::Receiver<Wish>) {
        let (wishes, receiver) = mpsc::channel(WISHES_MAX);
        let catalogue = watch::Sender::new(Arc::new(catalogue));
        let updating = tokio::sync::Mutex::new(());
        // What is written into zonelist.xml is not relative to where the daemon was started.
        let conf_file = std::path::absolute(&conf_file).unwrap_or(conf_file);
        let site = Site { staff, conf_file, read_settings, catalogue, wishes, updating };
        (Arc::new(site), receiver)
    }

    /// What the configuration said when it was last read.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.borrow().clone()
    }

    /// Tells when it says something else.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Catalogue>> {
        self.catalogue.subscribe()
    }

    /// Reads the configuration. Blocks; what it gives is not used before [`Site::set_catalogue`].
    pub(super) fn read_configuration(&self) -> Result<Configuration, ConfigurationError> {
        let (settings, notices) = (self.read_settings)()?;
        let catalogue = Catalogue::read(&self.conf_file)?;
        // They are read for their faults: zones follow the catalogue.
        drop(settings);
        Ok(Configuration { notices, catalogue })
    }

    /// Path of conf.xml.
    pub(super) fn conf_file(&self) -> &Path {
        &self.conf_file
    }

    pub(super) fn set_catalogue(&self, catalogue: Catalogue) {
        self.catalogue.send_replace(Arc::new(catalogue));
    }

    /// Asks something of `main`.
    pub(super) fn wish(&self, wish: Wish) {
        if self.wishes.try_send(wish).is_err() {
            tracing::error!(target: "cmdhandler", ?wish, "too many wishes wait already");
        }
    }

    /// A running zone by the name that somebody typed, in any case, with or without final dot.
    pub(super) fn zone(&self, typed: &str) -> Option<Arc<RunningZone>> {
        let name = Name::parse(typed.as_bytes(), Some(&Name::root())).ok()?;
        self.staff.zones.get(&name)
    }
}

/// What is read together.
pub(super) struct Configuration {
    pub(super) notices: Vec<Notice>,
    pub(super) catalogue: Catalogue,
}

/// Why it was not.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigurationError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}
