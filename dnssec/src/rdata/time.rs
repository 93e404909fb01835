//! RRSIG times in text: `YYYYMMDDHHmmSS` in UTC, or plain seconds since 1970 (RFC 4034 §3.2).
//! In and out: the 32 bits of the wire, which stand for the years 1970 to 2106 here.
//! Never: a clock, leap seconds, local time.

use super::encoding::{parse_number, print_decimal};

const SECONDS_PER_DAY: u64 = 86_400;

/// Reads a time; text with exactly 14 digits is a date.
pub(super) fn parse_time(text: &[u8]) -> Option<u32> {
    if text.len() != 14 {
        return parse_number(text, u64::from(u32::MAX)).map(|seconds| seconds as u32);
    }
    let part = |from: usize, to: usize| parse_number(&text[from..to], 9999);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let month_fits = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
    if year < 1970 || !month_fits || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days: u64 = (1970..year).map(days_in_year).sum::<u64>()
        + (1..month).map(|month| days_in_month(year, month)).sum::<u64>()
        + day
        - 1;
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    u32::try_from(seconds).ok()
}

/// Appends a time as `YYYYMMDDHHmmSS`.
pub(super) fn print_time(seconds: u32, out: &mut Vec<u8>) {
    let seconds = u64::from(seconds);
    let mut days = seconds / SECONDS_PER_DAY;
    let mut year = 1970;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    print_decimal(year, out);
    let of_day = seconds % SECONDS_PER_DAY;
    for part in [month, days + 1, of_day / 3600, of_day / 60 % 60, of_day % 60] {
        out.extend_from_slice(&[b'0' + (part / 10) as u8, b'0' + (part % 10) as u8]);
    }
}

fn is_leap(year: u64) -> bool {
    (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400)
}

fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
