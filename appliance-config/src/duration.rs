//! Durations of the configuration files: ISO 8601 `P[nY][nM][nW][nD][T[nH][nM][nS]]`
//! (XML Schema's `xsd:duration`, plus weeks). A year is 365 days, a month 31 days.
//! In: text. Out: seconds, and back in the normal form that OpenDNSSEC 2.x prints.
//! Limits: at most [`DURATION_SECONDS_MAX`], as in OpenDNSSEC, which counts in 32-bit integers.

use dnssec::Seconds;

/// Largest duration, in seconds: about 68 years.
pub const DURATION_SECONDS_MAX: u64 = i32::MAX as u64;
/// What `Y` means: 365 days.
pub const YEAR_SECONDS: u64 = 365 * DAY_SECONDS;
/// What `M` before the `T` means: 31 days.
pub const MONTH_SECONDS: u64 = 31 * DAY_SECONDS;
const WEEK_SECONDS: u64 = 7 * DAY_SECONDS;
const DAY_SECONDS: u64 = 86_400;

/// The units in the only order they may come in, and whether each stands after the `T`.
const UNITS: [(u8, bool, u64); 7] = [
    (b'Y', false, YEAR_SECONDS),
    (b'M', false, MONTH_SECONDS),
    (b'W', false, WEEK_SECONDS),
    (b'D', false, DAY_SECONDS),
    (b'H', true, 3600),
    (b'M', true, 60),
    (b'S', true, 1),
];

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not of the form at all.
    #[error("not a duration of the form P[nY][nM][nW][nD][T[nH][nM][nS]], such as P14D or PT1H30M")]
    Malformed,
    /// A leading minus, which XML Schema allows and DNSSEC timing does not.
    #[error("a duration cannot be negative")]
    Negative,
    /// Fractions of a second, which XML Schema allows.
    #[error("fractions of a second are not possible")]
    Fraction,
    /// More than [`DURATION_SECONDS_MAX`].
    #[error("longer than {DURATION_SECONDS_MAX} seconds (about 68 years)")]
    TooLong,
}

/// Reads a duration; `text` carries no white space.
pub fn parse_duration(text: &str) -> Result<Seconds, DurationError> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut rest = text.strip_prefix('P').ok_or(DurationError::Malformed)?.as_bytes();
    let mut total: Option<u64> = Some(0);
    let (mut next_unit, mut after_t, mut fields, mut fraction) = (0, false, 0, false);
    while !rest.is_empty() {
        if rest[0] == b'T' && !after_t {
            (after_t, fields, rest) = (true, 0, &rest[1..]);
            continue;
        }
        let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let (number, mut tail) = rest.split_at(digits);
        if tail.first() == Some(&b'.') {
            let decimals = tail[1..].iter().take_while(|octet| octet.is_ascii_digit()).count();
            if decimals == 0 || tail.get(1 + decimals) != Some(&b'S') {
                return Err(DurationError::Malformed);
            }
            fraction = true;
            tail = &tail[1 + decimals..];
        }
        let letter = *tail.first().ok_or(DurationError::Malformed)?;
        let unit = (next_unit..UNITS.len())
            .find(|&unit| UNITS[unit].0 == letter && UNITS[unit].1 == after_t)
            .filter(|_| digits > 0)
            .ok_or(DurationError::Malformed)?;
        total =
            total.and_then(|total| total.checked_add(decimal(number)?.checked_mul(UNITS[unit].2)?));
        (next_unit, fields, rest) = (unit + 1, fields + 1, &tail[1..]);
    }
    if fields == 0 {
        return Err(DurationError::Malformed);
    }
    if negative {
        return Err(DurationError::Negative);
    }
    if fraction {
        return Err(DurationError::Fraction);
    }
    match total {
        Some(total) if total <= DURATION_SECONDS_MAX => Ok(Seconds(total)),
        _ => Err(DurationError::TooLong),
    }
}

/// The value of ASCII digits; `None` when it does not fit.
fn decimal(digits: &[u8]) -> Option<u64> {
    digits
        .iter()
        .try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// Prints a duration as OpenDNSSEC 2.x does: the largest units first, never weeks; zero is
/// `PT0S`.
pub fn format_duration(length: Seconds) -> String {
    let mut rest = length.0;
    if rest == 0 {
        return "PT0S".to_owned();
    }
    let mut text = String::from("P");
    let mut after_t = false;
    for (letter, in_time, seconds) in UNITS {
        let count = rest / seconds;
        if letter == b'W' || count == 0 {
            continue;
        }
        if in_time && !after_t {
            text.push('T');
            after_t = true;
        }
        text.push_str(&count.to_string());
        text.push(char::from(letter));
        rest %= seconds;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        for (text, seconds) in [
            ("P1Y", 31_536_000),
            ("P1M", 2_678_400),
            ("PT1M", 60),
            ("P1W", 604_800),
            ("P14D", 1_209_600),
            ("PT0S", 0),
            ("P1Y2M3W4DT5H6M7S", 31_536_000 + 5_356_800 + 1_814_400 + 345_600 + 18_367),
            ("PT2147483647S", i32::MAX as u64),
        ] {
            assert_eq!(parse_duration(text), Ok(Seconds(seconds)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        use DurationError::*;
        for text in [
            "", "P", "PT", "P1", "1D", "PD", "P1S", "PT1D", "P1DT", "P1D1Y", "PT1S1H", "p1d",
            "P1.5D", "P 1D", "P1D ", "PT1.S", "P1TT1S", "bad_text", "P+1D", "--P1D", "P1DT1H1D",
            "P٣D",
        ] {
            assert_eq!(parse_duration(text), Err(Malformed), "{text:?}");
        }
        assert_eq!(parse_duration("-P1D"), Err(Negative));
        assert_eq!(parse_duration("PT1.5S"), Err(Fraction));
        assert_eq!(parse_duration("PT2147483648S"), Err(TooLong));
        assert_eq!(parse_duration("P100Y"), Err(TooLong));
        assert_eq!(parse_duration(&format!("P{}Y", "9".repeat(400))), Err(TooLong));
    }

    #[test]
    fn prints_the_normal_form_of_2_x() {
        for (from, to) in [
            ("PT3600S", "PT1H"),
            ("PT6000S", "PT1H40M"),
            ("PT93600S", "P1DT2H"),
            ("P1M", "P1M"),
            ("P90D", "P2M28D"),
            ("P14D", "P14D"),
            ("PT0S", "PT0S"),
            ("P365D", "P1Y"),
        ] {
            let length = parse_duration(from).unwrap();
            assert_eq!(format_duration(length), to, "{from}");
            assert_eq!(parse_duration(to), Ok(length));
        }
    }

    proptest::proptest! {
        #[test]
        fn printing_and_reading_agree(seconds in 0..=DURATION_SECONDS_MAX) {
            let text = format_duration(Seconds(seconds));
            proptest::prop_assert_eq!(parse_duration(&text), Ok(Seconds(seconds)));
        }
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse_duration(&text);
        }
    }
}
