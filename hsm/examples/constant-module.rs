//! A PKCS#11 module for measuring, never for use: one token with one P-256 key, whose C_Sign waits
//! as long as CONSTANT_MODULE_MICROSECONDS says (a network HSM's round trip) and then gives out
//! bytes that are no signature. What is left is the cost of everything around the module.
//! Not checked: anything. Built as a shared library by `cargo build --example constant-module`.

use cryptoki_sys::*;
use std::cell::Cell;
use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The key's handle, and its CKA_ID in each object.
const KEY: CK_OBJECT_HANDLE = 1;
const P256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// The curve's base point (SEC 2 §2.4.2): a public key like any other, in an OCTET STRING.
const POINT: [u8; 67] = [
    0x04, 0x41, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63,
    0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8,
    0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c,
    0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37,
    0xbf, 0x51, 0xf5,
];

static SESSIONS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// Whether the search of this thread has given its one object out.
    static IS_FOUND: Cell<bool> = const { Cell::new(false) };
}

/// The list of functions, which a loader asks for.
///
/// # Safety
/// As PKCS#11 says: the pointer is valid for writing.
#[unsafe(export_name = "C_GetFunctionList")]
pub unsafe extern "C" fn get_function_list(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    static LIST: OnceLock<CK_FUNCTION_LIST> = OnceLock::new();
    let functions = LIST.get_or_init(|| CK_FUNCTION_LIST {
        version: CK_VERSION { major: 2, minor: 40 },
        C_Initialize: Some(nothing),
        C_Finalize: Some(nothing),
        C_GetSlotList: Some(get_slot_list),
        C_GetTokenInfo: Some(get_token_info),
        C_GetMechanismList: Some(get_mechanism_list),
        C_OpenSession: Some(open_session),
        C_CloseSession: Some(close_session),
        C_GetSessionInfo: Some(get_session_info),
        C_Login: Some(login),
        C_FindObjectsInit: Some(find_objects_init),
        C_FindObjects: Some(find_objects),
        C_FindObjectsFinal: Some(close_session),
        C_GetAttributeValue: Some(get_attribute_value),
        C_SignInit: Some(sign_init),
        C_Sign: Some(sign),
        ..CK_FUNCTION_LIST::default()
    });
    // SAFETY: the caller's pointer is valid. The list is not written to by anybody.
    unsafe { *list = std::ptr::from_ref(functions).cast_mut() };
    CKR_OK
}

unsafe extern "C" fn nothing(_: *mut c_void) -> CK_RV {
    CKR_OK
}

unsafe extern "C" fn get_slot_list(
    _: CK_BBOOL,
    out: *mut CK_SLOT_ID,
    count: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: as PKCS#11 says, the list is null or has room for `count`.
    unsafe { put_list(out, count, 0) }
}

unsafe extern "C" fn get_mechanism_list(
    _: CK_SLOT_ID,
    out: *mut CK_MECHANISM_TYPE,
    count: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: as above.
    unsafe { put_list(out, count, CKM_ECDSA) }
}

/// A list of one.
unsafe fn put_list(out: *mut CK_ULONG, count: *mut CK_ULONG, value: CK_ULONG) -> CK_RV {
    // SAFETY: the caller's.
    unsafe {
        if !out.is_null() {
            *out = value;
        }
        *count = 1;
    }
    CKR_OK
}

unsafe extern "C" fn get_token_info(_: CK_SLOT_ID, out: *mut CK_TOKEN_INFO) -> CK_RV {
    let unknown = CK_UNAVAILABLE_INFORMATION;
    let mut label = [b' '; 32];
    label[..8].copy_from_slice(b"constant");
    let info = CK_TOKEN_INFO {
        label,
        manufacturerID: [b' '; 32],
        model: [b' '; 16],
        serialNumber: *b"0000000000000001",
        flags: CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED,
        ulTotalPublicMemory: unknown,
        ulFreePublicMemory: unknown,
        ulTotalPrivateMemory: unknown,
        ulFreePrivateMemory: unknown,
        utcTime: [b' '; 16],
        ..CK_TOKEN_INFO::default()
    };
    // SAFETY: as PKCS#11 says, there is room for an answer.
    unsafe { *out = info };
    CKR_OK
}

