//! What the return values of a module mean for the slot. PKCS#11 v3.1 §5.1.6.
//! In: cryptoki's errors. Out: whether a new session may help, and the error for the caller.

use crate::error::{Cause, Place, SlotError};
use cryptoki::error::{Error, RvError};

/// Why a call into the module did not succeed.
pub(super) enum CallFault {
    /// The module said so.
    Module(Error),
    /// We said so; the session is well.
    Slot(SlotError),
}

impl From<Error> for CallFault {
    fn from(error: Error) -> CallFault {
        CallFault::Module(error)
    }
}

impl From<SlotError> for CallFault {
    fn from(error: SlotError) -> CallFault {
        CallFault::Slot(error)
    }
}

/// The module's return value, where the error is one.
pub(super) fn return_value(error: &Error) -> Option<RvError> {
    match error {
        Error::Pkcs11(value, _) => Some(*value),
        _ => None,
    }
}

/// Whether a new session, with the login and the handles made anew, may help.
pub(super) fn is_session_fault(error: &Error) -> bool {
    matches!(
        return_value(error),
        Some(
            RvError::SessionHandleInvalid
                | RvError::SessionClosed
                | RvError::OperationActive
                | RvError::UserNotLoggedIn
                | RvError::ObjectHandleInvalid
                | RvError::KeyHandleInvalid
        )
    )
}

/// The error for the caller.
pub(super) fn to_slot_error(place: &Place, operation: &'static str, error: &Error) -> SlotError {
    let place = place.clone();
    let cause = Cause::of(error);
    if is_session_fault(error) {
        return SlotError::SessionLost { place, operation, cause };
    }
    match return_value(error) {
        Some(
            RvError::TokenNotPresent
            | RvError::DeviceRemoved
            | RvError::SlotIdInvalid
            | RvError::TokenNotRecognized,
        ) => SlotError::TokenGone { place, cause },
        Some(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange) => {
            SlotError::PinRejected { place }
        }
        Some(RvError::PinLocked | RvError::PinExpired) => SlotError::PinLocked { place },
        _ => SlotError::ModuleFault { place, operation, cause },
    }
}
