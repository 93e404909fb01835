//! Binary data in text: base64 and base32hex (RFC 4648 §4, §7), hexadecimal, times of RRSIG
//! (RFC 4034 §3.2), numbers.

/// Decodes data that may be spread over words.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    bits: u32,
    digits: u32,
    padding: u32,
}

const NOT_A_DIGIT: u8 = 0xff;

static BASE64: [u8; 256] =
    digits_of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

const fn digits_of(alphabet: &[u8]) -> [u8; 256] {
    let mut digits = [NOT_A_DIGIT; 256];
    let mut at = 0;
    while at < alphabet.len() {
        digits[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    digits
}

impl Base64 {
    /// Takes the next word; false if it is no base64.
    pub(super) fn push(&mut self, word: &[u8], out: &mut Vec<u8>) -> bool {
        for &octet in word {
            if octet == b'=' {
                self.padding += 1;
                continue;
            }
            let digit = BASE64[usize::from(octet)];
            if digit == NOT_A_DIGIT || self.padding > 0 {
                return false;
            }
            self.bits = self.bits << 6 | u32::from(digit);
            self.digits += 1;
            if self.digits == 4 {
                out.extend_from_slice(&self.bits.to_be_bytes()[1..]);
                (self.bits, self.digits) = (0, 0);
            }
        }
        true
    }

    /// Ends the data; false if digits or padding are missing or too many, or a bit behind the last
    /// octet is set.
    pub(super) fn finish(self, out: &mut Vec<u8>) -> bool {
        match (self.digits, self.padding) {
            (0, 0) => true,
            (2, 2) if self.bits.trailing_zeros() >= 4 => {
                out.push((self.bits >> 4) as u8);
                true
            }
            (3, 1) if self.bits.trailing_zeros() >= 2 => {
                out.extend_from_slice(&(self.bits >> 2).to_be_bytes()[2..]);
                true
            }
            _ => false,
        }
    }
}

/// Decodes hexadecimal data that may be spread over words, also within an octet.
#[derive(Debug, Default)]
pub(super) struct Hex {
    half: Option<u8>,
}

impl Hex {
    /// Takes the next word; false if it is not hexadecimal.
    pub(super) fn push(&mut self, word: &[u8], out: &mut Vec<u8>) -> bool {
        for &octet in word {
            let Some(digit) = char::from(octet).to_digit(16) else { return false };
            // A digit is below 16.
            let digit = digit as u8;
            match self.half.take() {
                Some(high) => out.push(high << 4 | digit),
                None => self.half = Some(digit),
            }
        }
        true
    }

    /// Ends the data; false if half an octet is missing.
    pub(super) fn finish(self) -> bool {
        self.half.is_none()
    }
}

/// Decodes base32hex without padding (RFC 5155 §3.3).
pub(super) fn base32hex(word: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut bits, mut bit_count) = (0_u32, 0_u32);
    for &octet in word {
        let Some(digit) = char::from(octet).to_digit(32) else { return false };
        bits = bits << 5 | digit;
        bit_count += 5;
        if bit_count >= 8 {
            bit_count -= 8;
            // Truncation keeps the eight bits that are complete.
            out.push((bits >> bit_count) as u8);
            bits &= (1 << bit_count) - 1;
        }
    }
    bit_count < 5 && bits == 0
}

/// A decimal number of at most `maximum`.
pub(super) fn number(word: &[u8], maximum: u64) -> Option<u64> {
    if word.is_empty() || word.len() > 20 {
        return None;
    }
    let value = word.iter().try_fold(0_u64, |sum, &octet| {
        let digit = octet.is_ascii_digit().then(|| u64::from(octet - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })?;
    (value <= maximum).then_some(value)
}

/// Seconds, as a number or with units: `1h30m` (weeks, days, hours, minutes, seconds).
pub(super) fn period(word: &[u8]) -> Option<u32> {
    if word.last().is_some_and(u8::is_ascii_digit) && word.iter().all(u8::is_ascii_digit) {
        return number(word, u64::from(u32::MAX)).map(|value| value as u32);
    }
    let (mut sum, mut value, mut has_digits) = (0_u64, 0_u64, false);
    for &octet in word {
        if octet.is_ascii_digit() {
            value = value.checked_mul(10)?.checked_add(u64::from(octet - b'0'))?;
            has_digits = true;
            continue;
        }
        let unit = match octet.to_ascii_lowercase() {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if !has_digits {
            return None;
        }
        sum = sum.checked_add(value.checked_mul(unit)?)?;
        (value, has_digits) = (0, false);
    }
    // Digits behind the last unit would be seconds to some programs and an error to others.
    if has_digits || word.is_empty() { None } else { u32::try_from(sum).ok() }
}

/// A time as YYYYMMDDHHmmSS, or in Unix seconds modulo 2^32.
pub(super) fn time(word: &[u8]) -> Option<u32> {
    if word.len() != 14 {
        return number(word, u64::from(u32::MAX)).map(|value| value as u32);
    }
    let part = |from: usize, length: usize| number(&word[from..from + length], 9999);
    let (year, month, day) = (part(0, 4)?, part(4, 2)?, part(6, 2)?);
    let (hour, minute, second) = (part(8, 2)?, part(10, 2)?, part(12, 2)?);
    let is_date =
        year >= 1970 && (1..=12).contains(&month) && (1..=days(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let years = 1970..year;
    let in_years: u64 = years.map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let in_months: u64 = (1..month).map(|month| days(year, month)).sum();
    let all_days = in_years + in_months + day - 1;
    let seconds = all_days * 86_400 + hour * 3600 + minute * 60 + second;
    // RFC 4034 §3.1.5: serial arithmetic of 32 bits.
    Some(seconds as u32)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
