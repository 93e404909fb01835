//! Settings out of OpenDNSSEC's configuration: conf.xml, and the kasp.xml and zonelist.xml that
//! it names. In: the path of conf.xml. Out: [`Settings`] and [`Notice`]s, or the first fault.
//!
//! What is wrong in a file is an error, and nothing starts. What concerns some zones only (an
//! addns.xml with a fault, a token that waits for its PIN) leaves out the zones that need it, with
//! a notice for each, and the others run.
//!
//! Relative paths: those in zonelist.xml are below `<Signer><WorkingDirectory>`, since that is
//! where OpenDNSSEC's signer changes to before it opens them (`zone add` writes absolute ones);
//! those in conf.xml are below the folder that the program was started in, as for kaspcheck.

use super::{
    AdapterProblem, Adapters, Auditor, EnforcerSettings, RepositorySettings, RunAs, Settings,
    TokenSettings, ZoneFetchError, ZoneInput, ZoneOutput, ZoneSettings, zone_text,
};
use crate::io::checker::Checker;
use crate::io::config_files::{self, ConfigFileError};
use appliance_config::{
    Adapter, Conf, Datastore, Diagnostic, FILE_BYTES_MAX, FileFaults, Interface, Read, Repository,
    RepositoryGroup, RepositoryKind, Secret, Signer, TokenSecret, ZONELIST_BYTES_MAX, ZoneEntry,
    ZoneList,
};
use audit_host::HostProgram;
use dnssec::policy::Policy;
use hsm::KnownToken;
use hsm::builtin::Unlock;
use hsm::hosted::Network;
use hsm::pkcs11::Pkcs11Settings;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why there are no settings. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] ConfigFileError),
    /// A file has faults, each with line and column.
    #[error(transparent)]
    Faults(#[from] FileFaults),
    /// `<ZoneFetchFile>` cannot be used.
    #[error(transparent)]
    ZoneFetch(#[from] ZoneFetchError),
    /// `<MySQL>`.
    #[error(
        "{}: <Datastore><MySQL> (database {database} on {host}) is not supported; give \
         <SQLite>/var/lib/opendnssec/kasp.db</SQLite> in its place, the state is kept beside it",
        file.display()
    )]
    MySql {
        /// conf.xml.
        file: PathBuf,
        /// `<Host>`.
        host: String,
        /// `<Database>`.
        database: String,
    },
    /// A zone with a policy that is not there.
    #[error(
        "{}: zone {zone} has the policy {policy}, which {} does not have; it has: {known}",
        file.display(),
        policy_file.display()
    )]
    UnknownPolicy {
        /// zonelist.xml.
        file: PathBuf,
        /// The zone.
        zone: String,
        /// What it names.
        policy: String,
        /// kasp.xml.
        policy_file: PathBuf,
        /// The names that exist.
        known: String,
    },
    /// A policy with a key in a repository that is not there.
    #[error(
        "{}: policy {policy} has a key in the repository {repository}, which {} does not have; \
         it has: {known}",
        file.display(),
        conf_file.display()
    )]
    UnknownRepository {
        /// kasp.xml.
        file: PathBuf,
        /// The policy.
        policy: String,
        /// What it names.
        repository: String,
        /// conf.xml.
        conf_file: PathBuf,
        /// The names that exist.
        known: String,
    },
    /// A policy with a key in one member of a group.
    #[error(
        "{}: policy {policy} has a key in the repository {repository}, which is a member of the \
         repository group {group}; a key in it alone would be in no other member: name the group",
        file.display()
    )]
    MemberRepository {
        /// kasp.xml.
        file: PathBuf,
        /// The policy.
        policy: String,
        /// What it names.
        repository: String,
        /// The group.
        group: String,
    },
}

/// What an operator should know of settings that are good enough to start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// An old form, or something else that is accepted but worth a word.
    #[error("{}", .0.summary())]
    Accepted(Diagnostic),
    /// A repository that cannot be opened, so it is left out.
    #[error(
        "{}: repository {repository} has no <PIN> and nobody has logged in, so it is left out; \
         run \"ods-hsmutil login\" as the daemon's user and start again, or give a <PIN> (or, with \
         <BuiltIn/>, a <KeyFile>)",
        file.display()
    )]
    RepositoryWithoutPin {
        /// conf.xml.
        file: PathBuf,
        /// The repository.
        repository: String,
    },
    /// Zones are transferred and nobody can ask for them.
    #[error(
        "no dnshandler/listener configured, but zones are configured with dns adapters: notify \
         and zone transfer requests will not work properly; add <Listener> to <Signer> in {}",
        file.display()
    )]
    NoListener {
        /// conf.xml.
        file: PathBuf,
    },
    /// A zone that is not signed.
    #[error("{}: zone {zone} is left out: {reason}", file.display())]
    ZoneLeftOut {
        /// zonelist.xml.
        file: PathBuf,
        /// The zone.
        zone: String,
        /// Why.
        reason: LeftOut,
    },
}

