//! The table of the module's functions. Most are handed on as they are, with the script looking
//! on; those that keep count of sessions or can be lied about stand below the table by name.
//! PKCS#11 v2.40 §5. In: the callers' pointers, as the standard asks for them. Out: return values.

use crate::lies::{self, Buffer};
use crate::module::{Call, pass, pass_and_end};
use crate::script::Action;
use crate::sessions::Signing;
use crate::{names, tries};
use cryptoki_sys::*;
use std::cell::Cell;
use std::ffi::c_void;
use std::slice;

type Session = CK_SESSION_HANDLE;
type Object = CK_OBJECT_HANDLE;
type ObjectPtr = *mut CK_OBJECT_HANDLE;
type Length = CK_ULONG;
type LengthPtr = *mut CK_ULONG;
type Bytes = *mut CK_BYTE;
type Template = *mut CK_ATTRIBUTE;
type MechanismPtr = *mut CK_MECHANISM;
type SlotId = CK_SLOT_ID;
type SlotIdPtr = *mut CK_SLOT_ID;

/// The real function; a return value of its own when the real module has none.
macro_rules! real {
    ($call:ident.$name:ident($($argument:expr),*)) => {
        match $call.module.real.$name {
            // SAFETY: the arguments are the caller's own, or ours of the same kind, and the caller
            // made them as PKCS#11 asks.
            Some(real) => unsafe { real($($argument),*) },
            None => CKR_FUNCTION_NOT_SUPPORTED,
        }
    };
}

/// A function that is handed on as it is: its name and the types of its arguments.
macro_rules! plain {
    ($name:ident($($type:ty),*)) => {
        plain!(@ $name (a b c d e f g h) () ($($type),*))
    };
    (@ $name:ident ($next:ident $($spare:ident)*) ($($done:tt)*) ($type:ty $(, $types:ty)*)) => {
        plain!(@ $name ($($spare)*) ($($done)* $next: $type,) ($($types),*))
    };
    (@ $name:ident ($($spare:ident)*) ($($argument:ident: $type:ty,)*) ()) => {
        Some({
            unsafe extern "C" fn handed_on($($argument: $type),*) -> CK_RV {
                pass(stringify!($name), |call| real!(call.$name($($argument),*)))
            }
            handed_on
        })
    };
}

