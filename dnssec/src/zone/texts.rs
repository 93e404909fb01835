//! Wire records as lines of a zone file, for people. In: the records of a difference,
//! uncompressed: owner, type, class, TTL, RDLENGTH, RDATA. Out: one line each.

use crate::zonefile::print_record;
use crate::{Name, RrType, Ttl};

/// The records as text, each with its line end. What follows a record that is cut short is left
/// out; our own differences have none.
pub fn texts(mut records: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some((line, rest)) = first(records) {
        lines.push(line);
        records = rest;
    }
    lines
}

/// The first record as text, and what follows it.
fn first(records: &[u8]) -> Option<(String, &[u8])> {
    let (owner, taken) = Name::from_wire(records).ok()?;
    let (head, rest) = records.get(taken..)?.split_first_chunk::<10>()?;
    let [t0, t1, _, _, l0, l1, l2, l3, r0, r1] = *head;
    let length = usize::from(u16::from_be_bytes([r0, r1]));
    let (rdata, rest) = rest.split_at_checked(length)?;
    let rr_type = RrType(u16::from_be_bytes([t0, t1]));
    let ttl = Ttl(u32::from_be_bytes([l0, l1, l2, l3]));
    let mut line = Vec::new();
    print_record(owner.as_wire(), ttl, rr_type, rdata, &mut line);
    Some((String::from_utf8_lossy(&line).into_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_lines_and_a_cut_one_ends_them() {
        let mut wire = b"\x03www\x07example\x00\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04".to_vec();
        wire.extend([192, 0, 2, 1]);
        let line = "www.example.\t3600\tIN\tA\t192.0.2.1\n";
        assert_eq!(texts(&[wire.clone(), wire.clone()].concat()), [line, line]);
        for length in 0..wire.len() {
            assert!(texts(&wire[..length]).is_empty());
        }
    }
}
