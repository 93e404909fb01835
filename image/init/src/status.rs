//! What PID 1 says of the box: one line for programs, a screen for people. In: PID 1's state, and
//! what the kernel says of memory, addresses and the data partition. Out: text.

use crate::clock::{self, Trust};
use crate::data;
use crate::logger::utc;
use crate::pid1::Pid1;
use crate::supervision::Stage;
use nix::ifaddrs::getifaddrs;
use nix::sys::statvfs::statvfs;
use std::fmt::Write;
use std::fs;

/// `ready NAME`, `new NAME` or `no-data WHY`.
pub(crate) fn state(appliance: &Pid1) -> String {
    match appliance.stage {
        Stage::Ready => format!("ready {}\n", appliance.name()),
        Stage::New => format!("new {}\n", appliance.name()),
        Stage::NoData => {
            format!("no-data {}\n", appliance.trouble.as_deref().unwrap_or("no data partition"))
        }
    }
}

/// The screen. Writing to a string does not fail.
pub(crate) fn describe(appliance: &Pid1) -> String {
    let mut text = state(appliance);
    let _ = writeln!(text, "version    {}", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "running    {:.1} s", clock::since_boot().as_secs_f64());
    let trust = match appliance.trust {
        Trust::Plausible => "",
        Trust::Untrusted => " (it stood before the last known time: not to be trusted)",
    };
    let now = u64::try_from(clock::now()).unwrap_or(0);
    let _ = writeln!(text, "clock      {}{trust}", utc(now));
    for (interface, address) in addresses() {
        let _ = writeln!(text, "address    {address} on {interface}");
    }
    if let Some((free, total)) = memory() {
        let _ = writeln!(text, "memory     {free} of {total} MiB free");
    }
    if let Ok(room) =
        statvfs(data::FOLDER).map(|s| (s.blocks_available(), s.blocks(), s.fragment_size()))
    {
        let mib = |blocks: u64| blocks.saturating_mul(room.2) >> 20;
        let _ = writeln!(text, "data       {} of {} MiB free", mib(room.0), mib(room.1));
    }
    for service in &appliance.services {
        let (name, starts) = (service.spec.name, service.starts);
        let state = match service.process() {
            Some(process) => {
                format!("process {process} for {} s, starts {starts}", service.age().as_secs())
            }
            None => format!("not running, starts {starts}"),
        };
        let _ = writeln!(text, "service    {name}: {state}");
    }
    for (step, at) in &appliance.marks {
        let _ = writeln!(text, "boot       {:>7.3} s {step}", at.as_secs_f64());
    }
    text
}

fn addresses() -> Vec<(String, String)> {
    let all = getifaddrs().into_iter().flatten();
    all.filter_map(|entry| {
        let address = entry.address?;
        let text = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => v4.ip().to_string(),
            (_, Some(v6)) => v6.ip().to_string(),
            _ => return None,
        };
        Some((entry.interface_name, text))
    })
    .collect()
}

/// Free and total memory in MiB.
fn memory() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some((field("MemAvailable:")? >> 10, field("MemTotal:")? >> 10))
}
