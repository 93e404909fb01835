//! Building blocks of presentation form: numbers, periods, hexadecimal, base32hex, base64,
//! character-strings, names, and a cursor over fields. RFC 1035 §5.1, RFC 4648 §4 and §7.
//! In: fields, escapes unresolved. Out: octets appended to the caller's buffer.
//! Never: allocation. Base64 and base32hex must be exact: padding complete, spare bits zero.

use super::error::{Field, RdataError, excerpt};
use crate::Name;
use crate::name::{LABEL_LENGTH_MAX, NAME_LENGTH_MAX, NameError, parse_escape, print_label_octet};

/// Walks over the fields of one record.
pub(super) struct Cursor<'f, 'a> {
    fields: &'f [Field<'a>],
    next: usize,
}

impl<'f, 'a> Cursor<'f, 'a> {
    pub(super) fn new(fields: &'f [Field<'a>]) -> Self {
        Cursor { fields, next: 0 }
    }

    pub(super) fn peek(&self) -> Option<Field<'a>> {
        self.fields.get(self.next).copied()
    }

    pub(super) fn take(&mut self, expected: &'static str) -> Result<Field<'a>, RdataError> {
        let field = self.peek().ok_or(RdataError::Missing { expected })?;
        self.next += 1;
        Ok(field)
    }

    /// Takes the next field and reads it with `read`.
    pub(super) fn read<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, RdataError> {
        let field = self.take(expected)?;
        read(field.text).ok_or_else(|| self.refuse(expected))
    }

    /// The error that the next field is not `expected`.
    pub(super) fn unexpected(&self, expected: &'static str) -> RdataError {
        match self.peek() {
            Some(field) => {
                let found = excerpt(field.text);
                RdataError::Unexpected { expected, found, field: self.next }
            }
            None => RdataError::Missing { expected },
        }
    }

    /// The error that the field taken last is not `expected`.
    pub(super) fn refuse(&self, expected: &'static str) -> RdataError {
        let field = self.next.saturating_sub(1);
        let found = self.fields.get(field).map(|field| excerpt(field.text)).unwrap_or_default();
        RdataError::Unexpected { expected, found, field }
    }

    pub(super) fn bad_name(&self, cause: NameError) -> RdataError {
        let field = self.next.saturating_sub(1);
        let found = self.fields.get(field).map(|field| excerpt(field.text)).unwrap_or_default();
        RdataError::BadName { found, field, cause }
    }

    /// The index of the field taken last.
    pub(super) fn last_index(&self) -> usize {
        self.next.saturating_sub(1)
    }

    /// Refuses fields that are left over.
    pub(super) fn finish(&self) -> Result<(), RdataError> {
        match self.peek() {
            Some(field) => {
                Err(RdataError::Trailing { found: excerpt(field.text), field: self.next })
            }
            None => Ok(()),
        }
    }
}

/// Reads a decimal number of at most `max`; digits only.
pub(super) fn parse_number(text: &[u8], max: u64) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    let mut number: u64 = 0;
    for octet in text {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (number <= max).then_some(number)
}

/// Reads a length of time: plain seconds, or numbers with units in any case and order
/// (`s m h d w`, as in `1h30m`). `None` when it is neither, or above 2^32-1 seconds.
pub fn parse_period(text: &[u8]) -> Option<u32> {
    let mut total: u64 = 0;
    let mut number: Option<u64> = None;
    let mut units = 0;
    for octet in text {
        if octet.is_ascii_digit() {
            let value = number.unwrap_or(0) * 10 + u64::from(octet - b'0');
            number = Some(value).filter(|value| *value <= u64::from(u32::MAX));
            number?;
            continue;
        }
        let unit: u64 = match octet.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total += number.take()? * unit;
        units += 1;
        if total > u64::from(u32::MAX) {
            return None;
        }
    }
    match (number, units) {
        (Some(number), 0) => u32::try_from(number).ok(),
        // A number without its unit behind others (`1h30`) may mean anything.
        (Some(_), _) => None,
        (None, 0) => None,
        (None, _) => u32::try_from(total).ok(),
    }
}

/// Appends a decimal number.
pub fn print_decimal(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The big-endian number in at most eight octets.
pub(super) fn number(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
}

/// The value of a hexadecimal digit.
pub(super) fn hex_digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// Reads pairs of hexadecimal digits. A text may be empty.
pub(super) fn parse_hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let pairs = text.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    for pair in pairs {
        out.push(hex_digit(pair[0])? << 4 | hex_digit(pair[1])?);
    }
    Some(())
}

