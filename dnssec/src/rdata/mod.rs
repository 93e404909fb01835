//! RDATA of every type in IANA's registry: text to wire, wire to text, canonical form, checks.
//! RFC 1035 §3.3 and §5, RFC 3597 (unknown types), RFC 4034 §6.2 as amended by RFC 6840 §5.1
//! (canonical form), and the documents named in `table`.
//! In: fields of a zone file line, or RDATA from a transfer. Out: appended to the caller's buffer.
//! Never: compression, I/O, allocation per record (SVCB, HTTPS and type bitmaps with types above
//! 255 excepted). What is printed is read back to the same octets, by us and by the common tools:
//! types that these do not know are printed in the form of RFC 3597.

mod apl;
mod encoding;
mod error;
mod expand;
mod loc;
mod mnemonic;
mod presentation;
mod svcb;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod wire;

pub use encoding::{parse_period, print_decimal};
pub(crate) use encoding::{print_name, unescape};
pub use error::{Field, RdataError, excerpt};
pub use expand::expand;
pub use mnemonic::{
    TypeNameError, class_from_mnemonic, mnemonic, print_type, rrtype_from_mnemonic,
};
pub use table::{TypeStatus, has_canonical_names, status};

use crate::{Name, RrType};
use encoding::Cursor;
use table::Kind;

/// Longest RDATA there is (RFC 1035 §3.2.1: RDLENGTH has 16 bits).
pub const RDATA_LENGTH_MAX: usize = 65_535;

/// Reads the presentation form of RDATA in `fields` and appends its wire form to `out`. Relative
/// names are completed with `origin`. `\# length hex` is understood for every type
/// (RFC 3597 §5). On error `out` is as it was.
pub fn parse(
    rtype: RrType,
    fields: &[Field<'_>],
    origin: Option<&Name>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let start = out.len();
    let result = parse_into(rtype, fields, origin, out);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn parse_into(
    rtype: RrType,
    fields: &[Field<'_>],
    origin: Option<&Name>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let spec = table::spec(rtype);
    let status = table::status_of(rtype, spec);
    if matches!(status, TypeStatus::Obsolete | TypeStatus::Meta) {
        return Err(RdataError::Refused { rtype, status });
    }
    let start = out.len();
    let mut cursor = Cursor::new(fields);
    if fields.first().is_some_and(|field| !field.quoted && field.text == b"\\#") {
        text::parse_generic(&mut cursor, out)?;
        return check(rtype, &out[start..]);
    }
    let Some(spec) = spec.filter(|spec| spec.fields != [Kind::Opaque]) else {
        return Err(cursor.unexpected("`\\#`, a length and hexadecimal data (RFC 3597)"));
    };
    for kind in spec.fields {
        text::parse_field(*kind, &mut cursor, origin, out)?;
    }
    cursor.finish()?;
    if out.len() - start > RDATA_LENGTH_MAX {
        return Err(RdataError::TooLong);
    }
    Ok(())
}

/// Appends the presentation form of `rdata` to `out`: as one line, without parentheses, names
/// absolute. Types that the common tools do not know, and data that does not have the structure
/// of its type, come out as `\# length hex` (RFC 3597 §5).
pub fn print(rtype: RrType, rdata: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let printed = match table::spec(rtype) {
        Some(spec) if !spec.generic => print_fields(spec.fields, rdata, out),
        _ => None,
    };
    if printed.is_none() {
        out.truncate(start);
        print_generic(rdata, out);
    }
}

fn print_fields(fields: &[Kind], rdata: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if rdata.is_empty() {
        return None;
    }
    let start = out.len();
    let mut rest = rdata;
    for kind in fields {
        let length = wire::field_length(*kind, rest)?;
        let (field, tail) = rest.split_at_checked(length)?;
        if out.len() > start && out.last() != Some(&b' ') {
            out.push(b' ');
        }
        presentation::print_field(*kind, field, out)?;
        rest = tail;
    }
    if out.last() == Some(&b' ') {
        out.pop();
    }
    rest.is_empty().then_some(())
}

/// Appends `\# length hex` (RFC 3597 §5).
pub fn print_generic(rdata: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\# ");
    print_decimal(rdata.len() as u64, out);
    if !rdata.is_empty() {
        out.push(b' ');
        encoding::print_hex(rdata, out);
    }
}

/// Appends `rdata` in canonical form: names in the types of RFC 4034 §6.2 in lower case, NSEC
/// left alone (RFC 6840 §5.1). Data that does not have the structure of its type is appended
/// unchanged from the first octet that does not fit.
pub fn canonicalise(rtype: RrType, rdata: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(rdata);
    if !has_canonical_names(rtype) {
        return;
    }
    let Some(spec) = table::spec(rtype) else { return };
    let mut at = 0;
    for kind in spec.fields {
        let Some(length) = wire::field_length(*kind, &rdata[at..]) else { return };
        // Length octets of labels are at most 63 and so never letters; in A6 the name is last.
        match kind {
            Kind::CanonicalName => out[start + at..start + at + length].make_ascii_lowercase(),
            Kind::A6 => {
                let name_at = wire::a6_name_offset(rdata[at]);
                out[start + at + name_at..start + at + length].make_ascii_lowercase();
            }
            _ => {}
        }
        at += length;
    }
}

/// Whether `rdata`, in wire form without compression, has the structure of its type. Types that
/// are unknown or opaque may hold anything.
pub fn check(rtype: RrType, rdata: &[u8]) -> Result<(), RdataError> {
    if rdata.len() > RDATA_LENGTH_MAX {
        return Err(RdataError::TooLong);
    }
    let Some(spec) = table::spec(rtype) else { return Ok(()) };
    let mut at = 0;
    for kind in spec.fields {
        let length = wire::field_length(*kind, &rdata[at..]).filter(|n| at + n <= rdata.len());
        at +=
            length.ok_or(RdataError::Malformed { rtype, expected: kind.expected(), offset: at })?;
    }
    if at != rdata.len() {
        return Err(RdataError::Malformed { rtype, expected: "the end of the data", offset: at });
    }
    Ok(())
}