impl Notice {
    /// Whether something that the operator asked for is not done.
    pub fn is_error(&self) -> bool {
        !matches!(self, Notice::Accepted(_) | Notice::NoListener { .. })
    }

    /// Whether it is about one zone alone.
    pub fn is_about_a_zone(&self) -> bool {
        matches!(self, Notice::ZoneLeftOut { .. })
    }
}

/// Why a zone is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftOut {
    /// Its addns.xml cannot be used.
    #[error("{0}")]
    Adapter(AdapterProblem),
    /// An input that nothing comes from.
    #[error(
        "its <Input> {} has neither <RequestTransfer> nor <AllowUpdate> in <Inbound>, so it would \
         never get any content",
        path.display()
    )]
    NoMaster {
        /// The addns.xml.
        path: PathBuf,
    },
    /// Its policy needs a repository that was left out.
    #[error("its policy {policy} has a key in the repository {repository}, which is left out")]
    Repository {
        /// The policy.
        policy: String,
        /// The repository.
        repository: String,
    },
    /// Signing would destroy the unsigned zone.
    #[error(
        "<Input> and <Output> are the same file, {}; give the output another path",
        path.display()
    )]
    OutputIsInput {
        /// That file.
        path: PathBuf,
    },
}

/// Reads the configuration that begins with the conf.xml at `conf_file`. Repositories without PIN
/// are left out.
pub fn read_settings(conf_file: &Path) -> Result<(Settings, Vec<Notice>), SettingsError> {
    read_settings_with(conf_file, &|_| None)
}

/// [`read_settings`], with the PINs that operators gave for repositories that have none.
pub fn read_settings_with(
    conf_file: &Path,
    pin_of: &dyn Fn(&Repository) -> Option<Secret>,
) -> Result<(Settings, Vec<Notice>), SettingsError> {
    let mut notices = Vec::new();
    let mut conf: Conf =
        read(conf_file, FILE_BYTES_MAX, appliance_config::read_conf, &mut notices)?;
    for repository in &mut conf.repositories {
        if repository.secret == TokenSecret::Login
            && let Some(pin) = pin_of(repository)
        {
            repository.secret = TokenSecret::Pin(pin);
        }
    }
    let policies: Vec<Policy> =
        read(&conf.policy_file, FILE_BYTES_MAX, appliance_config::read_kasp, &mut notices)?;
    let zone_list: ZoneList = read(
        &conf.zone_list_file,
        ZONELIST_BYTES_MAX,
        appliance_config::read_zonelist,
        &mut notices,
    )?;
    let mut accepted = Vec::new();
    let adapters = Adapters::read(&conf, &zone_list.zones, &mut accepted)?;
    notices.extend(accepted.into_iter().map(Notice::Accepted));
    let given = Given { conf, policies, zones: &zone_list.zones, adapters };
    let settings = settings(conf_file, given, &mut notices)?;
    Ok((settings, notices))
}

/// What the files say.
struct Given<'z> {
    conf: Conf,
    policies: Vec<Policy>,
    zones: &'z [ZoneEntry],
    adapters: Adapters,
}

/// Reads the policies alone: the kasp.xml that the conf.xml at `conf_file` names. Their
/// repositories exist.
pub fn read_policies(conf_file: &Path) -> Result<Vec<Policy>, SettingsError> {
    let mut notices = Vec::new();
    let conf: Conf = read(conf_file, FILE_BYTES_MAX, appliance_config::read_conf, &mut notices)?;
    let policies: Vec<Policy> =
        read(&conf.policy_file, FILE_BYTES_MAX, appliance_config::read_kasp, &mut notices)?;
    check_repositories(conf_file, &conf, &policies)?;
    Ok(policies)
}

