//! RDATA out of a message: compression undone. RFC 1035 §4.1.4; RFC 3597 §4 says in which types
//! names may be compressed, and RFC 4034 §6.2 lists them all.
//! In: a message, and where in it the RDATA lies. Out: RDATA without pointers, checked.
//! Never: reads RDATA past its length, but for what a pointer in it leads to.

use super::table::{self, Kind};
use super::{RdataError, check, has_canonical_names, wire};
use crate::RrType;
use crate::transfer::wire::read_name;
use std::ops::Range;

/// Appends the RDATA at `range` of a message to `out`, without pointers. What comes out has the
/// structure of its type; after an error `out` is in any state.
pub fn expand(
    rtype: RrType,
    message: &[u8],
    range: Range<usize>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let malformed = |expected, offset| RdataError::Malformed { rtype, expected, offset };
    let whole = message.get(range.clone()).ok_or(malformed("more data", 0))?;
    let spec = table::spec(rtype).filter(|_| has_canonical_names(rtype));
    let Some(spec) = spec else {
        out.extend_from_slice(whole);
        return check(rtype, whole);
    };
    let mut at = range.start;
    for kind in spec.fields {
        let bad = malformed(kind.expected(), at - range.start);
        let end = match kind {
            Kind::CanonicalName => read_name(message, at).map(|(name, end)| {
                out.extend_from_slice(name.as_wire());
                end
            }),
            kind => {
                let rest = message.get(at..range.end).unwrap_or_default();
                let length = wire::field_length(*kind, rest).filter(|it| *it <= rest.len());
                length.map(|length| {
                    out.extend_from_slice(&rest[..length]);
                    at + length
                })
            }
        };
        at = end.filter(|end| *end <= range.end).ok_or(bad)?;
    }
    if at != range.end {
        return Err(malformed("the end of the data", at - range.start));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rdata_with_compressed_names() {
        let message = b"\x01a\x00\x00\x0A\x01b\xC0\x00\xFF";
        let mut out = Vec::new();
        expand(RrType::MX, message, 3..9, &mut out).unwrap();
        assert_eq!(out, b"\x00\x0A\x01b\x01a\x00");
        // One octet more or less than the RDATA has.
        assert!(expand(RrType::MX, message, 3..8, &mut Vec::new()).is_err());
        assert!(expand(RrType::MX, message, 3..10, &mut Vec::new()).is_err());
        assert!(expand(RrType::MX, message, 3..99, &mut Vec::new()).is_err());
        assert!(expand(RrType(65_305), message, 3..10, &mut Vec::new()).is_ok());
        assert!(expand(RrType::A, message, 3..9, &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn what_comes_out_is_sound_rdata(
            rtype in 0u16..70,
            bytes in proptest::collection::vec(
                prop_oneof![Just(0u8), Just(0xC0), 0u8..8, any::<u8>()], 0..60),
            start in 0usize..30,
        ) {
            let mut out = Vec::new();
            let range = start.min(bytes.len())..bytes.len();
            if expand(RrType(rtype), &bytes, range, &mut out).is_ok() {
                prop_assert!(check(RrType(rtype), &out).is_ok());
            }
        }
    }
}
