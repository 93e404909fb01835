//! Types whose data have a text of their own: LOC (RFC 1876), APL (RFC 3123), IPSECKEY (RFC 4025),
//! AMTRELAY (RFC 8777), HIP (RFC 8005), EUI48 and EUI64 (RFC 7043), NID and L64 (RFC 6742).

use super::encodings::{self, Hex};
use super::lexer::Word;
use super::rdata::{Fields, not_a, text_of};
use super::{TextError, TextProblem};
use std::net::{Ipv4Addr, Ipv6Addr};

type First<'w, 't> = &'w mut Option<Word<'t>>;

/// Hexadecimal pairs with hyphens between them.
pub(super) fn hyphenated<'t>(
    fields: &mut Fields<'_, 't>,
    first: First<'_, 't>,
    octets: u8,
) -> Result<(), TextError> {
    let expected = "an address like 00-00-5e-00-53-2a";
    let word = fields.plain(first, expected)?;
    let mut count = 0;
    for pair in word.bytes.split(|&octet| octet == b'-') {
        let mut hex = Hex::default();
        if pair.len() != 2 || !hex.push(pair, fields.out) {
            return Err(not_a(&word, expected));
        }
        count += 1;
    }
    if count == usize::from(octets) { Ok(()) } else { Err(not_a(&word, expected)) }
}

/// Four groups of hexadecimal digits with colons between them.
pub(super) fn locator<'t>(
    fields: &mut Fields<'_, 't>,
    first: First<'_, 't>,
) -> Result<(), TextError> {
    let expected = "four groups of hexadecimal digits like 2001:0db8:1140:1000";
    let word = fields.plain(first, expected)?;
    let mut count = 0;
    for group in word.bytes.split(|&octet| octet == b':') {
        let text = std::str::from_utf8(group).ok().filter(|text| (1..=4).contains(&text.len()));
        let text = text.filter(|text| text.bytes().all(|octet| octet.is_ascii_hexdigit()));
        let value = text.and_then(|text| u16::from_str_radix(text, 16).ok());
        let value = value.ok_or_else(|| not_a(&word, expected))?;
        fields.out.extend_from_slice(&value.to_be_bytes());
        count += 1;
    }
    if count == 4 { Ok(()) } else { Err(not_a(&word, expected)) }
}

/// Gateway type, algorithm and gateway.
pub(super) fn gateway<'t>(
    fields: &mut Fields<'_, 't>,
    first: First<'_, 't>,
) -> Result<(), TextError> {
    let kind = fields.number(first, 1)?;
    fields.algorithm(first)?;
    address_of_kind(fields, first, kind)
}

/// Discovery bit, relay type and relay.
pub(super) fn relay<'t>(
    fields: &mut Fields<'_, 't>,
    first: First<'_, 't>,
) -> Result<(), TextError> {
    let expected = "a discovery bit of 0 or 1";
    let word = fields.plain(first, expected)?;
    let bit = encodings::number(word.bytes, 1).ok_or_else(|| not_a(&word, expected))?;
    let kind = fields.number(first, 1)?;
    if let Some(octet) = fields.out.last_mut() {
        if kind > 3 {
            return Err(not_a(&word, "a relay type that is known"));
        }
        *octet |= (bit as u8) << 7;
    }
    address_of_kind(fields, first, kind)
}

fn address_of_kind<'t>(
    fields: &mut Fields<'_, 't>,
    first: First<'_, 't>,
    kind: u64,
) -> Result<(), TextError> {
    match kind {
        0 => {
            let word = fields.plain(first, "a gateway, which is . for none")?;
            if word.bytes == b"." { Ok(()) } else { Err(not_a(&word, "a gateway of its type")) }
        }
        1 => fields.ip4(first),
        2 => fields.ip6(first),
        3 => fields.name(first),
        _ => Err(fields.lexer.error(TextProblem::NotA { expected: "a gateway type up to 3" })),
    }
}

/// Algorithm, HIT, public key, rendezvous servers.
pub(super) fn host_identity<'t>(
    fields: &mut Fields<'_, 't>,
    first: First<'_, 't>,
) -> Result<(), TextError> {
    let start = fields.out.len();
    fields.out.push(0);
    fields.number(first, 1)?;
    fields.out.extend_from_slice(&[0, 0]);
    let hit_at = fields.out.len();
    let word = fields.plain(first, "a host identity tag")?;
    let mut hex = Hex::default();
    let is_hex = hex.push(word.bytes, fields.out) && hex.finish();
    let hit_length = u8::try_from(fields.out.len() - hit_at).ok().filter(|&length| length > 0);
    let hit_length = hit_length.filter(|_| is_hex);
    fields.out[start] = hit_length.ok_or_else(|| not_a(&word, "a host identity tag"))?;
    let key_at = fields.out.len();
    let word = fields.plain(first, "base64 data")?;
    let mut base64 = encodings::Base64::default();
    let is_base64 = base64.push(word.bytes, fields.out) && base64.finish(fields.out);
    let key_length = u16::try_from(fields.out.len() - key_at).ok().filter(|_| is_base64);
    let key_length = key_length.ok_or_else(|| not_a(&word, "base64 data"))?;
    fields.out[start + 2..start + 4].copy_from_slice(&key_length.to_be_bytes());
    while let Some(word) = fields.next_word(first)? {
        fields.name(&mut Some(word))?;
        fields.check_room(start, &word)?;
    }
    Ok(())
}

