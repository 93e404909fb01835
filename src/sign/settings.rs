//! Arguments of `anchorite sign` as settings of the running system: one zone, a built-in token
//! for each repository that its policy names, everything in one folder.

use crate::arguments::{DenialArgument, SignArguments};
use actors::io::zone_files::{self, SourceError};
use actors::settings::{
    Auditor, EnforcerSettings, RepositorySettings, RunAs, Settings, TokenSettings, ZoneSettings,
};
use audit_host::HostProgram;
use dnssec::breaker::InputLimits;
use dnssec::policy::{DenialPolicy, Nsec3Policy, Policy};
use dnssec::zone::load::Limits;
use dnssec::zonefile::first_soa_owner;
use dnssec::{Algorithm, Name, Seconds};
use hsm::builtin::Unlock;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is to be done.
pub(super) struct Job {
    pub(super) settings: Settings,
    pub(super) zone: ZoneSettings,
    pub(super) state: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ArgumentError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{text} is not a zone name: {cause}")]
    Origin { text: String, cause: dnssec::name::NameError },
    #[error(
        "{}: no SOA record was found; is this a zone file? Or name the zone with --origin",
        .0.display()
    )]
    NoSoa(PathBuf),
    #[error("{text} is no algorithm to sign with; known: {}", known_algorithms())]
    Algorithm { text: String },
    #[error("cannot read {}: {cause}", path.display())]
    Kasp { path: PathBuf, cause: std::io::Error },
    #[error("{0}")]
    KaspFaults(Box<appliance_config::FileFaults>),
    #[error("{} has no policy {policy}; it has: {known}", path.display())]
    PolicyUnknown { path: PathBuf, policy: String, known: String },
}

fn known_algorithms() -> String {
    let known = Algorithm::ALL.iter();
    known.map(|one| format!("{one} ({})", one.number())).collect::<Vec<_>>().join(", ")
}

pub(super) fn job(arguments: &SignArguments) -> Result<Job, ArgumentError> {
    let name = origin(arguments)?;
    let policy = Arc::new(policy(arguments)?);
    let output = arguments.output.clone().unwrap_or_else(|| {
        let mut file_name = arguments.zone_file.clone().into_os_string();
        file_name.push(".signed");
        file_name.into()
    });
    let zone = ZoneSettings {
        name,
        policy: policy.clone(),
        input: arguments.zone_file.clone().into(),
        output: output.into(),
        signconf: None,
        limits: Limits::default(),
    };
    let state = arguments.state.clone();
    let repositories: BTreeSet<&str> =
        policy.keys.keys.iter().map(|key| key.repository.as_str()).collect();
    let repositories = repositories.into_iter().map(|name| repository(&state, name)).collect();
    let settings = Settings {
        state_file: state.join("state.redb"),
        snapshot_folder: state.join("snapshots"),
        repositories,
        zones: vec![zone.clone()],
        listeners: Vec::new(),
        expected_ds: BTreeMap::new(),
        notify_command: None,
        checkers: Vec::new(),
        audit_log_kept: dnssec::Seconds(400 * 86_400),
        keeps_approved: false,
        auditor: Auditor::Process(HostProgram::of_this_program()),
        facility: None,
        verbosity: verbosity(arguments),
        allow_deprecated: arguments.allow_deprecated,
        enforcer: EnforcerSettings::default(),
        run_as: RunAs::default(),
        worker_count: std::thread::available_parallelism().map_or(1, usize::from),
    };
    Ok(Job { settings, zone, state })
}

/// Log level of a run: errors and warnings, unless asked for more.
pub(super) fn verbosity(arguments: &SignArguments) -> u64 {
    2 + 2 * u64::from(arguments.verbose.min(2))
}

fn repository(state: &Path, name: &str) -> RepositorySettings {
    let token = TokenSettings::BuiltIn {
        label: name.to_owned(),
        folder: state.join("tokens").join(name),
        unlock: Unlock::KeyFile(state.join(format!("{name}.token-key"))),
    };
    RepositorySettings { name: name.to_owned(), serial: None, token }
}

fn origin(arguments: &SignArguments) -> Result<Name, ArgumentError> {
    let parse = |text: &str| Name::parse(text.as_bytes(), Some(&Name::root()));
    if let Some(text) = &arguments.origin {
        return parse(text).map_err(|cause| ArgumentError::Origin { text: text.clone(), cause });
    }
    let bytes = zone_files::read(&arguments.zone_file)?;
    // The file's name, without its ending, is the origin of relative names.
    let stem = arguments.zone_file.file_stem().unwrap_or_default().to_string_lossy();
    let guess = parse(&stem).ok();
    first_soa_owner(&bytes, guess.as_ref())
        .ok_or_else(|| ArgumentError::NoSoa(arguments.zone_file.clone()))
}

fn policy(arguments: &SignArguments) -> Result<Policy, ArgumentError> {
    let mut policy = match &arguments.kasp {
        Some(path) => policy_of_file(path, &arguments.policy)?,
        None => Policy::anchorite_default("default"),
    };
    if let Some(text) = &arguments.algorithm {
        let algorithm = algorithm(text)?;
        policy.keys.keys.iter_mut().for_each(|key| key.algorithm = algorithm);
    }
    let nsec3 = |opt_out| {
        DenialPolicy::Nsec3(Nsec3Policy {
            param_ttl: Seconds(0),
            opt_out,
            resalt: Seconds(0),
            hash_algorithm: 1,
            iterations: 0,
            salt_length: 0,
        })
    };
    match arguments.denial {
        Some(DenialArgument::Nsec) => policy.denial = DenialPolicy::Nsec,
        Some(DenialArgument::Nsec3) => policy.denial = nsec3(false),
        Some(DenialArgument::Nsec3OptOut) => policy.denial = nsec3(true),
        None => {}
    }
    // Who names the file means it, and there is nobody to be asked later.
    policy.input = InputLimits::none();
    Ok(policy)
}

fn algorithm(text: &str) -> Result<Algorithm, ArgumentError> {
    let by_number = text.parse().ok().and_then(Algorithm::from_number);
    let by_name =
        || Algorithm::ALL.into_iter().find(|one| one.mnemonic().eq_ignore_ascii_case(text));
    by_number.or_else(by_name).ok_or_else(|| ArgumentError::Algorithm { text: text.to_owned() })
}

fn policy_of_file(path: &Path, name: &str) -> Result<Policy, ArgumentError> {
    let bytes = std::fs::read(path)
        .map_err(|cause| ArgumentError::Kasp { path: path.to_owned(), cause })?;
    let read = appliance_config::read_kasp(&path.to_string_lossy(), &bytes)
        .map_err(|faults| ArgumentError::KaspFaults(Box::new(faults)))?;
    let known: Vec<&str> = read.value.iter().map(|policy| policy.name.as_str()).collect();
    let unknown = ArgumentError::PolicyUnknown {
        path: path.to_owned(),
        policy: name.to_owned(),
        known: known.join(", "),
    };
    read.value.into_iter().find(|policy| policy.name == name).ok_or(unknown)
}
