//! The serial of the next signed version (catalogue 5.5; RFC 1982).
//! In: mode, the input's serial, the last published serial, the time. Out: a serial that is
//! newer than the last published, or why there is none.

use crate::policy::SerialMode;
use crate::{Serial, Timestamp};

/// Why there is no next serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SerialError {
    /// Mode `keep`, and the input's serial has not risen (OpenDNSSEC's text).
    #[error(
        "cannot keep SOA SERIAL from input zone ({input}): previous output SOA SERIAL is \
         {previous}; please increment the serial in the unsigned zone"
    )]
    NotRisen {
        /// The input's serial.
        input: Serial,
        /// The last published one.
        previous: Serial,
    },
    /// A serial asked for by the operator is not newer than the last published one.
    #[error("serial {wanted} is not newer than the published {previous} (RFC 1982)")]
    NotNewer {
        /// The serial asked for.
        wanted: Serial,
        /// The last published one.
        previous: Serial,
    },
}

/// The serial of the next version. `previous` is the last published output serial.
pub fn next_serial(
    mode: SerialMode,
    input: Serial,
    previous: Option<Serial>,
    now: Timestamp,
) -> Result<Serial, SerialError> {
    // The larger of both counts as the last one, so that a rising input is never undone.
    let last = match previous {
        Some(previous) if previous.is_after(input) => previous,
        Some(_) | None => input,
    };
    // Serials have no order over more than half their circle (RFC 1982, section 3.2): what is
    // newer than the input can be older than what was published, and that must never be sent.
    let is_newer = |wanted: Serial| previous.is_none_or(|previous| wanted.is_after(previous));
    let next = match previous {
        Some(previous) if !is_newer(last.plus(1)) => previous.plus(1),
        _ => last.plus(1),
    };
    let newer_or_next = |wanted: Serial| match previous {
        None if wanted.is_after(input) || wanted == input => wanted,
        _ if wanted.is_after(last) && is_newer(wanted) => wanted,
        _ => next,
    };
    match mode {
        SerialMode::Counter => Ok(next),
        SerialMode::UnixTime => Ok(newer_or_next(Serial(now.to_wire()))),
        SerialMode::DateCounter => Ok(newer_or_next(date_serial(now))),
        SerialMode::Keep => match previous {
            Some(previous) if !input.is_after(previous) => {
                Err(SerialError::NotRisen { input, previous })
            }
            _ => Ok(input),
        },
    }
}

/// The operator's serial for one version (`sign --serial`).
pub fn enforce_serial(wanted: Serial, previous: Option<Serial>) -> Result<Serial, SerialError> {
    match previous {
        Some(previous) if !wanted.is_after(previous) => {
            Err(SerialError::NotNewer { wanted, previous })
        }
        _ => Ok(wanted),
    }
}

/// YYYYMMDD00 of the UTC day of `now`.
fn date_serial(now: Timestamp) -> Serial {
    let (year, month, day) = civil_date(now.0 / 86_400);
    Serial((year as u32).wrapping_mul(1_000_000).wrapping_add(month * 10_000 + day * 100))
}

/// Gregorian date of a day since 1970-01-01: years of 400-year eras that begin in March.
fn civil_date(days: u64) -> (u64, u32, u32) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T12:00:00Z.
    const NOON: Timestamp = Timestamp(1_795_348_800);

    #[track_caller]
    fn check(mode: SerialMode, input: u32, previous: Option<u32>, expect: u32) {
        let next = next_serial(mode, Serial(input), previous.map(Serial), NOON);
        assert_eq!(next, Ok(Serial(expect)));
    }

    #[test]
    fn counter_begins_at_input_plus_one() {
        check(SerialMode::Counter, 1000, None, 1001);
        check(SerialMode::Counter, 1000, Some(1005), 1006);
        check(SerialMode::Counter, 2000, Some(1005), 2001);
        check(SerialMode::Counter, u32::MAX, None, 0);
    }

    #[test]
    fn date_and_time_fall_back_to_one_more() {
        check(SerialMode::DateCounter, 1, None, 2_026_112_200);
        check(SerialMode::DateCounter, 1, Some(2_026_112_200), 2_026_112_201);
        check(SerialMode::UnixTime, 1, None, NOON.to_wire());
        check(SerialMode::UnixTime, 1, Some(NOON.to_wire()), NOON.to_wire() + 1);
        check(SerialMode::UnixTime, 2_026_112_299, None, 2_026_112_300);
    }

    #[test]
    fn never_older_than_the_published_one_over_the_whole_circle() {
        // 1 is newer than 3,000,000,000, and the time is newer than 1, but not than that.
        check(SerialMode::UnixTime, 1, Some(3_000_000_000), 2);
        check(SerialMode::DateCounter, 1, Some(3_000_000_000), 2);
        // The input's next one lies just out of reach.
        check(SerialMode::Counter, (1 << 31) - 1 + 5, Some(5), 6);
        let steps = (0..=64).map(|step: u32| step.wrapping_mul(1 << 26));
        for (input, previous) in steps.clone().flat_map(|a| steps.clone().map(move |b| (a, b))) {
            for input in [input.wrapping_sub(1), input, input.wrapping_add(1)] {
                for mode in [SerialMode::Counter, SerialMode::UnixTime, SerialMode::DateCounter] {
                    let next = next_serial(mode, Serial(input), Some(Serial(previous)), NOON);
                    let next = next.unwrap();
                    assert!(next.is_after(Serial(previous)), "{mode:?} {input} {previous} {next}");
                }
            }
        }
    }

    #[test]
    fn keep_must_rise() {
        check(SerialMode::Keep, 7, None, 7);
        check(SerialMode::Keep, 8, Some(7), 8);
        let error = next_serial(SerialMode::Keep, Serial(7), Some(Serial(7)), NOON);
        assert!(matches!(error, Err(SerialError::NotRisen { .. })));
        assert_eq!(enforce_serial(Serial(9), Some(Serial(7))), Ok(Serial(9)));
        assert!(enforce_serial(Serial(7), Some(Serial(7))).is_err());
    }

    #[test]
    fn civil_dates() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(19_782), (2024, 2, 29));
        assert_eq!(civil_date(20_778), (2026, 11, 21));
    }
}
