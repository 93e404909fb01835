//! Parameters of SVCB and HTTPS. RFC 9460 §2.1 and appendix A (text), §2.2 (wire), §7 and §8
//! (keys); RFC 9461 (dohpath), RFC 9540 (ohttp).
//! In: fields in any order, or octets. Out: octets in order of the keys, or text.
//! Keys above 6 are printed as `keyNNNNN`: older tools do not know their names.
//! Allocates while sorting: these records are few.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::encoding::{Base64, Cursor, number, parse_number, print_base64, print_decimal};
use super::encoding::{print_quoted, print_text_octet, unescape};
use super::error::{Field, RdataError};
use super::text;

const EXPECTED: &str = "a service parameter like alpn=h2 or key65000=text (RFC 9460)";
const EXPECTED_ONCE: &str = "each service parameter once";
const EXPECTED_SOUND: &str = "service parameters that fit together (mandatory, no-default-alpn)";

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const OHTTP: u16 = 8;
/// Names by key number.
const NAMES: [&str; 9] = [
    "mandatory",
    "alpn",
    "no-default-alpn",
    "port",
    "ipv4hint",
    "ech",
    "ipv6hint",
    "dohpath",
    "ohttp",
];
/// Keys below this are printed by name.
const PRINTED_NAMES: u16 = 7;

fn key_number(text: &[u8]) -> Option<u16> {
    if let Some(at) = NAMES.iter().position(|name| name.as_bytes() == text) {
        return Some(at as u16);
    }
    let digits = text.strip_prefix(b"key")?;
    let leading_zero = digits.len() > 1 && digits[0] == b'0';
    // 65535 is reserved as invalid (RFC 9460 §14.3.2).
    parse_number(digits, 65_534).filter(|_| !leading_zero).map(|key| key as u16)
}

/// One parameter at the start of `rest`: key, value, what follows.
fn parameter(rest: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let [key_high, key_low, high, low, tail @ ..] = rest else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let (value, next) = tail.split_at_checked(length)?;
    Some((u16::from_be_bytes([*key_high, *key_low]), value, next))
}

/// Length of sound parameters: keys ascending, values of their key's form.
pub(super) fn length(rest: &[u8]) -> Option<usize> {
    let mut parameters = rest;
    let mut last: Option<u16> = None;
    let mut mandatory: &[u8] = &[];
    let mut mandatory_left = 0;
    let mut alpn_seen = false;
    while !parameters.is_empty() {
        let (key, value, next) = parameter(parameters)?;
        if last.is_some_and(|last| last >= key) || key == u16::MAX || !value_fits(key, value) {
            return None;
        }
        match key {
            MANDATORY => {
                mandatory = value;
                mandatory_left = value.len() / 2;
            }
            ALPN => alpn_seen = true,
            // RFC 9460 §7.1.1: it takes the default out of a set that must be there.
            NO_DEFAULT_ALPN if !alpn_seen => return None,
            _ => {}
        }
        let is_mandatory = mandatory.chunks_exact(2).any(|listed| number(listed) == key.into());
        mandatory_left -= usize::from(key != MANDATORY && is_mandatory);
        last = Some(key);
        parameters = next;
    }
    (mandatory_left == 0).then_some(rest.len())
}

fn value_fits(key: u16, value: &[u8]) -> bool {
    let length = value.len();
    match key {
        MANDATORY => {
            let keys = || value.chunks_exact(2).map(number);
            let ascending = keys().zip(keys().skip(1)).all(|(one, next)| one < next);
            length > 0 && length.is_multiple_of(2) && ascending && keys().all(|key| key != 0)
        }
        ALPN => {
            let mut rest = value;
            while let Some((size, tail)) = rest.split_first() {
                match tail.get(usize::from(*size)..) {
                    Some(next) if *size > 0 => rest = next,
                    _ => return false,
                }
            }
            length > 0
        }
        NO_DEFAULT_ALPN | OHTTP => length == 0,
        PORT => length == 2,
        IPV4HINT => length > 0 && length.is_multiple_of(4),
        IPV6HINT => length > 0 && length.is_multiple_of(16),
        ECH => length > 0,
        _ => true,
    }
}

/// Reads the text form; parameters may come in any order.
pub(super) fn parse(cursor: &mut Cursor<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let start = out.len();
    let mut parameters: Vec<(u16, Vec<u8>)> = Vec::new();
    while cursor.peek().is_some() {
        let field = cursor.take(EXPECTED)?;
        let text = field.text;
        let equals = text.iter().position(|octet| *octet == b'=');
        let (name, direct) = match equals {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let key = key_number(name).filter(|_| !field.quoted);
        let key = key.ok_or_else(|| cursor.refuse(EXPECTED))?;
        let value = match (direct, cursor.peek()) {
            // `alpn="h2,h3"`: the quoted part is a field of its own, joined to this one.
            (Some(b""), Some(Field { joined: true, quoted: true, text, .. })) => {
                cursor.take(EXPECTED)?;
                Some(text)
            }
            (direct, _) => direct,
        };
        let wire = parse_value(key, value).ok_or_else(|| cursor.refuse(EXPECTED))?;
        if parameters.iter().any(|(other, _)| *other == key) {
            return Err(cursor.refuse(EXPECTED_ONCE));
        }
        parameters.push((key, wire));
    }
    parameters.sort();
    for (key, value) in &parameters {
        let size = u16::try_from(value.len()).map_err(|_| RdataError::TooLong)?;
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&size.to_be_bytes());
        out.extend_from_slice(value);
    }
    length(&out[start..]).map(|_| ()).ok_or_else(|| cursor.refuse(EXPECTED_SOUND))
}

