//! The clock's floor: no time before the image was made, or before the last one that this box has
//! seen, is right. In: the kernel's clock (from the RTC), the saved time. Out: the clock set
//! forward to the floor where it stood before it, and whether it can be trusted.

use crate::data;
use crate::kernel_log::error;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Time of the image's sources.
const IMAGE_TIME: &str = "/etc/image-time";
const SAVED: &str = "/data/clock";
/// There while the clock is not trusted, for whoever signs.
const UNTRUSTED: &str = "/run/clock-untrusted";
/// How often the time is saved.
pub(crate) const SAVE_PERIOD: Duration = Duration::from_secs(600);

/// Whether the time can be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Plausible,
    /// The clock stood before the floor.
    Untrusted,
}

/// The time that no clock may be before, of the texts of the two files.
fn floor(image: &str, saved: &str) -> i64 {
    let seconds = |text: &str| text.trim().parse::<i64>().unwrap_or(0);
    seconds(image).max(seconds(saved))
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |time| time.tv_sec())
}

/// Time since the kernel started.
pub(crate) fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// Lifts the clock to the floor.
pub(crate) fn lift() -> Trust {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (floor, now) = (floor(&read(IMAGE_TIME), &read(SAVED)), now());
    if now >= floor {
        return Trust::Plausible;
    }
    error(&format!("the clock stood at {now}, before {floor}: set there, and not to be trusted"));
    if let Err(cause) = clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::new(floor, 0)) {
        error(&format!("the clock cannot be set: {cause}"));
    }
    if let Err(cause) = fs::write(UNTRUSTED, "") {
        error(&format!("{UNTRUSTED}: {cause}"));
    }
    Trust::Untrusted
}

/// Saves the time, as the floor of the next start.
pub(crate) fn save() {
    if let Err(cause) = data::write_durably(Path::new(SAVED), format!("{}\n", now()).as_bytes()) {
        error(&format!("{SAVED}: {cause}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_both_counts_and_damage_is_as_good_as_nothing() {
        assert_eq!(floor("100\n", "50\n"), 100);
        assert_eq!(floor("100\n", "150\n"), 150);
        assert_eq!(floor("100\n", "x"), 100);
        assert_eq!(floor("", ""), 0);
    }
}
