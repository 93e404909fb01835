//! APL: lists of address prefixes. RFC 3123 §4 (wire), §5 (text).
//! In: fields like `!1:192.0.2.0/24`, or octets. Out: the other form. Families 1 and 2 only, as
//! in the RFC. Text is exact except for trailing zero octets in an address part, which the RFC
//! forbids; such data is printed as RFC 3597.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::encoding::{Cursor, parse_number, print_decimal};
use super::error::RdataError;
use super::text;

const EXPECTED: &str = "an address prefix like 1:192.0.2.0/24";

/// Whole octets of an address, and bits, of a family.
fn family_length(family: u16) -> Option<usize> {
    match family {
        1 => Some(4),
        2 => Some(16),
        _ => None,
    }
}

/// One item at the start of `rest`: family, prefix bits, negation, address part, and what follows.
#[allow(clippy::type_complexity, reason = "used three times in this file only")]
fn item(rest: &[u8]) -> Option<(u16, u8, bool, &[u8], &[u8])> {
    let [high, low, prefix, length, tail @ ..] = rest else { return None };
    let family = u16::from_be_bytes([*high, *low]);
    let (part, next) = tail.split_at_checked(usize::from(length & 0x7F))?;
    let octets = family_length(family)?;
    let sound = part.len() <= octets && usize::from(*prefix) <= octets * 8;
    sound.then_some((family, *prefix, length & 0x80 != 0, part, next))
}

/// Length of sound APL data, which may be empty.
pub(super) fn length(rest: &[u8]) -> Option<usize> {
    let mut items = rest;
    while !items.is_empty() {
        items = item(items)?.4;
    }
    Some(rest.len())
}

/// Reads the text form.
pub(super) fn parse(cursor: &mut Cursor<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    while cursor.peek().is_some() {
        cursor.read(EXPECTED, |text| parse_item(text, out))?;
    }
    Ok(())
}

fn parse_item(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (negated, text) = match text.strip_prefix(b"!") {
        Some(text) => (0x80, text),
        None => (0, text),
    };
    let colon = text.iter().position(|octet| *octet == b':')?;
    let slash = text.iter().rposition(|octet| *octet == b'/')?;
    let family = parse_number(&text[..colon], u64::from(u16::MAX))? as u16;
    let octets = family_length(family)?;
    let prefix = parse_number(&text[slash + 1..], octets as u64 * 8)? as u8;
    let address = text.get(colon + 1..slash)?;
    out.extend_from_slice(&family.to_be_bytes());
    out.push(prefix);
    let length_at = out.len();
    out.push(negated);
    match family {
        1 => out.extend_from_slice(&text::parse_ip4(address)?),
        _ => out.extend_from_slice(&text::parse_ip6(address)?),
    }
    while out.len() > length_at + 1 && out.last() == Some(&0) {
        out.pop();
    }
    out[length_at] |= (out.len() - length_at - 1) as u8;
    Some(())
}

/// Appends the text form of sound data; `None` when text cannot hold it exactly.
pub(super) fn print(data: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut items = data;
    while let Some((family, prefix, negated, part, next)) = item(items) {
        if part.last() == Some(&0) {
            return None;
        }
        if negated {
            out.push(b'!');
        }
        let mut address = [0; 16];
        address[..part.len()].copy_from_slice(part);
        // Writing to a Vec cannot fail.
        let _ = match family {
            1 => {
                let [a, b, c, d, ..] = address;
                write!(out, "1:{}/", Ipv4Addr::new(a, b, c, d))
            }
            _ => write!(out, "2:{}/", Ipv6Addr::from(address)),
        };
        print_decimal(u64::from(prefix), out);
        out.push(b' ');
        items = next;
    }
    Some(())
}