/// The function list of version 2.40.
pub(crate) static TABLE: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
    version: CK_VERSION { major: 2, minor: 40 },
    C_Initialize: Some(initialize),
    C_Finalize: plain!(C_Finalize(*mut c_void)),
    C_GetInfo: plain!(C_GetInfo(*mut CK_INFO)),
    C_GetFunctionList: Some(crate::C_GetFunctionList),
    C_GetSlotList: plain!(C_GetSlotList(CK_BBOOL, SlotIdPtr, LengthPtr)),
    C_GetSlotInfo: plain!(C_GetSlotInfo(SlotId, *mut CK_SLOT_INFO)),
    C_GetTokenInfo: Some(get_token_info),
    C_GetMechanismList: plain!(C_GetMechanismList(SlotId, *mut CK_MECHANISM_TYPE, LengthPtr)),
    C_GetMechanismInfo: plain!(
        C_GetMechanismInfo(SlotId, CK_MECHANISM_TYPE, *mut CK_MECHANISM_INFO)
    ),
    C_InitToken: plain!(C_InitToken(SlotId, Bytes, Length, Bytes)),
    C_InitPIN: plain!(C_InitPIN(Session, Bytes, Length)),
    C_SetPIN: plain!(C_SetPIN(Session, Bytes, Length, Bytes, Length)),
    C_OpenSession: Some(open_session),
    C_CloseSession: Some(close_session),
    C_CloseAllSessions: Some(close_all_sessions),
    C_GetSessionInfo: plain!(C_GetSessionInfo(Session, *mut CK_SESSION_INFO)),
    C_GetOperationState: plain!(C_GetOperationState(Session, Bytes, LengthPtr)),
    C_SetOperationState: plain!(C_SetOperationState(Session, Bytes, Length, Object, Object)),
    C_Login: Some(login),
    C_Logout: plain!(C_Logout(Session)),
    C_CreateObject: plain!(C_CreateObject(Session, Template, Length, ObjectPtr)),
    C_CopyObject: plain!(C_CopyObject(Session, Object, Template, Length, ObjectPtr)),
    C_DestroyObject: plain!(C_DestroyObject(Session, Object)),
    C_GetObjectSize: plain!(C_GetObjectSize(Session, Object, LengthPtr)),
    C_GetAttributeValue: Some(get_attribute_value),
    C_SetAttributeValue: plain!(C_SetAttributeValue(Session, Object, Template, Length)),
    C_FindObjectsInit: plain!(C_FindObjectsInit(Session, Template, Length)),
    C_FindObjects: Some(find_objects),
    C_FindObjectsFinal: plain!(C_FindObjectsFinal(Session)),
    C_EncryptInit: plain!(C_EncryptInit(Session, MechanismPtr, Object)),
    C_Encrypt: plain!(C_Encrypt(Session, Bytes, Length, Bytes, LengthPtr)),
    C_EncryptUpdate: plain!(C_EncryptUpdate(Session, Bytes, Length, Bytes, LengthPtr)),
    C_EncryptFinal: plain!(C_EncryptFinal(Session, Bytes, LengthPtr)),
    C_DecryptInit: plain!(C_DecryptInit(Session, MechanismPtr, Object)),
    C_Decrypt: plain!(C_Decrypt(Session, Bytes, Length, Bytes, LengthPtr)),
    C_DecryptUpdate: plain!(C_DecryptUpdate(Session, Bytes, Length, Bytes, LengthPtr)),
    C_DecryptFinal: plain!(C_DecryptFinal(Session, Bytes, LengthPtr)),
    C_DigestInit: plain!(C_DigestInit(Session, MechanismPtr)),
    C_Digest: plain!(C_Digest(Session, Bytes, Length, Bytes, LengthPtr)),
    C_DigestUpdate: plain!(C_DigestUpdate(Session, Bytes, Length)),
    C_DigestKey: plain!(C_DigestKey(Session, Object)),
    C_DigestFinal: plain!(C_DigestFinal(Session, Bytes, LengthPtr)),
    C_SignInit: Some(sign_init),
    C_Sign: Some(sign),
    C_SignUpdate: plain!(C_SignUpdate(Session, Bytes, Length)),
    C_SignFinal: plain!(C_SignFinal(Session, Bytes, LengthPtr)),
    C_SignRecoverInit: plain!(C_SignRecoverInit(Session, MechanismPtr, Object)),
    C_SignRecover: plain!(C_SignRecover(Session, Bytes, Length, Bytes, LengthPtr)),
    C_VerifyInit: plain!(C_VerifyInit(Session, MechanismPtr, Object)),
    C_Verify: plain!(C_Verify(Session, Bytes, Length, Bytes, Length)),
    C_VerifyUpdate: plain!(C_VerifyUpdate(Session, Bytes, Length)),
    C_VerifyFinal: plain!(C_VerifyFinal(Session, Bytes, Length)),
    C_VerifyRecoverInit: plain!(C_VerifyRecoverInit(Session, MechanismPtr, Object)),
    C_VerifyRecover: plain!(C_VerifyRecover(Session, Bytes, Length, Bytes, LengthPtr)),
    C_DigestEncryptUpdate: plain!(C_DigestEncryptUpdate(Session, Bytes, Length, Bytes, LengthPtr)),
    C_DecryptDigestUpdate: plain!(C_DecryptDigestUpdate(Session, Bytes, Length, Bytes, LengthPtr)),
    C_SignEncryptUpdate: plain!(C_SignEncryptUpdate(Session, Bytes, Length, Bytes, LengthPtr)),
    C_DecryptVerifyUpdate: plain!(C_DecryptVerifyUpdate(Session, Bytes, Length, Bytes, LengthPtr)),
    C_GenerateKey: plain!(C_GenerateKey(Session, MechanismPtr, Template, Length, ObjectPtr)),
    C_GenerateKeyPair: Some(generate_key_pair),
    C_WrapKey: plain!(C_WrapKey(Session, MechanismPtr, Object, Object, Bytes, LengthPtr)),
    C_UnwrapKey: plain!(C_UnwrapKey(
        Session,
        MechanismPtr,
        Object,
        Bytes,
        Length,
        Template,
        Length,
        ObjectPtr
    )),
    C_DeriveKey: plain!(C_DeriveKey(Session, MechanismPtr, Object, Template, Length, ObjectPtr)),
    C_SeedRandom: plain!(C_SeedRandom(Session, Bytes, Length)),
    C_GenerateRandom: plain!(C_GenerateRandom(Session, Bytes, Length)),
    C_GetFunctionStatus: plain!(C_GetFunctionStatus(Session)),
    C_CancelFunction: plain!(C_CancelFunction(Session)),
    C_WaitForSlotEvent: plain!(C_WaitForSlotEvent(CK_FLAGS, SlotIdPtr, *mut c_void)),
};

