//! How long a daemon takes to sign again after a fault of its HSM: `cargo bench -p anchorite-tests
//! --bench recovery`. In: SoftHSM behind the fault module, a zone signed once. Out: a table.
//! "From the fault" counts from the order to sign new input, during which the fault happens once
//! or goes on; "from the mend" from the moment the token is well again, the order being refused
//! before. Also the memory of the slot hosts. Never: an assertion about time.

use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::fault_module::{FaultyToken, module};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

const ZONE: &str = "a.example";
/// Runs of each case; the median is printed.
const RUNS: usize = 3;
/// Faults that happen once: signing goes on by itself.
const ONCE: &[(&str, &str)] = &[
    ("C_Sign fails once: CKR_DEVICE_ERROR", "C_Sign 1 return CKR_DEVICE_ERROR"),
    ("C_Sign: session handle invalid", "C_Sign 1 return CKR_SESSION_HANDLE_INVALID"),
    ("all sessions lost", "C_Sign 1 lose-sessions"),
    ("logged out", "C_Sign 1 lose-login"),
    ("signature comes as DER", "C_Sign 1 der"),
    ("one wrong signature (bit flipped)", "C_Sign 1 flip"),
];
/// Faults that last until somebody mends them.
const LASTING: &[(&str, &str)] = &[
    ("token pulled out, put back", "* always unplug before"),
    ("every C_Sign fails, then none", "C_Sign always return CKR_FUNCTION_FAILED"),
    ("every first C_Sign crashes (SIGSEGV)", "C_Sign 1 segfault"),
    ("every first C_Sign ends the process", "C_Sign 1 exit 0"),
];

struct Site {
    installation: Installation,
    token: FaultyToken,
    daemon: Daemon,
    serial: u32,
    versions: usize,
}

fn main() {
    println!("{:<42} {:>12} {:>12}", "fault", "from fault", "from mend");
    for (name, rule) in ONCE {
        row(name, "from the fault", || {
            let mut site = Site::new();
            site.token.rules(rule);
            site.sign_anew()
        });
    }
    row("slot host killed (SIGKILL)", "from the fault", || {
        let mut site = Site::new();
        site.daemon.slot_hosts().into_iter().for_each(|host| {
            kill(host, Signal::SIGKILL).expect("it runs");
        });
        site.sign_anew()
    });
    for (name, rule) in LASTING {
        row(name, "from the mend", || {
            let mut site = Site::new();
            site.token.rules(rule);
            site.order();
            site.daemon.wait_for(&["CRITICAL: failed to sign zone"]);
            let mended = Instant::now();
            site.token.rules("");
            site.wait();
            mended.elapsed()
        });
    }
    memory();
}

fn row(name: &str, column: &str, run: impl Fn() -> Duration) {
    let mut times: Vec<Duration> = (0..RUNS).map(|_| run()).collect();
    times.sort();
    let median = format!("{:.2} s", times[RUNS / 2].as_secs_f64());
    match column {
        "from the fault" => println!("{name:<42} {median:>12} {:>12}", "-"),
        _ => println!("{name:<42} {:>12} {median:>12}", "-"),
    }
}

fn memory() {
    let site = Site::new();
    for host in site.daemon.slot_hosts() {
        println!("slot host of SoftHSM, after one small zone: {} resident", resident(host));
    }
    let installation = Installation::new("default");
    installation.write_zonelist(&[(ZONE, "default")]);
    installation.write_small_zone(ZONE, 1, "");
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS]"]);
    for host in daemon.slot_hosts() {
        println!("slot host of the built-in token, the same:  {} resident", resident(host));
    }
}

fn resident(process: Pid) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap_or("unknown").trim().to_owned()
}

impl Site {
    /// A daemon that has signed its zone once.
    fn new() -> Site {
        let mut installation = Installation::new("tld-optout");
        let folder = installation.path("softhsm");
        std::fs::create_dir(&folder).expect("the installation is new");
        let token = FaultyToken::new(&folder, &["OpenDNSSEC"]);
        for (name, path) in token.environment() {
            installation.set_environment(name, path);
        }
        let softhsm = anchorite_tests::fault_module::SOFTHSM;
        installation.edit("conf.xml", softhsm, &module().display().to_string());
        installation.write_zonelist(&[(ZONE, "tld")]);
        installation.write_small_zone(ZONE, 1, "");
        let mut daemon = installation.start();
        daemon.wait_for(&["[STATS]"]);
        Site { installation, token, daemon, serial: 1, versions: 1 }
    }

    fn order(&mut self) {
        self.serial += 1;
        let record = format!("www IN A 192.0.2.{}", self.serial);
        self.installation.write_small_zone(ZONE, self.serial, &record);
        self.daemon.reload();
    }

    fn wait(&mut self) {
        self.versions += 1;
        let record = format!("192.0.2.{}", self.serial);
        while self.daemon.count("[STATS]") < self.versions {
            self.daemon.wait_for(&["[STATS]"]);
        }
        let signed = self.installation.read(&format!("signed/{ZONE}"));
        assert!(signed.contains(&record), "the new input is signed");
    }

    fn sign_anew(&mut self) -> Duration {
        let began = Instant::now();
        self.order();
        self.wait();
        began.elapsed()
    }
}