/// Reads hexadecimal digits in all fields that are left; a pair may not be split.
pub(super) fn parse_hex_rest(
    expected: &'static str,
    cursor: &mut Cursor<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let mut high: Option<u8> = None;
    while cursor.peek().is_some() {
        let field = cursor.take(expected)?;
        for octet in field.text {
            let digit = hex_digit(*octet).ok_or_else(|| cursor.refuse(expected))?;
            match high.take() {
                Some(first) => out.push(first << 4 | digit),
                None => high = Some(digit),
            }
        }
    }
    if high.is_some() { Err(cursor.refuse(expected)) } else { Ok(()) }
}

/// Appends hexadecimal digits in lower case.
pub(super) fn print_hex(octets: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for octet in octets {
        out.push(DIGITS[usize::from(octet >> 4)]);
        out.push(DIGITS[usize::from(octet & 15)]);
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of each base64 digit; 255 for other octets.
static BASE64_VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut at = 0;
    while at < BASE64.len() {
        values[BASE64[at] as usize] = at as u8;
        at += 1;
    }
    values
};

/// Reads base64 in all fields that are left.
pub(super) fn parse_base64_rest(
    expected: &'static str,
    cursor: &mut Cursor<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let mut decoder = Base64::default();
    while cursor.peek().is_some() {
        let field = cursor.take(expected)?;
        decoder.feed(field.text, out).ok_or_else(|| cursor.refuse(expected))?;
    }
    decoder.finish().ok_or_else(|| cursor.refuse(expected))
}

/// Decodes base64 that comes in pieces.
#[derive(Default)]
pub(super) struct Base64 {
    bits: u32,
    /// Digits of the current group of four, padding included.
    digits: u8,
    padding: u8,
}

impl Base64 {
    pub(super) fn feed(&mut self, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
        for octet in text {
            let value = BASE64_VALUES[usize::from(*octet)];
            if value == 255 {
                self.pad(*octet, out)?;
                continue;
            }
            if self.padding > 0 {
                return None;
            }
            self.bits = self.bits << 6 | u32::from(value);
            self.digits += 1;
            if self.digits == 4 {
                out.extend_from_slice(&self.bits.to_be_bytes()[1..]);
                self.bits = 0;
                self.digits = 0;
            }
        }
        Some(())
    }

    fn pad(&mut self, octet: u8, out: &mut Vec<u8>) -> Option<()> {
        if octet != b'=' || self.digits < 2 {
            return None;
        }
        self.padding += 1;
        self.digits += 1;
        if self.digits < 4 {
            return Some(());
        }
        // One `=` leaves 18 bits of which 2 are spare, two leave 12 bits of which 4 are spare.
        let (kept, spare) = if self.padding == 1 { (2, 2) } else { (1, 4) };
        if self.bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        let octets = (self.bits >> spare).to_be_bytes();
        out.extend_from_slice(&octets[4 - kept..]);
        self.digits = 0;
        Some(())
    }

    pub(super) fn finish(self) -> Option<()> {
        (self.digits == 0).then_some(())
    }
}

/// Appends base64 with padding, as one field.
pub(super) fn print_base64(octets: &[u8], out: &mut Vec<u8>) {
    for group in octets.chunks(3) {
        let bits = number(group) << (8 * (3 - group.len()));
        for digit in 0..4 {
            if digit <= group.len() {
                out.push(BASE64[(bits >> (18 - 6 * digit)) as usize & 63]);
            } else {
                out.push(b'=');
            }
        }
    }
}

/// Reads base32hex without padding (RFC 4648 §7), in any case.
pub(super) fn parse_base32hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut bits: u32 = 0;
    let mut count = 0;
    for octet in text {
        let value = match octet {
            b'0'..=b'9' => octet - b'0',
            b'a'..=b'v' => octet - b'a' + 10,
            b'A'..=b'V' => octet - b'A' + 10,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // A whole digit to spare would be no part of any octet.
    (count < 5 && bits == 0).then_some(())
}

/// Appends base32hex without padding, in lower case.
pub(super) fn print_base32hex(octets: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    for group in octets.chunks(5) {
        let bits = number(group) << (8 * (5 - group.len()));
        for digit in 0..(group.len() * 8).div_ceil(5) {
            out.push(DIGITS[(bits >> (35 - 5 * digit)) as usize & 31]);
        }
    }
}

/// Appends `text` with its escapes resolved (RFC 1035 §5.1): `\DDD` is the octet DDD, `\X` is X.
pub(crate) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<(), NameError> {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|octet| *octet == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let (octet, taken) = parse_escape(&rest[at..])?;
        out.push(octet);
        rest = &rest[at + taken..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// Reads a character-string: appends a length octet and the text.
pub(super) fn parse_text(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    out.push(0);
    unescape(text, out).ok()?;
    out[start] = u8::try_from(out.len() - start - 1).ok()?;
    Some(())
}

/// Appends `octets` in quotes.
pub(super) fn print_quoted(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for octet in octets {
        print_text_octet(*octet, out);
    }
    out.push(b'"');
}

/// Appends one octet of a quoted text.
pub(super) fn print_text_octet(octet: u8, out: &mut Vec<u8>) {
    match octet {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', octet]),
        b' '..=b'~' => out.push(octet),
        _ => {
            let digits = [octet / 100, octet / 10 % 10, octet % 10];
            out.push(b'\\');
            out.extend(digits.map(|digit| b'0' + digit));
        }
    }
}

/// Appends a whole wire-form name for a zone file: octets that Knot DNS 3.2 does not read as they
/// are get a backslash, beyond those of [`print_label_octet`].
pub(crate) fn print_name(wire: &[u8], out: &mut Vec<u8>) {
    let mut rest = wire;
    while let Some((length, tail)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, next) = tail.split_at(usize::from(*length).min(tail.len()));
        for octet in label {
            match octet {
                b'a'..=b'z' | b'0'..=b'9' | b'A'..=b'Z' => out.push(*octet),
                b'-' | b'_' | b'*' | b'/' => out.push(*octet),
                // `\#` at the start of RDATA would announce the form of RFC 3597.
                b'#' => out.extend_from_slice(b"\\035"),
                b'!'..=b'~' => out.extend_from_slice(&[b'\\', *octet]),
                _ => print_label_octet(*octet, out),
            }
        }
        out.push(b'.');
        rest = next;
    }
    if wire.len() <= 1 {
        out.push(b'.');
    }
}

/// Reads a domain name and appends its wire form. The rules are those of [`Name::parse`]; this
/// one writes straight into the buffer, since the zone file reader does it once per record.
pub(super) fn append_name(
    text: &[u8],
    origin: Option<&Name>,
    out: &mut Vec<u8>,
) -> Result<(), NameError> {
    match text {
        b"" => return Err(NameError::Empty),
        b"." => {
            out.push(0);
            return Ok(());
        }
        b"@" => {
            out.extend_from_slice(origin.ok_or(NameError::NoOrigin)?.as_wire());
            return Ok(());
        }
        _ => {}
    }
    let start = out.len();
    let mut rest = text;
    loop {
        rest = append_label(rest, out)?;
        if out.len() - start >= NAME_LENGTH_MAX {
            return Err(NameError::NameTooLong);
        }
        match rest {
            [] => {
                out.extend_from_slice(origin.ok_or(NameError::NoOrigin)?.as_wire());
                break;
            }
            [_dot] => {
                out.push(0);
                break;
            }
            [_dot, more @ ..] => rest = more,
        }
    }
    if out.len() - start > NAME_LENGTH_MAX { Err(NameError::NameTooLong) } else { Ok(()) }
}

/// Reads one label; returns the rest of the text from the dot on.
fn append_label<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], NameError> {
    let length_at = out.len();
    out.push(0);
    let mut rest = text;
    loop {
        let plain = rest.iter().position(|octet| matches!(octet, b'.' | b'\\'));
        let (head, tail) = rest.split_at(plain.unwrap_or(rest.len()));
        out.extend_from_slice(head);
        rest = tail;
        if rest.first() != Some(&b'\\') {
            break;
        }
        let (octet, taken) = parse_escape(rest)?;
        out.push(octet);
        rest = &rest[taken..];
    }
    match out.len() - length_at - 1 {
        0 => Err(NameError::EmptyLabel),
        length if length > LABEL_LENGTH_MAX => Err(NameError::LabelTooLong),
        length => {
            out[length_at] = length as u8;
            Ok(rest)
        }
    }
}
