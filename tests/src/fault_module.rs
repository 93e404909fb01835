//! SoftHSM tokens behind the fault module (`tests/fault-module`), for tests of what HSMs do wrong.
//! In: labels of tokens, then rules whenever the behaviour shall change. Out: the module to load,
//! the calls that reached it, the PINs that were offered, the keys that really exist.
//!
//! A PKCS#11 module belongs to its process and reads its environment once, so a test that loads it
//! runs itself again as a child with a folder of its own, and gets a time limit with it. A test of
//! the daemon needs no child: the daemon is one ([`FaultyToken::new`]).
//! Never: a sleep, the network. Limit: [`TEST_SECONDS_MAX`] for a test.

use crate::daemon::Installation;
use fault_module::SCRIPT_VARIABLE;
use fault_module::script::Script;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The real module.
pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// User PIN of the tokens.
pub const PIN: &str = "1234";
/// Set in the child: the folder of its tokens.
const CHILD: &str = "ANCHORITE_FAULT_TEST_FOLDER";
/// A test that takes longer is stuck.
const TEST_SECONDS_MAX: &str = "300";
/// A call that does not come within this time does not come at all.
const CALL_WAIT_MAX: Duration = Duration::from_secs(30);

/// Tokens in a folder, and the script of the module before them.
pub struct FaultyToken {
    folder: PathBuf,
}

/// Runs `body` in a process of its own, where tokens with these labels exist and the fault module
/// has no rules yet. Panics with all that was printed when it fails.
pub fn with_tokens(test: &str, labels: &[&str], body: impl FnOnce(&FaultyToken)) {
    with_tokens_and(test, labels, &[], body);
}