/// C_Initialize's argument in the form of NSS's softoken: the standard's, with a text in the place
/// of the reserved pointer and that pointer after it.
#[repr(C)]
struct ArgumentsWithText {
    standard: CK_C_INITIALIZE_ARGS,
    reserved: *mut c_void,
}

unsafe extern "C" fn initialize(arguments: *mut c_void) -> CK_RV {
    pass("C_Initialize", |call| {
        let Some(text) = &call.live.script.parameters else {
            return real!(call.C_Initialize(arguments));
        };
        // SAFETY: null, or the standard's arguments.
        let given = unsafe { arguments.cast::<CK_C_INITIALIZE_ARGS>().as_ref() };
        let Some(given) = given else { return CKR_ARGUMENTS_BAD };
        let standard =
            CK_C_INITIALIZE_ARGS { pReserved: text.as_ptr().cast_mut().cast(), ..*given };
        let mut arguments = ArgumentsWithText { standard, reserved: std::ptr::null_mut() };
        real!(call.C_Initialize((&raw mut arguments).cast()))
    })
}

unsafe extern "C" fn get_token_info(slot: SlotId, info: *mut CK_TOKEN_INFO) -> CK_RV {
    pass("C_GetTokenInfo", |call| {
        let value = real!(call.C_GetTokenInfo(slot, info));
        // SAFETY: null, or a structure that the real module has just filled in.
        if value == CKR_OK
            && let Some(info) = unsafe { info.as_mut() }
        {
            lies::about_token(call, info);
        }
        value
    })
}

unsafe extern "C" fn open_session(
    slot: SlotId,
    flags: CK_FLAGS,
    application: *mut c_void,
    notify: CK_NOTIFY,
    session: *mut Session,
) -> CK_RV {
    pass("C_OpenSession", |call| {
        if !call.module.sessions.begin_opening(lies::sessions_max(call)) {
            return CKR_SESSION_COUNT;
        }
        let value = real!(call.C_OpenSession(slot, flags, application, notify, session));
        // SAFETY: null, or a handle that the real module has just written.
        let handle = unsafe { session.as_ref() }.filter(|_| value == CKR_OK);
        call.module.sessions.end_opening(handle.map(|handle| (*handle, slot)));
        value
    })
}

unsafe extern "C" fn close_session(session: Session) -> CK_RV {
    pass("C_CloseSession", |call| {
        call.module.sessions.closed(session);
        real!(call.C_CloseSession(session))
    })
}

unsafe extern "C" fn close_all_sessions(slot: SlotId) -> CK_RV {
    pass("C_CloseAllSessions", |call| {
        call.module.sessions.closed_all(slot);
        real!(call.C_CloseAllSessions(slot))
    })
}

unsafe extern "C" fn login(
    session: Session,
    user: CK_USER_TYPE,
    pin: Bytes,
    length: Length,
) -> CK_RV {
    pass("C_Login", |call| {
        let login = || real!(call.C_Login(session, user, pin, length));
        match &call.live.script.pin_tries {
            Some((path, most)) if user == CKU_USER => tries::count(path, *most, login),
            _ => login(),
        }
    })
}

