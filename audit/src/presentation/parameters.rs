//! Service parameters of SVCB and HTTPS from text. RFC 9460 §2.1 and appendix A (text), §7 (the
//! parameters), RFC 9461 §5 (`dohpath`), RFC 9540 (`ohttp`).

use super::encodings::{self, Base64};
use super::lexer::{Word, unescape};
use super::rdata::{Fields, not_a};
use super::{TextError, TextProblem};
use std::net::{Ipv4Addr, Ipv6Addr};

const EXPECTED: &str = "a service parameter like alpn=h2 (RFC 9460)";
/// Keys have 16 bits and may not be repeated; more parameters than this are nobody's.
const PARAMETERS_MAX: usize = 256;

const KEYS: [(&str, u16); 9] = [
    ("mandatory", 0),
    ("alpn", 1),
    ("no-default-alpn", 2),
    ("port", 3),
    ("ipv4hint", 4),
    ("ech", 5),
    ("ipv6hint", 6),
    ("dohpath", 7),
    ("ohttp", 8),
];

/// Reads the parameters to the end of the entry; in wire form they are in order of their keys.
pub(super) fn read<'t>(
    fields: &mut Fields<'_, 't>,
    first: &mut Option<Word<'t>>,
) -> Result<(), TextError> {
    let start = fields.out.len();
    let mut parameters: Vec<(u16, Vec<u8>)> = Vec::new();
    while let Some(word) = fields.next_word(first)? {
        let parameter = parameter(&word).ok_or_else(|| not_a(&word, EXPECTED))?;
        let is_repeated = parameters.iter().any(|(key, _)| *key == parameter.0);
        if is_repeated || parameters.len() == PARAMETERS_MAX {
            return Err(word.error(TextProblem::TooMuch));
        }
        if parameter.1.len() > usize::from(u16::MAX) {
            return Err(word.error(TextProblem::TooLong));
        }
        parameters.push(parameter);
    }
    parameters.sort_unstable();
    for (key, value) in parameters {
        fields.out.extend_from_slice(&key.to_be_bytes());
        fields.out.extend_from_slice(&(value.len() as u16).to_be_bytes());
        fields.out.extend_from_slice(&value);
        if fields.out.len() - start > usize::from(u16::MAX) {
            return Err(fields.lexer.error(TextProblem::TooLong));
        }
    }
    Ok(())
}

/// Key and value in wire form.
fn parameter(word: &Word<'_>) -> Option<(u16, Vec<u8>)> {
    if word.is_quoted {
        return None;
    }
    let equals = word.bytes.iter().position(|&octet| octet == b'=');
    let (key, value) = match equals {
        Some(at) => (&word.bytes[..at], Some(&word.bytes[at + 1..])),
        None => (word.bytes, None),
    };
    let key = key_number(key)?;
    // A value is one word, or one text in quotes.
    let value = match value {
        Some([b'"', inner @ .., b'"']) => Some(inner),
        Some(plain) if plain.contains(&b'"') && !word.has_escape => return None,
        other => other,
    };
    let mut octets = Vec::new();
    unescape(value.unwrap_or_default(), |octet, _| octets.push(octet)).ok()?;
    Some((key, value_of(key, octets)?))
}

fn key_number(text: &[u8]) -> Option<u16> {
    if let Some((_, number)) = KEYS.iter().find(|(name, _)| name.as_bytes() == text) {
        return Some(*number);
    }
    let digits = text.strip_prefix(b"key")?;
    let is_canonical = digits == b"0" || digits.first() != Some(&b'0');
    let number = encodings::number(digits, u64::from(u16::MAX)).filter(|_| is_canonical)?;
    Some(number as u16)
}

fn value_of(key: u16, octets: Vec<u8>) -> Option<Vec<u8>> {
    let mut wire = Vec::new();
    match key {
        0 => {
            let mut keys = list(&octets, key_number)?;
            keys.sort_unstable();
            let has_pairs = keys.windows(2).any(|pair| pair[0] == pair[1]);
            if has_pairs || keys.contains(&0) {
                return None;
            }
            wire.extend(keys.into_iter().flat_map(u16::to_be_bytes));
        }
        1 => protocols(&octets, &mut wire)?,
        2 | 8 => return octets.is_empty().then_some(wire),
        3 => {
            let port = encodings::number(&octets, u64::from(u16::MAX))? as u16;
            wire.extend_from_slice(&port.to_be_bytes());
        }
        4 => {
            let read = |item: &[u8]| std::str::from_utf8(item).ok()?.parse().ok();
            let addresses: Vec<Ipv4Addr> = list(&octets, read)?;
            wire.extend(addresses.into_iter().flat_map(|address| address.octets()));
        }
        5 => {
            let mut base64 = Base64::default();
            let is_data = base64.push(&octets, &mut wire) && base64.finish(&mut wire);
            return (is_data && !wire.is_empty()).then_some(wire);
        }
        6 => {
            let read = |item: &[u8]| std::str::from_utf8(item).ok()?.parse().ok();
            let addresses: Vec<Ipv6Addr> = list(&octets, read)?;
            wire.extend(addresses.into_iter().flat_map(|address| address.octets()));
        }
        _ => return Some(octets),
    }
    Some(wire)
}

/// Items between commas, at least one.
fn list<T>(octets: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Option<Vec<T>> {
    octets.split(|&octet| octet == b',').map(read).collect()
}

/// Protocol names between commas, in which a comma or a backslash has a backslash before it
/// (RFC 9460 appendix A.1).
fn protocols(octets: &[u8], wire: &mut Vec<u8>) -> Option<()> {
    let mut length_at = wire.len();
    wire.push(0);
    let mut rest = octets.iter();
    while let Some(&octet) = rest.next() {
        match octet {
            b',' => {
                close(wire, length_at)?;
                length_at = wire.len();
                wire.push(0);
            }
            b'\\' => {
                let escaped = *rest.next().filter(|&&next| next == b',' || next == b'\\')?;
                wire.push(escaped);
            }
            _ => wire.push(octet),
        }
    }
    close(wire, length_at)
}

fn close(wire: &mut [u8], length_at: usize) -> Option<()> {
    let length = wire.len() - length_at - 1;
    wire[length_at] = u8::try_from(length).ok().filter(|&length| length > 0)?;
    Some(())
}
