//! How the token of a repository is opened: in a process of its own, or in this one. Every member
//! of a repository group is opened like a repository of its own.
//! In: settings. Out: an open slot, or why not.

use crate::settings::{RepositorySettings, TokenSettings};
use hsm::builtin::{BuiltinToken, Unlock, create_key_file};
use hsm::group::{GroupSettings, GroupSlot, Member, Patience};
use hsm::hosted::{Deadlines, HostProgram, HostedSettings, HostedSlot, HostedToken};
use hsm::pkcs11::Pkcs11Slot;
use hsm::{Slot, SlotError};
use std::sync::Arc;

/// Whether a token may be made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewToken {
    /// The repository has no keys yet.
    Allowed,
    /// The repository has keys: a token that is not there is away, and an empty one in its place
    /// would hide that.
    Refused,
}

/// How the token of a repository is opened. An argument, so that a test can put a token of its
/// own in the place.
pub type OpenSlot =
    Arc<dyn Fn(&RepositorySettings, NewToken) -> Result<Arc<dyn Slot>, SlotError> + Send + Sync>;

/// Opens tokens in processes of their own, as the product does.
pub fn hosted(program: HostProgram) -> OpenSlot {
    hosted_within(program, Deadlines::default())
}

/// [`hosted`], with other deadlines.
pub fn hosted_within(program: HostProgram, deadlines: Deadlines) -> OpenSlot {
    Arc::new(move |repository, new_token| {
        let mut program = program.clone();
        let token = match repository.token.clone() {
            TokenSettings::Group { .. } => {
                return open_group(repository, new_token, &hosted_within(program, deadlines));
            }
            TokenSettings::Pkcs11 { settings, capacity, network } => {
                program.network = network;
                HostedToken::Pkcs11 { settings, capacity }
            }
            TokenSettings::BuiltIn { label, folder, unlock } => {
                let may_create = new_token == NewToken::Allowed;
                HostedToken::BuiltIn { folder, label, unlock, may_create }
            }
        };
        let settings = HostedSettings {
            repository: repository.name.clone(),
            program,
            user: None,
            token,
            deadlines,
        };
        Ok(Arc::new(HostedSlot::open(settings)?))
    })
}

/// Opens the token in this process: for programs that are no `anchorite`, such as tests.
pub fn open_token(
    settings: &RepositorySettings,
    new_token: NewToken,
) -> Result<Arc<dyn Slot>, SlotError> {
    match &settings.token {
        TokenSettings::Group { .. } => {
            let open: OpenSlot = Arc::new(open_token);
            open_group(settings, new_token, &open)
        }
        TokenSettings::Pkcs11 { settings, .. } => Ok(Arc::new(Pkcs11Slot::open(settings)?)),
        TokenSettings::BuiltIn { label, folder, unlock } => {
            if new_token == NewToken::Refused || folder.join("token").exists() {
                return Ok(Arc::new(BuiltinToken::open(&settings.name, folder, unlock)?));
            }
            if let Unlock::KeyFile(path) = unlock
                && !path.exists()
                && !folder.exists()
            {
                create_key_file(&settings.name, path)?;
            }
            Ok(Arc::new(BuiltinToken::create(&settings.name, folder, label, unlock)?))
        }
    }
}

/// Opens a group whose members are opened by `open`. A token may be made for the first member
/// only: the others have to be copies of it, and an empty token is none.
pub(super) fn open_group(
    group: &RepositorySettings,
    new_token: NewToken,
    open: &OpenSlot,
) -> Result<Arc<dyn Slot>, SlotError> {
    let TokenSettings::Group { members, quorum, recorded } = &group.token else {
        return open(group, new_token);
    };
    let member = |(position, settings): (usize, &RepositorySettings)| {
        let (settings, open) = (settings.clone(), open.clone());
        let new_token = if position == 0 { new_token } else { NewToken::Refused };
        Member { name: settings.name.clone(), open: Box::new(move || open(&settings, new_token)) }
    };
    Ok(Arc::new(GroupSlot::open(GroupSettings {
        repository: group.name.clone(),
        members: members.iter().enumerate().map(member).collect(),
        quorum: *quorum,
        recorded: recorded.clone(),
        patience: Patience::default(),
    })?))
}
