//! Writes records as zone file lines: one record a line, absolute names, tabs between the parts.
//! RFC 1035 §5.1. Out: appended to the caller's buffer.

use crate::rdata;
use crate::{RrType, Ttl};

/// Appends `owner ttl IN type rdata` with tabs between and a line end. `owner` is a whole name in
/// wire form; `rdata` is uncompressed.
pub fn print_record(owner: &[u8], ttl: Ttl, rtype: RrType, rdata: &[u8], out: &mut Vec<u8>) {
    rdata::print_name(owner, out);
    out.push(b'\t');
    rdata::print_decimal(u64::from(ttl.0), out);
    out.extend_from_slice(b"\tIN\t");
    rdata::print_type(rtype, out);
    out.push(b'\t');
    rdata::print(rtype, rdata, out);
    out.push(b'\n');
}
