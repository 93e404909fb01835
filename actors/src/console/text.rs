//! Forms of OpenDNSSEC's output. In: values. Out: text.

use dnssec::Timestamp;
use jiff::tz::TimeZone;

/// A line of columns, as `printf` makes it with widths of `%-31s`: at least so many octets, and a
/// blank between two.
pub(super) fn columns(cells: &[(&str, usize)]) -> String {
    let padded = cells.iter().map(|(text, width)| {
        let missing = width.saturating_sub(text.len());
        format!("{text}{}", " ".repeat(missing))
    });
    padded.collect::<Vec<_>>().join(" ") + "\n"
}

/// A moment in this machine's time zone, as `ctime` has it, without its line end:
/// `Sun Nov 22 10:16:41 2026`.
pub(super) fn ctime(at: Timestamp) -> String {
    ctime_in(at, TimeZone::system())
}

fn ctime_in(at: Timestamp, zone: TimeZone) -> String {
    let seconds = i64::try_from(at.0).ok();
    match seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) {
        Some(moment) => moment.to_zoned(zone).strftime("%a %b %e %H:%M:%S %Y").to_string(),
        // Beyond the year 9999.
        None => "invalid date/time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_printf() {
        let line = columns(&[("Name:", 10), ("a longer text", 5), ("end", 4)]);
        assert_eq!(line, "Name:      a longer text end \n");
        assert_eq!(columns(&[("é", 4), ("x", 0)]), "é   x\n");
    }

    #[test]
    fn ctime_has_a_blank_before_a_short_day() {
        let utc = |seconds| ctime_in(Timestamp(seconds), TimeZone::UTC);
        assert_eq!(utc(1_795_342_601), "Sun Nov 22 10:16:41 2026");
        assert_eq!(utc(1_803_985_287), "Tue Mar  2 11:01:27 2027");
        assert_eq!(utc(u64::MAX), "invalid date/time");
    }
}
