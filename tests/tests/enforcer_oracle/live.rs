//! Debian's OpenDNSSEC 2.1 enforcer, run for a scenario: in a mount namespace of its own, with its
//! own token, database and configuration, under its own settable clock, spoken to over its socket
//! (one byte opcode, two bytes length; catalogue 1.2). In: steps. Out: answers.
//! Never: the machine's own OpenDNSSEC, the network, a sleep: it is asked until it is idle.
//! Limits: one worker, so that its tasks run in one order; [`WAIT`] for anything.

use crate::START;
use crate::picture::{KeyPicture, Labels, Next, Picture, Shown};
use crate::policy_text::{PolicyText, kasp_xml};
use crate::scenario::{Answer, Command, Scenario};
use jiff::civil::DateTime;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command as Program, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything.
const WAIT: Duration = Duration::from_secs(20);

/// Between two questions whether it is idle: it offers nothing to wait on.
const POLL: Duration = Duration::from_millis(2);

const SETUP: &str = r#"set -eu
mkdir -p etc tokens run var/enforcer var/signer var/unsigned var/signed var/signconf
echo "directories.tokendir = $PWD/tokens" > softhsm2.conf
export SOFTHSM2_CONF=$PWD/softhsm2.conf TZ=UTC
for name in $REPOSITORIES; do
  softhsm2-util --init-token --free --label "$name" --pin 1234 --so-pin 1234 >/dev/null
