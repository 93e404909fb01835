//! Type bitmaps of NSEC and NSEC3, built from the types at a name. RFC 4034 §4.1.2.

/// Writes the one correct encoding of `types`, which must be in rising order, without repetition.
pub(crate) fn encode(types: &[u16], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = types;
    while let Some(&first) = rest.first() {
        let [window, _] = first.to_be_bytes();
        let length = rest.iter().take_while(|t| t.to_be_bytes()[0] == window).count();
        let (inside, after) = rest.split_at(length);
        let mut octets = [0_u8; 32];
        let mut used = 0;
        for number in inside {
            let [_, low] = number.to_be_bytes();
            let octet = usize::from(low / 8);
            octets[octet] |= 0x80 >> (low % 8);
            used = octet + 1;
        }
        out.push(window);
        // At most 32.
        out.push(used as u8);
        out.extend_from_slice(&octets[..used]);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn example_of_rfc4034_4_3() {
        let mut out = Vec::new();
        super::encode(&[1, 15, 46, 47, 1234], &mut out);
        let mut expected = b"\x00\x06\x40\x01\x00\x00\x00\x03\x04\x1b".to_vec();
        expected.extend([0; 26]);
        expected.push(0x20);
        assert_eq!(out, expected);
        super::encode(&[], &mut out);
        assert!(out.is_empty());
    }
}
