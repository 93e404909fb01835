//! What the module says that is not so: token information, sessions, searches, attributes, key
//! pairs and signatures. PKCS#11 v2.40 §5.5 to §5.13.
//! In: a call under way and the caller's pointers. Out: the return value, with the lie where the
//! caller will look. The pointers are the caller's, as PKCS#11 asks for them; each function names
//! what it relies on.

use crate::module::Call;
use crate::script::{Action, Change};
use crate::sessions::Signing;
use crate::tries;
use cryptoki_sys::*;
use std::slice;

/// The caller's buffer for a signature.
pub(crate) struct Buffer {
    pub(crate) bytes: *mut CK_BYTE,
    pub(crate) length: *mut CK_ULONG,
}

/// Token information, after the real module has filled it in.
pub(crate) fn about_token(call: &Call, info: &mut CK_TOKEN_INFO) {
    if let Some((path, most)) = &call.live.script.pin_tries {
        info.flags |= tries::flags(path, *most);
    }
    for action in &call.actions {
        match action {
            Action::Label(text) => fill(&mut info.label, text),
            Action::Serial(text) => fill(&mut info.serialNumber, text),
            Action::Flag(flag, Change::Set) => info.flags |= flag,
            Action::Flag(flag, Change::Clear) => info.flags &= !flag,
            Action::Sessions(most) => {
                info.ulMaxSessionCount = *most;
                info.ulMaxRwSessionCount = *most;
            }
            Action::BadClock => {
                info.flags |= CKF_CLOCK_ON_TOKEN;
                fill(&mut info.utcTime, "no time");
            }
            _ => {}
        }
    }
}

/// Text in a field of fixed length, padded with blanks (PKCS#11 v2.40 §3.2).
fn fill(field: &mut [u8], text: &str) {
    let blanks = std::iter::repeat(&b' ');
    field.iter_mut().zip(text.as_bytes().iter().chain(blanks)).for_each(|(to, from)| *to = *from);
}

/// How many sessions may be open, by the script.
pub(crate) fn sessions_max(call: &Call) -> u64 {
    let limits = call.actions.iter().map(|action| match action {
        Action::Sessions(most) => *most,
        _ => u64::MAX,
    });
    limits.min().unwrap_or(u64::MAX)
}

/// How many handles a search may give in one call, by the script.
pub(crate) fn handles_max(call: &Call) -> CK_ULONG {
    let limits = call.actions.iter().map(|action| match action {
        Action::Limit(most) => *most,
        _ => u64::MAX,
    });
    limits.min().unwrap_or(u64::MAX)
}

/// The handles of one C_FindObjects: `room` is the caller's whole array, `count` what was found.
pub(crate) fn about_objects(call: &Call, room: &mut [CK_OBJECT_HANDLE], count: &mut CK_ULONG) {
    if call.has(&Action::Forget) {
        *count = 0;
    }
    if call.has(&Action::Duplicate) {
        let found = (*count as usize).min(room.len());
        let copies = found.min(room.len() - found);
        room.copy_within(..copies, found);
        *count += copies as CK_ULONG;
    }
}

/// Attribute values of C_GetAttributeValue: with `flip`, a bit of each public number.
///
/// # Safety
///
/// Each value that is not null has as many bytes as its length says, unless that is -1.
pub(crate) unsafe fn about_attributes(call: &Call, template: &mut [CK_ATTRIBUTE]) {
    if !call.has(&Action::Flip) {
        return;
    }
    for attribute in template {
        let is_number = matches!(attribute.type_, CKA_EC_POINT | CKA_MODULUS);
        let length = attribute.ulValueLen;
        if is_number && !attribute.pValue.is_null() && length != CK_ULONG::MAX && length > 0 {
            // SAFETY: the caller's buffer has `length` bytes, which the real module just filled.
            let last = unsafe { &mut *attribute.pValue.cast::<u8>().add(length as usize - 1) };
            *last ^= 1;
        }
    }
}

/// Handles of a key pair that was never made.
pub(crate) const NO_PAIR: (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) = (0xdead_0001, 0xdead_0002);

/// Room that a signature in DER needs beyond its two numbers: three headers, two leading zeros.
const DER_EXTRA: CK_ULONG = 8;

/// The length that C_Sign tells when it is asked for it: a module whose signatures are in DER
/// wants more room.
pub(crate) fn signature_length(call: &Call, length: &mut CK_ULONG) {
    if call.live.script.mentions(&Action::Der) {
        *length += DER_EXTRA;
    }
}

/// The signature that the real module has just made, turned into what the script wants.
///
/// # Safety
///
/// The buffer has `room` bytes, of which its length says how many are filled; `data` are the
/// caller's bytes to sign.
pub(crate) unsafe fn about_signature(
    call: &Call,
    session: CK_SESSION_HANDLE,
    data: &mut [u8],
    buffer: &Buffer,
    room: CK_ULONG,
) -> CK_RV {
    // SAFETY: by this function's contract.
    let (bytes, length) =
        unsafe { (slice::from_raw_parts_mut(buffer.bytes, room as usize), &mut *buffer.length) };
    let end = (*length as usize).min(bytes.len());
    for action in &call.actions {
        match action {
            Action::Flip => {
                bytes[..end].iter_mut().skip(end / 2).take(1).for_each(|byte| *byte ^= 0x10)
            }
            Action::Short => *length = length.saturating_sub(1),
            Action::Empty => *length = 0,
            Action::Long => *length = room + 1,
            Action::Der => {
                let der = in_der(&bytes[..end]);
                if der.len() > bytes.len() {
                    *length = der.len() as CK_ULONG;
                    return CKR_BUFFER_TOO_SMALL;
                }
                bytes[..der.len()].copy_from_slice(&der);
                *length = der.len() as CK_ULONG;
            }
            Action::OtherKey => {
                let other = sign_with_other_key(call, session, data);
                // A token with one key has no other to lie with: the test has to know.
                let other = other.filter(|other| other.len() == end);
                let Some(other) = other else { return CKR_FUNCTION_CANCELED };
                bytes[..end].copy_from_slice(&other);
            }
            _ => {}
        }
    }
    CKR_OK
}

