//! How the token of a repository is opened: in a process of its own, or in this one.
//! In: settings. Out: an open slot, or why not.

use crate::settings::{RepositorySettings, TokenSettings};
use hsm::builtin::{BuiltinToken, Unlock, create_key_file};
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
    Arc::new(move |repository, new_token| {
        let token = match repository.token.clone() {
            TokenSettings::Pkcs11 { settings, capacity } => {
                HostedToken::Pkcs11 { settings, serial: None, capacity }
            }
            TokenSettings::BuiltIn { label, folder, unlock } => {
                let may_create = new_token == NewToken::Allowed;
                HostedToken::BuiltIn { folder, label, unlock, may_create }
            }
        };
        let settings = HostedSettings {
            repository: repository.name.clone(),
            program: program.clone(),
            user: None,
            token,
            deadlines: Deadlines::default(),
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
