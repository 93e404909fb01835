//! Presentation form to wire, field by field. RFC 1035 §5.1, RFC 3597 §5 and the documents of
//! the types. In: a cursor over fields. Out: octets appended to the caller's buffer.
//! Never: a position in a file; errors name the field.

use super::encoding::{
    Cursor, append_name, hex_digit, parse_base32hex, parse_base64_rest, parse_hex, parse_hex_rest,
    parse_number, parse_period, parse_text, unescape,
};
use super::error::RdataError;
use super::mnemonic::{algorithm, cert_type, rrtype_from_mnemonic};
use super::table::Kind;
use super::time::parse_time;
use super::{RDATA_LENGTH_MAX, apl, loc, svcb, wire};
use crate::Name;

/// Reads one field, or as many as `kind` takes.
pub(super) fn parse_field(
    kind: Kind,
    cursor: &mut Cursor<'_, '_>,
    origin: Option<&Name>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let expected = kind.expected();
    match kind {
        Kind::Name | Kind::CanonicalName => parse_name(expected, cursor, origin, out)?,
        Kind::U8 => parse_integer(kind, 1, cursor, out)?,
        Kind::U16 => parse_integer(kind, 2, cursor, out)?,
        Kind::U32 => parse_integer(kind, 4, cursor, out)?,
        Kind::U64 => parse_integer(kind, 8, cursor, out)?,
        Kind::Period => {
            out.extend_from_slice(&cursor.read(expected, parse_period)?.to_be_bytes());
        }
        Kind::Time => out.extend_from_slice(&cursor.read(expected, parse_time)?.to_be_bytes()),
        Kind::Ip4 => out.extend_from_slice(&cursor.read(expected, parse_ip4)?),
        Kind::Ip6 => out.extend_from_slice(&cursor.read(expected, parse_ip6)?),
        Kind::Type => {
            let rtype = cursor.read(expected, rrtype_from_mnemonic)?;
            out.extend_from_slice(&rtype.0.to_be_bytes());
        }
        Kind::Algorithm | Kind::Scheme => out.push(cursor.read(expected, |text| {
            parse_number(text, 255).map(|number| number as u8).or_else(|| match kind {
                Kind::Algorithm => algorithm(text),
                _ => text.eq_ignore_ascii_case(b"NOTIFY").then_some(1),
            })
        })?),
        Kind::CertType => {
            let number = cursor.read(expected, |text| {
                parse_number(text, 65_535).map(|number| number as u16).or_else(|| cert_type(text))
            })?;
            out.extend_from_slice(&number.to_be_bytes());
        }
        Kind::Text => cursor.read(expected, |text| parse_text(text, out))?,
        Kind::TextOptional if cursor.peek().is_none() => {}
        Kind::TextOptional => cursor.read(expected, |text| parse_text(text, out))?,
        Kind::Texts => {
            cursor.read(expected, |text| parse_text(text, out))?;
            while cursor.peek().is_some() {
                cursor.read(expected, |text| parse_text(text, out))?;
            }
        }
        Kind::Base64Optional => parse_base64_rest(expected, cursor, out)?,
        Kind::Base64Dash if cursor.peek().is_some_and(|field| field.text == b"-") => {
            cursor.take(expected)?;
        }
        Kind::Loc => loc::parse(cursor, out)?,
        Kind::Apl => apl::parse(cursor, out)?,
        Kind::SvcParams => svcb::parse(cursor, out)?,
        Kind::Bitmap => parse_bitmap(cursor, out)?,
        Kind::IpsecGateway | Kind::AmtRelay => parse_gateway(kind, cursor, origin, out)?,
        Kind::Hip => parse_hip(cursor, origin, out)?,
        _ => parse_checked(kind, cursor, out)?,
    }
    Ok(())
}

