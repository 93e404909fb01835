//! The auditor in a real process: verdicts, differences, a host that is killed, is silent, talks
//! nonsense, or is no host. This program is its own host: with `audit-host` as its argument.

use audit::{Denial, Difference, Expectations, Signing, presentation};
use audit_host::{Changes, Copy, Fault, HostProgram, Judge, Ticket, Verdict, Whole, host};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("audit-host") {
        return match host::run() {
            Ok(code) => code,
            Err(fault) => {
                eprintln!("audit host: {fault}");
                ExitCode::from(2)
            }
        };
    }
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| wanted.iter().any(|one| one == word);
    // As nextest asks for it: the names, or one of them to be run.
    if has("--list") {
        let shown = if has("--ignored") { &[][..] } else { &CHECKS[..] };
        shown.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let is_named = CHECKS.iter().any(|(name, _)| has(name));
    for (name, check) in CHECKS.iter().filter(|(name, _)| !is_named || has(name)) {
        check();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

const CHECKS: [(&str, fn()); 7] = [
    ("verdicts_are_those_of_an_auditor_in_this_process", verdicts_are_the_same),
    ("differences_are_judged_against_the_hosts_own_copy", differences),
    ("a_killed_host_is_followed_by_another_without_copies", killed),
    ("a_host_killed_at_work_approves_nothing", killed_at_work),
    ("a_silent_host_is_killed_and_approves_nothing", silent),
    ("what_is_no_host_is_a_fault_and_starts_are_paced", no_host),
    ("several_threads_ask_at_once", several),
];

const NOW: u64 = 1_800_000_000;

fn expectations() -> Expectations {
    let signing = Signing { signers: Vec::new(), ds_algorithms: Vec::new() };
    let signing = Some(signing);
    Expectations { signing, ..Expectations::new(b"\x07example\0".to_vec(), NOW, Denial::None) }
}

/// An unsigned zone with so many names, which is good as one that is to be unsigned.
fn zone(serial: u32, names: usize) -> Vec<u8> {
    let mut text = format!("$TTL 60\nexample. SOA a.example. b.example. {serial} 2 3 4 5\n");
    text.push_str("example. NS a.example.\na.example. A 192.0.2.1\n");
    for number in 0..names {
        text.push_str(&format!("n{number}.example. A 192.0.2.2\n"));
    }
    presentation::read_text(text.as_bytes(), None).unwrap().records
}

fn own_host(silence: Duration) -> HostProgram {
    HostProgram { silence, ..program("/proc/self/exe", &["audit-host"]) }
}

fn program(path: &str, arguments: &[&str]) -> HostProgram {
    let arguments = arguments.iter().map(Into::into).collect();
    HostProgram { path: path.into(), arguments, silence: Duration::from_secs(600) }
}

fn hosted() -> Judge {
    Judge::in_host(own_host(Duration::from_secs(600)), || Duration::ZERO)
}

fn whole(judge: &Judge, records: &[u8]) -> Result<Verdict, Fault> {
    // Records that are cut anywhere would not be records.
    let mut candidate = [records.to_vec()].into_iter();
    let mut source = [records.to_vec()].into_iter();
    let ticket = Ticket::Whole(Whole {
        expectations: &expectations(),
        candidate: &mut candidate,
        source: Some(&mut source),
        keeps_copy: true,
    });
    judge.judge(ticket, &|_, _| ())
}

fn change(judge: &Judge, follows: &Copy, difference: Difference<'_>) -> Result<Verdict, Fault> {
    let expectations = expectations();
    judge.judge(
        Ticket::Changes(Changes { expectations: &expectations, follows, difference }),
        &|_, _| (),
    )
}

fn verdicts_are_the_same() {
    let here = Judge::here(2, || Duration::ZERO);
    let hosted = hosted();
    let mut broken = zone(1, 3);
    broken.truncate(broken.len() - 1);
    for records in [zone(1, 3), zone(1, 20_000), broken, Vec::new(), vec![0xff; 5000]] {
        let (ours, theirs) = (whole(&here, &records).unwrap(), whole(&hosted, &records).unwrap());
        assert_eq!(ours.report, theirs.report);
        assert_eq!(ours.digest, theirs.digest);
        assert_eq!(ours.copy.is_some(), theirs.copy.is_some());
    }
    assert_eq!(hosted.status().verdict_count, 5);
    assert_eq!(hosted.status().restart_count, 0);
}

fn records(text: &str) -> Vec<u8> {
    presentation::read_text(text.as_bytes(), None).unwrap().records
}

fn next_serial(judge: &Judge, copy: &Copy, from: u32) -> Result<Verdict, Fault> {
    let soa =
        |serial| records(&format!("example. 60 SOA a.example. b.example. {serial} 2 3 4 5\n"));
    let (removed, added) = (soa(from), soa(from + 1));
    let (source_removed, source_added) = (&removed, &added);
    let difference = Difference { removed: &removed, added: &added, source_removed, source_added };
    change(judge, copy, difference)
}

fn differences() {
    let hosted = hosted();
    let verdict = whole(&hosted, &zone(1, 100)).unwrap();
    assert_eq!(verdict.report.findings, []);
    let mut copy = verdict.copy.unwrap();
    for serial in 1..50 {
        let verdict = next_serial(&hosted, &copy, serial).unwrap();
        assert!(verdict.report.findings.is_empty(), "{:?}", verdict.report.findings);
        copy = verdict.copy.unwrap();
    }
    let misfit =
        Difference { removed: &records("x.example. 60 A 192.0.2.9\n"), ..Default::default() };
    assert!(matches!(change(&hosted, &copy, misfit), Err(Fault::NotIncremental(_))));
}

fn end(judge: &Judge, signal: Signal) {
    let process_id = judge.status().process_id.expect("the host runs");
    kill(Pid::from_raw(i32::try_from(process_id).unwrap()), signal).unwrap();
}

fn killed() {
    let hosted = hosted();
    let copy = whole(&hosted, &zone(1, 10)).unwrap().copy.unwrap();
    end(&hosted, Signal::SIGKILL);
    // Whether the end was noticed before or by this ticket, there is no verdict by a copy.
    let fault = next_serial(&hosted, &copy, 1).unwrap_err();
    assert!(matches!(fault, Fault::Ended { .. } | Fault::NotIncremental(_)), "{fault}");
    let fault = next_serial(&hosted, &copy, 1).unwrap_err();
    assert!(matches!(fault, Fault::NotIncremental(_)), "{fault}");
    assert!(whole(&hosted, &zone(1, 10)).is_ok());
    assert_eq!(hosted.status().restart_count, 1);
}

fn killed_at_work() {
    let hosted = hosted();
    whole(&hosted, &zone(1, 10)).unwrap();
    let mut blocks = [zone(1, 1000), Vec::new()].into_iter().inspect(|block| {
        if block.is_empty() {
            end(&hosted, Signal::SIGKILL);
        }
    });
    let ticket = Ticket::Whole(Whole {
        expectations: &expectations(),
        candidate: &mut blocks,
        source: None,
        keeps_copy: false,
    });
    assert!(matches!(hosted.judge(ticket, &|_, _| ()), Err(Fault::Ended { .. })));
}

fn silent() {
    let silence = Duration::from_millis(200);
    let hosted = Judge::in_host(own_host(silence), || Duration::ZERO);
    // The first start of a host on a busy machine may take longer than that.
    while whole(&hosted, &zone(1, 10)).is_err() {}
    end(&hosted, Signal::SIGSTOP);
    let fault = whole(&hosted, &zone(1, 10)).unwrap_err();
    assert!(matches!(fault, Fault::Silent { .. }), "{fault}");
    while whole(&hosted, &zone(1, 10)).is_err() {}
}

fn no_host() {
    let uptime = Arc::new(AtomicU64::new(0));
    let clock = uptime.clone();
    let now = move || Duration::from_millis(clock.load(Ordering::Relaxed));
    let echo = Judge::in_host(program("/bin/sh", &["-c", "exec cat >&0"]), now.clone());
    assert!(matches!(whole(&echo, &zone(1, 10)), Err(Fault::Ended { .. })));
    let fault = whole(&echo, &zone(1, 10)).unwrap_err();
    assert!(matches!(fault, Fault::Resting { count: 1 }), "{fault}");
    uptime.store(200, Ordering::Relaxed);
    assert!(matches!(whole(&echo, &zone(1, 10)), Err(Fault::Ended { .. })));
    uptime.store(500, Ordering::Relaxed);
    assert!(matches!(whole(&echo, &zone(1, 10)), Err(Fault::Resting { count: 2 })));
    let nothing = Judge::in_host(program("/does/not/exist", &[]), now.clone());
    let fault = whole(&nothing, &zone(1, 10)).unwrap_err();
    assert!(fault.to_string().contains("cannot be started"), "{fault}");
    let short = Judge::in_host(program("/bin/true", &[]), now);
    assert!(matches!(whole(&short, &zone(1, 10)), Err(Fault::Ended { .. })));
}

fn several() {
    let hosted = hosted();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut copy = whole(&hosted, &zone(1, 3000)).unwrap().copy.unwrap();
                for serial in 1..20 {
                    copy = next_serial(&hosted, &copy, serial).unwrap().copy.unwrap();
                }
            });
        }
    });
    assert_eq!(hosted.status().verdict_count, 8 * 20);
}
