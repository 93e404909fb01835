//! Base64 (RFC 4648 §4) into memory that is wiped: room for the whole is made at once, so that no
//! copy of a secret stays behind in a buffer that was too small.
//! In: text, possibly with white space. Out: bytes; `None` for anything that is no base64.

use zeroize::Zeroizing;

/// The bytes that the text stands for.
pub(super) fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 4 * 3 + 3));
    let (mut group, mut digits, mut padding) = (0_u32, 0, 0);
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        if *byte == b'=' {
            padding += 1;
            continue;
        }
        if padding > 0 {
            return None;
        }
        group = group << 6 | value(*byte)?;
        digits += 1;
        if digits % 4 == 0 {
            bytes.extend_from_slice(&group.to_be_bytes()[1..]);
            group = 0;
        }
    }
    match (digits % 4, padding) {
        (0, 0) => {}
        // Bits beyond the last byte have to be zero: one key has one spelling.
        (2, 2) if group & 0xf == 0 => bytes.push((group >> 4) as u8),
        (3, 1) if group & 3 == 0 => bytes.extend_from_slice(&(group << 6).to_be_bytes()[1..3]),
        _ => return None,
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&[u8]>) {
        assert_eq!(decode(text.as_bytes()).as_deref().map(Vec::as_slice), expected, "{text}");
    }

    #[test]
    fn vectors_rfc4648_10() {
        check("", Some(b""));
        check("Zg==", Some(b"f"));
        check("Zm8=", Some(b"fo"));
        check("Zm9v", Some(b"foo"));
        check("Zm9v\nYmFy ", Some(b"foobar"));
        check("/+8=", Some(&[0xff, 0xef]));
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zg==Zg==", "Zm9_", "=", "Zm9v="] {
            check(text, None);
        }
    }
}