unsafe extern "C" fn get_attribute_value(
    session: Session,
    object: Object,
    template: Template,
    count: Length,
) -> CK_RV {
    pass("C_GetAttributeValue", |call| {
        let value = real!(call.C_GetAttributeValue(session, object, template, count));
        if value == CKR_OK && !template.is_null() {
            // SAFETY: the caller's template has `count` attributes, which were just filled in.
            unsafe {
                let template = slice::from_raw_parts_mut(template, count as usize);
                lies::about_attributes(call, template);
            }
        }
        value
    })
}

unsafe extern "C" fn find_objects(
    session: Session,
    objects: ObjectPtr,
    most: Length,
    count: LengthPtr,
) -> CK_RV {
    pass("C_FindObjects", |call| {
        let most_now = most.min(lies::handles_max(call));
        let value = real!(call.C_FindObjects(session, objects, most_now, count));
        // SAFETY: null, or the array and the number that the real module has just written; the
        // array has room for `most` handles.
        if value == CKR_OK
            && !objects.is_null()
            && let Some(count) = unsafe { count.as_mut() }
        {
            // SAFETY: as above.
            let room = unsafe { slice::from_raw_parts_mut(objects, most as usize) };
            lies::about_objects(call, room, count);
        }
        value
    })
}

unsafe extern "C" fn generate_key_pair(
    session: Session,
    mechanism: MechanismPtr,
    public_template: Template,
    public_count: Length,
    private_template: Template,
    private_count: Length,
    public: ObjectPtr,
    private: ObjectPtr,
) -> CK_RV {
    pass("C_GenerateKeyPair", |call| {
        if call.has(&Action::Claim) {
            let (no_public, no_private) = lies::NO_PAIR;
            // SAFETY: the caller gives two handles that may be written.
            unsafe {
                *public = no_public;
                *private = no_private;
            }
            return CKR_OK;
        }
        real!(call.C_GenerateKeyPair(
            session,
            mechanism,
            public_template,
            public_count,
            private_template,
            private_count,
            public,
            private
        ))
    })
}

unsafe extern "C" fn sign_init(session: Session, mechanism: MechanismPtr, key: Object) -> CK_RV {
    pass("C_SignInit", |call| {
        let value = real!(call.C_SignInit(session, mechanism, key));
        // SAFETY: null, or a mechanism as the standard has it, which the real module has accepted.
        if value == CKR_OK
            && let Some(mechanism) = unsafe { mechanism.as_ref() }
        {
            // SAFETY: as above, so its parameter is as long as it says.
            let signing = unsafe { Signing::of(mechanism, key) };
            call.module.sessions.signs_with(session, signing);
        }
        value
    })
}

unsafe extern "C" fn sign(
    session: Session,
    data: Bytes,
    data_length: Length,
    signature: Bytes,
    length: LengthPtr,
) -> CK_RV {
    let is_query = signature.is_null();
    let name = if is_query { names::SIGN_LENGTH } else { "C_Sign" };
    let was_heard_of = Cell::new(false);
    let sign = |call: &Call| {
        was_heard_of.set(true);
        // SAFETY: null, or the caller's number.
        let room = unsafe { length.as_ref() }.copied().unwrap_or_default();
        let value = real!(call.C_Sign(session, data, data_length, signature, length));
        if value != CKR_OK || length.is_null() || data.is_null() {
            return value;
        }
        if is_query {
            // SAFETY: the real module has just written the number.
            lies::signature_length(call, unsafe { &mut *length });
            return value;
        }
        let buffer = Buffer { bytes: signature, length };
        // SAFETY: the caller's buffers are as long as it says, or the real module had refused.
        unsafe {
            let data = slice::from_raw_parts_mut(data, data_length as usize);
            lies::about_signature(call, session, data, &buffer, room)
        }
    };
    pass_and_end(name, sign, |call| {
        if !was_heard_of.get() && !data.is_null() {
            // SAFETY: the caller's bytes are as many as it says.
            let data = unsafe { slice::from_raw_parts_mut(data, data_length as usize) };
            lies::end_operation(call, session, data);
        }
    })
}