done
mount --bind etc /etc/opendnssec
mount --bind var /var/lib/opendnssec
mount --bind run /run/opendnssec
ods-enforcer-db-setup -f >/dev/null
set -- $SPARES
while [ $# -gt 0 ]; do
  ods-hsmutil generate "$1" ecdsa "$2" | sed -n 's/^Key generation successful: /spare /p'
  shift 2
done
echo ready
exec ods-enforcerd -d --set-time 2026-01-01-00:00:00 >log 2>&1
"#;

/// Why the judge cannot be asked on this machine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    /// A program is not installed.
    #[error("cannot start {program}: {source}; run cargo xtask setup")]
    Missing {
        /// Its name.
        program: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// It did not answer in time: 2.1 sometimes locks itself up.
    #[error("no answer to {line}: {reason}")]
    Hung {
        /// The command.
        line: String,
        /// What was wrong, and the log.
        reason: String,
    },
    /// No mount namespace, no token or no database.
    #[error("the enforcer's surroundings cannot be set up (is this root?): {reason}")]
    Setup {
        /// What the set-up printed last.
        reason: String,
    },
}

/// A running enforcer.
pub(crate) struct Judge {
    folder: tempfile::TempDir,
    child: Child,
    policies: Vec<PolicyText>,
    spares: Vec<(String, String, u16)>,
    labels: Labels,
    last: Answer,
}

/// What a command printed, and its exit status.
#[derive(Debug, Default)]
struct Reply {
    stdout: String,
    stderr: String,
    exit: u8,
}

impl Judge {
    /// Starts one for a scenario. Nothing is imported yet.
    pub(crate) fn start(scenario: &Scenario) -> Result<Judge, Unavailable> {
        let missing = |program| move |source| Unavailable::Missing { program, source };
        // The database is synced at each step: in memory that costs nothing.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::tempdir_in(parent).map_err(missing("mktemp"))?;
        std::fs::create_dir(folder.path().join("etc")).map_err(missing("mkdir"))?;
        let write = |name: &str, text: &str| {
            let path = folder.path().join("etc").join(name);
            std::fs::write(path, text).expect("a temporary folder can be written");
        };
        write("conf.xml", &conf_xml(scenario));
        write("kasp.xml", &kasp_xml(&scenario.policies));
        write("zonelist.xml", "<?xml version=\"1.0\"?>\n<ZoneList/>\n");
        let names: Vec<String> =
            repositories(scenario).into_iter().map(|(name, _)| name.to_owned()).collect();
        let mut spares = String::new();
        for spare in &scenario.spares {
            // `write!` to a String does not fail.
            let _ = write!(spares, "{} {} ", spare.repository, spare.bits);
        }
        let mut program = Program::new("unshare");
        let user = if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" };
        program.args([user, "sh", "-c", SETUP]).current_dir(folder.path());
        program.env("REPOSITORIES", names.join(" ")).env("SPARES", spares);
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().map_err(missing("unshare"))?;
        let Some(stdout) = child.stdout.take() else { unreachable!("stdout is piped above") };
        let ids = set_up(stdout);
        let last = Answer { exit: 0, now: 0, picture: Picture::default() };
        let mut judge = Judge {
            folder,
            child,
            policies: scenario.policies.clone(),
            spares: Vec::new(),
            labels: Labels::default(),
            last,
        };
        let Some(ids) = ids else { return Err(judge.setup_failed()) };
        assert_eq!(ids.len(), scenario.spares.len(), "spare keys were not made");
        let of = scenario.spares.iter().map(|spare| (spare.repository.clone(), spare.bits));
        judge.spares = ids
            .into_iter()
            .zip(of)
            .map(|(id, (repository, bits))| (id, repository, bits))
            .collect();
        judge.wait_for_socket()?;
        Ok(judge)
    }

    fn setup_failed(&mut self) -> Unavailable {
        let mut reason = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut reason).ok();
        }
        Unavailable::Setup { reason: reason.trim().to_owned() }
    }

    fn wait_for_socket(&mut self) -> Result<(), Unavailable> {
        let started = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            let ended = self.child.try_wait().is_ok_and(|status| status.is_some());
            if ended || started.elapsed() > WAIT {
                let log = std::fs::read_to_string(self.folder.path().join("log"));
                return Err(Unavailable::Setup { reason: log.unwrap_or_default() });
            }
            std::thread::park_timeout(POLL);
        }
        Ok(())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/enforcer.sock")
    }

    /// What it showed last.
    pub(crate) fn last(&self) -> &Answer {
        &self.last
    }

    /// Its policies as they stand in kasp.xml.
    pub(crate) fn policies(&self) -> &[PolicyText] {
        &self.policies
    }

    /// Carries out a step and waits until the enforcer is idle again.
    pub(crate) fn run(&mut self, command: &Command) -> Result<Answer, Unavailable> {
        let exit = match self.command_line(command) {
            Some(line) => self.ask(&line)?.exit,
            None => 0,
        };
        self.wait_until_idle()?;
        let (now, picture) = self.look()?;
        self.last = Answer { exit, now, picture };
        Ok(self.last.clone())
    }

    /// The command of a step; kasp.xml is edited on the way.
    fn command_line(&mut self, command: &Command) -> Option<String> {
        let line = match command {
            Command::Import => "policy import".to_owned(),
            Command::Edit { policy, words } => {
                self.edit(policy, words);
                "policy import".to_owned()
            }
            Command::Add { zone, policy } => format!("zone add --zone {zone} --policy {policy}"),
            Command::Delete { zone } => format!("zone delete --zone {zone}"),
            Command::SetPolicy { zone, policy } => {
                format!("zone set-policy --zone {zone} --policy {policy}")
            }
            Command::Leap => {
                let next = self.last.picture.zones.values().filter_map(|zone| match zone.next {
                    Next::At(time) => Some(time),
                    Next::Now => Some(self.last.now),
                    Next::Never => None,
                });
                match next.min() {
                    Some(time) => leap_line(time.max(self.last.now)),
                    None => return None,
                }
            }
            Command::LeapBy { seconds } => leap_line(self.last.now + seconds),
            Command::Ds { verb, zone, key } => {
                let id = self.labels.id(key).unwrap_or("00");
                format!("key {verb} --zone {zone} --cka_id {id}")
            }
            Command::Roll { zone, role: None } => format!("key rollover --zone {zone}"),
            Command::Roll { zone, role: Some(role) } => {
                format!("key rollover --zone {zone} --keytype {}", role.to_uppercase())
            }
            Command::ImportKey { zone, spare, role, state, age } => {
                let (id, repository, bits) = &self.spares[*spare];
                let algorithm = if *bits == 384 { 14 } else { 13 };
                let since = clock_text(self.last.now as i64 - *age as i64);
                format!(
                    "key import --cka_id {id} --repository {repository} --zone {zone} --bits \
                     {bits} --algorithm {algorithm} --keystate {state} --keytype {} \
                     --inception_time {since}",
                    role.to_uppercase()
                )
            }
            Command::Purge { zone } => format!("key purge --zone {zone}"),
            Command::Backup { verb } => format!("backup {verb} --repository SoftHSM"),
            Command::Enforce => "enforce".to_owned(),
            Command::Auto { .. } => return None,
        };
        Some(line)
    }

    fn edit(&mut self, name: &str, words: &str) {
        if !self.policies.iter().any(|policy| policy.name == name) {
            self.policies.push(PolicyText::new(name));
        }
        let named = self.policies.iter_mut().filter(|policy| policy.name == name);
        named.for_each(|policy| policy.change(words));
        let path = self.folder.path().join("etc/kasp.xml");
        std::fs::write(path, kasp_xml(&self.policies)).expect("a temporary folder can be written");
    }

    fn wait_until_idle(&self) -> Result<(), Unavailable> {
        let started = Instant::now();
        let mut idle = 0;
        // Twice: between taking a task and being counted as busy a worker is neither.
        while idle < 2 {
            let text = self.ask("queue")?.stdout;
            let all_idle = text.starts_with("All worker threads idle");
            idle = if all_idle && !text.contains("scheduled immediately") { idle + 1 } else { 0 };
            if idle == 0 {
                std::thread::park_timeout(POLL);
            }
            if started.elapsed() > WAIT {
                return Err(Unavailable::Hung { line: "queue".to_owned(), reason: text });
            }
        }
        Ok(())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// One command over a connection of its own.
    fn ask(&self, line: &str) -> Result<Reply, Unavailable> {
        self.exchange(line).map_err(|error| {
            let reason = format!("{error}\n{}", self.log());
            Unavailable::Hung { line: line.to_owned(), reason }
        })
    }

    fn exchange(&self, line: &str) -> std::io::Result<Reply> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(WAIT))?;
        let length = u16::try_from(line.len()).map_err(std::io::Error::other)?;
        let mut frame = vec![2];
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(line.as_bytes());
        stream.write_all(&frame)?;
        let mut reply = Reply::default();
        loop {
            let mut head = [0; 3];
            stream.read_exact(&mut head)?;
            let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
            stream.read_exact(&mut payload)?;
            let text = String::from_utf8_lossy(&payload);
            match head[0] {
                0 => reply.stdout.push_str(&text),
                1 => reply.stderr.push_str(&text),
                4 => {
                    reply.exit = payload.first().copied().unwrap_or(0);
                    return Ok(reply);
                }
                opcode => return Err(std::io::Error::other(format!("opcode {opcode}"))),
            }
        }
    }

    /// The time, and the picture of all zones.
    fn look(&mut self) -> Result<(u64, Picture), Unavailable> {
        let queue = self.ask("queue")?.stdout;
        let epoch = queue
            .split("It is now ")
            .nth(1)
            .and_then(|rest| rest.split_once('(')?.1.split(' ').next()?.parse::<u64>().ok());
        let now = epoch.unwrap_or_else(|| panic!("no time in: {queue}")) - START;
        let zones: Vec<(String, Next)> =
            self.ask("zone list")?.stdout.lines().skip(3).filter_map(zone_line).collect();
        let states = self.ask("key list -d -p")?.stdout;
        let words = self.ask("key list -v -p -a")?.stdout;
        let keys = states.lines().filter(|line| line.contains(';'));
        let keys = keys.map(|line| key_line(line, &words)).collect();
        let rolls = self.ask("rollover list")?.stdout;
        let rolls = rolls.lines().skip(2).filter_map(roll_line).collect();
        Ok((now, self.labels.picture(Shown { zones, rolls, keys })))
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        // 2.1 can hang while it stops, and there is nothing to save.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The ids of the spare keys; `None` when the set-up ended early.
fn set_up(stdout: ChildStdout) -> Option<Vec<String>> {
    let mut ids = Vec::new();
    for line in BufReader::new(stdout).lines() {
        match line.ok()?.split_once(' ') {
            Some(("spare", id)) => ids.push(id.trim().to_owned()),
            _ => return Some(ids),
        }
    }
    None
}

fn repositories(scenario: &Scenario) -> Vec<(&str, bool)> {
    let mut repositories: Vec<(&str, bool)> =
        scenario.repositories.iter().map(|(name, backup)| (name.as_str(), *backup)).collect();
    if !repositories.iter().any(|(name, _)| *name == "SoftHSM") {
        repositories.insert(0, ("SoftHSM", false));
    }
    repositories
}

fn conf_xml(scenario: &Scenario) -> String {
    let repository = |(name, backup): (&str, bool)| {
        let backup = if backup { "<RequireBackup/>" } else { "" };
        format!(
            "<Repository name=\"{name}\"><Module>/usr/lib/softhsm/libsofthsm2.so</Module>\
             <TokenLabel>{name}</TokenLabel><PIN>1234</PIN>{backup}</Repository>"
        )
    };
    let repositories: String = repositories(scenario).into_iter().map(repository).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Configuration><RepositoryList>{repositories}</RepositoryList>\
         <Common><Logging><Verbosity>4</Verbosity><Syslog><Facility>local0</Facility></Syslog>\
         </Logging><PolicyFile>/etc/opendnssec/kasp.xml</PolicyFile>\
         <ZoneListFile>/etc/opendnssec/zonelist.xml</ZoneListFile></Common>\
         <Enforcer><WorkingDirectory>/var/lib/opendnssec/enforcer</WorkingDirectory>\
         <WorkerThreads>1</WorkerThreads>\
         <Datastore><SQLite>/var/lib/opendnssec/kasp.db</SQLite></Datastore>\
         <AutomaticKeyGenerationPeriod>PT{}S</AutomaticKeyGenerationPeriod></Enforcer>\
         <Signer><WorkingDirectory>/var/lib/opendnssec/signer</WorkingDirectory></Signer>\
         </Configuration>\n",
        supply_seconds(scenario)
    )
}

