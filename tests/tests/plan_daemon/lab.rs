//! A daemon whose time tests set. In: commands. Out: what they print.
//! Never: sleeps; the daemon is asked until it has nothing to do.

use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use anchorite_tests::program::anchorite;
use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// The first zone.
pub(crate) const ZONE: &str = "plan.example";
/// Between two questions.
const POLL: Duration = Duration::from_millis(20);

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

/// The configuration, with quick rolls and these zones.
pub(crate) fn installation(zones: &[(&str, &str)]) -> Installation {
    let mut installation = Installation::new("default");
    installation.set_environment("TZ", "UTC".into());
    for (from, to) in [
        ("<Jitter>PT12H<", "<Jitter>PT0S<"),
        ("<Default>P14D<", "<Default>P4D<"),
        ("<Denial>P14D<", "<Denial>P4D<"),
        ("<Resign>PT2H<", "<Resign>PT12H<"),
        ("<Lifetime>P365D<", "<Lifetime>P12D<"),
        ("<Lifetime>P90D<", "<Lifetime>P9D<"),
        ("<Resalt>P100D<", "<Resalt>P7D<"),
        ("<Salt length=\"0\"/>", "<Salt length=\"8\"/>"),
    ] {
        installation.edit("kasp.xml", from, to);
    }
    for (zone, _) in zones {
        installation.write_small_zone(zone, 1, "");
    }
    installation.write_zonelist(zones);
    installation
}

/// The daemon at work.
pub(crate) struct Lab {
    pub(crate) installation: Installation,
    pub(crate) daemon: Daemon,
}

impl Lab {
    /// Starts it, and waits until the zones are signed.
    pub(crate) fn start(installation: Installation, zones: &[&str]) -> Lab {
        let mut command = installation.command();
        command.args(["--set-time", "now"]);
        let mut daemon = Daemon::spawn(command);
        let lines: Vec<[&str; 2]> = zones.iter().map(|zone| ["[STATS]", *zone]).collect();
        let lines: Vec<&[&str]> = lines.iter().map(<[&str; 2]>::as_slice).collect();
        daemon.wait_for_all(&lines);
        let lab = Lab { installation, daemon };
        lab.settle();
        lab
    }

    fn run(&self, name: &str, words: &[&str]) -> Said {
        let socket = self.installation.socket();
        let mut command = Command::new(anchorite());
        command.arg0(name).args(["-s", &socket]).args(words).env("TZ", "UTC");
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let stdout = text(output.stdout);
        let own = format!("sock set to {socket}\n");
        let stdout = stdout.strip_prefix(&own).unwrap_or(&stdout).to_owned();
        Said { stdout, stderr: text(output.stderr), code: output.status.code().unwrap() }
    }

    /// `ods-enforcer`.
    pub(crate) fn enforcer(&self, words: &str) -> Said {
        self.run("ods-enforcer", &words.split_ascii_whitespace().collect::<Vec<_>>())
    }

    /// `ods-enforcer` with a command that succeeds.
    #[track_caller]
    pub(crate) fn done(&self, words: &str) -> String {
        let said = self.enforcer(words);
        assert_eq!((said.stderr.as_str(), said.code), ("", 0), "{words}: {said:?}");
        said.stdout
    }

    /// `anchorite`.
    pub(crate) fn anchorite(&self, words: &str) -> Said {
        self.run("anchorite", &words.split_ascii_whitespace().collect::<Vec<_>>())
    }

    /// `anchorite` with a command that succeeds.
    #[track_caller]
    pub(crate) fn told(&self, words: &str) -> String {
        let said = self.anchorite(words);
        assert_eq!((said.stderr.as_str(), said.code), ("", 0), "{words}: {said:?}");
        said.stdout
    }

    /// The plan of a zone, read as JSON.
    #[track_caller]
    pub(crate) fn plan(&self, words: &str) -> Value {
        let text = self.told(&format!("plan --zone {ZONE} --json {words}"));
        let value: Value = serde_json::from_str(&text).unwrap();
        value["zones"][0].clone()
    }

    /// Waits until neither keys nor signatures are being worked on.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let begin = Instant::now();
        let mut idle = 0;
        // Several times: between the two, work is in nobody's hands.
        while idle < 4 {
            let text = self.anchorite("queue").stdout;
            let is_idle = text.contains("All worker threads idle.")
                && !["immediately", "Working with", "[configure]"].iter().any(|w| text.contains(w));
            idle = if is_idle { idle + 1 } else { 0 };
            assert!(begin.elapsed() < WAIT, "still at work: {text}");
            std::thread::park_timeout(POLL);
        }
    }

    /// The time on the daemon's clock, in seconds since 1970.
    #[track_caller]
    pub(crate) fn now(&self) -> u64 {
        let queue = self.done("queue");
        let (_, rest) = queue.split_once("It is now ").unwrap();
        let (_, rest) = rest.split_once('(').unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// Leaps to a moment, or to the enforcer's next task if that is sooner, and says what the
    /// parent did, which is quick.
    #[track_caller]
    pub(crate) fn step_towards(&self, at: u64) {
        let queue = self.done("queue");
        let next = queue.split_once("Next task scheduled ");
        let next =
            next.and_then(|(_, rest)| rest.split_once('(')?.1.split(' ').next()?.parse().ok());
        let to = next.unwrap_or(at).min(at).max(self.now() + 1);
        let second = i64::try_from(to).unwrap();
        let to = jiff::Timestamp::from_second(second).unwrap().strftime("%Y-%m-%d-%H:%M:%S");
        self.done(&format!("time leap --time {to}"));
        self.settle();
        for command in ["key ds-seen", "key ds-gone"] {
            if self.done(command).lines().count() > 1 {
                self.done(&format!("{command} -a"));
                self.settle();
            }
        }
    }
}