/// Reads and parses one file.
fn read<T>(
    path: &Path,
    bytes_max: usize,
    parse: impl Fn(&str, &[u8]) -> Result<Read<T>, FileFaults>,
    notices: &mut Vec<Notice>,
) -> Result<T, SettingsError> {
    let bytes = config_files::read(path, bytes_max)?;
    let read = parse(&path.to_string_lossy(), &bytes)?;
    notices.extend(read.notices.into_iter().map(Notice::Accepted));
    Ok(read.value)
}

fn settings(
    conf_file: &Path,
    given: Given<'_>,
    notices: &mut Vec<Notice>,
) -> Result<Settings, SettingsError> {
    let Given { conf, policies, zones, adapters } = given;
    let state_file = match &conf.enforcer.datastore {
        Datastore::Sqlite(path) => storage::state_path(path),
        Datastore::MySql { host, database, .. } => {
            return Err(SettingsError::MySql {
                file: conf_file.to_owned(),
                host: host.clone(),
                database: database.clone(),
            });
        }
    };
    check_repositories(conf_file, &conf, &policies)?;
    let enforcer = enforcer_settings(&conf);
    let run_as = run_as(&conf);
    let repositories = repositories(conf_file, &conf.repositories, notices);
    let repositories = grouped(repositories, &conf.groups);
    let policies: BTreeMap<String, Arc<Policy>> =
        policies.into_iter().map(|policy| (policy.name.clone(), Arc::new(policy))).collect();
    let zones = zones_to_sign(&conf, zones, &policies, &adapters, &repositories, notices)?;
    let listeners = listeners(&conf.signer, &adapters);
    let is_transferred =
        |zone: &ZoneSettings| zone.input_file().is_none() || zone.output_file().is_none();
    if listeners.is_empty() && zones.iter().any(is_transferred) {
        notices.push(Notice::NoListener { file: conf_file.to_owned() });
    }
    Ok(Settings {
        state_file,
        snapshot_folder: conf.signer.working_directory.join("snapshots"),
        repositories,
        zones,
        listeners,
        expected_ds: BTreeMap::new(),
        notify_command: conf.signer.notify_command,
        checkers: conf
            .signer
            .checkers
            .into_iter()
            .map(|checker| Checker {
                command: checker.command,
                timeout: Duration::from_secs(checker.timeout.0),
            })
            .collect(),
        allow_deprecated: conf.enforcer.allow_deprecated_algorithms,
        enforcer,
        // Not bounded by <WorkerThreads>: there it is the number of zones at a time, whose
        // default of 4 says nothing about this machine. One pool serves all zones here.
        worker_count: std::thread::available_parallelism().map_or(1, usize::from),
        keeps_approved: true,
        audit_log_kept: conf.signer.audit_log_kept,
        auditor: Auditor::Process(HostProgram::of_this_program()),
        verbosity: conf.logging.verbosity,
        facility: conf.logging.facility.clone(),
        run_as,
    })
}

/// `<Listener>`; where there is none, `<NotifyListen>` of 1.x.
fn listeners(signer: &Signer, adapters: &Adapters) -> Vec<Interface> {
    match &signer.listener {
        Some(interfaces) => interfaces.clone(),
        None => adapters.fetch_listener().cloned().into_iter().collect(),
    }
}

fn run_as(conf: &Conf) -> RunAs {
    let (enforcer, signer) = (&conf.enforcer.privileges, &conf.signer.privileges);
    RunAs {
        user: enforcer.user.clone().or_else(|| signer.user.clone()),
        group: enforcer.group.clone().or_else(|| signer.group.clone()),
    }
}

/// How many keys go into each repository of conf.xml that has a limit which counts (`<Capacity>`):
/// the built-in token has none.
pub fn capacities(conf: &Conf) -> BTreeMap<String, u64> {
    let has_limit = |one: &&Repository| !matches!(one.kind, RepositoryKind::BuiltIn { .. });
    let limited = conf.repositories.iter().filter(has_limit);
    limited.filter_map(|one| Some((one.name.clone(), one.capacity?))).collect()
}

/// What conf.xml says of the enforcer.
pub fn enforcer_settings(conf: &Conf) -> EnforcerSettings {
    let backed_up = conf.repositories.iter().filter(|repository| repository.require_backup);
    let period = conf.enforcer.automatic_key_generation_period;
    EnforcerSettings {
        keys_ahead: (period.0 > 0).then_some(period),
        manual_key_generation: conf.enforcer.manual_key_generation,
        rollover_notification: conf.enforcer.rollover_notification,
        submit_command: conf.enforcer.delegation_signer_submit_command.clone(),
        retract_command: conf.enforcer.delegation_signer_retract_command.clone(),
        backed_up: backed_up.map(|repository| repository.name.clone()).collect(),
    }
}

