//! A PKCS#11 module for tests: hands every call on to a real module and, by script, fails, stalls,
//! crashes, lies or forgets (rule HSM-13). PKCS#11 v2.40 §5, the function list of version 2.40.
//! In: a script ([`script`] says what may stand in it), whose path is in the environment variable
//! [`SCRIPT_VARIABLE`]; it is read again whenever the file changes. Out: what the real module says,
//! or what the script wants. A log of the calls, when the script names a file for it.
//! Never: part of the product; a lock held while the real module works (a slow token is slow for
//! each session by itself). Limits: one real module per process.
//!
//! `unsafe` is needed here, since this is the far side of a C interface: the callers give pointers
//! as PKCS#11 says, and they are handed on, read or written only as PKCS#11 allows.

mod attempts;
mod lies;
mod module;
mod names;
pub mod script;
mod sessions;
mod table;
mod tries;

use cryptoki_sys::{CK_FUNCTION_LIST, CK_RV, CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR, CKR_OK};

/// Names the file with the script.
pub const SCRIPT_VARIABLE: &str = "FAULT_MODULE_SCRIPT";

/// The one entry of a PKCS#11 module: gives the table of its functions. Reads the script and loads
/// the real module; says on standard error why, when that does not work.
///
/// # Safety
///
/// `list` is null, or a pointer that may be written through (PKCS#11 v2.40 §5.2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    if list.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    if let Err(error) = module::load() {
        eprintln!("fault module: {error}");
        return CKR_GENERAL_ERROR;
    }
    // SAFETY: the caller gives a pointer that may be written through. The table is never written,
    // although C has no word for that in this place.
    unsafe { *list = (&raw const table::TABLE).cast_mut() };
    CKR_OK
}
