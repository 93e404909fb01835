//! What the return values of a module mean for the slot. PKCS#11 v3.1 §5.1.6.
//! In: cryptoki's errors. Out: whether a new session may help, and the error for the caller.

use crate::error::{Cause, PinTries, Place, SlotError};
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
            SlotError::PinRejected { place, tries: PinTries::Unknown }
        }
        Some(RvError::PinLocked | RvError::PinExpired) => SlotError::PinLocked { place },
        _ => SlotError::ModuleFault { place, operation, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Disposition;
    use cryptoki::context::Function;

    #[track_caller]
    fn check(value: RvError, session_fault: bool, is_expected: fn(&SlotError) -> bool) {
        let place = Place { repository: "main".to_owned(), token: "Anchor".to_owned() };
        let error = Error::Pkcs11(value, Function::Sign);
        assert_eq!(is_session_fault(&error), session_fault, "{value:?}");
        let error = to_slot_error(&place, "C_Sign", &error);
        assert!(is_expected(&error), "{value:?}: {error}");
        assert!(error.to_string().starts_with("repository main, token \"Anchor\": "), "{error}");
    }

    /// The table of what each return value means for the slot.
    #[test]
    fn return_values_are_told_apart() {
        for value in [
            RvError::SessionHandleInvalid,
            RvError::SessionClosed,
            RvError::OperationActive,
            RvError::UserNotLoggedIn,
            RvError::ObjectHandleInvalid,
            RvError::KeyHandleInvalid,
        ] {
            check(value, true, |error| matches!(error, SlotError::SessionLost { .. }));
        }
        for value in [RvError::TokenNotPresent, RvError::DeviceRemoved, RvError::SlotIdInvalid] {
            check(value, false, |error| {
                matches!(error, SlotError::TokenGone { .. })
                    && matches!(error.disposition(), Disposition::Retry { .. })
            });
        }
        for value in [RvError::DeviceError, RvError::GeneralError, RvError::HostMemory] {
            check(value, false, |error| {
                matches!(error, SlotError::ModuleFault { .. })
                    && error.disposition() == Disposition::Restart
            });
        }
        for value in [RvError::PinIncorrect, RvError::PinLocked] {
            check(value, false, |error| {
                matches!(error, SlotError::PinRejected { .. } | SlotError::PinLocked { .. })
                    && error.disposition() == Disposition::Alarm
            });
        }
    }
}
