//! The canary: a data object that is made when a token is set up and looked for before a key is
//! called missing (rule HSM-3). PKCS#11 v3.1 §4.5 (data objects).
//! It is no key, so it takes no place among the keys that an operator lists and counts; it is
//! private, so a token hides it whenever it hides keys. Softoken of NSS takes no such object.

use super::fault::{CallFault, return_value};
use super::{Pkcs11Slot, objects};
use crate::error::{Cause, SlotError};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, ObjectClass};
use dnssec::key::KeyId;
use std::sync::PoisonError;

/// CKA_APPLICATION of the canary; its label has the id as well.
const APPLICATION: &str = "anchorite";

impl Pkcs11Slot {
    /// Makes the canary, unless the token shows it.
    pub(super) fn make_canary(&self, id: &KeyId) -> Result<(), SlotError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.find_canary(id)? {
            return Ok(());
        }
        let mut template = name(id);
        template.extend([
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Application(APPLICATION.as_bytes().to_vec()),
            Attribute::Value(id.as_bytes().to_vec()),
        ]);
        // Not repeated after a lost session: the object may exist, and the caller asks again.
        self.call_once("C_CreateObject", |lease| match lease.create_object(&template) {
            Ok(_) => Ok(()),
            Err(error) if is_refusal(&error) => {
                let (place, cause) = (self.sessions.place.clone(), Cause::of(error));
                Err(SlotError::CanaryRefused { place, cause }.into())
            }
            Err(error) => Err(error.into()),
        })
    }

    /// Whether the token shows it.
    pub(super) fn find_canary(&self, id: &KeyId) -> Result<bool, SlotError> {
        self.call("C_FindObjects", |lease| -> Result<bool, CallFault> {
            self.sessions.check_login(lease)?;
            let is_shown = !objects::search(lease, &name(id))?.is_empty();
            // The login may have gone since it was looked at before the search.
            self.sessions.check_login(lease)?;
            Ok(is_shown)
        })
    }
}

/// What it is found by.
fn name(id: &KeyId) -> Vec<Attribute> {
    let label = format!("anchorite canary {id}");
    vec![Attribute::Class(ObjectClass::DATA), Attribute::Label(label.into_bytes())]
}

/// Whether the token says that it takes no such object, or no object from this user.
fn is_refusal(error: &Error) -> bool {
    matches!(
        return_value(error),
        Some(
            RvError::AttributeValueInvalid
                | RvError::AttributeTypeInvalid
                | RvError::AttributeReadOnly
                | RvError::TemplateInconsistent
                | RvError::TemplateIncomplete
                | RvError::FunctionNotSupported
                | RvError::ActionProhibited
                | RvError::TokenWriteProtected
                | RvError::SessionReadOnly
                | RvError::DeviceMemory
        )
    )
}
