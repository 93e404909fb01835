//! What the running system is told: repositories, zones with their policies, folders. Plain values.
//! In: conf.xml, kasp.xml, zonelist.xml, addns.xml and zonefetch.xml ([`read_settings`]), or the
//! arguments of `anchorite sign`. Out: [`Settings`]. Never: I/O; `io::config_files` reads files.

mod adapters;
mod from_conf;

pub(crate) use adapters::read_addns_file;
pub use adapters::{AdapterProblem, Adapters, ZoneFetchError};
pub use from_conf::{
    LeftOut, Notice, SettingsError, capacities, enforcer_settings, read_policies, read_settings,
    read_settings_with, zone_settings,
};

use crate::io::checker::Checker;
use appliance_config::Interface;
use audit_host::HostProgram;
use dnssec::key::{KeyId, PublicKey};
use dnssec::policy::Policy;
use dnssec::transfer::peers::{Inbound, Outbound};
use dnssec::zone::load::Limits;
use dnssec::{Name, Seconds};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the auditor judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auditor {
    /// In this process: for tests.
    Here,
    /// In a process of its own.
    Process(HostProgram),
}

/// Everything the system needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The redb file with the state.
    pub state_file: PathBuf,
    /// Folder of the zone snapshots.
    pub snapshot_folder: PathBuf,
    /// The repositories; names are unique.
    pub repositories: Vec<RepositorySettings>,
    /// The zones; names are unique.
    pub zones: Vec<ZoneSettings>,
    /// `<Listener>`: where requests for transfers, NOTIFY and queries come in; empty: nowhere. At
    /// most [`appliance_config::INTERFACES_MAX`].
    pub listeners: Vec<Interface>,
    /// DS RRsets (RDATA) that the operator says the parents of zones have, beside those that are
    /// seen there.
    pub expected_ds: BTreeMap<Name, Vec<Vec<u8>>>,
    /// `<NotifyCommand>`.
    pub notify_command: Option<String>,
    /// `<Checker>`: external checkers, in their order.
    pub checkers: Vec<Checker>,
    /// Whether new keys of deprecated algorithms are allowed (RFC 9905).
    pub allow_deprecated: bool,
    /// What the enforcer does beyond the policies.
    pub enforcer: EnforcerSettings,
    /// Threads of the worker pool.
    pub worker_count: usize,
    /// Whether the auditor keeps a copy of what it approved, so that it can judge a difference at
    /// a cost by its size. Of no use to a process that ends after one version.
    pub keeps_approved: bool,
    /// Where it judges.
    pub auditor: Auditor,
    /// `<AuditLogKept>`: how long its verdicts are kept.
    pub audit_log_kept: Seconds,
    /// `<Verbosity>`: log level, 0 to 7.
    pub verbosity: u64,
    /// `<Syslog>`'s `<Facility>`, such as `local0`. `None`: there is no `<Syslog>`.
    pub facility: Option<String>,
    /// `<Privileges>`: as whom the program runs. Both subtrees are one process here: what
    /// `<Enforcer>` says counts, and where that says nothing, `<Signer>`.
    pub run_as: RunAs,
}

/// As whom the program runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunAs {
    /// `<User>`; `None`: as whoever started it.
    pub user: Option<String>,
    /// `<Group>`; `None`: the user's own.
    pub group: Option<String>,
}

/// `<Enforcer>`: what it does beyond the policies. The default does nothing of it.
#[derive(Clone, Debug, Default)]
pub struct EnforcerSettings {
    /// `<AutomaticKeyGenerationPeriod>`: for how long the unused keys of a policy shall last;
    /// `None`: keys are made when they are needed.
    pub keys_ahead: Option<Seconds>,
    /// `<ManualKeyGeneration/>`: keys are made by `key generate` only.
    pub manual_key_generation: bool,
    /// `<RolloverNotification>`: how long before a KSK rolls this is told.
    pub rollover_notification: Option<Seconds>,
    /// `<DelegationSignerSubmitCommand>`.
    pub submit_command: Option<String>,
    /// `<DelegationSignerRetractCommand>`.
    pub retract_command: Option<String>,
    /// Repositories with `<RequireBackup/>`.
    pub backed_up: BTreeSet<String>,
}

