//! Reading names and records from bytes, canonical name order, base32hex.
//! RFC 1035 §3.1 and §3.2.1 (forms), RFC 4034 §6.1 (order), RFC 4648 §7 (base32hex).
//!
//! Names here are uncompressed wire names that were checked once, by [`name_length`]. Nothing in
//! this file panics on other bytes; it gives a useless but harmless answer.

use std::cmp::Ordering;
use std::fmt;

/// Numbers of the record types that the auditor treats specially.
pub(crate) mod rtype {
    pub(crate) const NS: u16 = 2;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const DNAME: u16 = 39;
    pub(crate) const DS: u16 = 43;
    pub(crate) const RRSIG: u16 = 46;
    pub(crate) const NSEC: u16 = 47;
    pub(crate) const DNSKEY: u16 = 48;
    pub(crate) const NSEC3: u16 = 50;
    pub(crate) const NSEC3PARAM: u16 = 51;
    pub(crate) const CDS: u16 = 59;
    pub(crate) const CDNSKEY: u16 = 60;
    pub(crate) const ZONEMD: u16 = 63;

    /// Mnemonics for messages; a type that is not here is shown as `TYPEn`.
    pub(crate) fn mnemonic(number: u16) -> Option<&'static str> {
        Some(match number {
            1 => "A",
            NS => "NS",
            CNAME => "CNAME",
            SOA => "SOA",
            12 => "PTR",
            13 => "HINFO",
            15 => "MX",
            16 => "TXT",
            17 => "RP",
            18 => "AFSDB",
            28 => "AAAA",
            29 => "LOC",
            33 => "SRV",
            35 => "NAPTR",
            36 => "KX",
            37 => "CERT",
            DNAME => "DNAME",
            DS => "DS",
            44 => "SSHFP",
            RRSIG => "RRSIG",
            NSEC => "NSEC",
            DNSKEY => "DNSKEY",
            NSEC3 => "NSEC3",
            NSEC3PARAM => "NSEC3PARAM",
            52 => "TLSA",
            CDS => "CDS",
            CDNSKEY => "CDNSKEY",
            61 => "OPENPGPKEY",
            62 => "CSYNC",
            ZONEMD => "ZONEMD",
            64 => "SVCB",
            65 => "HTTPS",
            257 => "CAA",
            _ => return None,
        })
    }
}

/// Octets between an owner name and its RDATA: type, class, TTL, RDLENGTH.
pub(crate) const HEADER_LENGTH: usize = 10;

/// One record in place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) owner: &'a [u8],
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    pub(crate) rdata: &'a [u8],
}

/// Reads the record at the start of `bytes`; gives it and its length, or nothing if it is damaged.
pub(crate) fn read_record(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let owner_length = name_length(bytes)?;
    let (owner, rest) = bytes.split_at(owner_length);
    let rdata_length = usize::from(u16_at(rest, 8)?);
    let rdata = rest.get(HEADER_LENGTH..HEADER_LENGTH + rdata_length)?;
    let record = Record {
        owner,
        rtype: u16_at(rest, 0)?,
        class: u16_at(rest, 2)?,
        ttl: u32_at(rest, 4)?,
        rdata,
    };
    Some((record, owner_length + HEADER_LENGTH + rdata_length))
}

/// The octets of a record.
pub(crate) fn record_bytes(record: &Record<'_>) -> Vec<u8> {
    // RDATA came with a 16-bit length.
    let rdata_length = record.rdata.len() as u16;
    [
        record.owner,
        &record.rtype.to_be_bytes(),
        &record.class.to_be_bytes(),
        &record.ttl.to_be_bytes(),
        &rdata_length.to_be_bytes(),
        record.rdata,
    ]
    .concat()
}

/// Big-endian number at `offset`.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset + 2)?.try_into().ok().map(u16::from_be_bytes)
}

/// Big-endian number at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// Length of the uncompressed name at the start of `bytes`, if there is a well-formed one
/// (RFC 1035 §2.3.4: labels of at most 63 octets, 255 octets together).
pub(crate) fn name_length(bytes: &[u8]) -> Option<usize> {
    let mut position = 0;
    loop {
        let label = usize::from(*bytes.get(position)?);
        position += 1 + label;
        if label > 63 || position > 255 {
            return None;
        }
        if label == 0 {
            return Some(position);
        }
    }
}

