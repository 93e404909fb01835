//! Moments as people at this machine read them: in its time zone.
//! In: [`Timestamp`]. Out: text, in the forms that OpenDNSSEC prints.

use dnssec::Timestamp;
use jiff::tz::TimeZone;

/// As C's `ctime` has it, without the line's end: `Sun Nov 22 10:00:00 2026`.
pub fn ctime(at: Timestamp) -> String {
    formatted(at, "%a %b %e %H:%M:%S %Y")
}

/// `2026-11-22 10:00:00`.
pub fn date_time(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%d %H:%M:%S")
}

fn formatted(at: Timestamp, format: &str) -> String {
    let seconds = i64::try_from(at.0).ok();
    match seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) {
        Some(moment) => moment.to_zoned(TimeZone::system()).strftime(format).to_string(),
        // Beyond the year 9999.
        None => format!("{} seconds after 1970", at.0),
    }
}
