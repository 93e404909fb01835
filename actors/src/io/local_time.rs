//! Moments as people at this machine read them: in its time zone.
//! In: [`Timestamp`]. Out: text, in the forms that OpenDNSSEC prints.

use dnssec::Timestamp;
use jiff::tz::TimeZone;

/// As C's `ctime` has it, without the line's end: `Sun Nov 22 10:00:00 2026`.
pub fn ctime(at: Timestamp) -> String {
    formatted(at, CTIME, TimeZone::system())
}

/// `2026-11-22 10:00:00`.
pub fn date_time(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%d %H:%M:%S", TimeZone::system())
}

/// As log lines of syslog begin: `Nov 22 10:00:00` (RFC 3164 section 4.1.2).
pub fn syslog_time(at: Timestamp) -> String {
    formatted(at, "%b %e %H:%M:%S", TimeZone::system())
}

const CTIME: &str = "%a %b %e %H:%M:%S %Y";

fn formatted(at: Timestamp, format: &str, zone: TimeZone) -> String {
    let seconds = i64::try_from(at.0).ok();
    match seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) {
        Some(moment) => moment.to_zoned(zone).strftime(format).to_string(),
        // Beyond the year 9999.
        None => "invalid date/time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctime_has_a_blank_before_a_short_day() {
        let utc = |seconds| formatted(Timestamp(seconds), CTIME, TimeZone::UTC);
        assert_eq!(utc(1_795_342_601), "Sun Nov 22 10:16:41 2026");
        assert_eq!(utc(1_803_985_287), "Tue Mar  2 11:01:27 2027");
        assert_eq!(utc(u64::MAX), "invalid date/time");
    }
}