/// Where the labels of one name start; a name of 255 octets has at most 127 labels and the root.
struct Labels<'a> {
    name: &'a [u8],
    starts: [u8; 128],
    count: usize,
}

impl<'a> Labels<'a> {
    fn of(name: &'a [u8]) -> Self {
        let mut labels = Labels { name, starts: [0; 128], count: 0 };
        let mut position = 0;
        while let Some(&length) = name.get(position) {
            if length == 0 || labels.count == 127 {
                break;
            }
            // A checked name is at most 255 octets long, so the position fits.
            labels.starts[labels.count] = position as u8;
            labels.count += 1;
            position += 1 + usize::from(length);
        }
        labels
    }

    /// The label `from_right` steps left of the root; 0 is the top label.
    fn label(&self, from_right: usize) -> &'a [u8] {
        let start = usize::from(self.starts[self.count - 1 - from_right]);
        let length = self.name.get(start).map_or(0, |&length| usize::from(length));
        self.name.get(start + 1..start + 1 + length).unwrap_or(&[])
    }
}

/// Canonical name order (RFC 4034 §6.1).
pub(crate) fn compare_names(left: &[u8], right: &[u8]) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    // Most names compared are neighbours: the first labels decide if all others are the same.
    if let (Some((left_label, left_rest)), Some((right_label, right_rest))) =
        (split_first(left), split_first(right))
        && left_rest == right_rest
    {
        return compare_lowered(left_label, right_label);
    }
    let (left, right) = (Labels::of(left), Labels::of(right));
    for step in 0..left.count.min(right.count) {
        match compare_lowered(left.label(step), right.label(step)) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    left.count.cmp(&right.count)
}

/// The first label, without its length, and the rest of a name; nothing for the root.
fn split_first(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = name.split_first()?;
    if length == 0 { None } else { rest.split_at_checked(usize::from(length)) }
}

/// Compares octet strings as if all letters were lower case.
pub(crate) fn compare_lowered(left: &[u8], right: &[u8]) -> Ordering {
    let lowered = |bytes: &'_ [u8], at: usize| bytes[at].to_ascii_lowercase();
    let common = left.len().min(right.len());
    for at in 0..common {
        if left[at] == right[at] {
            continue;
        }
        match lowered(left, at).cmp(&lowered(right, at)) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    left.len().cmp(&right.len())
}

/// Same name, whatever the letter case. Length octets are below `A`, so they compare as they are.
pub(crate) fn equal_names(left: &[u8], right: &[u8]) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// Labels of a name, without the root.
pub(crate) fn label_count(name: &[u8]) -> usize {
    Labels::of(name).count
}

/// How many labels two names share, counted from the root.
pub(crate) fn shared_labels(left: &[u8], right: &[u8]) -> usize {
    let (left, right) = (Labels::of(left), Labels::of(right));
    let common = left.count.min(right.count);
    (0..common)
        .find(|&step| !left.label(step).eq_ignore_ascii_case(right.label(step)))
        .unwrap_or(common)
}

/// The ancestor of `name` that has `labels` labels.
pub(crate) fn ancestor(name: &[u8], labels: usize) -> &[u8] {
    let all = Labels::of(name);
    match all.count.checked_sub(labels) {
        Some(skip) if skip < all.count => &name[usize::from(all.starts[skip])..],
        _ => &name[name.len().saturating_sub(1)..],
    }
}

/// Whether `name` is `top` or lies below it.
pub(crate) fn is_at_or_below(name: &[u8], top: &[u8]) -> bool {
    let Some(mut left_over) = name.len().checked_sub(top.len()) else { return false };
    if !name[left_over..].eq_ignore_ascii_case(top) {
        return false;
    }
    // The tail fits; it must also begin where a label begins.
    let mut rest = name;
    while left_over > 0 {
        let step = 1 + usize::from(rest[0]);
        if step > left_over {
            return false;
        }
        left_over -= step;
        rest = &rest[step..];
    }
    true
}

/// Decodes a label of 32 base32hex digits, of either case, to a 20-octet hash.
pub(crate) fn base32hex_hash(label: &[u8]) -> Option<[u8; 20]> {
    if label.len() != 32 {
        return None;
    }
    let mut hash = [0_u8; 20];
    let (mut bits, mut bit_count, mut at) = (0_u32, 0_u32, 0);
    for &digit in label {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'v' => digit - b'a' + 10,
            b'A'..=b'V' => digit - b'A' + 10,
            _ => return None,
        };
        bits = (bits << 5) | u32::from(value);
        bit_count += 5;
        if bit_count >= 8 {
            bit_count -= 8;
            // Truncation keeps the eight bits that are complete.
            hash[at] = (bits >> bit_count) as u8;
            at += 1;
        }
    }
    Some(hash)
}

