//! Moments and lengths of time in words: UTC, Gregorian. In: moments. Out: text, days, months.
//! Never: local time, leap seconds. Limit: after the year 9999 there are no dates.

use crate::{Seconds, Timestamp};

pub(super) const DAY: u64 = 86_400;
/// The last second of the year 9999.
const LAST: u64 = 253_402_300_799;

/// A moment by the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: u64,
    /// 1 to 12.
    pub(super) month: u64,
    pub(super) day: u64,
    pub(super) second_of_day: u64,
}

/// A moment by the calendar; what is after the year 9999 is its last second.
pub(super) fn civil(at: Timestamp) -> Civil {
    let seconds = at.0.min(LAST);
    // Years that begin in March put the leap day last; 400 of them are 146,097 days.
    let days = seconds / DAY + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let day = of_year - (153 * march + 2) / 5 + 1;
    Civil { year, month, day, second_of_day: seconds % DAY }
}

/// The first moment of a month; `month` may be beyond 12, and counts into later years then.
pub(super) fn month_begins(year: u64, month: u64) -> Timestamp {
    let (year, month) = (year + (month - 1) / 12, (month - 1) % 12 + 1);
    let (year, march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year / 400, year % 400);
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * march + 2) / 5;
    Timestamp(days.saturating_sub(719_468) * DAY)
}

/// `2026-11-22`.
pub(super) fn date(at: Timestamp) -> String {
    let Civil { year, month, day, .. } = civil(at);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-22 10:16`; "never" for what is after the year 9999.
pub fn minute(at: Timestamp) -> String {
    if at.0 > LAST {
        return "never".to_owned();
    }
    let second = civil(at).second_of_day;
    format!("{} {:02}:{:02}", date(at), second / 3600, second / 60 % 60)
}

/// `2026-11-22T10:16:41Z` (RFC 3339).
pub(super) fn rfc3339(at: Timestamp) -> String {
    let second = civil(at).second_of_day;
    format!("{}T{:02}:{:02}:{:02}Z", date(at), second / 3600, second / 60 % 60, second % 60)
}

/// `20261122T101641Z` (RFC 5545 §3.3.5).
pub(super) fn compact(at: Timestamp) -> String {
    rfc3339(at).replace(['-', ':'], "")
}

/// A length in its two largest units: `14d 12h`, `1h 5m`, `0s`.
pub fn length(length: Seconds) -> String {
    let units = [("d", DAY), ("h", 3600), ("m", 60), ("s", 1)];
    let mut rest = length.0;
    let mut parts = Vec::new();
    for (unit, size) in units {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}
