//! Wire to presentation form, field by field: the counterpart of `text`. RFC 1035 §5.1 and the
//! documents of the types. In: one field of the length that `wire` found. Out: text appended to
//! the caller's buffer; `None` when text cannot hold the field exactly.
//! Never: mnemonics that one of the common tools does not read.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::encoding::{
    number, print_base32hex, print_base64, print_decimal, print_hex, print_name, print_quoted,
};
use super::mnemonic::print_type;
use super::table::Kind;
use super::time::print_time;
use super::{apl, loc, svcb, wire};
use crate::RrType;

/// Appends the text of one field. `field` has the structure of its kind.
pub(super) fn print_field(kind: Kind, field: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match kind {
        Kind::Name | Kind::CanonicalName => print_name(field, out),
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 | Kind::Period => {
            print_decimal(number(field), out);
        }
        Kind::Algorithm | Kind::CertType | Kind::Scheme => print_decimal(number(field), out),
        Kind::Ip4 => print_ip4(field, out),
        Kind::Ip6 => print_ip6(field, out),
        Kind::Text | Kind::Texts | Kind::Digits => print_texts(field, out),
        Kind::TextOptional if field.is_empty() => {}
        Kind::TextOptional => print_texts(field, out),
        // BIND 9.18 and ldns 1.8 want a key in text, though RFC 4025 §2.6 allows none.
        Kind::Base64Optional if field.is_empty() => return None,
        Kind::TextRest | Kind::TextRestSome => print_quoted(field, out),
        Kind::Tag => out.extend_from_slice(field.get(1..)?),
        Kind::Hex | Kind::ZoneDigest => print_hex(field, out),
        Kind::TypedDigest => {
            let (digest_type, digest) = field.split_first()?;
            print_decimal(u64::from(*digest_type), out);
            out.push(b' ');
            print_hex(digest, out);
        }
        Kind::Base64Dash if field.is_empty() => out.push(b'-'),
        Kind::Base64 | Kind::Base64Optional | Kind::Base64Dash => print_base64(field, out),
        Kind::Salt if field.len() == 1 => out.push(b'-'),
        Kind::Salt => print_hex(field.get(1..)?, out),
        Kind::NextHash => print_base32hex(field.get(1..)?, out),
        Kind::Bitmap => print_bitmap(field, out),
        Kind::Time => print_time(number(field) as u32, out),
        Kind::Type => print_type(RrType(number(field) as u16), out),
        Kind::Loc => loc::print(field, out)?,
        Kind::Apl => apl::print(field, out)?,
        Kind::SvcParams => svcb::print(field, out),
        Kind::Eui48 | Kind::Eui64 => print_groups(field, 1, b'-', out),
        Kind::Locator64 => print_groups(field, 2, b':', out),
        Kind::Nsap => {
            out.extend_from_slice(b"0x");
            print_hex(field, out);
        }
        Kind::Atma => match field.split_first()? {
            (0, address) => print_hex(address, out),
            (_, digits) => {
                out.push(b'+');
                out.extend_from_slice(digits);
            }
        },
        Kind::IpsecGateway => {
            let (head, gateway) = field.split_at_checked(2)?;
            for octet in head {
                print_decimal(u64::from(*octet), out);
                out.push(b' ');
            }
            print_gateway(head[0], gateway, out);
        }
        Kind::AmtRelay => {
            let (head, relay) = field.split_first()?;
            print_decimal(u64::from(head >> 7), out);
            out.push(b' ');
            print_decimal(u64::from(head & 0x7F), out);
            out.push(b' ');
            print_gateway(head & 0x7F, relay, out);
        }
        Kind::Hip => print_hip(field, out)?,
        Kind::A6 | Kind::Opaque => return None,
    }
    Some(())
}

fn print_ip4(field: &[u8], out: &mut Vec<u8>) {
    for (at, octet) in field.iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        print_decimal(u64::from(*octet), out);
    }
}

fn print_ip6(field: &[u8], out: &mut Vec<u8>) {
    let (high, low) = field.split_at(field.len().min(8));
    let bits = u128::from(number(high)) << 64 | u128::from(number(low));
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{}", Ipv6Addr::from(bits));
}

fn print_texts(field: &[u8], out: &mut Vec<u8>) {
    let mut rest = field;
    while let Some((length, tail)) = rest.split_first() {
        if rest.len() < field.len() {
            out.push(b' ');
        }
        let (text, next) = tail.split_at(usize::from(*length).min(tail.len()));
        print_quoted(text, out);
        rest = next;
    }
}

fn print_groups(field: &[u8], octets: usize, separator: u8, out: &mut Vec<u8>) {
    for (at, group) in field.chunks(octets).enumerate() {
        if at > 0 {
            out.push(separator);
        }
        print_hex(group, out);
    }
}

fn print_bitmap(field: &[u8], out: &mut Vec<u8>) {
    let mut rest = field;
    while let [window, length, tail @ ..] = rest {
        let (bits, next) = tail.split_at(usize::from(*length).min(tail.len()));
        for (at, octet) in bits.iter().enumerate() {
            for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
                let rtype = u16::from(*window) << 8 | (at * 8 + bit) as u16;
                print_type(RrType(rtype), out);
                out.push(b' ');
            }
        }
        rest = next;
    }
}

fn print_gateway(gateway_type: u8, gateway: &[u8], out: &mut Vec<u8>) {
    match gateway_type {
        1 => {
            let address = Ipv4Addr::from(number(gateway) as u32);
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{address}");
        }
        2 => print_ip6(gateway, out),
        3 => print_name(gateway, out),
        _ => out.push(b'.'),
    }
}

fn print_hip(field: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (identity_end, key_end) = wire::hip_parts(field)?;
    print_decimal(u64::from(field[1]), out);
    out.push(b' ');
    print_hex(&field[4..identity_end], out);
    out.push(b' ');
    print_base64(&field[identity_end..key_end], out);
    let mut rest = &field[key_end..];
    while let Some(length) = wire::name_length(rest) {
        out.push(b' ');
        print_name(&rest[..length], out);
        rest = &rest[length..];
    }
    Some(())
}
