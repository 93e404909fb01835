//! The little DER (X.690) that keys need: reading INTEGERs of PKCS#1 keys, OCTET STRINGs around
//! EC points, and ECDSA signatures as SEQUENCEs of two INTEGERs.
//! In: bytes from outside; anything odd is `None`. Never: panics, indefinite lengths.

/// Tag of an INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// Tag of a BIT STRING.
pub(crate) const BIT_STRING: u8 = 0x03;
/// Tag of an OCTET STRING.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// Tag of a SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;

/// Reads one element with this tag: its content, and what follows it.
pub(crate) fn read(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?), &rest[2..]),
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Reads a non-negative INTEGER: its bytes without leading zeros, and what follows it.
pub(crate) fn read_integer(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, rest) = read(INTEGER, input)?;
    if content.first()? & 0x80 != 0 {
        return None;
    }
    Some((without_leading_zeros(content), rest))
}

/// The number without its leading zero bytes.
pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// The content of an element that fills the input to its last byte.
pub(crate) fn read_whole(tag: u8, input: &[u8]) -> Option<&[u8]> {
    read(tag, input).and_then(|(content, rest)| rest.is_empty().then_some(content))
}

/// An ECDSA signature of a token that gives it in DER (rule HSM-10), as r and s of `half` bytes.
pub(crate) fn ecdsa_to_fixed(signature: &[u8], half: usize) -> Option<Vec<u8>> {
    let sequence = read_whole(SEQUENCE, signature)?;
    let (r, rest) = read_integer(sequence)?;
    let (s, rest) = read_integer(rest)?;
    if !rest.is_empty() || r.len() > half || s.len() > half {
        return None;
    }
    let mut fixed = vec![0; 2 * half];
    fixed[half - r.len()..half].copy_from_slice(r);
    fixed[2 * half - s.len()..].copy_from_slice(s);
    Some(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdsa_in_der_becomes_fixed() {
        let der = [0x30, 0x08, 0x02, 0x02, 0x00, 0x81, 0x02, 0x02, 0x12, 0x34];
        assert_eq!(ecdsa_to_fixed(&der, 4), Some(vec![0, 0, 0, 0x81, 0, 0, 0x12, 0x34]));
        assert_eq!(ecdsa_to_fixed(&der, 1), None);
        for cut in 0..der.len() {
            assert_eq!(ecdsa_to_fixed(&der[..cut], 4), None, "cut at {cut}");
        }
    }

    #[test]
    fn long_lengths() {
        let mut der = vec![OCTET_STRING, 0x82, 0x01, 0x00];
        der.extend_from_slice(&[7; 256]);
        assert_eq!(read_whole(OCTET_STRING, &der), Some(&[7; 256][..]));
        assert_eq!(read(OCTET_STRING, &[OCTET_STRING, 0x84, 0, 0, 0, 0]), None);
        assert_eq!(read(OCTET_STRING, &[OCTET_STRING, 0x82, 1]), None);
    }
}