/// Whether every key's repository is in conf.xml (kaspcheck's K28).
fn check_repositories(
    conf_file: &Path,
    conf: &Conf,
    policies: &[Policy],
) -> Result<(), SettingsError> {
    let names = || {
        let groups = conf.groups.iter().map(|group| group.name.as_str());
        groups.chain(conf.repositories.iter().map(|repository| repository.name.as_str()))
    };
    let exists = |name: &str| names().any(|known| known == name);
    for policy in policies {
        for key in &policy.keys.keys {
            let repository = &key.repository;
            if let Some(group) = conf.groups.iter().find(|one| one.members.contains(repository)) {
                return Err(SettingsError::MemberRepository {
                    file: conf.policy_file.clone(),
                    policy: policy.name.clone(),
                    repository: repository.clone(),
                    group: group.name.clone(),
                });
            }
        }
        if let Some(key) = policy.keys.keys.iter().find(|key| !exists(&key.repository)) {
            return Err(SettingsError::UnknownRepository {
                file: conf.policy_file.clone(),
                policy: policy.name.clone(),
                repository: key.repository.clone(),
                conf_file: conf_file.to_owned(),
                known: listed(names()),
            });
        }
    }
    Ok(())
}

/// The repositories that can be opened.
fn repositories(
    conf_file: &Path,
    repositories: &[Repository],
    notices: &mut Vec<Notice>,
) -> Vec<RepositorySettings> {
    let mut usable = Vec::new();
    for repository in repositories {
        let name = repository.name.clone();
        match token(repository) {
            Some(token) => {
                let serial = repository.token_serial.clone();
                usable.push(RepositorySettings { name, serial, token });
            }
            None => notices.push(Notice::RepositoryWithoutPin {
                file: conf_file.to_owned(),
                repository: name,
            }),
        }
    }
    usable
}

/// The repositories that keys may name: members go into their groups. One that was left out is
/// missing there, and counts as one that never shows a key.
fn grouped(
    repositories: Vec<RepositorySettings>,
    groups: &[RepositoryGroup],
) -> Vec<RepositorySettings> {
    let (members, mut alone): (Vec<_>, Vec<_>) = repositories
        .into_iter()
        .partition(|one| groups.iter().any(|group| group.members.contains(&one.name)));
    for group in groups {
        let member = |name: &String| members.iter().find(|one| one.name == *name).cloned();
        let members: Vec<RepositorySettings> = group.members.iter().filter_map(member).collect();
        if !members.is_empty() {
            let token =
                TokenSettings::Group { members, quorum: group.quorum, recorded: Vec::new() };
            alone.push(RepositorySettings { name: group.name.clone(), serial: None, token });
        }
    }
    alone
}

/// How a token is opened; `None` when it waits for a login.
fn token(repository: &Repository) -> Option<TokenSettings> {
    let label = repository.token_label.clone();
    match (&repository.kind, &repository.secret) {
        (RepositoryKind::BuiltIn { directory }, TokenSecret::Pin(pin)) => {
            let unlock = Unlock::Pin(pin.expose().into());
            Some(TokenSettings::BuiltIn { label, folder: directory.clone(), unlock })
        }
        (RepositoryKind::BuiltIn { directory }, TokenSecret::KeyFile(key_file)) => {
            let unlock = Unlock::KeyFile(key_file.clone());
            Some(TokenSettings::BuiltIn { label, folder: directory.clone(), unlock })
        }
        (RepositoryKind::Module(module), TokenSecret::Pin(pin)) => {
            let settings = Pkcs11Settings {
                repository: repository.name.clone(),
                module: module.clone(),
                token_label: label,
                pin: Some(pin.expose().into()),
                skip_public_key: repository.skip_public_key,
                allow_extraction: repository.allow_extraction,
                sessions_max: Pkcs11Settings::SESSIONS_DEFAULT,
                module_parameters: repository.module_parameters.clone(),
                known: KnownToken::default(),
            };
            // A limit that no token comes near is none.
            let capacity = repository.capacity.and_then(|most| u32::try_from(most).ok());
            let network = match repository.network {
                appliance_config::Network::Allow => Network::Allow,
                appliance_config::Network::Deny => Network::Deny,
            };
            Some(TokenSettings::Pkcs11 { settings, capacity, network })
        }
        // The reader of conf.xml refuses <KeyFile> beside <Module>.
        (RepositoryKind::Module(_), TokenSecret::KeyFile(_)) | (_, TokenSecret::Login) => None,
    }
}

