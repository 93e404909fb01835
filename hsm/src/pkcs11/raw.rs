//! The calls that do not go through cryptoki. PKCS#11 v3.1 §5.5.6, §5.13.1, §5.13.2.
//! C_SignInit and C_Sign with a buffer that is large enough: cryptoki asks for the length first,
//! a round trip more for a token in the network, and modules exist that answer it badly. Here it
//! is two calls and no allocation.
//! C_Initialize with a text for modules that want one.
//! C_GetTokenInfo without the token's clock: cryptoki refuses a token whose time does not parse.
//! Limit: [`SIGNATURE_LENGTH_MAX`].

#![allow(unsafe_code, reason = "calls into a PKCS#11 module, each with a note")]

use cryptoki::context::Function;
use cryptoki::error::{Error, Rv};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use cryptoki_sys::{
    CK_C_INITIALIZE_ARGS, CK_C_Sign, CK_C_SignInit, CK_EFFECTIVELY_INFINITE, CK_FLAGS,
    CK_FUNCTION_LIST, CK_MECHANISM, CK_RV, CK_SLOT_ID, CK_TOKEN_INFO, CK_ULONG,
    CK_UNAVAILABLE_INFORMATION, CKF_OS_LOCKING_OK, CKR_OK,
};
use std::ffi::{CStr, c_void};
use std::path::Path;

/// Longest signature taken: RSA with 8192 bits, twice what a DNSKEY holds.
pub(super) const SIGNATURE_LENGTH_MAX: usize = 1024;

/// Who a token is and how it is.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) label: String,
    pub(super) manufacturer: String,
    pub(super) model: String,
    pub(super) serial: String,
    /// `major.minor`.
    pub(super) firmware: String,
    /// Most sessions of a process, where the token has a limit and says so.
    pub(super) sessions_max: Option<usize>,
    flags: CK_FLAGS,
}

impl Token {
    /// Whether a flag (CKF_..) is set.
    pub(super) fn has(&self, flag: CK_FLAGS) -> bool {
        self.flags & flag != 0
    }
}

/// What C_Initialize is given. NSS has a field for its text where the standard has `pReserved`,
/// and that one behind it, so there is room for one more.
#[repr(C)]
struct InitialiseArguments {
    standard: CK_C_INITIALIZE_ARGS,
    behind: *mut c_void,
}

/// The functions of a loaded module.
pub(super) struct Functions {
    initialise: unsafe extern "C" fn(*mut c_void) -> CK_RV,
    init: unsafe extern "C" fn(u64, *mut CK_MECHANISM, u64) -> CK_RV,
    sign: unsafe extern "C" fn(u64, *mut u8, CK_ULONG, *mut u8, *mut CK_ULONG) -> CK_RV,
    token_info: unsafe extern "C" fn(CK_SLOT_ID, *mut CK_TOKEN_INFO) -> CK_RV,
    /// Keeps the library where the two functions are.
    _library: cryptoki_sys::Pkcs11,
}

impl Functions {
    /// The functions of a module that cryptoki has loaded already; `None` when it has not the
    /// list of PKCS#11 v2.40, which v3 modules have as well.
    pub(super) fn of(path: &Path) -> Option<Functions> {
        // SAFETY: the library is loaded already, so this runs no code of it.
        let library = unsafe { cryptoki_sys::Pkcs11::new(path) }.ok()?;
        if library.C_GetFunctionList.is_err() {
            return None;
        }
        let mut list: *mut CK_FUNCTION_LIST = std::ptr::null_mut();
        // SAFETY: the symbol is there, and gets a valid place for its answer.
        let result = unsafe { library.C_GetFunctionList(&mut list) };
        if result != CKR_OK || list.is_null() {
            return None;
        }
        // SAFETY: the module says that its list is here; it stays as long as the library.
        let list = unsafe { *list };
        let (init, sign): (CK_C_SignInit, CK_C_Sign) = (list.C_SignInit, list.C_Sign);
        let token_info = list.C_GetTokenInfo?;
        let initialise = list.C_Initialize?;
        Some(Functions { initialise, init: init?, sign: sign?, token_info, _library: library })
    }

    /// C_Initialize (PKCS#11 v3.1 §5.4.1), with threads, and with a text in `pReserved` for
    /// modules that want one.
    pub(super) fn initialise(&self, text: Option<&CStr>) -> Result<(), Error> {
        let text = text.map_or(std::ptr::null_mut(), |text| text.as_ptr().cast_mut().cast());
        let mut arguments = InitialiseArguments {
            standard: CK_C_INITIALIZE_ARGS {
                CreateMutex: None,
                DestroyMutex: None,
                LockMutex: None,
                UnlockMutex: None,
                flags: CKF_OS_LOCKING_OK,
                pReserved: text,
            },
            behind: std::ptr::null_mut(),
        };
        // SAFETY: the arguments and the text, which is only read, live over the call.
        check(unsafe { (self.initialise)((&raw mut arguments).cast()) }, Function::Initialize)
    }

    /// The token in a slot.
    pub(super) fn token(&self, slot: Slot) -> Result<Token, Error> {
        let mut info = CK_TOKEN_INFO::default();
        // SAFETY: there is room for the answer, which lives over the call.
        let result = unsafe { (self.token_info)(slot.into(), &mut info) };
        check(result, Function::GetTokenInfo)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        let is_known = ![CK_UNAVAILABLE_INFORMATION, CK_EFFECTIVELY_INFINITE]
            .contains(&info.ulMaxSessionCount);
        Ok(Token {
            label: text(&info.label),
            manufacturer: text(&info.manufacturerID),
            model: text(&info.model),
            serial: text(&info.serialNumber),
            firmware: format!("{}.{}", info.firmwareVersion.major, info.firmwareVersion.minor),
            sessions_max: is_known
                .then(|| usize::try_from(info.ulMaxSessionCount).unwrap_or(usize::MAX)),
            flags: info.flags,
        })
    }

    /// Signs `data` and hands the signature out.
    pub(super) fn sign<T>(
        &self,
        session: &Session,
        mechanism: &Mechanism,
        key: ObjectHandle,
        data: &mut [u8],
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Error> {
        let mut mechanism: CK_MECHANISM = mechanism.into();
        // SAFETY: the mechanism lives over the call; session and key are the module's own
        // handles, which it checks.
        let result = unsafe { (self.init)(session.handle(), &mut mechanism, key.handle()) };
        check(result, Function::SignInit)?;
        let mut signature = [0_u8; SIGNATURE_LENGTH_MAX];
        let mut length = SIGNATURE_LENGTH_MAX as CK_ULONG;
        // SAFETY: both buffers are ours alone, live over the call, and go with their lengths.
        let result = unsafe {
            (self.sign)(
                session.handle(),
                data.as_mut_ptr(),
                data.len() as CK_ULONG,
                signature.as_mut_ptr(),
                &mut length,
            )
        };
        check(result, Function::Sign)?;
        // A module that claims more than it had room for gets nothing through.
        let length = usize::try_from(length).unwrap_or(0).min(SIGNATURE_LENGTH_MAX);
        Ok(take(&signature[..length]))
    }
}

fn check(result: CK_RV, function: Function) -> Result<(), Error> {
    match Rv::from(result) {
        Rv::Ok => Ok(()),
        Rv::Error(value) => Err(Error::Pkcs11(value, function)),
    }
}
