//! Structure of RDATA on the wire: how long each field is, and whether it is sound.
//! In: octets from a transfer or from text, not trusted. Out: lengths, never beyond the input.
//! Never: compression pointers (RDATA here is whole), panics.

use super::table::Kind;
use super::{apl, loc, svcb};
use crate::name::{LABEL_LENGTH_MAX, NAME_LENGTH_MAX};

/// Octets that a field of this kind takes at the start of `rest`; `None` when it is malformed.
/// The answer is never more than `rest` has.
pub(super) fn field_length(kind: Kind, rest: &[u8]) -> Option<usize> {
    let all = rest.len();
    let length = match kind {
        Kind::Name | Kind::CanonicalName => name_length(rest)?,
        Kind::U8 | Kind::Algorithm | Kind::Scheme => 1,
        Kind::U16 | Kind::Type | Kind::CertType => 2,
        Kind::U32 | Kind::Period | Kind::Time | Kind::Ip4 => 4,
        Kind::U64 | Kind::Eui64 | Kind::Locator64 => 8,
        Kind::Eui48 => 6,
        Kind::Ip6 => 16,
        Kind::Text => text_length(rest)?,
        Kind::TextOptional if all == 0 => 0,
        Kind::TextOptional => text_length(rest)?,
        Kind::Texts => texts_length(rest)?,
        Kind::TextRest | Kind::Base64Optional | Kind::Base64Dash | Kind::Opaque => all,
        Kind::TextRestSome | Kind::Hex | Kind::Base64 | Kind::Nsap => at_least(1, all)?,
        Kind::Atma => atma_length(rest)?,
        Kind::ZoneDigest => at_least(12, all)?,
        Kind::TypedDigest => typed_digest_length(rest)?,
        Kind::Tag => tag_length(rest)?,
        Kind::Digits => digits_length(rest)?,
        Kind::Salt => text_length(rest)?,
        Kind::NextHash => text_length(rest).filter(|length| *length > 1)?,
        Kind::Bitmap => bitmap_length(rest)?,
        Kind::Loc => loc::length(rest)?,
        Kind::Apl => apl::length(rest)?,
        Kind::SvcParams => svcb::length(rest)?,
        Kind::IpsecGateway => 2 + gateway_length(*rest.first()?, rest.get(2..)?)?,
        Kind::AmtRelay => 1 + gateway_length(rest.first()? & 0x7F, &rest[1..])?,
        Kind::Hip => hip_length(rest)?,
        Kind::A6 => a6_length(rest)?,
    };
    (length <= all).then_some(length)
}

fn at_least(minimum: usize, length: usize) -> Option<usize> {
    (length >= minimum).then_some(length)
}

/// Length of the uncompressed name at the start of `rest`.
pub(super) fn name_length(rest: &[u8]) -> Option<usize> {
    let mut end = 0;
    loop {
        let length = usize::from(*rest.get(end)?);
        end += 1 + length;
        if length > LABEL_LENGTH_MAX || end > NAME_LENGTH_MAX {
            return None;
        }
        if length == 0 {
            return Some(end);
        }
    }
}

/// Length of a field behind a length octet, that octet included.
fn text_length(rest: &[u8]) -> Option<usize> {
    let length = 1 + usize::from(*rest.first()?);
    (length <= rest.len()).then_some(length)
}

fn texts_length(rest: &[u8]) -> Option<usize> {
    let mut end = text_length(rest)?;
    while end < rest.len() {
        end += text_length(&rest[end..])?;
    }
    Some(end)
}

fn tag_length(rest: &[u8]) -> Option<usize> {
    let length = text_length(rest)?;
    (length > 1 && rest[1..length].iter().all(u8::is_ascii_alphanumeric)).then_some(length)
}

fn digits_length(rest: &[u8]) -> Option<usize> {
    let length = text_length(rest)?;
    (length > 4 && rest[1..length].iter().all(u8::is_ascii_digit)).then_some(length)
}

/// Digest lengths that are fixed by the digest type: SHA-1, SHA-256, SHA-384 (RFC 3658, 4509,
/// 6605). Others may have any.
fn typed_digest_length(rest: &[u8]) -> Option<usize> {
    let fits = match (rest.first()?, rest.len() - 1) {
        (1, length) => length == 20,
        (2, length) => length == 32,
        (4, length) => length == 48,
        (_, length) => length > 0,
    };
    fits.then_some(rest.len())
}

/// Windows in ascending order, each 1 to 32 octets without trailing zeros (RFC 4034 §4.1.2).
fn bitmap_length(rest: &[u8]) -> Option<usize> {
    let mut blocks = rest;
    let mut last: Option<u8> = None;
    while let [window, length, tail @ ..] = blocks {
        let (bits, next) = tail.split_at_checked(usize::from(*length))?;
        let sound = (1..=32).contains(length) && bits.last() != Some(&0);
        if !sound || last.is_some_and(|last| last >= *window) {
            return None;
        }
        last = Some(*window);
        blocks = next;
    }
    blocks.is_empty().then_some(rest.len())
}

/// Length of a gateway: none, IPv4, IPv6, name (RFC 4025 §2.5, RFC 8777 §4.2.3).
pub(super) fn gateway_length(gateway_type: u8, rest: &[u8]) -> Option<usize> {
    match gateway_type {
        0 => Some(0),
        1 => Some(4),
        2 => Some(16),
        3 => name_length(rest),
        _ => None,
    }
}

/// Where identity, key and servers end in HIP RDATA: (end of identity, end of key).
pub(super) fn hip_parts(rest: &[u8]) -> Option<(usize, usize)> {
    let [identity_length, _algorithm, high, low, ..] = rest else { return None };
    let identity_end = 4 + usize::from(*identity_length);
    let key_end = identity_end + usize::from(u16::from_be_bytes([*high, *low]));
    let sound = identity_end > 4 && key_end > identity_end && key_end <= rest.len();
    sound.then_some((identity_end, key_end))
}

fn hip_length(rest: &[u8]) -> Option<usize> {
    let (_, mut end) = hip_parts(rest)?;
    while end < rest.len() {
        end += name_length(&rest[end..])?;
    }
    Some(end)
}

/// Format 0 takes any octets, format 1 digits (E.164).
fn atma_length(rest: &[u8]) -> Option<usize> {
    match rest {
        [0, _, ..] => Some(rest.len()),
        [1, digits @ ..] if !digits.is_empty() => {
            digits.iter().all(u8::is_ascii_digit).then_some(rest.len())
        }
        _ => None,
    }
}

/// Where the prefix name of A6 starts (RFC 2874 §3.1).
pub(super) fn a6_name_offset(prefix_bits: u8) -> usize {
    1 + usize::from(128_u8.saturating_sub(prefix_bits)).div_ceil(8)
}

fn a6_length(rest: &[u8]) -> Option<usize> {
    let prefix_bits = *rest.first()?;
    let name_at = a6_name_offset(prefix_bits);
    match prefix_bits {
        0 => Some(name_at),
        1..=128 => Some(name_at + name_length(rest.get(name_at..)?)?),
        _ => None,
    }
}
