//! Dates as OpenDNSSEC 1.x reads them (catalogue 1.10, `key import`). In: text. Out: a moment in
//! this machine's time zone. Forms: `YYYYMMDD[HH[MM[SS]]]`; `D-MM-YYYY`, `D-MMM-YYYY`,
//! `YYYY-MM-DD` and `YYYY-MMM-DD`, each with `:HH[:MM[:SS]]` or a blank and that behind it.

use dnssec::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// The moment that `text` names.
pub(super) fn parse_date(text: &str) -> Option<Timestamp> {
    let [year, month, day, hour, minute, second] = fields(text)?;
    let small = |number: u32| i8::try_from(number).ok();
    let moment = DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        0,
    );
    let moment = moment.ok()?.to_zoned(TimeZone::system()).ok()?;
    u64::try_from(moment.timestamp().as_second()).ok().map(Timestamp)
}

/// Year, month, day, hour, minute, second.
fn fields(text: &str) -> Option<[u32; 6]> {
    let text = text.trim();
    if !text.is_ascii() {
        return None;
    }
    if !text.contains('-') {
        return compact(text);
    }
    let (date, time) = match text.split_once([':', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [first, month, last] = parts.as_slice() else { return None };
    let (year, day) = match (first.len(), last.len()) {
        (4, 1 | 2) => (first, last),
        (1 | 2, 4) => (last, first),
        _ => return None,
    };
    let [hour, minute, second] = time.map_or(Some([0; 3]), clock)?;
    Some([number(year)?, month_of(month)?, number(day)?, hour, minute, second])
}

/// All digits.
fn compact(text: &str) -> Option<[u32; 6]> {
    if !matches!(text.len(), 8 | 10 | 12 | 14) {
        return None;
    }
    let part = |from: usize, to: usize| {
        if from < text.len() { number(&text[from..to]) } else { Some(0) }
    };
    Some([part(0, 4)?, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?])
}

fn clock(text: &str) -> Option<[u32; 3]> {
    let mut found = [0; 3];
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > found.len() {
        return None;
    }
    for (place, part) in found.iter_mut().zip(parts) {
        *place = number(part).filter(|_| part.len() <= 2)?;
    }
    Some(found)
}

fn month_of(text: &str) -> Option<u32> {
    let named = MONTHS.iter().zip(1..).find(|(name, _)| name.eq_ignore_ascii_case(text));
    match named {
        Some((_, month)) => Some(month),
        None => number(text).filter(|_| text.len() == 2),
    }
}

fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_forms_of_1_4_are_read() {
        let moment = Some([2014, 3, 9, 7, 5, 1]);
        for text in
            ["20140309070501", "9-03-2014:07:05:01", "09-Mar-2014 07:05:01", "2014-MAR-09:7:5:1"]
        {
            assert_eq!(fields(text), moment, "{text}");
        }
        assert_eq!(fields("20140309"), Some([2014, 3, 9, 0, 0, 0]));
        assert_eq!(fields("2014030907"), Some([2014, 3, 9, 7, 0, 0]));
        assert_eq!(fields("2014-03-09 07:05"), Some([2014, 3, 9, 7, 5, 0]));
        assert_eq!(fields("2014-03-09"), Some([2014, 3, 9, 0, 0, 0]));
    }

    #[test]
    fn other_text_is_no_date() {
        for text in [
            "",
            "now",
            "2014",
            "201403",
            "2014030",
            "2014-3-9",
            "9-3-2014",
            "2014-03",
            "14-03-09",
            "2014-Foo-09",
            "2014-03-09:1:2:3:4",
            "2014-03-09:x",
            "2014-03-09 007",
            "2014-03-0\u{661}",
            "+0140309",
            "2014-03-09:+1",
        ] {
            assert_eq!(fields(text), None, "{text}");
        }
        for text in ["20141399", "2014-02-30", "2014-03-09:25", "1969-01-01", "99990101999999"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert!(parse_date("2014-03-09").is_some());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = parse_date(&text);
        }

        #[test]
        fn no_digits_panic(text in "[0-9:\\- JANM]{0,20}") {
            let _ = parse_date(&text);
        }
    }
}