unsafe extern "C" fn open_session(
    _: CK_SLOT_ID,
    _: CK_FLAGS,
    _: *mut c_void,
    _: CK_NOTIFY,
    out: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    // SAFETY: as above.
    unsafe { *out = SESSIONS.fetch_add(1, Ordering::Relaxed) };
    CKR_OK
}

unsafe extern "C" fn close_session(_: CK_SESSION_HANDLE) -> CK_RV {
    CKR_OK
}

unsafe extern "C" fn get_session_info(_: CK_SESSION_HANDLE, out: *mut CK_SESSION_INFO) -> CK_RV {
    let info =
        CK_SESSION_INFO { slotID: 0, state: CKS_RW_USER_FUNCTIONS, flags: 6, ulDeviceError: 0 };
    // SAFETY: as above.
    unsafe { *out = info };
    CKR_OK
}

unsafe extern "C" fn login(
    _: CK_SESSION_HANDLE,
    _: CK_USER_TYPE,
    _: *mut CK_UTF8CHAR,
    _: CK_ULONG,
) -> CK_RV {
    CKR_OK
}

unsafe extern "C" fn find_objects_init(
    _: CK_SESSION_HANDLE,
    _: *mut CK_ATTRIBUTE,
    _: CK_ULONG,
) -> CK_RV {
    IS_FOUND.set(false);
    CKR_OK
}

unsafe extern "C" fn find_objects(
    _: CK_SESSION_HANDLE,
    out: *mut CK_OBJECT_HANDLE,
    _: CK_ULONG,
    count: *mut CK_ULONG,
) -> CK_RV {
    let is_first = !IS_FOUND.replace(true);
    // SAFETY: as above; callers have room for one object at least.
    unsafe {
        *out = KEY;
        *count = is_first.into();
    }
    CKR_OK
}

unsafe extern "C" fn get_attribute_value(
    _: CK_SESSION_HANDLE,
    _: CK_OBJECT_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    let key_type = CKK_EC.to_ne_bytes();
    // SAFETY: as PKCS#11 says, `count` attributes, each with null or its own room.
    let attributes = unsafe { std::slice::from_raw_parts_mut(attributes, count as usize) };
    for attribute in attributes {
        let value: &[u8] = match attribute.type_ {
            CKA_KEY_TYPE => &key_type,
            CKA_EC_PARAMS => &P256,
            CKA_EC_POINT => &POINT,
            _ => return CKR_ATTRIBUTE_TYPE_INVALID,
        };
        if !attribute.pValue.is_null() {
            let room = attribute.pValue.cast::<u8>();
            // SAFETY: callers ask for the length before, and give that much room.
            unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), room, value.len()) };
        }
        attribute.ulValueLen = value.len() as CK_ULONG;
    }
    CKR_OK
}

unsafe extern "C" fn sign_init(
    _: CK_SESSION_HANDLE,
    _: *mut CK_MECHANISM,
    _: CK_OBJECT_HANDLE,
) -> CK_RV {
    CKR_OK
}

unsafe extern "C" fn sign(
    _: CK_SESSION_HANDLE,
    _: *mut CK_BYTE,
    _: CK_ULONG,
    out: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    static LATENCY: OnceLock<Duration> = OnceLock::new();
    let latency = LATENCY.get_or_init(|| {
        let text = std::env::var("CONSTANT_MODULE_MICROSECONDS").unwrap_or_default();
        Duration::from_micros(text.parse().unwrap_or(0))
    });
    if !latency.is_zero() {
        std::thread::park_timeout(*latency);
    }
    // SAFETY: callers have room for a signature of P-256.
    unsafe {
        std::ptr::write_bytes(out, 0x11, 64);
        *length = 64;
    }
    CKR_OK
}