/// r and s as a SEQUENCE of two INTEGERs (X.690 §8.3, §8.9). Both are short enough for lengths of
/// one byte.
fn in_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let mut body = Vec::new();
    for number in [r, s] {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let number = &number[zeros.min(number.len() - 1)..];
        let sign = if number[0] & 0x80 == 0 { &[][..] } else { &[0] };
        body.extend([2, (sign.len() + number.len()) as u8]);
        body.extend_from_slice(sign);
        body.extend_from_slice(number);
    }
    [&[0x30, body.len() as u8], body.as_slice()].concat()
}

/// A signature over the same bytes by another private key that can make one of this kind.
fn sign_with_other_key(
    call: &Call,
    session: CK_SESSION_HANDLE,
    data: &mut [u8],
) -> Option<Vec<u8>> {
    let (slot, mut signing) = call.module.sessions.signing(session)?;
    let mut own = 0;
    let flags = CKF_SERIAL_SESSION;
    // SAFETY: a plain call; the handle may be written to.
    let value = unsafe {
        call.module.real.C_OpenSession?(slot, flags, std::ptr::null_mut(), None, &mut own)
    };
    if value != CKR_OK {
        return None;
    }
    let keys = private_keys(call, own).unwrap_or_default();
    let others = keys.into_iter().filter(|key| *key != signing.key).collect::<Vec<_>>();
    let found = others.into_iter().find_map(|key| sign_once(call, own, key, &mut signing, data));
    // SAFETY: the function takes a plain number.
    unsafe { call.module.real.C_CloseSession?(own) };
    found
}

fn private_keys(call: &Call, session: CK_SESSION_HANDLE) -> Option<Vec<CK_OBJECT_HANDLE>> {
    let real = &call.module.real;
    let mut class = CKO_PRIVATE_KEY;
    let mut template = CK_ATTRIBUTE {
        type_: CKA_CLASS,
        pValue: (&raw mut class).cast(),
        ulValueLen: size_of::<CK_OBJECT_CLASS>() as CK_ULONG,
    };
    let mut handles = [0; OTHER_KEYS_MAX];
    let mut count = 0;
    // SAFETY: one attribute of the length it says, an array of the length it says.
    unsafe {
        if real.C_FindObjectsInit?(session, &mut template, 1) != CKR_OK {
            return None;
        }
        real.C_FindObjects?(session, handles.as_mut_ptr(), OTHER_KEYS_MAX as CK_ULONG, &mut count);
        real.C_FindObjectsFinal?(session);
    }
    Some(handles[..(count as usize).min(OTHER_KEYS_MAX)].to_vec())
}

/// Among how many keys another one is looked for.
const OTHER_KEYS_MAX: usize = 64;

fn sign_once(
    call: &Call,
    session: CK_SESSION_HANDLE,
    key: CK_OBJECT_HANDLE,
    signing: &mut Signing,
    data: &mut [u8],
) -> Option<Vec<u8>> {
    let mut mechanism = signing.mechanism();
    let mut signature = vec![0; SIGNATURE_MAX];
    let mut length = SIGNATURE_MAX as CK_ULONG;
    let data_length = data.len() as CK_ULONG;
    // SAFETY: the mechanism's parameter lives in `signing`; both buffers are as long as is said.
    let value = unsafe {
        match call.module.real.C_SignInit?(session, &mut mechanism, key) {
            CKR_OK => call.module.real.C_Sign?(
                session,
                data.as_mut_ptr(),
                data_length,
                signature.as_mut_ptr(),
                &mut length,
            ),
            refused => refused,
        }
    };
    signature.truncate(length as usize);
    (value == CKR_OK).then_some(signature)
}

/// Longest signature, in bytes: RSA with 8192 bits.
const SIGNATURE_MAX: usize = 1024;

/// Ends a signature that the script let fail before the real module heard of it: after a failure
/// no operation is under way (PKCS#11 v2.40 §5.11, C_Sign).
pub(crate) fn end_operation(call: &Call, session: CK_SESSION_HANDLE, data: &mut [u8]) {
    let mut signature = [0; SIGNATURE_MAX];
    let mut length = SIGNATURE_MAX as CK_ULONG;
    if let Some(sign) = call.module.real.C_Sign {
        // SAFETY: both buffers are as long as is said.
        unsafe {
            let data_length = data.len() as CK_ULONG;
            sign(session, data.as_mut_ptr(), data_length, signature.as_mut_ptr(), &mut length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_of_high_low_and_zero_numbers() {
        assert_eq!(in_der(&[0x81, 1, 0, 2]), [0x30, 8, 2, 3, 0, 0x81, 1, 2, 1, 2]);
        assert_eq!(in_der(&[0, 0, 0x7f, 1]), [0x30, 7, 2, 1, 0, 2, 2, 0x7f, 1]);
    }

    #[test]
    fn fields_are_padded() {
        let mut field = *b"SoftHSM ";
        fill(&mut field, "abc");
        assert_eq!(&field, b"abc     ");
        fill(&mut field, "much too long");
        assert_eq!(&field, b"much too");
    }
}
