//! The DNS adapters of zones: addns.xml files, each read once, and the zonefetch.xml of 1.x.
//! In: paths, as zonelist.xml and conf.xml have them. Out: [`Adapters`], of which the settings of
//! zones are made; a file that cannot be used is known with the reason, and only the zones that
//! name it are without settings.
//! Relative paths are below `<Signer><WorkingDirectory>`, as those of zone files.
//! Read again when the configuration is (`update`, `reload`): values that did not change are equal.

use crate::io::config_files::{self, ConfigFileError};
use appliance_config::{
    Adapter, Addns, Conf, Diagnostic, FILE_BYTES_MAX, FileFaults, Interface, Signer, ZoneEntry,
    read_addns, read_zonefetch,
};
use dnssec::transfer::peers::{Inbound, Outbound};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the adapter files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adapters {
    files: BTreeMap<PathBuf, Result<DnsAdapter, AdapterProblem>>,
    /// What `<ZoneFetchFile>` says of every zone.
    fetched: Option<Fetched>,
}

/// An addns.xml.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DnsAdapter {
    inbound: Arc<Inbound>,
    outbound: Arc<Outbound>,
}

/// A zonefetch.xml.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fetched {
    inbound: Arc<Inbound>,
    listener: Interface,
}

/// Why an addns.xml cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdapterProblem {
    /// A folder, a device or a pipe.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// What the system says.
    #[error("cannot read {}: {kind}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The system's words.
        kind: std::io::ErrorKind,
    },
    /// It has faults; the first is shown.
    #[error("{}", first(.0))]
    Faults(FileFaults),
}

fn first(faults: &FileFaults) -> String {
    let more = faults.faults.len().saturating_sub(1);
    let first = faults.faults.first().map(Diagnostic::summary).unwrap_or_default();
    match more {
        0 => first,
        more => format!("{first} (and {more} more)"),
    }
}

impl From<ConfigFileError> for AdapterProblem {
    fn from(error: ConfigFileError) -> AdapterProblem {
        match error {
            ConfigFileError::NotAFile { path } => AdapterProblem::NotAFile { path },
            ConfigFileError::Unreadable { path, cause } => {
                AdapterProblem::Unreadable { path, kind: cause.kind() }
            }
        }
    }
}

/// Why the zonefetch.xml that conf.xml names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ZoneFetchError {
    /// It could not be read.
    #[error(transparent)]
    File(#[from] ConfigFileError),
    /// It has faults.
    #[error(transparent)]
    Faults(#[from] FileFaults),
}

impl Adapters {
    /// The addns.xml files that zones name.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }

    /// Reads what conf.xml and these zones name. Blocks. `notices` are those of the files.
    pub fn read(
        conf: &Conf,
        zones: &[ZoneEntry],
        notices: &mut Vec<Diagnostic>,
    ) -> Result<Adapters, ZoneFetchError> {
        let mut adapters = Adapters::default();
        if let Some(path) = &conf.zone_fetch_file {
            let bytes = config_files::read(path, FILE_BYTES_MAX)?;
            let read = read_zonefetch(&path.to_string_lossy(), &bytes)?;
            notices.extend(read.notices);
            adapters.fetched = Some(Fetched {
                inbound: Arc::new(read.value.inbound),
                listener: read.value.notify_listen,
            });
        }
        adapters.read_more(&conf.signer, zones, notices);
        Ok(adapters)
    }

    /// Reads the files of these zones that are not known yet. Blocks.
    pub fn read_more(
        &mut self,
        signer: &Signer,
        zones: &[ZoneEntry],
        notices: &mut Vec<Diagnostic>,
    ) {
        for path in zones.iter().flat_map(|zone| paths(signer, zone)) {
            self.files.entry(path).or_insert_with_key(|path| read_file(path, notices));
        }
    }

    /// Forgets the files of a zone, so that they are read again.
    pub fn forget(&mut self, signer: &Signer, zone: &ZoneEntry) {
        for path in paths(signer, zone) {
            self.files.remove(&path);
        }
    }

    /// Forgets the files of all zones.
    pub fn forget_all(&mut self) {
        self.files.clear();
    }

    /// Whether the files of these zones are known.
    pub fn know(&self, signer: &Signer, zones: &[ZoneEntry]) -> bool {
        zones.iter().flat_map(|zone| paths(signer, zone)).all(|path| self.files.contains_key(&path))
    }

    /// What the addns.xml at `path` says of its zones' input.
    pub(super) fn inbound(&self, path: &Path) -> Result<Arc<Inbound>, AdapterProblem> {
        self.file(path).map(|adapter| adapter.inbound.clone())
    }

    /// What the addns.xml at `path` says of its zones' output.
    pub(super) fn outbound(&self, path: &Path) -> Result<Arc<Outbound>, AdapterProblem> {
        self.file(path).map(|adapter| adapter.outbound.clone())
    }

    /// What every zone with a file as its input is transferred from instead: 1.x moved what it
    /// had fetched over that file.
    pub(super) fn fetched(&self) -> Option<&Arc<Inbound>> {
        self.fetched.as_ref().map(|fetched| &fetched.inbound)
    }

    /// Where `zonefetch.xml` listens for NOTIFY.
    pub(super) fn fetch_listener(&self) -> Option<&Interface> {
        self.fetched.as_ref().map(|fetched| &fetched.listener)
    }

    fn file(&self, path: &Path) -> Result<&DnsAdapter, AdapterProblem> {
        match self.files.get(path) {
            Some(known) => known.as_ref().map_err(AdapterProblem::clone),
            // Whoever makes settings has the files read before.
            None => Err(AdapterProblem::Unreadable {
                path: path.to_owned(),
                kind: std::io::ErrorKind::NotFound,
            }),
        }
    }
}

/// The addns.xml files of a zone.
fn paths<'z>(signer: &'z Signer, zone: &'z ZoneEntry) -> impl Iterator<Item = PathBuf> + 'z {
    [&zone.input, &zone.output].into_iter().filter_map(|adapter| match adapter {
        Adapter::Dns(path) => Some(signer.working_directory.join(path)),
        Adapter::File(_) => None,
    })
}

/// The addns.xml at `path`. Blocks.
pub(crate) fn read_addns_file(path: &Path) -> Result<Addns, AdapterProblem> {
    let bytes = config_files::read(path, FILE_BYTES_MAX)?;
    let read = read_addns(&path.to_string_lossy(), &bytes).map_err(AdapterProblem::Faults)?;
    Ok(read.value)
}

fn read_file(path: &Path, notices: &mut Vec<Diagnostic>) -> Result<DnsAdapter, AdapterProblem> {
    let bytes = config_files::read(path, FILE_BYTES_MAX)?;
    let read = read_addns(&path.to_string_lossy(), &bytes).map_err(AdapterProblem::Faults)?;
    notices.extend(read.notices);
    let Addns { inbound, outbound } = read.value;
    Ok(DnsAdapter { inbound: Arc::new(inbound), outbound: Arc::new(outbound) })
}
