//! What the configuration says, in the words in which commands list it: zones, policies,
//! repositories; and where commands come in.
//! In: the path of conf.xml. Out: [`Catalogue`]. It is read beside the settings, since it lists
//! zones too that are left out of signing.

use crate::catalog::settings::Catalogs;
use crate::io::config_files::{self, ConfigFileError};
use crate::io::pid_files::beside;
use crate::settings::{Adapters, ZoneFetchError};
use appliance_config::{
    Conf, Datastore, FILE_BYTES_MAX, FileFaults, Read, Signer, ZONELIST_BYTES_MAX, ZoneEntry,
    read_conf, read_kasp, read_zonelist,
};
use dnssec::Name;
use dnssec::policy::Policy;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the signer's socket is when conf.xml says nothing, as OpenDNSSEC is built.
const SIGNER_SOCKET_DEFAULT: &str = "/run/opendnssec/engine.sock";
const SIGNER_SOCKET_NAME: &str = "engine.sock";
/// Where the pid files are when conf.xml says nothing.
const ENFORCER_PID_DEFAULT: &str = "/run/opendnssec/enforcerd.pid";
const SIGNER_PID_DEFAULT: &str = "/run/opendnssec/signerd.pid";

/// Why there is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] ConfigFileError),
    /// A file has faults.
    #[error(transparent)]
    Faults(#[from] FileFaults),
    /// `<ZoneFetchFile>` cannot be used.
    #[error(transparent)]
    ZoneFetch(#[from] ZoneFetchError),
}

/// What the configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// Where commands come in: the enforcer's socket, then the signer's.
    pub sockets: Vec<PathBuf>,
    /// `<PidFile>`: the enforcer's, then the signer's.
    pub pid_files: Vec<PathBuf>,
    /// `<Group>`: whose members are operators.
    pub group: Option<String>,
    /// kasp.xml.
    pub policy_file: PathBuf,
    /// zonelist.xml.
    pub zone_list_file: PathBuf,
    /// `<Signer>`: where zones are.
    pub signer: Signer,
    /// `<Verbosity>`.
    pub verbosity: u64,
    /// `<SQLite>`.
    pub datastore: String,
    /// The zones, in the order of zonelist.xml.
    pub zones: Vec<ZoneEntry>,
    /// What the DNS adapters of the zones say.
    pub adapters: Adapters,
    /// The policies that the daemon knows: those of kasp.xml in its order, when it was imported.
    pub policies: Vec<Arc<Policy>>,
    /// The repositories, in the order of conf.xml.
    pub repositories: Vec<ListedRepository>,
    /// The catalog zones.
    pub catalogs: Catalogs,
}

/// A repository of conf.xml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRepository {
    /// Its name.
    pub name: String,
    /// `<Capacity>`: most keys.
    pub capacity: Option<u64>,
    /// `<RequireBackup/>`.
    pub require_backup: bool,
}

impl Catalogue {
    /// Reads conf.xml, and the kasp.xml and zonelist.xml that it names.
    pub fn read(conf_file: &Path) -> Result<Catalogue, CatalogueError> {
        let conf = read(conf_file, FILE_BYTES_MAX, read_conf)?;
        let policies = read(&conf.policy_file, FILE_BYTES_MAX, read_kasp)?;
        let zones = read(&conf.zone_list_file, ZONELIST_BYTES_MAX, read_zonelist)?;
        // Notices are the settings' to give.
        let adapters = Adapters::read(&conf, &zones.zones, &mut Vec::new())?;
        let catalogs = Catalogs::read(&conf);
        Ok(Catalogue {
            catalogs,
            sockets: sockets(&conf),
            pid_files: pid_files(&conf),
            group: conf.enforcer.privileges.group.or(conf.signer.privileges.group.clone()),
            policy_file: conf.policy_file,
            zone_list_file: conf.zone_list_file,
            signer: conf.signer,
            verbosity: conf.logging.verbosity,
            datastore: match conf.enforcer.datastore {
                Datastore::Sqlite(path) => path.to_string_lossy().into_owned(),
                Datastore::MySql { database, .. } => database,
            },
            zones: zones.zones,
            adapters,
            policies: policies.into_iter().map(Arc::new).collect(),
            repositories: conf
                .repositories
                .into_iter()
                .map(|repository| ListedRepository {
                    name: repository.name,
                    capacity: repository.capacity,
                    require_backup: repository.require_backup,
                })
                .collect(),
        })
    }

    /// A policy that the daemon knows.
    pub fn policy(&self, name: &str) -> Option<&Arc<Policy>> {
        self.policies.iter().find(|policy| policy.name == name)
    }

    /// A zone of the list.
    pub fn zone(&self, name: &Name) -> Option<&ZoneEntry> {
        self.zones.iter().find(|zone| zone.name == *name)
    }
}

/// The enforcer's socket, and the signer's: beside it, unless conf.xml names another place.
fn sockets(conf: &Conf) -> Vec<PathBuf> {
    let enforcer = conf.enforcer.socket_file.clone();
    let signer = match &conf.signer.socket_file {
        named if named != Path::new(SIGNER_SOCKET_DEFAULT) => named.clone(),
        _ => enforcer.with_file_name(SIGNER_SOCKET_NAME),
    };
    match enforcer == signer {
        true => vec![enforcer],
        false => vec![enforcer, signer],
    }
}

/// The pid files: beside the sockets, unless conf.xml names other places.
fn pid_files(conf: &Conf) -> Vec<PathBuf> {
    let named = [
        (&conf.enforcer.pid_file, ENFORCER_PID_DEFAULT),
        (&conf.signer.pid_file, SIGNER_PID_DEFAULT),
    ];
    let socket = &conf.enforcer.socket_file;
    let mut files = named.map(|(named, usual)| beside(socket, named, Path::new(usual))).to_vec();
    files.dedup();
    files
}

fn read<T>(
    path: &Path,
    bytes_max: usize,
    parse: impl Fn(&str, &[u8]) -> Result<Read<T>, FileFaults>,
) -> Result<T, CatalogueError> {
    let bytes = config_files::read(path, bytes_max)?;
    Ok(parse(&path.to_string_lossy(), &bytes)?.value)
}
