//! The repositories of a conf.xml, as the HSM tools use them: found by name, opened with the PIN
//! of conf.xml, of an earlier login, or of the operator.
//! In: the path of conf.xml. Out: open slots, or a [`Fault`] whose first line is the one that
//! OpenDNSSEC's libhsm writes, with what to do about it below.

use super::{pins, prompt};
use actors::io::config_files::{self, ConfigFileError};
use appliance_config::{
    FILE_BYTES_MAX, FileFaults, Repository, RepositoryGroup, RepositoryKind, TokenSecret,
};
use hsm::builtin::{BuiltinToken, Unlock, create_key_file};
use hsm::pkcs11::{Pkcs11Settings, Pkcs11Slot};
use hsm::{KeyTransfer, KnownToken, SlotError};
use pins::PinFault;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where conf.xml is unless `-c` names another.
pub(super) const CONF_FILE_DEFAULT: &str = "/etc/opendnssec/conf.xml";

/// Why a tool did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}\nhsm_open2(): No repositories found")]
    File(#[from] ConfigFileError),
    #[error("{0}\nhsm_open2(): No repositories found")]
    Conf(#[from] FileFaults),
    #[error("hsm_open2(): No repositories found")]
    NoRepositories,
    #[error("hsm_token_attached(): Can't find repository: {0}")]
    Unknown(String),
    #[error("{group} is a repository group; name one of its members: {members}")]
    Group { group: String, members: String },
    #[error("{}{error}", libhsm_line(repository, error))]
    Slot { repository: Box<Repository>, error: SlotError },
    #[error("no PIN for repository {repository}: {cause}")]
    NoPin { repository: String, cause: io::Error },
    #[error(transparent)]
    Pins(#[from] PinFault),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Fault {
    /// OpenDNSSEC's exit code: -1 in most cases.
    pub(super) fn exit_code(&self) -> u8 {
        if let Fault::Unknown(_) = self { 1 } else { 255 }
    }
}

/// What libhsm says in this case, as a line of its own.
fn libhsm_line(repository: &Repository, error: &SlotError) -> String {
    let name = &repository.name;
    match (error, &repository.kind) {
        (SlotError::PinRejected { .. }, _) => {
            format!("hsm_session_init(): Incorrect PIN for repository {name}\n")
        }
        (SlotError::TokenMissing { .. }, _) => {
            let label = &repository.token_label;
            format!("hsm_get_slot_id(): could not find token with the name {label}\n")
        }
        (
            SlotError::ModuleMissing { .. } | SlotError::ModuleUnusable { .. },
            RepositoryKind::Module(path),
        ) => {
            format!("hsm_session_init(): PKCS#11 module load failed: {}\n", path.display())
        }
        _ => String::new(),
    }
}

/// Whether a built-in token that is not there may be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NewToken {
    Made,
    Refused,
}

/// The repositories, the last of conf.xml first: libhsm's order.
pub(super) struct Repositories {
    pub(super) all: Vec<Repository>,
    /// `<RepositoryGroup>`, in the order of conf.xml.
    pub(super) groups: Vec<RepositoryGroup>,
    /// `<AllowDeprecatedAlgorithms/>`.
    pub(super) allow_deprecated: bool,
}

impl Repositories {
    /// Reads conf.xml; the other configuration files are not looked at.
    pub(super) fn read(conf: &Path) -> Result<Repositories, Fault> {
        let bytes = Zeroizing::new(config_files::read(conf, FILE_BYTES_MAX)?);
        let conf = appliance_config::read_conf(&conf.to_string_lossy(), &bytes)?.value;
        let mut all = conf.repositories;
        if all.is_empty() {
            return Err(Fault::NoRepositories);
        }
        all.reverse();
        let (groups, allow_deprecated) = (conf.groups, conf.enforcer.allow_deprecated_algorithms);
        Ok(Repositories { all, groups, allow_deprecated })
    }

    /// The repository of this name, which is no group.
    pub(super) fn named(&self, name: &str) -> Result<&Repository, Fault> {
        if let Some(group) = self.group(name) {
            let (group, members) = (group.name.clone(), group.members.join(", "));
            return Err(Fault::Group { group, members });
        }
        let found = self.all.iter().find(|repository| repository.name == name);
        found.ok_or_else(|| Fault::Unknown(name.to_owned()))
    }

    /// The group of this name.
    pub(super) fn group(&self, name: &str) -> Option<&RepositoryGroup> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The group that a repository is a member of.
    pub(super) fn group_of(&self, repository: &Repository) -> Option<&RepositoryGroup> {
        self.groups.iter().find(|group| group.members.contains(&repository.name))
    }

    /// The repository of this name, or the members of the group of this name, in its order.
    pub(super) fn members(&self, name: &str) -> Result<Vec<&Repository>, Fault> {
        match self.group(name) {
            Some(group) => group.members.iter().map(|member| self.named(member)).collect(),
            None => Ok(vec![self.named(name)?]),
        }
    }
}

/// What opens a repository's token, and whether the operator has just typed it.
pub(super) struct Key {
    pub(super) unlock: Unlock,
    typed: Option<Zeroizing<String>>,
}

/// Finds what opens the token; asks the operator where nothing else knows it.
pub(super) fn key(repository: &Repository) -> Result<Key, Fault> {
    let with = |unlock| Ok(Key { unlock, typed: None });
    match &repository.secret {
        TokenSecret::Pin(pin) => return with(Unlock::Pin(pin.expose().into())),
        TokenSecret::KeyFile(path) => return with(Unlock::KeyFile(path.clone())),
        TokenSecret::Login => {}
    }
    if let Some(pin) = pins::pin_of(repository)? {
        return with(Unlock::Pin(pin.as_str().into()));
    }
    let name = &repository.name;
    let pin = prompt::ask(&format!("Enter PIN for token {name}: "))
        .map_err(|cause| Fault::NoPin { repository: name.clone(), cause })?;
    Ok(Key { unlock: Unlock::Pin(pin.as_str().into()), typed: Some(pin) })
}

/// Opens a repository's token, with one PIN try. A PIN that was typed and is right is kept; one
/// that was kept and is wrong is forgotten.
pub(super) fn open(
    repository: &Repository,
    new_token: NewToken,
    sessions_max: usize,
) -> Result<Box<dyn KeyTransfer>, Fault> {
    let key = key(repository)?;
    let opened = open_with(repository, &key.unlock, new_token, sessions_max);
    let is_login = matches!(repository.secret, TokenSecret::Login);
    match (&opened, key.typed) {
        (Ok(_), Some(pin)) => pins::keep(repository, &pin)?,
        (Err(SlotError::PinRejected { .. }), None) if is_login => pins::forget(repository)?,
        _ => {}
    }
    opened.map_err(|error| slot_fault(repository, error))
}

/// The error of a slot, with its repository.
pub(super) fn slot_fault(repository: &Repository, error: SlotError) -> Fault {
    Fault::Slot { repository: Box::new(repository.clone()), error }
}

fn open_with(
    repository: &Repository,
    unlock: &Unlock,
    new_token: NewToken,
    sessions_max: usize,
) -> Result<Box<dyn KeyTransfer>, SlotError> {
    let folder = match &repository.kind {
        RepositoryKind::Module(module) => {
            let settings = pkcs11_settings(repository, module, unlock, sessions_max);
            return Ok(Box::new(Pkcs11Slot::open(&settings)?));
        }
        RepositoryKind::BuiltIn { directory } => directory,
    };
    Ok(Box::new(open_builtin(repository, folder, unlock, new_token)?))
}

fn open_builtin(
    repository: &Repository,
    folder: &Path,
    unlock: &Unlock,
    new_token: NewToken,
) -> Result<BuiltinToken, SlotError> {
    if new_token == NewToken::Refused || folder.join("token").exists() {
        return BuiltinToken::open(&repository.name, folder, unlock);
    }
    if let Unlock::KeyFile(path) = unlock
        && !path.exists()
        && !folder.exists()
    {
        create_key_file(&repository.name, path)?;
    }
    BuiltinToken::create(&repository.name, folder, &repository.token_label, unlock)
}

/// What a PKCS#11 slot is told.
pub(super) fn pkcs11_settings(
    repository: &Repository,
    module: &Path,
    unlock: &Unlock,
    sessions_max: usize,
) -> Pkcs11Settings {
    Pkcs11Settings {
        repository: repository.name.clone(),
        module: PathBuf::from(module),
        token_label: repository.token_label.clone(),
        pin: match unlock {
            Unlock::Pin(pin) => Some(pin.clone()),
            Unlock::KeyFile(_) => None,
        },
        skip_public_key: repository.skip_public_key,
        allow_extraction: repository.allow_extraction,
        sessions_max,
        module_parameters: repository.module_parameters.clone(),
        known: KnownToken { serial: repository.token_serial.clone(), ..KnownToken::default() },
    }
}
