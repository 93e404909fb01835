//! An auditor that lies: a host that speaks the protocol well, and approves whatever it is sent.
//! The self test finds it out; from then on nothing of any zone is published, also not when a new
//! process of it is started, and the last version stays.
//! In: this program, which is its own lying host with `lie` as its argument. Never: sleeps.

use actors::audit::AuditorMessage;
use actors::runtime::{Clock, Reply, System};
use actors::settings::{Auditor, RepositorySettings, read_settings};
use actors::slot::{NewToken, OpenSlot, open_token};
use actors::system::{Running, open_store, start_with};
use actors::zone::{ZoneMessage, ZoneStatus};
use anchorite_tests::daemon::Installation;
use audit::{Counts, Denial, PublishedKeys, Report};
use audit_host::HostProgram;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ring::digest::{Context, SHA256};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::state::{TestOutcome, VerdictEvent, state_path};

const ZONE: &str = "lied.example";
const TEST: &str = "an_auditor_that_approves_everything_is_found_out_and_nothing_is_published";
/// Longest wait for an answer of the watcher.
const DEADLINE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|one| one == word);
    if has("lie") {
        lie();
    } else if has("--list") {
        if !has("--ignored") {
            println!("{TEST}: test");
        }
    } else if words.iter().all(|word| word.starts_with('-') || TEST.contains(word.as_str())) {
        found_out();
        println!("test {TEST} ... ok");
    }
    ExitCode::SUCCESS
}

/// What a host answers, in the order of its protocol.
#[derive(Serialize)]
enum Answer {
    Judged { report: Box<Report>, digest: [u8; 32], has_copy: bool },
    NotIncremental(String),
}

/// A host without judgement.
fn lie() {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().expect("a socket");
    let mut socket = UnixStream::from(socket);
    let mut open: BTreeMap<[u8; 8], (bool, Context)> = BTreeMap::new();
    let mut header = [0; 16];
    while socket.read_exact(&mut header).is_ok() {
        let [_, kind, _, _, a, b, c, d, ref ticket @ ..] = header;
        let mut payload = vec![0; u32::from_le_bytes([a, b, c, d]) as usize];
        socket.read_exact(&mut payload).expect("a whole frame");
        match kind {
            // A question: the first octet says whether all of the zone comes.
            1 => drop(open.insert(*ticket, (payload[0] == 0, Context::new(&SHA256)))),
            // Records of the candidate.
            2 => open.get_mut(ticket).expect("it was asked").1.update(&payload),
            6 => {
                let (is_whole, digest) = open.remove(ticket).expect("it was asked");
                let answer = match is_whole {
                    true => approval(digest),
                    false => Answer::NotIncremental("all of it, please".to_owned()),
                };
                let answer = postcard::to_allocvec(&answer).expect("plain values");
                let length = u32::try_from(answer.len()).expect("a short answer").to_le_bytes();
                let frame = [&[1, 9, 0, 0], &length[..], ticket, &answer].concat();
                socket.write_all(&frame).expect("somebody waits");
            }
            _ => {}
        }
    }
}

fn approval(digest: Context) -> Answer {
    let keys = PublishedKeys {
        dnskeys: Vec::new(),
        dnskey_ttl: 0,
        keyset_signers: Vec::new(),
        data_signers: Vec::new(),
        data_ttl: 0,
        denial: Denial::Nsec,
    };
    let report = Box::new(Report {
        findings: Vec::new(),
        counts: Counts::default(),
        soonest_expiration: None,
        keys,
        stopped_early: false,
    });
    let digest = digest.finish().as_ref().try_into().expect("SHA-256");
    Answer::Judged { report, digest, has_copy: false }
}

/// Tokens in this process, each opened once.
fn tokens() -> OpenSlot {
    let known = Mutex::new(BTreeMap::new());
    Arc::new(move |settings: &RepositorySettings, new: NewToken| {
        let mut known = known.lock().expect("nobody panics with it");
        if let Some(token) = known.get(&settings.name) {
            return Ok(Arc::clone(token));
        }
        let token = open_token(settings, new)?;
        known.insert(settings.name.clone(), token.clone());
        Ok(token)
    })
}

/// Waits until the zone has been run through so often.
async fn runs(running: &Running, count: u64) -> ZoneStatus {
    let mut status = running.staff.zones.all()[0].status.clone();
    status.wait_for(|status| status.run_count >= count).await.expect("the zone runs").clone()
}

/// All self tests with the zone; what came of each.
async fn self_test(running: &Running) -> Vec<TestOutcome> {
    let (reply, answer) = Reply::channel();
    let zone = running.staff.zones.all()[0].settings.name.clone();
    let outbox = running.staff.auditor.outbox();
    outbox.tell(AuditorMessage::Test { zone, reply }).expect("the watcher hears");
    let reports = answer.within(outbox.to(), DEADLINE).await.expect("the watcher answers");
    reports.expect("there is a version").into_iter().map(|tested| tested.outcome).collect()
}

fn found_out() {
    let installation = Installation::new("default");
    installation.write_zonelist(&[(ZONE, "default")]);
    installation.write_small_zone(ZONE, 1, "www IN A 192.0.2.1");
    let (mut settings, _) = read_settings(&installation.path("conf.xml")).expect("an example");
    settings.auditor = Auditor::Process(HostProgram {
        path: std::env::current_exe().expect("a running test has a path"),
        arguments: vec!["lie".into()],
        ..HostProgram::of_this_program()
    });
    let clock = Clock::system();
    let store = open_store(&settings, &clock).expect("a new store");
    System::new().block_on(async {
        let running = start_with(&settings, store.clone(), clock, tokens(), |failure| {
            panic!("the root gave up: {failure}")
        });
        let running = running.expect("it starts");
        let first = runs(&running, 1).await;
        assert_eq!(first.failure, None);
        let published = installation.read(&format!("signed/{ZONE}"));
        let outcomes = self_test(&running).await;
        assert!(!outcomes.is_empty());
        assert!(outcomes.iter().all(|outcome| *outcome == TestOutcome::Missed), "{outcomes:?}");
        // From now on nothing is published.
        for round in 2..4 {
            installation.write_small_zone(ZONE, round, &format!("www IN A 192.0.2.{round}"));
            let count = runs(&running, 1).await.run_count;
            running.staff.zones.all()[0].tell(ZoneMessage::SignNow);
            let status = runs(&running, count + 1).await;
            let failure = status.failure.expect("it is held");
            assert!(failure.contains("the auditor is not trusted"), "{failure}");
            assert_eq!(status.output_serial, first.output_serial);
            assert_eq!(installation.read(&format!("signed/{ZONE}")), published);
            // Another process of it is no better.
            let seen = running.staff.auditor.observe(DEADLINE).await.expect("the watcher answers");
            assert!(seen.distrusted.is_some());
            let process = seen.process_id.expect("it runs");
            kill(Pid::from_raw(i32::try_from(process).expect("small")), Signal::SIGKILL)
                .expect("it runs");
            let outcomes = self_test(&running).await;
            assert!(outcomes.iter().all(|outcome| *outcome != TestOutcome::Caught), "{outcomes:?}");
        }
        running.stop().await;
    });
    assert!(state_path(&installation.path("kasp.db")).exists());
    let missed = store.verdicts(None, 1000).expect("the log can be read");
    let is_missed = |event: &VerdictEvent| match event {
        VerdictEvent::Tested(tested) => tested.outcome == TestOutcome::Missed,
        _ => false,
    };
    assert!(missed.iter().any(|entry| is_missed(&entry.entry.event)));
    assert!(store.auditor_distrusted().expect("the log can be read").is_some());
}