/// Items like `!1:192.0.2.0/24`, possibly none.
pub(super) fn address_prefixes<'t>(
    fields: &mut Fields<'_, 't>,
    first: First<'_, 't>,
) -> Result<(), TextError> {
    let start = fields.out.len();
    while let Some(word) = fields.next_word(first)? {
        let item = text_of(&word).and_then(address_prefix);
        let item = item.ok_or_else(|| not_a(&word, "an address prefix like 1:192.0.2.0/24"))?;
        fields.out.extend_from_slice(&item);
        fields.check_room(start, &word)?;
    }
    Ok(())
}

fn address_prefix(text: &str) -> Option<Vec<u8>> {
    let (is_negated, text) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (family, rest) = text.split_once(':')?;
    let (address, prefix) = rest.split_once('/')?;
    let (family, octets, bits): (u16, Vec<u8>, u64) = match family {
        "1" => (1, address.parse::<Ipv4Addr>().ok()?.octets().to_vec(), 32),
        "2" => (2, address.parse::<Ipv6Addr>().ok()?.octets().to_vec(), 128),
        _ => return None,
    };
    let prefix = encodings::number(prefix.as_bytes(), bits)? as u8;
    // RFC 3123 §4: zero octets at the end are left out.
    let length = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    let mut item = family.to_be_bytes().to_vec();
    item.push(prefix);
    item.push(length as u8 | u8::from(is_negated) << 7);
    item.extend_from_slice(&octets[..length]);
    Some(item)
}

const LOCATION: &str = "a location like 52 22 23.000 N 4 53 32.000 E -2.00m (RFC 1876)";

/// Degrees, minutes and seconds north or south, and east or west; altitude, size and precisions
/// in metres.
pub(super) fn location<'t>(
    fields: &mut Fields<'_, 't>,
    first: First<'_, 't>,
) -> Result<(), TextError> {
    let latitude = angle(fields, first, (b'N', b'S'), 90)?;
    let longitude = angle(fields, first, (b'E', b'W'), 180)?;
    let altitude = metres(fields, first)?;
    let altitude = altitude.ok_or_else(|| missing(fields))?;
    let altitude = u32::try_from(altitude + 10_000_000).map_err(|_| missing(fields))?;
    // RFC 1876 §3: 1 m, 10 km and 10 m where nothing is said.
    let mut sizes = [0x12, 0x16, 0x13];
    for size in &mut sizes {
        let Some(centimetres) = metres(fields, first)? else { break };
        *size = size_octet(centimetres).ok_or_else(|| missing(fields))?;
    }
    fields.out.push(0);
    fields.out.extend_from_slice(&sizes);
    for number in [latitude, longitude, altitude] {
        fields.out.extend_from_slice(&number.to_be_bytes());
    }
    Ok(())
}

fn missing(fields: &Fields<'_, '_>) -> TextError {
    fields.lexer.error(TextProblem::NotA { expected: LOCATION })
}

/// Thousandths of arc seconds, with 2^31 for the equator or the prime meridian.
fn angle<'t>(
    fields: &mut Fields<'_, 't>,
    first: First<'_, 't>,
    (positive, negative): (u8, u8),
    degrees_max: u64,
) -> Result<u32, TextError> {
    let mut parts = [0_u64; 3];
    for at in 0..=3 {
        let word = fields.plain(first, LOCATION)?;
        let letter = word.bytes.first().map(u8::to_ascii_uppercase);
        if word.bytes.len() == 1 && (letter == Some(positive) || letter == Some(negative)) {
            let [degrees, minutes, thousandths] = parts;
            let total = (degrees * 60 + minutes) * 60_000 + thousandths;
            let is_angle = at > 0 && minutes < 60 && thousandths < 60_000;
            if !is_angle || total > degrees_max * 3_600_000 {
                return Err(not_a(&word, LOCATION));
            }
            // At most 180 degrees, which is below 2^31.
            let total = total as u32;
            let is_positive = letter == Some(positive);
            let equator = 1_u32 << 31;
            return Ok(if is_positive { equator + total } else { equator - total });
        }
        let value = match at {
            0 | 1 => encodings::number(word.bytes, degrees_max),
            2 => decimal(word.bytes, 3).and_then(|value| u64::try_from(value).ok()),
            _ => None,
        };
        parts[at.min(2)] = value.ok_or_else(|| not_a(&word, LOCATION))?;
    }
    Err(missing(fields))
}

/// Centimetres, from a number of metres with or without an `m`; `None` at the end of the entry.
fn metres<'t>(fields: &mut Fields<'_, 't>, first: First<'_, 't>) -> Result<Option<i64>, TextError> {
    let Some(word) = fields.next_word(first)? else { return Ok(None) };
    let number = word.bytes.strip_suffix(b"m").unwrap_or(word.bytes);
    match decimal(number, 2) {
        Some(value) if !word.is_quoted => Ok(Some(value)),
        _ => Err(not_a(&word, LOCATION)),
    }
}

/// A number with at most `places` digits behind its point, times ten to that power.
fn decimal(word: &[u8], places: usize) -> Option<i64> {
    let (is_negative, word) = match word.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    let point = word.iter().position(|&octet| octet == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&word[..at], &word[at + 1..]),
        None => (word, &[][..]),
    };
    let digits = [whole, fraction, &b"000"[..places.checked_sub(fraction.len())?]].concat();
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let value = i64::try_from(encodings::number(&digits, u64::from(u32::MAX))?).ok()?;
    Some(if is_negative { -value } else { value })
}

/// Centimetres as a digit and a power of ten (RFC 1876 §2); what is between is cut off.
fn size_octet(centimetres: i64) -> Option<u8> {
    let mut digit = u64::try_from(centimetres).ok()?;
    let mut exponent = 0;
    while digit > 9 {
        digit /= 10;
        exponent += 1;
    }
    (exponent <= 9).then_some((digit as u8) << 4 | exponent)
}