/// Kinds whose octets are judged after reading, by the same rules as octets from a transfer.
fn parse_checked(
    kind: Kind,
    cursor: &mut Cursor<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let start = out.len();
    let expected = kind.expected();
    if cursor.peek().is_none() {
        return Err(RdataError::Missing { expected });
    }
    match kind {
        Kind::Hex | Kind::ZoneDigest => parse_hex_rest(expected, cursor, out)?,
        Kind::TypedDigest => {
            parse_integer(Kind::U8, 1, cursor, out)?;
            if cursor.peek().is_none() {
                return Err(RdataError::Missing { expected });
            }
            parse_hex_rest(expected, cursor, out)?;
        }
        Kind::Base64 | Kind::Base64Dash => parse_base64_rest(expected, cursor, out)?,
        Kind::Tag | Kind::Digits => cursor.read(expected, |text| parse_text(text, out))?,
        Kind::TextRest | Kind::TextRestSome => {
            cursor.read(expected, |text| unescape(text, out).ok())?;
        }
        Kind::Salt | Kind::NextHash => cursor.read(expected, |text| {
            out.push(0);
            match (kind, text) {
                (Kind::Salt, b"-") => {}
                (Kind::Salt, _) => parse_hex(text, out)?,
                _ => parse_base32hex(text, out)?,
            }
            out[start] = u8::try_from(out.len() - start - 1).ok()?;
            Some(())
        })?,
        Kind::Eui48 | Kind::Eui64 => {
            cursor.read(expected, |text| parse_groups(text, b'-', 2, out))?;
        }
        Kind::Locator64 => cursor.read(expected, |text| parse_locator(text, out))?,
        Kind::Nsap => cursor.read(expected, |text| parse_nsap(text, out))?,
        Kind::Atma => cursor.read(expected, |text| parse_atma(text, out))?,
        // Left are A6 and opaque data, which have no text of their own.
        _ => return Err(cursor.unexpected(expected)),
    }
    match wire::field_length(kind, &out[start..]) {
        Some(length) if length == out.len() - start => Ok(()),
        _ => Err(cursor.refuse(expected)),
    }
}

fn parse_name(
    expected: &'static str,
    cursor: &mut Cursor<'_, '_>,
    origin: Option<&Name>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let field = cursor.take(expected)?;
    append_name(field.text, origin, out).map_err(|cause| cursor.bad_name(cause))
}

fn parse_integer(
    kind: Kind,
    octets: usize,
    cursor: &mut Cursor<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let max = u64::MAX >> (64 - 8 * octets);
    let number = cursor.read(kind.expected(), |text| parse_number(text, max))?;
    out.extend_from_slice(&number.to_be_bytes()[8 - octets..]);
    Ok(())
}

/// Reads an IPv4 address: four decimal numbers without leading zeros.
pub(super) fn parse_ip4(text: &[u8]) -> Option<[u8; 4]> {
    let mut address = [0; 4];
    let mut parts = text.split(|octet| *octet == b'.');
    for slot in &mut address {
        let part = parts.next()?;
        if part.len() > 3 || (part.len() > 1 && part[0] == b'0') {
            return None;
        }
        *slot = parse_number(part, 255)? as u8;
    }
    parts.next().is_none().then_some(address)
}

/// Reads an IPv6 address (RFC 4291 §2.2).
pub(super) fn parse_ip6(text: &[u8]) -> Option<[u8; 16]> {
    let address: std::net::Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.octets())
}

/// Groups of `digits` hexadecimal digits with `separator` between them.
fn parse_groups(text: &[u8], separator: u8, digits: usize, out: &mut Vec<u8>) -> Option<()> {
    for group in text.split(|octet| *octet == separator) {
        if group.len() != digits {
            return None;
        }
        parse_hex(group, out)?;
    }
    Some(())
}

/// Four groups of one to four hexadecimal digits (RFC 6742 §2.1.2).
fn parse_locator(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    for group in text.split(|octet| *octet == b':') {
        if group.is_empty() || group.len() > 4 {
            return None;
        }
        let mut value: u16 = 0;
        for octet in group {
            value = value << 4 | u16::from(hex_digit(*octet)?);
        }
        out.extend_from_slice(&value.to_be_bytes());
    }
    Some(())
}

/// `0x` and pairs of hexadecimal digits, with dots anywhere between pairs (RFC 1706 §5).
fn parse_nsap(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let digits = text.strip_prefix(b"0x").or(text.strip_prefix(b"0X"))?;
    digits.split(|octet| *octet == b'.').try_for_each(|part| parse_hex(part, out))
}

/// `+digits` is an E.164 number, anything else hexadecimal with optional dots.
fn parse_atma(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if let Some(digits) = text.strip_prefix(b"+") {
        out.push(1);
        out.extend_from_slice(digits);
        return Some(());
    }
    out.push(0);
    text.split(|octet| *octet == b'.').try_for_each(|part| parse_hex(part, out))
}

