//! An installation in a temporary folder, and `anchorite run` on it. In: one of the example
//! configurations, edited. Out: a running daemon whose log lines a test waits for.
//! Never: sleeps; every wait is for a line of the log or for the end of the process, and has the
//! deadline [`WAIT`]. A daemon that is dropped is killed.

use crate::judges::repository_file;
use crate::program::anchorite;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longest wait for anything. Long, since test machines are slow; no test waits for its end.
pub const WAIT: Duration = Duration::from_secs(60);

/// Configuration, zones and state in a folder of their own.
pub struct Installation {
    folder: tempfile::TempDir,
    environment: Vec<(String, PathBuf)>,
}

impl Installation {
    /// The configuration of `examples/EXAMPLE`, with its paths led into the folder, and without
    /// zones.
    pub fn new(example: &str) -> Installation {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for name in ["unsigned", "signed", "signer", "tokens"] {
            std::fs::create_dir(folder.path().join(name)).expect("the folder is empty");
        }
        let installation = Installation { folder, environment: Vec::new() };
        for name in ["conf.xml", "kasp.xml", "zonelist.xml"] {
            let path = repository_file(&format!("examples/{example}/{name}"));
            let text = std::fs::read_to_string(&path).expect("the example is in the repository");
            let own = installation.path("").to_string_lossy().into_owned();
            let own = own.trim_end_matches('/');
            let text = text.replace("/etc/opendnssec", own).replace("/var/lib/opendnssec", own);
            let text = for_tests(text);
            installation.write(name, &without_keys_ahead(&text));
        }
        // Sockets of its own: the usual place is one for the whole machine.
        let socket = format!("<Enforcer>\n<SocketFile>{}</SocketFile>", installation.socket());
        installation.edit("conf.xml", "<Enforcer>", &socket);
        installation.write_zonelist(&[]);
        installation
    }

    /// The socket on which the daemon takes commands.
    pub fn socket(&self) -> String {
        self.path("enforcer.sock").to_string_lossy().into_owned()
    }

    /// A path in the folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Reads a file of the folder.
    pub fn read(&self, relative: &str) -> String {
        let path = self.path(relative);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Writes a file of the folder; it appears whole.
    pub fn write(&self, relative: &str, text: &str) {
        let (path, new) = (self.path(relative), self.path("being-written"));
        std::fs::write(&new, text).expect("a temporary folder can be written");
        std::fs::rename(&new, &path).expect("a rename within the folder works");
    }

    /// Replaces a text that must be there by another, everywhere in a file.
    #[track_caller]
    pub fn edit(&self, relative: &str, from: &str, to: &str) {
        let text = self.read(relative);
        assert!(text.contains(from), "{relative} has no {from}");
        self.write(relative, &text.replace(from, to));
    }

    /// Has the input breaker let zones grow as tests make them grow.
    pub fn let_zones_grow(&self) {
        let any_growth = "<Growth>none</Growth><TypeGrowth>none</TypeGrowth>";
        let limits = format!("</Parent><InputLimits>{any_growth}</InputLimits>");
        self.edit("kasp.xml", "</Parent>", &limits);
    }

    /// Gives the daemon an environment variable with a path.
    pub fn set_environment(&mut self, name: &str, path: PathBuf) {
        self.environment.push((name.to_owned(), path));
    }

    /// Path of a zone's unsigned file.
    pub fn unsigned(&self, zone: &str) -> PathBuf {
        self.path("unsigned").join(zone)
    }

    /// Path of a zone's signed file.
    pub fn signed(&self, zone: &str) -> PathBuf {
        self.path("signed").join(zone)
    }

    /// Writes a zone's unsigned file.
    pub fn write_zone(&self, zone: &str, text: &str) {
        self.write(&format!("unsigned/{zone}"), text);
    }

    /// Writes a small zone with that serial and these records.
    pub fn write_small_zone(&self, zone: &str, serial: u32, records: &str) {
        self.write_zone(zone, &small_zone(zone, serial, records));
    }

    /// Writes zonelist.xml: names and policies.
    pub fn write_zonelist(&self, zones: &[(&str, &str)]) {
        let entry = |(zone, policy): &(&str, &str)| {
            format!(
                "<Zone name=\"{zone}\"><Policy>{policy}</Policy>\
                 <SignerConfiguration>{0}/signer/{zone}.xml</SignerConfiguration><Adapters>\
                 <Input><Adapter type=\"File\">{0}/unsigned/{zone}</Adapter></Input>\
                 <Output><Adapter type=\"File\">{0}/signed/{zone}</Adapter></Output>\
                 </Adapters></Zone>\n",
                self.folder.path().display()
            )
        };
        let entries: String = zones.iter().map(entry).collect();
        let text = format!("<?xml version=\"1.0\"?>\n<ZoneList>\n{entries}</ZoneList>\n");
        self.write("zonelist.xml", &text);
    }

    /// The command that starts the daemon in the foreground.
    pub fn command(&self) -> Command {
        self.command_that_says("6")
    }

    /// The same with another verbosity, 0 to 7.
    pub fn command_that_says(&self, verbosity: &str) -> Command {
        let mut command = Command::new(anchorite());
        command.args(["run", "--verbosity", verbosity, "--config"]).arg(self.path("conf.xml"));
        command.current_dir(self.folder.path());
        command.envs(self.environment.iter().map(|(name, path)| (name, path)));
        command
    }

    /// Starts the daemon.
    pub fn start(&self) -> Daemon {
        Daemon::spawn(self.command())
    }

    /// Starts the daemon, and expects that it ends with exit code 1. Its lines.
    #[track_caller]
    pub fn start_fails(&self) -> String {
        let (status, lines) = self.start().ended();
        assert_eq!(status.code(), Some(1), "{lines}");
        lines
    }
}

/// The text where no keys are made ahead, for tests that count keys or make tokens fail.
fn without_keys_ahead(text: &str) -> String {
    let tag = "<AutomaticKeyGenerationPeriod>";
    let Some((before, after)) = text.split_once(tag) else { return text.to_owned() };
    let (_, after) = after.split_once('<').expect("an element has an end");
    format!("{before}{tag}PT0S<{after}")
}

/// A configuration that runs as whoever starts it, since the folder is his; without listeners, as
/// their ports are those of the whole machine; and whose zones come from files.
fn for_tests(text: String) -> String {
    let parts = ["Privileges", "Listener", "ZoneFetchFile"];
    parts.into_iter().fold(text, |text, element| {
        let parts = text.split_once(&format!("<{element}>")).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(&format!("</{element}>"))?;
            Some(format!("{before}{after}"))
        });
        parts.unwrap_or(text)
    })
}

