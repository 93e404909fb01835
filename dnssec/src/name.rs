//! Domain names: wire form with the case as given, presentation form, canonical order.
//! RFC 1035 §2.3.4 (limits), §5.1 (escapes); RFC 4034 §6.1 (order); RFC 4343 (case).
//! In: wire bytes or presentation text. Out: a name of at most 255 octets.
//! Never: compression (names in a zone file or in our memory are whole), IDNA.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Longest name in wire form, root octet included (RFC 1035 §2.3.4).
pub const NAME_LENGTH_MAX: usize = 255;
/// Longest label (RFC 1035 §2.3.4).
pub const LABEL_LENGTH_MAX: usize = 63;

/// A fully qualified domain name in wire form. Keeps the case it was given; compares, orders
/// (canonically, RFC 4034 §6.1) and hashes without it.
#[derive(Clone)]
pub struct Name {
    length: u8,
    wire: [u8; NAME_LENGTH_MAX],
}

/// Why a text or some bytes are no domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// More than 255 octets.
    #[error("name is longer than 255 octets")]
    NameTooLong,
    /// A label of more than 63 octets.
    #[error("label is longer than 63 octets")]
    LabelTooLong,
    /// Two dots in a row, or a leading dot.
    #[error("empty label (two dots in a row?)")]
    EmptyLabel,
    /// A backslash not followed by three digits up to 255 or by one other character.
    #[error("bad escape: \\ takes one character, or three digits up to 255")]
    BadEscape,
    /// A relative name where no origin is known.
    #[error("relative name, but no origin is known")]
    NoOrigin,
    /// No text at all.
    #[error("empty name")]
    Empty,
    /// Wire form that ends early, or a compression pointer.
    #[error("malformed name in wire form")]
    BadWire,
}

impl Name {
    /// The root.
    pub fn root() -> Name {
        Name { length: 1, wire: [0; NAME_LENGTH_MAX] }
    }

    /// Reads presentation form (RFC 1035 §5.1, escapes included). `@` is `origin`; a name
    /// without a final dot is relative to `origin`.
    pub fn parse(text: &[u8], origin: Option<&Name>) -> Result<Name, NameError> {
        match text {
            b"" => return Err(NameError::Empty),
            b"." => return Ok(Name::root()),
            b"@" => return origin.cloned().ok_or(NameError::NoOrigin),
            _ => {}
        }
        let mut name = Name::root();
        let mut end = 0; // octets written, root octet not counted
        let mut position = 0;
        let mut absolute = false;
        while position < text.len() {
            let (label_length, next) = name.parse_label(&text[position..], end)?;
            end += 1 + label_length;
            position += next;
            if text.get(position) == Some(&b'.') {
                position += 1;
                absolute = position == text.len();
            }
        }
        let tail = if absolute { &[0][..] } else { origin.ok_or(NameError::NoOrigin)?.as_wire() };
        if end + tail.len() > NAME_LENGTH_MAX {
            return Err(NameError::NameTooLong);
        }
        name.wire[end..end + tail.len()].copy_from_slice(tail);
        name.length = (end + tail.len()) as u8;
        Ok(name)
    }

    /// Reads one label of `text` into the wire form at `at`; returns its length and how much of
    /// the text it took.
    fn parse_label(&mut self, text: &[u8], at: usize) -> Result<(usize, usize), NameError> {
        let mut length = 0;
        let mut position = 0;
        while position < text.len() && text[position] != b'.' {
            let (octet, taken) = match text[position] {
                b'\\' => parse_escape(&text[position..])?,
                octet => (octet, 1),
            };
            position += taken;
            length += 1;
            if length > LABEL_LENGTH_MAX {
                return Err(NameError::LabelTooLong);
            }
            *self.wire.get_mut(at + length).ok_or(NameError::NameTooLong)? = octet;
        }
        if length == 0 {
            return Err(NameError::EmptyLabel);
        }
        self.wire[at] = length as u8;
        Ok((length, position))
    }

    /// Reads an uncompressed name at the start of `bytes`; returns it and its length.
    pub fn from_wire(bytes: &[u8]) -> Result<(Name, usize), NameError> {
        let mut end = 0;
        loop {
            let length = usize::from(*bytes.get(end).ok_or(NameError::BadWire)?);
            if length > LABEL_LENGTH_MAX {
                return Err(NameError::BadWire);
            }
            end += 1 + length;
            if end > NAME_LENGTH_MAX {
                return Err(NameError::NameTooLong);
            }
            if length == 0 {
                break;
            }
        }
        let mut name = Name::root();
        name.wire[..end].copy_from_slice(bytes.get(..end).ok_or(NameError::BadWire)?);
        name.length = end as u8;
        Ok((name, end))
    }

    /// The wire form, root octet included, in the case as given.
    pub fn as_wire(&self) -> &[u8] {
        &self.wire[..usize::from(self.length)]
    }