fn parse_value(key: u16, text: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    unescape(text.unwrap_or(b""), &mut plain).ok()?;
    let mut wire = Vec::new();
    match key {
        MANDATORY => {
            let keys: Option<Vec<u16>> =
                plain.split(|octet| *octet == b',').map(key_number).collect();
            let mut keys = keys?;
            keys.sort_unstable();
            wire.extend(keys.iter().flat_map(|key| key.to_be_bytes()));
        }
        ALPN => parse_alpn(&plain, &mut wire)?,
        PORT => {
            let port = parse_number(&plain, u64::from(u16::MAX))? as u16;
            wire.extend_from_slice(&port.to_be_bytes());
        }
        IPV4HINT => {
            for address in plain.split(|octet| *octet == b',') {
                wire.extend_from_slice(&text::parse_ip4(address)?);
            }
        }
        IPV6HINT => {
            for address in plain.split(|octet| *octet == b',') {
                wire.extend_from_slice(&text::parse_ip6(address)?);
            }
        }
        ECH => {
            let mut decoder = Base64::default();
            decoder.feed(&plain, &mut wire)?;
            decoder.finish()?;
        }
        _ => wire = plain,
    }
    value_fits(key, &wire).then_some(wire)
}

/// Comma-separated identifiers in which `\,` and `\\` stand for themselves (RFC 9460 A.1).
fn parse_alpn(plain: &[u8], wire: &mut Vec<u8>) -> Option<()> {
    let mut size_at = 0;
    wire.push(0);
    let mut octets = plain.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b',' => {
                wire[size_at] = u8::try_from(wire.len() - size_at - 1).ok()?;
                size_at = wire.len();
                wire.push(0);
            }
            b'\\' => wire.push(*octets.next().filter(|next| matches!(next, b',' | b'\\'))?),
            _ => wire.push(*octet),
        }
    }
    wire[size_at] = u8::try_from(wire.len() - size_at - 1).ok()?;
    Some(())
}

/// Appends the text form of sound parameters.
pub(super) fn print(data: &[u8], out: &mut Vec<u8>) {
    let mut parameters = data;
    while let Some((key, value, next)) = parameter(parameters) {
        print_key(key, out);
        if !value.is_empty() {
            out.push(b'=');
            print_value(key, value, out);
        }
        out.push(b' ');
        parameters = next;
    }
}

fn print_key(key: u16, out: &mut Vec<u8>) {
    match NAMES.get(usize::from(key)) {
        Some(name) if key < PRINTED_NAMES => out.extend_from_slice(name.as_bytes()),
        _ => {
            out.extend_from_slice(b"key");
            print_decimal(u64::from(key), out);
        }
    }
}

fn print_value(key: u16, value: &[u8], out: &mut Vec<u8>) {
    match key {
        MANDATORY => print_list(value.chunks_exact(2), out, |listed, out| {
            print_key(number(listed) as u16, out);
        }),
        ALPN => print_alpn(value, out),
        PORT => print_decimal(number(value), out),
        // Writing to a Vec cannot fail.
        IPV4HINT => print_list(value.chunks_exact(4), out, |address, out| {
            let _ = write!(out, "{}", Ipv4Addr::from(number(address) as u32));
        }),
        IPV6HINT => print_list(value.chunks_exact(16), out, |address, out| {
            let (high, low) = address.split_at(8);
            let bits = u128::from(number(high)) << 64 | u128::from(number(low));
            let _ = write!(out, "{}", Ipv6Addr::from(bits));
        }),
        ECH => print_base64(value, out),
        _ => print_quoted(value, out),
    }
}

fn print_list<'a>(
    items: impl Iterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
    print: impl Fn(&[u8], &mut Vec<u8>),
) {
    for (count, item) in items.enumerate() {
        if count > 0 {
            out.push(b',');
        }
        print(item, out);
    }
}

/// Commas and backslashes in an identifier are escaped twice: for the list, then for the text.
fn print_alpn(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = value;
    while let Some((size, tail)) = rest.split_first() {
        if rest.len() < value.len() {
            out.push(b',');
        }
        let (identifier, next) = tail.split_at(usize::from(*size).min(tail.len()));
        for octet in identifier {
            match octet {
                b',' => out.extend_from_slice(b"\\\\,"),
                b'\\' => out.extend_from_slice(b"\\\\\\\\"),
                _ => print_text_octet(*octet, out),
            }
        }
        rest = next;
    }
    out.push(b'"');
}