/// A zone with a SOA, a name server and these records, of which the serial is `serial`.
pub fn small_zone(zone: &str, serial: u32, records: &str) -> String {
    format!(
        "$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns1 hostmaster {serial} 3600 600 86400 60\n\
         @ IN NS ns1\nns1 IN A 192.0.2.1\n{records}\n"
    )
}

/// A running daemon.
pub struct Daemon {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Daemon {
    /// Starts a command whose standard error is a log.
    pub fn spawn(mut command: Command) -> Daemon {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built");
        let stderr = child.stderr.take().expect("it is a pipe");
        let (sender, lines) = channel();
        // Ends with the pipe, or when nobody wants the lines any more.
        std::thread::spawn(move || {
            let lines = BufReader::new(stderr).split(b'\n').map_while(Result::ok);
            for line in lines {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Daemon { child, lines, seen: Vec::new() }
    }

    /// Waits for a line that contains every one of `fragments`, and returns it. Lines before it
    /// are not looked at again.
    #[track_caller]
    pub fn wait_for(&mut self, fragments: &[&str]) -> String {
        let until = Instant::now() + WAIT;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if fragments.iter().all(|fragment| line.contains(fragment)) {
                        return line;
                    }
                }
                Err(error) => panic!("no line with {fragments:?} ({error}); lines: {}", self.log()),
            }
        }
    }

    /// Waits until each of `wanted` has had a line of its own, in any order.
    #[track_caller]
    pub fn wait_for_all(&mut self, wanted: &[&[&str]]) {
        assert!(self.sees_all(wanted), "ended before {wanted:?}; lines: {}", self.log());
    }