/// How far ahead keys are made: long, since an enforcer that runs out of keys tries again a minute
/// later, and that is not what is compared here; but not thousands of keys.
fn supply_seconds(scenario: &Scenario) -> u64 {
    let keys = scenario.policies.iter().flat_map(|policy| &policy.keys);
    let shortest = keys.map(|key| key.lifetime).min().unwrap_or_default();
    103_680_000.min(300 * shortest.max(3600))
}

fn clock_text(offset: i64) -> String {
    let seconds = START as i64 + offset;
    let moment = jiff::Timestamp::from_second(seconds).expect("scenarios end before year 9999");
    moment.strftime("%Y-%m-%d-%H:%M:%S").to_string()
}

fn leap_line(offset: u64) -> String {
    format!("time leap --time {}", clock_text(offset as i64))
}

/// A line of `zone list`: name, policy, next change (ctime), file.
fn zone_line(line: &str) -> Option<(String, Next)> {
    let name = line.split_whitespace().next()?.to_owned();
    if line.contains("as soon as possible") {
        return Some((name, Next::Now));
    }
    if line.contains("no changes scheduled") {
        return Some((name, Next::Never));
    }
    let words: Vec<&str> = line.split_whitespace().skip(2).take(5).collect();
    Some((name, Next::At(offset("%a %b %d %H:%M:%S %Y", &words.join(" ")))))
}