/// A list of types, in any order, as a bitmap (RFC 4034 §4.1.2). Types above 255 are collected
/// in a vector first; the others, nearly all, need no memory.
fn parse_bitmap(cursor: &mut Cursor<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut low = [0_u8; 32];
    let mut high: Vec<u16> = Vec::new();
    while cursor.peek().is_some() {
        let rtype = cursor.read(Kind::Type.expected(), rrtype_from_mnemonic)?;
        match u8::try_from(rtype.0) {
            Ok(number) => set_bit(&mut low, number),
            Err(_) => high.push(rtype.0),
        }
    }
    append_window(0, &low, out);
    high.sort_unstable();
    for window in high.chunk_by(|one, other| one >> 8 == other >> 8) {
        let mut bits = [0; 32];
        for rtype in window {
            set_bit(&mut bits, *rtype as u8);
        }
        append_window((window[0] >> 8) as u8, &bits, out);
    }
    Ok(())
}

fn set_bit(bits: &mut [u8; 32], number: u8) {
    bits[usize::from(number / 8)] |= 0x80 >> (number % 8);
}

fn append_window(window: u8, bits: &[u8; 32], out: &mut Vec<u8>) {
    if let Some(last) = bits.iter().rposition(|octet| *octet != 0) {
        out.extend_from_slice(&[window, last as u8 + 1]);
        out.extend_from_slice(&bits[..=last]);
    }
}

/// IPSECKEY: gateway type, algorithm, gateway. AMTRELAY: discovery bit, relay type, relay.
fn parse_gateway(
    kind: Kind,
    cursor: &mut Cursor<'_, '_>,
    origin: Option<&Name>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let expected = kind.expected();
    let gateway_type = if kind == Kind::IpsecGateway {
        let gateway_type = cursor.read(Kind::U8.expected(), |text| parse_number(text, 255))?;
        let algorithm = cursor.read(Kind::U8.expected(), |text| parse_number(text, 255))?;
        out.extend_from_slice(&[gateway_type as u8, algorithm as u8]);
        gateway_type
    } else {
        let discovery = cursor.read("0 or 1", |text| parse_number(text, 1))?;
        let relay_type = cursor.read("a relay type", |text| parse_number(text, 127))?;
        out.push((discovery << 7) as u8 | relay_type as u8);
        relay_type
    };
    match gateway_type {
        0 => cursor.read(expected, |text| (text == b".").then_some(()))?,
        1 => out.extend_from_slice(&cursor.read(expected, parse_ip4)?),
        2 => out.extend_from_slice(&cursor.read(expected, parse_ip6)?),
        3 => parse_name(expected, cursor, origin, out)?,
        _ => return Err(cursor.refuse(expected)),
    }
    Ok(())
}

/// Algorithm, identity in hexadecimal, key in base64 as one field, servers (RFC 8005 §6).
fn parse_hip(
    cursor: &mut Cursor<'_, '_>,
    origin: Option<&Name>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let expected = Kind::Hip.expected();
    let start = out.len();
    let algorithm = cursor.read(Kind::U8.expected(), |text| parse_number(text, 255))? as u8;
    out.extend_from_slice(&[0, algorithm, 0, 0]);
    out[start] = cursor.read(expected, |text| {
        parse_hex(text, out)?;
        u8::try_from(out.len() - start - 4).ok().filter(|length| *length > 0)
    })?;
    let key_start = out.len();
    let key_length = cursor.read(expected, |text| {
        let mut decoder = super::encoding::Base64::default();
        decoder.feed(text, out)?;
        decoder.finish()?;
        u16::try_from(out.len() - key_start).ok().filter(|length| *length > 0)
    })?;
    out[start + 2..start + 4].copy_from_slice(&key_length.to_be_bytes());
    while cursor.peek().is_some() {
        parse_name(expected, cursor, origin, out)?;
    }
    Ok(())
}

/// `\# length hex` (RFC 3597 §5).
pub(super) fn parse_generic(
    cursor: &mut Cursor<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    cursor.take("`\\#`")?;
    let stated = cursor
        .read("a length up to 65535", |text| parse_number(text, RDATA_LENGTH_MAX as u64))?
        as usize;
    let field = cursor.last_index();
    let start = out.len();
    parse_hex_rest("hexadecimal data", cursor, out)?;
    match out.len() - start {
        actual if actual == stated => Ok(()),
        actual => Err(RdataError::GenericLength { stated, actual, field }),
    }
}