/// The zones that can be signed.
fn zones_to_sign(
    conf: &Conf,
    entries: &[ZoneEntry],
    policies: &BTreeMap<String, Arc<Policy>>,
    adapters: &Adapters,
    repositories: &[RepositorySettings],
    notices: &mut Vec<Notice>,
) -> Result<Vec<ZoneSettings>, SettingsError> {
    let mut zones = Vec::new();
    for entry in entries {
        let Some(policy) = policies.get(&entry.policy) else {
            return Err(SettingsError::UnknownPolicy {
                file: conf.zone_list_file.clone(),
                zone: zone_text(&entry.name),
                policy: entry.policy.clone(),
                policy_file: conf.policy_file.clone(),
                known: listed(policies.keys().map(String::as_str)),
            });
        };
        let usable = |name: &str| repositories.iter().any(|repository| repository.name == name);
        match zone_settings(entry, policy, &conf.signer, adapters, &usable) {
            Ok(zone) => zones.push(zone),
            Err(reason) => notices.push(Notice::ZoneLeftOut {
                file: conf.zone_list_file.clone(),
                zone: zone_text(&entry.name),
                reason,
            }),
        }
    }
    Ok(zones)
}

/// What a zone of the list is signed by. `adapters` know its files; `usable` says of a repository
/// whether it can be used.
pub fn zone_settings(
    entry: &ZoneEntry,
    policy: &Arc<Policy>,
    signer: &Signer,
    adapters: &Adapters,
    usable: &dyn Fn(&str) -> bool,
) -> Result<ZoneSettings, LeftOut> {
    let input = zone_input(entry, signer, adapters)?;
    let output = match &entry.output {
        Adapter::File(path) => ZoneOutput::File(signer.working_directory.join(path)),
        Adapter::Dns(path) => {
            let path = signer.working_directory.join(path);
            ZoneOutput::Dns(adapters.outbound(&path).map_err(LeftOut::Adapter)?)
        }
    };
    if let (ZoneInput::File(input), ZoneOutput::File(output)) = (&input, &output)
        && input == output
    {
        return Err(LeftOut::OutputIsInput { path: input.clone() });
    }
    if let Some(key) = policy.keys.keys.iter().find(|key| !usable(&key.repository)) {
        return Err(LeftOut::Repository {
            policy: policy.name.clone(),
            repository: key.repository.clone(),
        });
    }
    Ok(ZoneSettings {
        name: entry.name.clone(),
        policy: policy.clone(),
        input,
        output,
        signconf: Some(signer.working_directory.join(&entry.signer_configuration)),
        limits: signer.limits,
    })
}

fn zone_input(
    entry: &ZoneEntry,
    signer: &Signer,
    adapters: &Adapters,
) -> Result<ZoneInput, LeftOut> {
    match &entry.input {
        Adapter::File(path) => Ok(match adapters.fetched() {
            Some(inbound) => ZoneInput::Transfer(inbound.clone()),
            None => ZoneInput::File(signer.working_directory.join(path)),
        }),
        Adapter::Dns(path) => {
            let path = signer.working_directory.join(path);
            let inbound = adapters.inbound(&path).map_err(LeftOut::Adapter)?;
            match inbound.masters.is_empty() && inbound.allow_update.is_empty() {
                true => Err(LeftOut::NoMaster { path }),
                false => Ok(ZoneInput::Transfer(inbound)),
            }
        }
    }
}

/// Names for a message.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    /// More names would hide the message.
    const LISTED_NAMES_MAX: usize = 20;
    let names: Vec<&str> = names.collect();
    let shown = names[..names.len().min(LISTED_NAMES_MAX)].join(", ");
    match names.len() {
        0 => "none".to_owned(),
        count if count > LISTED_NAMES_MAX => {
            format!("{shown} and {} more", count - LISTED_NAMES_MAX)
        }
        _ => shown,
    }
}

#[cfg(test)]
mod tests;