/// The 32 base32hex digits of a 20-octet hash, in lower case.
pub(crate) fn base32hex_label(hash: &[u8; 20]) -> [u8; 32] {
    let mut label = [0; 32];
    for (group, digits) in hash.chunks(5).zip(label.chunks_mut(8)) {
        let bits = group.iter().fold(0_u64, |bits, &octet| bits << 8 | u64::from(octet));
        for (at, digit) in digits.iter_mut().rev().enumerate() {
            *digit = b"0123456789abcdefghijklmnopqrstuv"[(bits >> (5 * at) & 31) as usize];
        }
    }
    label
}

/// A wire name in presentation form (RFC 1035 §5.1), for messages.
pub(crate) struct NameText<'a>(pub(crate) &'a [u8]);

impl fmt::Display for NameText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = Labels::of(self.0);
        if labels.count == 0 {
            return f.write_str(".");
        }
        for step in (0..labels.count).rev() {
            for &octet in labels.label(step) {
                match octet {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(octet))?;
                    }
                    b'!'..=b'~' => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wire form of a name given in plain dotted text; `\001` and the like are not needed here.
    fn name(text: &str) -> Vec<u8> {
        let mut wire = Vec::new();
        for label in text.split('.').filter(|label| !label.is_empty()) {
            wire.push(label.len() as u8);
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        wire
    }

    #[test]
    fn order_of_the_example_in_rfc4034_6_1() {
        let mut sorted: Vec<Vec<u8>> =
            ["example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE"]
                .into_iter()
                .map(name)
                .collect();
        sorted.push(b"\x01z\x07example\0".to_vec());
        sorted.push(b"\x01\x01\x01z\x07example\0".to_vec());
        sorted.push(b"\x01*\x01z\x07example\0".to_vec());
        sorted.push(b"\x01\xc8\x01z\x07example\0".to_vec());
        let mut shuffled = sorted.clone();
        shuffled.reverse();
        shuffled.sort_by(|left, right| compare_names(left, right));
        assert_eq!(shuffled, sorted);
    }

    #[test]
    fn ancestors_and_subtrees() {
        assert!(is_at_or_below(&name("a.Example"), &name("eXample")));
        assert!(!is_at_or_below(&name("aexample"), &name("example")));
        assert!(!is_at_or_below(&name("example"), &name("a.example")));
        assert!(is_at_or_below(&name("example"), &name("")));
        // The tail octets are those of "b.", but they begin inside a label.
        assert!(!is_at_or_below(b"\x03a\x01b\0", &name("b")));
        assert_eq!(ancestor(&name("a.b.c"), 2), name("b.c"));
        assert_eq!(ancestor(&name("a.b.c"), 0), name(""));
        assert_eq!(shared_labels(&name("a.b.c"), &name("x.B.c")), 2);
    }

    #[test]
    fn base32hex_of_rfc5155_appendix_a() {
        let hash = base32hex_hash(b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom").unwrap();
        assert_eq!(hash[..4], [0x06, 0x53, 0x68, 0xab]);
        assert_eq!(&base32hex_label(&hash), b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom");
        assert_eq!(base32hex_hash(b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tow"), None);
    }

    #[test]
    fn damaged_names_are_refused() {
        assert_eq!(name_length(b""), None);
        assert_eq!(name_length(b"\x03ab"), None);
        assert_eq!(name_length(b"\xc0\x0c"), None);
        assert_eq!(name_length(&[&[1_u8, b'a'].repeat(128)[..], &[0]].concat()), None);
        assert_eq!(NameText(b"\x03a.\x07\x00").to_string(), "a\\.\\007.");
    }
}