/// One repository.
#[derive(Clone, Debug)]
pub struct RepositorySettings {
    /// Its name in conf.xml.
    pub name: String,
    /// `<TokenSerial>`: the serial number that its token has to have; `None`: the one that it had
    /// when it was used for the first time.
    pub serial: Option<String>,
    /// What holds the keys.
    pub token: TokenSettings,
}

/// What holds the keys of a repository.
#[derive(Clone, Debug)]
pub enum TokenSettings {
    /// The built-in token.
    BuiltIn {
        /// Token label.
        label: String,
        /// Its folder; made when it does not exist.
        folder: PathBuf,
        /// How it is opened.
        unlock: hsm::builtin::Unlock,
    },
    /// A PKCS#11 module.
    Pkcs11 {
        /// Module, label, PIN and the rest.
        settings: hsm::pkcs11::Pkcs11Settings,
        /// `<Capacity>`: most private keys in the token.
        capacity: Option<u32>,
        /// `<Network>`: what its process may use of the network.
        network: hsm::hosted::Network,
    },
    /// A repository group: several tokens that hold the same keys.
    Group {
        /// The members; none of them is a group.
        members: Vec<RepositorySettings>,
        /// How many of them have to show a new key.
        quorum: usize,
        /// The keys that are in use, with the public halves that may be published.
        recorded: Vec<(KeyId, PublicKey)>,
    },
}

impl RepositorySettings {
    /// The same, where a group knows these keys of it.
    pub fn with_recorded(
        &self,
        keys: impl Iterator<Item = (KeyId, PublicKey)>,
    ) -> RepositorySettings {
        let mut settings = self.clone();
        if let TokenSettings::Group { recorded, .. } = &mut settings.token {
            recorded.extend(keys);
        }
        settings
    }
}

/// Where a zone comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneInput {
    /// An unsigned zone file.
    File(PathBuf),
    /// Zone transfers, updates.
    Transfer(Arc<Inbound>),
}

impl From<PathBuf> for ZoneInput {
    fn from(path: PathBuf) -> ZoneInput {
        ZoneInput::File(path)
    }
}

/// Where a zone goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneOutput {
    /// A signed zone file.
    File(PathBuf),
    /// Zone transfers; there is no file.
    Dns(Arc<Outbound>),
}

impl From<PathBuf> for ZoneOutput {
    fn from(path: PathBuf) -> ZoneOutput {
        ZoneOutput::File(path)
    }
}

/// One zone.
#[derive(Clone, Debug)]
pub struct ZoneSettings {
    /// Its name.
    pub name: Name,
    /// The policy.
    pub policy: Arc<Policy>,
    /// Where it comes from.
    pub input: ZoneInput,
    /// Where it goes to.
    pub output: ZoneOutput,
    /// `<SignerConfiguration>`: written for those who read such files; `None`: there is to be none.
    pub signconf: Option<PathBuf>,
    /// What the unsigned zone may have at most.
    pub limits: Limits,
}

impl ZoneSettings {
    /// The unsigned zone file, when it comes from one.
    pub fn input_file(&self) -> Option<&Path> {
        match &self.input {
            ZoneInput::File(path) => Some(path),
            ZoneInput::Transfer(_) => None,
        }
    }

    /// The signed zone file, when it goes to one.
    pub fn output_file(&self) -> Option<&Path> {
        match &self.output {
            ZoneOutput::File(path) => Some(path),
            ZoneOutput::Dns(_) => None,
        }
    }
}

/// A zone's name as users write it: without the final dot, but for the root.
pub fn zone_text(name: &Name) -> String {
    let text = name.to_string();
    match text.strip_suffix('.') {
        Some(stripped) if !stripped.is_empty() => stripped.to_owned(),
        _ => text,
    }
}
