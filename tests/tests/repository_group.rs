//! `anchorite run` with a repository group: two built-in tokens, one a copy of the other, each in
//! a process of its own. A key that one of them lacks is not published, one may die in the middle
//! of signing, and one that holds another key of the same id is shut out. The same with a pair of
//! SoftHSM tokens, of which one lies or is pulled out.

use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use anchorite_tests::fault_module::{FaultyToken, PIN, SOFTHSM, module};
use anchorite_tests::judges::{dnssec_verify, ldns_verify_zone};
use anchorite_tests::program::anchorite;
use dnssec::key::KeyId;
use hsm::builtin::{BuiltinToken, Unlock};
use hsm::{GenerateRequest, Slot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const ZONE: &str = "a.example";
const FIRST: &str = "tokens/built-in";
const SECOND: &str = "tokens/second";

/// The default example with the group `pair` in place of its repository. The second token does
/// not exist yet.
fn with_group() -> Installation {
    let installation = Installation::new("default");
    let second = format!(
        "<Repository name=\"second\"><BuiltIn/><PIN>1234</PIN><Directory>{}</Directory>\
         </Repository><RepositoryGroup name=\"pair\"><Member>built-in</Member>\
         <Member>second</Member></RepositoryGroup></RepositoryList>",
        installation.path(SECOND).display()
    );
    installation.edit("conf.xml", "</RepositoryList>", &second);
    installation.edit("kasp.xml", ">built-in<", ">pair<");
    installation.let_zones_grow();
    installation.write_zonelist(&[(ZONE, "default")]);
    installation.write_small_zone(ZONE, 1, "www IN A 192.0.2.1");
    installation
}

/// What an operator does who has no HSM that does it: makes the second token a copy of the first.
fn copy_token(installation: &Installation) {
    let (from, to) = (installation.path(FIRST), installation.path(SECOND));
    if to.exists() {
        fs::remove_dir_all(&to).unwrap();
    }
    fs::create_dir(&to).unwrap();
    fs::set_permissions(&to, fs::metadata(&from).unwrap().permissions()).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// A group with both keys of the zone in both tokens.
fn with_keys() -> Installation {
    let installation = with_group();
    let mut daemon = installation.start();
    let line = daemon.wait_for(&["0 of 2 members of the group agree on the key and 2 have to"]);
    assert!(line.contains("second: shut out: "), "{line}");
    assert!(!daemon.stop().contains("need to be created"), "a key that could be in one token only");
    copy_token(&installation);
    for key in ["KSK", "ZSK"] {
        let mut daemon = installation.start();
        daemon.wait_for(&[&format!("1 new {key}(s)")]);
        let line = daemon.wait_for(&["1 of 2 members of the group agree on the key and 2 have to"]);
        assert!(line.contains("built-in: shows key tag "), "{line}");
        assert!(line.contains("second: lacks the key"), "{line}");
        daemon.stop();
        assert!(!installation.signed(ZONE).exists(), "a key in one token alone was published");
        copy_token(&installation);
    }
    installation
}

#[track_caller]
fn check_signed(installation: &Installation) {
    let signed = installation.signed(ZONE);
    dnssec_verify(&signed, ZONE).unwrap();
    ldns_verify_zone(&signed).unwrap();
}

/// Processes of which `is_meant` says so, given their command line and parent.
fn processes(is_meant: impl Fn(&str, i32) -> bool) -> Vec<i32> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap() {
        let process = process.unwrap();
        let name = process.file_name().into_string().unwrap_or_default();
        let Ok(number) = name.parse::<i32>() else { continue };
        // A process may end while it is looked at.
        let read = |file: &str| fs::read_to_string(process.path().join(file)).unwrap_or_default();
        let status = read("status");
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        let parent = parent.and_then(|text| text.trim().parse().ok()).unwrap_or_default();
        if is_meant(&read("cmdline"), parent) {
            found.push(number);
        }
    }
    found
}

/// The slot hosts of the daemon that runs on the installation.
fn slot_hosts(installation: &Installation) -> Vec<i32> {
    let configuration = installation.path("conf.xml");
    let configuration = configuration.to_string_lossy();
    let daemons = processes(|line, _| line.contains(configuration.as_ref()));
    let [daemon] = daemons[..] else { panic!("one daemon, not {daemons:?}") };
    processes(|line, parent| parent == daemon && line.starts_with("anchorite-slot-host"))
}

/// Processor time that a process has used, in ticks of the system (proc(5), fields 14 and 15).
fn ticks(process: i32) -> u64 {
    let stat = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"));
    let stat = stat.unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_key_goes_out_when_both_have_it_and_one_may_die_while_it_signs() {
    let installation = with_keys();
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    check_signed(&installation);

    // One host is held, so that what it was given stays with it until it dies.
    let hosts = slot_hosts(&installation);
    let [held, other] = hosts[..] else { panic!("two hosts, not {hosts:?}") };
    kill(Pid::from_raw(held), Signal::SIGSTOP).unwrap();
    let before = ticks(other);
    let names: String = (0..20_000).map(|name| format!("n{name} IN A 192.0.2.7\n")).collect();
    installation.write_small_zone(ZONE, 2, &names);
    daemon.reload();
    // Work goes to the least busy: when the other has signed for some ticks, the first holds a
    // batch.
    let until = Instant::now() + WAIT;
    while ticks(other) < before + 3 {
        assert!(Instant::now() < until, "nothing was signed beside the host that is held");
        std::thread::yield_now();
    }
    kill(Pid::from_raw(held), Signal::SIGKILL).unwrap();
    daemon.wait_for_all(&[
        &["[STATS] a.example "],
        &["of repository group pair is away and is tried again"],
        &["of repository group pair is in"],
    ]);
    check_signed(&installation);
    assert_eq!(slot_hosts(&installation).len(), 2);
    let lines = daemon.stop();
    assert!(!lines.contains("signer instructed to reload due to hsm reset"), "{lines}");
}

#[test]
fn a_member_with_another_key_of_the_same_id_is_shut_out_and_the_zone_stays_valid() {
    let installation = with_keys();
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    daemon.stop();

    // The first member, which no vote of two could outvote: the record of the published key does.
    let unlock = Unlock::Pin("1234".into());
    let token = BuiltinToken::open("built-in", &installation.path(FIRST), &unlock).unwrap();
    let ids: Vec<KeyId> = token.list().unwrap().into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 2);
    for id in ids {
        token.delete(&id).unwrap();
        token.generate(&GenerateRequest::new(id, dnssec::Algorithm::EcdsaP256Sha256)).unwrap();
    }
    drop(token);

    let mut daemon = installation.start();
    let line = daemon.wait_for(&["member built-in of repository group pair is shut out"]);
    assert!(line.contains("it shows another key for the id "), "{line}");
    for serial in 2..5 {
        installation.write_small_zone(ZONE, serial, &format!("www IN A 192.0.2.{serial}"));
        daemon.reload();
        daemon.wait_for(&["[STATS] a.example "]);
        check_signed(&installation);
    }
    let lines = daemon.stop();
    let alarms = lines.matches("is shut out").count();
    assert!((1..=4).contains(&alarms), "one, and one for each SIGHUP at most: {lines}");
}

/// A group of two SoftHSM tokens, each in a process of its own, with the zone's keys in both. The
/// second one's module is the fault module before SoftHSM.
struct SoftPair {
    installation: Installation,
    second: FaultyToken,
}

impl SoftPair {
    fn new() -> SoftPair {
        let mut installation = Installation::new("default");
        let folder = installation.path("softhsm");
        fs::create_dir(&folder).unwrap();
        let second = FaultyToken::new(&folder, &["East", "West"]);
        for (name, path) in second.environment() {
            installation.set_environment(name, path);
        }
        let faulty = module().display().to_string();
        let member = |name: &str, label: &str, module: &str| {
            format!(
                "<Repository name=\"{name}\"><Module>{module}</Module><TokenLabel>{label}\
                 </TokenLabel><PIN>{PIN}</PIN><AllowExtraction/></Repository>"
            )
        };
        let list = format!(
            "{}{}<RepositoryGroup name=\"pair\"><Member>east</Member><Member>west</Member>\
             </RepositoryGroup></RepositoryList>",
            member("east", "East", SOFTHSM),
            member("west", "West", &faulty)
        );
        installation.edit("conf.xml", "</RepositoryList>", &list);
        installation.edit("kasp.xml", ">built-in<", ">pair<");
        installation.let_zones_grow();
        // The tools open both tokens in one process, where SoftHSM is there once.
        installation.write("tools.xml", &installation.read("conf.xml").replace(&faulty, SOFTHSM));
        installation.write_zonelist(&[(ZONE, "default")]);
        installation.write_small_zone(ZONE, 1, "www IN A 192.0.2.1");
        SoftPair { installation, second }
    }

    /// `anchorite hsm replicate`, beside the daemon.
    #[track_caller]
    fn replicate(&self) -> String {
        let output = Command::new(anchorite())
            .args(["hsm", "replicate", "--repository", "pair", "--config", "tools.xml"])
            .current_dir(self.installation.path(""))
            .envs(self.second.environment())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The daemon, after its first version: each key was refused until both tokens had it.
    fn signed(&self) -> Daemon {
        let mut daemon = self.installation.start();
        for key in ["KSK", "ZSK"] {
            daemon.wait_for(&[&format!("1 new {key}(s)")]);
            let refused = "1 of 2 members of the group agree on the key and 2 have to";
            let line = daemon.wait_for(&[refused]);
            assert!(line.contains("east: shows key tag "), "{line}");
            assert!(line.contains("west: lacks the key"), "{line}");
            assert!(!self.installation.signed(ZONE).exists(), "published with one token's key");
            let told = self.replicate();
            assert!(told.contains("\twest: taken from east\n"), "{told}");
            daemon.reload();
        }
        daemon.wait_for(&["[STATS] a.example "]);
        check_signed(&self.installation);
        daemon
    }

    /// A new version, with so many names that both tokens get some.
    fn next_version(&self, daemon: &mut Daemon, serial: u32, more: &[&[&str]]) {
        let name = |name: u32| format!("n{name} IN A 192.0.2.{serial}\n");
        let names: String = (0..3000).map(name).collect();
        self.installation.write_small_zone(ZONE, serial, &names);
        daemon.reload();
        let wanted: Vec<&[&str]> =
            more.iter().copied().chain([["[STATS] a.example "].as_slice()]).collect();
        daemon.wait_for_all(&wanted);
        check_signed(&self.installation);
    }
}

const WEST_OUT: &[&str] =
    &["member west of repository group pair is shut out", "made a wrong signature"];
const WEST_IN: &[&str] = &["member west of repository group pair is in"];

/// A token that lies about signatures costs its place in the group and nothing else; when it is
/// mended it is taken back without a restart.
#[test]
fn a_lying_softhsm_is_shut_out_and_taken_back_when_it_is_mended() {
    let pair = SoftPair::new();
    let mut daemon = pair.signed();
    pair.second.rules("");
    pair.next_version(&mut daemon, 2, &[]);
    assert!(pair.second.count("C_Sign") > 0, "the second token signed");

    pair.second.rules("C_Sign always flip");
    pair.next_version(&mut daemon, 3, &[WEST_OUT]);
    // It still lies: asked again after the SIGHUP, it fails its challenge, and that is told.
    pair.next_version(&mut daemon, 4, &[WEST_OUT]);

    pair.second.rules("");
    pair.next_version(&mut daemon, 5, &[WEST_IN]);
    pair.second.rules("");
    pair.next_version(&mut daemon, 6, &[]);
    assert!(pair.second.count("C_Sign") > 0, "the second token signs again");
    let lines = daemon.stop();
    assert_eq!(lines.matches("is shut out").count(), 2, "one for each time: {lines}");
    assert!(!lines.contains("is not used any more"), "the group was in use all the time: {lines}");
}

/// One of two tokens may be pulled out and put back.
#[test]
fn a_softhsm_that_is_pulled_out_is_not_missed() {
    let pair = SoftPair::new();
    let mut daemon = pair.signed();
    pair.second.rules("* always unplug before");
    pair.next_version(
        &mut daemon,
        2,
        &[&["member west of repository group pair is away and is tried again by itself"]],
    );
    pair.second.rules("");
    pair.next_version(&mut daemon, 3, &[WEST_IN]);
    let lines = daemon.stop();
    assert!(!lines.contains("signer instructed to reload due to hsm reset"), "{lines}");
}