/// A moment as text, in seconds since the start.
fn offset(format: &str, text: &str) -> u64 {
    let moment = DateTime::strptime(format, text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .to_zoned(jiff::tz::TimeZone::UTC)
        .expect("UTC has no gaps");
    (moment.timestamp().as_second() as u64).saturating_sub(START)
}

/// A line of `rollover list`: zone, role, and a date, `No roll scheduled` or what the operator is
/// waited for.
fn roll_line(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let (zone, role) = (words.next()?.to_owned(), words.next()?.to_lowercase());
    let expected = words.collect::<Vec<&str>>().join(" ");
    let expected = match expected.strip_prefix("waiting for ") {
        Some(command) => command.to_owned(),
        None if expected == "No roll scheduled" => Next::Never.to_string(),
        None => Next::At(offset("%Y-%m-%d %H:%M:%S", &expected)).to_string(),
    };
    Some((zone, format!("{role}:{expected}")))
}

/// A line of `key list -d -p` joined with that of `key list -v -p`: zone, role, id, key.
fn key_line(line: &str, words: &str) -> (String, String, String, KeyPicture) {
    let fields: Vec<&str> = line.split(';').collect();
    let [zone, role, ds, dnskey, keyset, rrsig, published, active, id] = fields.as_slice() else {
        panic!("not a line of `key list -d -p`: {line}")
    };
    let initial = |state: &str| match state {
        "NA" => '-',
        _ => state.chars().next().unwrap_or('?').to_ascii_uppercase(),
    };
    let of_key = |other: &&str| {
        let mut others = other.split(';');
        others.next() == Some(*zone) && others.nth(5) == Some(*id)
    };
    let verbose: Vec<&str> =
        words.lines().find(of_key).map(|line| line.split(';').collect()).unwrap_or_default();
    let [_, _, word, next, bits, algorithm, _, repository, _] = verbose.as_slice() else {
        panic!("{id} is not in `key list -v -p`: {words}")
    };
    let key = KeyPicture {
        kind: format!("{algorithm}/{bits}/{repository}"),
        states: [ds, dnskey, keyset, rrsig].into_iter().map(|state| initial(state)).collect(),
        published: *published == "1",
        active: *active == "1",
        word: (*word).to_owned(),
        waiting: next.strip_prefix("waiting for ").unwrap_or("-").to_owned(),
    };
    ((*zone).to_owned(), role.to_lowercase(), (*id).to_owned(), key)
}