/// The same, with something more in the environment of the child.
pub fn with_tokens_and(
    test: &str,
    labels: &[&str],
    environment: &[(&str, &str)],
    body: impl FnOnce(&FaultyToken),
) {
    if let Some(folder) = std::env::var_os(CHILD) {
        return body(&FaultyToken { folder: PathBuf::from(folder) });
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let token = FaultyToken { folder: folder.path().to_owned() };
    token.create(labels);
    run_child(test, &token, environment);
}

/// Runs `body` in a process of its own, where the fault module stands before this module instead
/// of SoftHSM. `parameters` are what it wants with C_Initialize; the folder stands for `FOLDER`.
pub fn with_module(test: &str, real: &Path, parameters: &str, body: impl FnOnce(&FaultyToken)) {
    if let Some(folder) = std::env::var_os(CHILD) {
        return body(&FaultyToken { folder: PathBuf::from(folder) });
    }
    assert!(real.exists(), "{} is not installed: run cargo xtask setup", real.display());
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let token = FaultyToken { folder: folder.path().to_owned() };
    let parameters = parameters.replace("FOLDER", &folder.path().display().to_string());
    token.stand_before(&format!("module {}\nparameters {parameters}\n", real.display()));
    run_child(test, &token, &[]);
}

fn run_child(test: &str, token: &FaultyToken, environment: &[(&str, &str)]) {
    let child = Command::new("timeout")
        .args(["--kill-after=5", TEST_SECONDS_MAX])
        .arg(std::env::current_exe().expect("a running test has a path"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .envs(token.environment())
        .env(CHILD, &token.folder)
        .envs(environment.iter().copied())
        .output()
        .expect("a test can run itself");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{}\n{output}\n{}",
        child.status,
        String::from_utf8_lossy(&child.stderr)
    );
}

/// The built module. Cargo builds it for every package that depends on `fault-module`, beside the
/// tests themselves.
pub fn module() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let module = test.with_file_name("libfault_module.so");
    assert!(module.is_file(), "{} is missing; run cargo build -p fault-module", module.display());
    module
}

impl FaultyToken {
    /// Tokens with these labels in an empty folder, for processes that get
    /// [`FaultyToken::environment`].
    pub fn new(folder: &Path, labels: &[&str]) -> FaultyToken {
        let token = FaultyToken { folder: folder.to_owned() };
        token.create(labels);
        token
    }

    /// The token of a new installation whose repository is SoftHSM's, in its place.
    pub fn installed(installation: &mut Installation) -> FaultyToken {
        let folder = installation.path("softhsm");
        fs::create_dir(&folder).expect("the installation is new");
        let token = FaultyToken::new(&folder, &["OpenDNSSEC"]);
        for (name, path) in token.environment() {
            installation.set_environment(name, path);
        }
        let softhsm = "/usr/lib/softhsm/libsofthsm2.so";
        installation.edit("conf.xml", softhsm, &module().display().to_string());
        token
    }

    /// What a process needs that loads the module by itself.
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [("SOFTHSM2_CONF", self.path("softhsm2.conf")), (SCRIPT_VARIABLE, self.path("script"))]
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// From the next call on these rules hold, and no others; their counts, and the log of calls,
    /// begin anew. No rules: the token is mended.
    #[track_caller]
    pub fn rules(&self, rules: &str) {
        let number = self.log_number() + 1;
        let log = self.path(&format!("calls-{number}"));
        let head = fs::read_to_string(self.path("head")).expect("written before the first rules");
        let text = format!("{head}log {}\n{rules}\n", log.display());
        if let Err(error) = Script::parse(&text) {
            panic!("{error}");
        }
        fs::write(&log, "").expect("a file in a folder of ours can be written");
        // By rename, so that nobody reads half a script.
        let new = self.path("script.new");
        fs::write(&new, text).expect("a file in a folder of ours can be written");
        fs::rename(new, self.path("script")).expect("a file in a folder of ours can be renamed");
    }

    /// The calls since the last [`FaultyToken::rules`], with what they returned.
    pub fn calls(&self) -> Vec<(String, String)> {
        let log = self.path(&format!("calls-{}", self.log_number()));
        let text = fs::read_to_string(log).expect("the log exists from the first rules on");
        let split = |line: &str| {
            let (function, value) = line.split_once(' ').expect("a line has two words");
            (function.to_owned(), value.to_owned())
        };
        text.lines().map(split).collect()
    }

    /// How often a function was called since the last [`FaultyToken::rules`].
    pub fn count(&self, function: &str) -> usize {
        self.calls().iter().filter(|(name, _)| name == function).count()
    }

    /// Returns when the log has this line as often, for instance `C_Sign stalls`.
    #[track_caller]
    pub fn wait_for(&self, function: &str, value: &str, times: usize) {
        let begin = Instant::now();
        let is_line = |(name, what): &&(String, String)| name == function && what == value;
        while self.calls().iter().filter(is_line).count() < times {
            assert!(begin.elapsed() < CALL_WAIT_MAX, "{function} {value}: {:?}", self.calls());
            std::thread::yield_now();
        }
    }

    /// The rule that counts PINs in [`FaultyToken::pins`] and locks after `most` wrong ones.
    pub fn pin_tries(&self, most: u32) -> String {
        format!("pin-tries {} {most}\n", self.path("pin-tries").display())
    }

    /// PINs that were wrong in a row, and PINs that were offered in all.
    pub fn pins(&self) -> (u32, u32) {
        let text = fs::read_to_string(self.path("pin-tries")).unwrap_or_default();
        let count = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map_or(0, |count| count.trim().parse().expect("a count is a number"))
        };
        (count("wrong"), count("offered"))
    }

    /// Objects that the tokens really have: files of SoftHSM's own store, two for a key pair.
    pub fn object_count(&self) -> usize {
        let files = |folder: &Path| {
            let files = fs::read_dir(folder).expect("a folder of ours can be read");
            files.map(|file| file.expect("a folder of ours can be read").path()).collect::<Vec<_>>()
        };
        let objects = files(&self.path("tokens")).into_iter().flat_map(|token| files(&token));
        let is_object = |path: &PathBuf| {
            path.extension().is_some_and(|extension| extension == "object")
                && !path.ends_with("token.object")
        };
        objects.filter(is_object).count()
    }

    fn create(&self, labels: &[&str]) {
        assert!(Path::new(SOFTHSM).exists(), "SoftHSM2 is not installed: run cargo xtask setup");
        let tokens = self.path("tokens");
        fs::create_dir(&tokens).expect("a folder can be made in one of ours");
        let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
        fs::write(self.path("softhsm2.conf"), text).expect("a file of ours can be written");
        self.stand_before(&format!("module {SOFTHSM}\n"));
        for label in labels {
            let output = Command::new("softhsm2-util")
                .envs(self.environment())
                .args(["--init-token", "--free", "--so-pin", "5678", "--pin", PIN])
                .args(["--label", label])
                .output()
                .expect("softhsm2-util cannot be run: run cargo xtask setup");
            assert!(output.status.success(), "{output:?}");
        }
    }

    /// Writes the first script; every later one has the same head.
    fn stand_before(&self, head: &str) {
        fs::write(self.path("head"), head).expect("a file in a folder of ours can be written");
        self.rules("");
    }

    /// The number of the newest log; 0 before the first.
    fn log_number(&self) -> usize {
        let names = fs::read_dir(&self.folder).expect("a folder of ours can be read");
        let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter_map(|name| name.strip_prefix("calls-")?.parse().ok()).max().unwrap_or(0)
    }
}