    /// The labels from the leftmost to the one below the root (RFC 9499: the root label is not
    /// among them).
    pub fn labels(&self) -> Labels<'_> {
        Labels { rest: self.as_wire() }
    }

    /// Number of labels, the root not counted.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// Whether the leftmost label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.as_wire().starts_with(b"\x01*")
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.length == 1
    }

    /// The same name in lower case: the canonical form of RFC 4034 §6.2.
    pub fn to_lowercase(&self) -> Name {
        let mut name = self.clone();
        // Length octets are at most 63 and so never letters.
        name.wire[..usize::from(self.length)].make_ascii_lowercase();
        name
    }

    /// Whether this name is `ancestor` or below it.
    pub fn is_at_or_below(&self, ancestor: &Name) -> bool {
        let surplus = match self.label_count().checked_sub(ancestor.label_count()) {
            Some(surplus) => surplus,
            None => return false,
        };
        let skip: usize = self.labels().take(surplus).map(|label| 1 + label.len()).sum();
        self.as_wire()[skip..].eq_ignore_ascii_case(ancestor.as_wire())
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Name> {
        let first = self.labels().next()?;
        Name::from_wire(&self.as_wire()[1 + first.len()..]).ok().map(|(name, _)| name)
    }
}

/// Reads `\DDD` or `\X` at the start of `text` (RFC 1035 §5.1); returns the octet and the
/// length taken.
pub fn parse_escape(text: &[u8]) -> Result<(u8, usize), NameError> {
    match text {
        [b'\\', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => {
            let digit = |octet: u8| u16::from(octet - b'0');
            let value = digit(*a) * 100 + digit(*b) * 10 + digit(*c);
            u8::try_from(value).map(|octet| (octet, 4)).map_err(|_| NameError::BadEscape)
        }
        [b'\\', digit, ..] if digit.is_ascii_digit() => Err(NameError::BadEscape),
        [b'\\', octet, ..] => Ok((*octet, 2)),
        _ => Err(NameError::BadEscape),
    }
}

/// The labels of a name, leftmost first, without the root's.
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first()?;
        if *length == 0 {
            return None;
        }
        let (label, rest) = rest.split_at(usize::from(*length));
        self.rest = rest;
        Some(label)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.as_wire().eq_ignore_ascii_case(other.as_wire())
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.as_wire() {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl Ord for Name {
    /// Canonical order (RFC 4034 §6.1): by labels from the right, each as lower-cased octets.
    fn cmp(&self, other: &Name) -> Ordering {
        let own: Vec<&[u8]> = self.labels().collect();
        let others: Vec<&[u8]> = other.labels().collect();
        let lower = |label: &&[u8]| label.to_ascii_lowercase();
        own.iter().rev().map(lower).cmp(others.iter().rev().map(lower))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Appends one octet of a label in presentation form (RFC 1035 §5.1, RFC 4343 §2.1).
pub fn print_label_octet(octet: u8, out: &mut Vec<u8>) {
    match octet {
        b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => out.extend([b'\\', octet]),
        0x21..=0x7E => out.push(octet),
        _ => {
            let digits = [octet / 100, octet / 10 % 10, octet % 10];
            out.push(b'\\');
            out.extend(digits.map(|digit| b'0' + digit));
        }
    }
}

/// Appends a wire-form name in presentation form, absolute, with its final dot. `wire` must be a
/// whole uncompressed name; what follows a torn label is left out.
pub fn print_wire_name(wire: &[u8], out: &mut Vec<u8>) {
    if wire.first().is_none_or(|length| *length == 0) {
        out.push(b'.');
        return;
    }
    let mut rest = wire;
    while let Some((length, tail)) = rest.split_first() {
        let length = usize::from(*length);
        if length == 0 || length > tail.len() {
            break;
        }
        for octet in &tail[..length] {
            print_label_octet(*octet, out);
        }
        out.push(b'.');
        rest = &tail[length..];
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(usize::from(self.length) + 1);
        print_wire_name(self.as_wire(), &mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), None).unwrap()
    }

    #[test]
    fn canonical_order_of_rfc4034_6_1() {
        let order = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        for pair in order.windows(2) {
            assert!(name(pair[0]) < name(pair[1]), "{} before {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in [".", "a\\.b.c.", "\\000\\255.x.", "Mixed.CASE.", "\\\"\\;\\(\\).", "*.a."] {
            assert_eq!(name(text).to_string(), text);
        }
    }

    #[test]
    fn limits_of_rfc1035_2_3_4() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}.", "a".repeat(61));
        assert_eq!(name(&longest).as_wire().len(), 255);
        let too_long = format!("{label}.{label}.{label}.{}.", "a".repeat(62));
        assert_eq!(Name::parse(too_long.as_bytes(), None), Err(NameError::NameTooLong));
        let label_64 = format!("{}.", "a".repeat(64));
        assert_eq!(Name::parse(label_64.as_bytes(), None), Err(NameError::LabelTooLong));
        assert_eq!(Name::parse(b"a..b.", None), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(b".a.", None), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(b"a\\25", None), Err(NameError::BadEscape));
        assert_eq!(Name::parse(b"a\\256.", None), Err(NameError::BadEscape));
        assert_eq!(Name::parse(b"a", None), Err(NameError::NoOrigin));
    }

    #[test]
    fn below() {
        assert!(name("a.B.c.").is_at_or_below(&name("b.C.")));
        assert!(name("b.c.").is_at_or_below(&name("b.c.")));
        assert!(!name("ab.c.").is_at_or_below(&name("b.c.")));
        assert!(name("x.").is_at_or_below(&Name::root()));
        assert_eq!(name("a.b.").parent(), Some(name("b.")));
        assert_eq!(Name::root().parent(), None);
    }
}
