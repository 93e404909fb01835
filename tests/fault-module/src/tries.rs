//! The PIN budget of real tokens, which SoftHSM lacks: wrong user PINs are counted in a file, the
//! token warns in its flags, and locks. PKCS#11 v2.40 §3.2 (CKF_USER_PIN_...), §5.6 (C_Login).
//! In: what C_Login said. Out: the file, `wrong N` (in a row) and `offered N` (in all), and flags.

use cryptoki_sys::{
    CK_FLAGS, CK_RV, CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED, CKR_OK,
    CKR_PIN_INCORRECT, CKR_PIN_LOCKED,
};
use std::path::Path;
use std::sync::Mutex;

/// Held while the file changes.
static COUNTING: Mutex<()> = Mutex::new(());

/// Wrong PINs in a row, PINs offered in all.
fn read(path: &Path) -> (u32, u32) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let count = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|count| count.parse().ok()).unwrap_or(0)
    };
    (count("wrong"), count("offered"))
}

/// Counts one PIN that was offered, with what `login` says to it. A locked token is not asked.
pub(crate) fn count(path: &Path, most: u32, login: impl FnOnce() -> CK_RV) -> CK_RV {
    let _counting = COUNTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (wrong, offered) = read(path);
    let value = if wrong >= most { CKR_PIN_LOCKED } else { login() };
    let (wrong, offered) = match value {
        CKR_OK => (0, offered + 1),
        CKR_PIN_INCORRECT => (wrong + 1, offered + 1),
        CKR_PIN_LOCKED => (wrong, offered + 1),
        // The PIN was not looked at, for instance since the token is logged in already.
        _ => return value,
    };
    let text = format!("wrong {wrong}\noffered {offered}\n");
    if let Err(error) = std::fs::write(path, text) {
        eprintln!("fault module: {}: {error}", path.display());
        std::process::abort();
    }
    value
}

/// What token information says of the tries that are left.
pub(crate) fn flags(path: &Path, most: u32) -> CK_FLAGS {
    let (wrong, _) = read(path);
    match most.saturating_sub(wrong) {
        0 => CKF_USER_PIN_LOCKED,
        1 => CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY,
        _ if wrong > 0 => CKF_USER_PIN_COUNT_LOW,
        _ => 0,
    }
}
