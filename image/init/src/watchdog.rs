//! The watchdog: resets the machine when PID 1 no longer comes round. In: calls of
//! [`Watchdog::pet`] from the main loop. Out: the device kept quiet. On an ordered stop it is
//! disarmed.

use crate::kernel_log::notice;
use nix::libc::c_int;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

/// Without a sign of life for so long the machine is reset.
const LIMIT_SECONDS: c_int = 15;
/// How often the main loop comes round at least.
pub(crate) const PERIOD: Duration = Duration::from_secs(5);
const DEVICE: &str = "/dev/watchdog";
/// What disarms a watchdog when it is written last (the "magic close").
const DISARM: &[u8] = b"V";

// WDIOC_SETTIMEOUT of <linux/watchdog.h>.
nix::ioctl_readwrite!(set_limit, b'W', 6, c_int);

/// The armed watchdog, or none.
#[derive(Debug)]
pub(crate) struct Watchdog {
    device: Option<File>,
}

/// Whether the machine has a watchdog.
pub(crate) fn is_there() -> bool {
    Path::new(DEVICE).exists()
}

impl Watchdog {
    /// None: for machines without, and for those who switched it off.
    pub(crate) fn none() -> Watchdog {
        Watchdog { device: None }
    }

    /// Arms the machine's watchdog.
    pub(crate) fn arm() -> Watchdog {
        let device = match File::options().write(true).open(DEVICE) {
            Ok(device) => device,
            Err(cause) => {
                notice(&format!("no watchdog: {cause}"));
                return Watchdog::none();
            }
        };
        let mut limit = LIMIT_SECONDS;
        // SAFETY: the kernel reads and writes one int, which lives as long as the call.
        if let Err(cause) = unsafe { set_limit(device.as_raw_fd(), &mut limit) } {
            notice(&format!("the watchdog keeps its own limit: {cause}"));
        }
        let name = fs::read_to_string("/sys/class/watchdog/watchdog0/identity").unwrap_or_default();
        notice(&format!("watchdog armed for {limit} s: {}", name.trim()));
        Watchdog { device: Some(device) }
    }

    /// A sign of life.
    pub(crate) fn pet(&mut self) {
        if let Some(device) = &mut self.device {
            // If this fails the machine is reset, which is what a watchdog is for.
            let _ = device.write_all(b".");
        }
    }

    /// Switches it off.
    pub(crate) fn disarm(&mut self) {
        if let Some(mut device) = self.device.take() {
            // If this fails the machine is reset 15 s after it should have been off.
            let _ = device.write_all(DISARM);
        }
    }
}
