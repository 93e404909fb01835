//! What many small zones on one policy cost: `cargo build --release && cargo bench -p
//! anchorite-tests --bench many_zones`. In: a daemon with the built-in token and ZONES (10,000)
//! zones of 30 records. Out: a table: the time until all are signed; processor time of an idle
//! minute; how long a changed policy takes until every zone is evaluated and what was decided is
//! durable, by what the change does; resident memory after each.
//! "Evaluated" is when `queue` says that no zone is in its turn; the question itself is in the
//! time. Never: an assertion about time.

use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::program::anchorite;
use std::fmt::Write as _;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

const ZONE_COUNT: usize = 10_000;
/// Hosts of a zone: with SOA, NS, MX and three addresses it has 30 records.
const HOST_COUNT: usize = 23;
/// Time between two looks at the daemon.
const LOOK: Duration = Duration::from_millis(50);
/// A daemon that uses no more processor time than this in [`QUIET`] has nothing to do.
const QUIET_SECONDS_MAX: f64 = 0.02;
const QUIET: Duration = Duration::from_secs(2);
/// The kernel's clock ticks a second (proc(5)); it is so on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// What is changed in kasp.xml: a title, a text and what takes its place.
const CHANGES: &[(&str, &str, &str)] = &[
    ("other publish safety", "<PublishSafety>PT3600S", "<PublishSafety>PT7200S"),
    ("other KSK lifetime", "<Lifetime>P365D", "<Lifetime>P300D"),
    ("a new ZSK for each zone", ZSK, ZSK_TO_COME),
];
const ZSK: &str = "<ZSK>\n\t\t\t\t<Algorithm length=\"256\">13";
const ZSK_TO_COME: &str = "<ZSK>\n\t\t\t\t<Algorithm length=\"256\">15";

struct Site {
    installation: Installation,
    daemon: Daemon,
}

fn main() {
    let count = std::env::var("ZONES").ok().and_then(|word| word.parse().ok());
    let count = count.unwrap_or(ZONE_COUNT);
    let (site, signed) = Site::new(count);
    println!("{:<28} {:>9} {:>9} {:>9} {:>9}", "", "evaluated", "quiet", "cpu s", "MB");
    let began = Instant::now() - signed;
    site.row(&format!("{count} zones signed"), signed, began, 0.0);
    site.idle_minute();
    for (title, from, to) in CHANGES {
        let began = Instant::now();
        site.installation.edit("kasp.xml", from, to);
        let used = site.processor_seconds();
        let said = site.enforcer(&["update", "kasp"]);
        assert!(said.contains("Updated policy"), "{said}");
        site.wait_for_turns();
        site.row(title, began.elapsed(), began, used);
    }
    let (began, used) = (Instant::now(), site.processor_seconds());
    site.enforcer(&["enforce"]);
    site.wait_for_turns();
    site.row("enforce, nothing due", began.elapsed(), began, used);
}

fn zone_text(zone: &str) -> String {
    let mut text = format!(
        "$ORIGIN {zone}.\n$TTL 3600\n@ IN SOA ns1 host 1 3600 600 864000 3600\n@ IN NS ns1\n\
         @ IN NS ns2\n@ IN MX 10 mail\nns1 IN A 192.0.2.1\nns2 IN A 192.0.2.2\n\
         mail IN A 192.0.2.3\n"
    );
    for host in 0..HOST_COUNT {
        writeln!(text, "h{host} IN A 198.51.100.{host}").expect("a string takes all");
    }
    text
}

impl Site {
    /// A daemon that has signed all its zones, and how long that took.
    fn new(count: usize) -> (Site, Duration) {
        let installation = Installation::new("default");
        let names: Vec<String> = (0..count).map(|number| format!("z{number:05}.example")).collect();
        names.iter().for_each(|name| installation.write_zone(name, &zone_text(name)));
        let zones: Vec<(&str, &str)> =
            names.iter().map(|name| (name.as_str(), "default")).collect();
        installation.write_zonelist(&zones);
        let began = Instant::now();
        // Less to say, so that nobody waits for the pipe.
        let mut daemon = Daemon::spawn(installation.command_that_says("3"));
        (0..count).for_each(|_| drop(daemon.wait_for(&["[STATS]"])));
        (Site { installation, daemon }, began.elapsed())
    }

    /// Gives a command, and what it says.
    fn enforcer(&self, words: &[&str]) -> String {
        let mut command = Command::new(anchorite());
        command.arg0("ods-enforcer").arg("-s").arg(self.installation.socket()).args(words);
        let output = command.output().expect("the program was built");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until no zone is in its turn, twice in a row: zones ask one after another.
    fn wait_for_turns(&self) {
        let mut quiet = 0;
        while quiet < 2 {
            let is_idle = self.enforcer(&["queue"]).contains("All worker threads idle");
            quiet = if is_idle { quiet + 1 } else { 0 };
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until the daemon has nothing to do, and prints what the change took.
    fn row(&self, title: &str, evaluated: Duration, began: Instant, used: f64) {
        let quiet = loop {
            let (at, before) = (began.elapsed(), self.processor_seconds());
            std::thread::sleep(QUIET);
            if self.processor_seconds() - before <= QUIET_SECONDS_MAX {
                break at;
            }
        };
        println!(
            "{title:<28} {:>9.1} {:>9.1} {:>9.1} {:>9.0}",
            evaluated.as_secs_f64(),
            quiet.as_secs_f64(),
            self.processor_seconds() - used,
            self.resident_megabytes()
        );
    }

    fn idle_minute(&self) {
        let before = self.processor_seconds();
        std::thread::sleep(Duration::from_secs(60));
        let used = self.processor_seconds() - before;
        println!("{:<28} {:>9} {:>9} {used:>9.2}", "an idle minute", "-", "-");
    }

    fn process_file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.daemon.pid())).expect("it runs")
    }

    /// User and system time of the daemon; fields 14 and 15 of proc(5), counted after the name.
    fn processor_seconds(&self) -> f64 {
        let stat = self.process_file("stat");
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
        ticks.sum::<f64>() / TICKS_PER_SECOND
    }

    fn resident_megabytes(&self) -> f64 {
        let status = self.process_file("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.unwrap_or_default() / 1024.0
    }
}