    /// Waits until each of `wanted` has had a line of its own, or until the daemon ends: then
    /// `false`.
    #[track_caller]
    pub fn sees_all(&mut self, wanted: &[&[&str]]) -> bool {
        let until = Instant::now() + WAIT;
        let mut open = wanted.to_vec();
        while !open.is_empty() {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    open.retain(|words| !words.iter().all(|word| line.contains(word)));
                    self.seen.push(line);
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no lines with {open:?}; lines: {}", self.log())
                }
            }
        }
        true
    }

    /// Waits a moment for one more line of the log.
    pub fn next_line(&mut self, moment: Duration) -> Option<String> {
        let line = self.lines.recv_timeout(moment).ok()?;
        self.seen.push(line.clone());
        Some(line)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Every line read so far.
    pub fn log(&self) -> String {
        self.seen.join("\n")
    }

    /// How many of the lines read so far contain `fragment`.
    pub fn count(&self, fragment: &str) -> usize {
        self.seen.iter().filter(|line| line.contains(fragment)).count()
    }

    /// The daemon's slot hosts, one for each repository whose token is open.
    pub fn slot_hosts(&self) -> Vec<Pid> {
        self.hosts("anchorite-slot-host\0")
    }

    /// The daemon's audit host, if it has one already.
    pub fn audit_host(&self) -> Option<Pid> {
        self.hosts("anchorite-audit-host\0").pop()
    }

    fn hosts(&self, name: &str) -> Vec<Pid> {
        let own = self.child.id().to_string();
        let is_ours = |process: &Path| {
            // What has ended meanwhile cannot be read, and is none.
            let read = |file| std::fs::read_to_string(process.join(file)).unwrap_or_default();
            let parent = format!("PPid:\t{own}");
            read("cmdline").starts_with(name) && read("status").lines().any(|line| line == parent)
        };
        let processes = std::fs::read_dir("/proc").expect("this system tells its processes");
        let paths = processes.filter_map(|process| Some(process.ok()?.path()));
        let number = |path: PathBuf| path.file_name()?.to_str()?.parse().ok().map(Pid::from_raw);
        paths.filter(|path| is_ours(path)).filter_map(number).collect()
    }

    /// Has the daemon read its zones again (SIGHUP).
    pub fn reload(&self) {
        self.signal(Signal::SIGHUP);
    }

    /// Ends the daemon in order (SIGTERM), and expects exit code 0. Its lines.
    #[track_caller]
    pub fn stop(self) -> String {
        self.signal(Signal::SIGTERM);
        let (status, lines) = self.ended();
        assert_eq!(status.code(), Some(0), "{lines}");
        assert!(lines.contains("[engine] signer shutdown"), "{lines}");
        lines
    }

    /// Ends the daemon at once, wherever it is (SIGKILL). Its lines.
    pub fn kill(mut self) -> String {
        // It may have ended by itself, which the caller sees in the lines.
        let _ = self.child.kill();
        self.ended().1
    }

    /// Waits for the daemon's end.
    #[track_caller]
    pub fn ended(mut self) -> (ExitStatus, String) {
        let until = Instant::now() + WAIT;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                // The pipe closes with the process.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("did not end; lines: {}", self.log()),
            }
        }
        let status = self.child.wait().expect("it is our child");
        (status, self.log())
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("process numbers are small"))
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the daemon runs");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a file is, to see that nobody touched it: bytes and moment of the last change.
#[derive(Clone, PartialEq, Eq)]
pub struct Untouched {
    path: PathBuf,
    bytes: Vec<u8>,
    modified: std::time::SystemTime,
}

impl Untouched {
    /// Looks at a file.
    #[track_caller]
    pub fn look(path: &Path) -> Untouched {
        let bytes = std::fs::read(path).expect("the file is there");
        let metadata = std::fs::metadata(path).expect("the file is there");
        let modified = metadata.modified().expect("this system knows the time of files");
        Untouched { path: path.to_owned(), bytes, modified }
    }

    /// The bytes it had.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Looks again; panics when anything is different.
    #[track_caller]
    pub fn check(&self) {
        let now = Untouched::look(&self.path);
        assert!(now.bytes == self.bytes, "{} has other bytes", self.path.display());
        assert!(now.modified == self.modified, "{} was written again", self.path.display());
    }
}

/// The serial in the SOA record of a signed zone file.
#[track_caller]
pub fn serial_of(path: &Path) -> u32 {
    let text = std::fs::read_to_string(path).expect("the file is there");
    let soa = text.lines().find(|line| line.contains("\tSOA\t") || line.contains(" SOA "));
    let words: Vec<&str> = soa.expect("a zone has a SOA").split_whitespace().collect();
    let place = words.iter().position(|word| *word == "SOA").expect("it was found by that word");
    words[place + 3].parse().expect("a serial is a number")
}
