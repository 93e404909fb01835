//! Slot hosts have few rights, and repositories do not wait for each other (rules HSM-1, HSM-7).
//! Modules that try what no key store needs are refused it, and the log says so; a module that
//! hangs holds up nobody who can do without it; without the token of its KSK a zone goes on being
//! published as long as the signature of its keys is good, and never longer.

use actors::runtime::{Clock, System};
use actors::settings::{Auditor, read_settings};
use actors::slot::hosted_within;
use actors::system::{Running, open_store, start_with};
use actors::zone::ZoneStatus;
use anchorite_tests::daemon::{Installation, Untouched, WAIT};
use anchorite_tests::fault_module::{FaultyToken, module, with_module};
use anchorite_tests::judges::{dnssec_verify, ldns_verify_zone_at};
use anchorite_tests::program::anchorite;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::UserType;
use dnssec::{Algorithm, Seconds, Timestamp};
use hsm::hosted::{Deadlines, HostProgram, HostedSettings, HostedSlot, HostedToken, Network};
use hsm::pkcs11::Pkcs11Settings;
use hsm::{GenerateRequest, KnownToken, SignBatch, Slot};
use std::path::PathBuf;
use std::time::Duration;

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
const LABEL: &str = "OpenDNSSEC";
/// The token is pulled out, for every process that looks.
const AWAY: &str = "* always unplug before";
/// Its keys are in the token behind the fault module, repository SoftHSM.
const ZONE: &str = "a.example";
/// Its keys are in a built-in token.
const STEADY: &str = "steady.example";

struct Site {
    installation: Installation,
    token: FaultyToken,
}

impl Site {
    /// Repository SoftHSM behind the fault module, repository built-in; policy `steady` has its
    /// keys in the latter.
    fn new() -> Site {
        let mut installation = Installation::new("tld-optout");
        let folder = installation.path("softhsm");
        std::fs::create_dir(&folder).unwrap();
        let token = FaultyToken::new(&folder, &[LABEL]);
        for (name, path) in token.environment() {
            installation.set_environment(name, path);
        }
        installation.edit("conf.xml", SOFTHSM, &module().display().to_string());
        let built_in = format!(
            "<Repository name=\"built-in\"><BuiltIn/><TokenLabel>Second</TokenLabel>\
             <PIN>9876</PIN><Directory>{}</Directory></Repository></RepositoryList>",
            installation.path("tokens/second").display()
        );
        installation.edit("conf.xml", "</RepositoryList>", &built_in);
        let kasp = installation.read("kasp.xml");
        let (_, policy) = kasp.split_once("<Policy name=\"tld\">").unwrap();
        let policy = policy.replace(">SoftHSM<", ">built-in<");
        installation.edit("kasp.xml", "</KASP>", &format!("<Policy name=\"steady\">{policy}"));
        let site = Site { installation, token };
        site.installation.write_zonelist(&[(ZONE, "tld"), (STEADY, "steady")]);
        site.write(ZONE, 1);
        site.write(STEADY, 1);
        site
    }

    fn write(&self, zone: &str, serial: u32) {
        self.installation.write_small_zone(zone, serial, &format!("www IN A 192.0.2.{serial}"));
    }

    fn set_network(&self, word: &str) {
        let element = format!("<Network>{word}</Network><RequireBackup/>");
        self.installation.edit("conf.xml", "<RequireBackup/>", &element);
    }

    fn has(&self, zone: &str, serial: u32) -> bool {
        let text = self.installation.read(&format!("signed/{zone}"));
        text.contains(&format!("192.0.2.{serial}\n"))
    }
}

/// What the module tries, and what the log says of it.
const REFUSED: [(&str, &str); 7] = [
    ("packet", "refused a socket of family 17"),
    ("netlink", "refused a socket of family 16"),
    ("exec", "refused the system call execve"),
    ("ptrace", "refused the system call ptrace"),
    ("signal", "refused the system call kill for another process"),
    ("ring", "refused the system call io_uring_setup"),
    ("mount", "refused the system call mount"),
];

/// Zones are signed all the same: a refusal is an error that the module sees, not its end.
#[track_caller]
fn check_refused(site: &Site, more: &[(&str, &str)], allowed: &[&str]) {
    let refused = [&REFUSED, more].concat();
    let words = refused.iter().map(|(word, _)| word).chain(allowed);
    let rules: String = words.map(|word| format!("C_Sign 1 try {word}\n")).collect();
    site.token.rules(&rules);
    let mut daemon = site.installation.start();
    let place = "anchorite slot-host: repository SoftHSM, token \"OpenDNSSEC\": ";
    let lines: Vec<[&str; 2]> = refused.iter().map(|(_, line)| [place, *line]).collect();
    let mut wanted: Vec<&[&str]> = lines.iter().map(<[&str; 2]>::as_slice).collect();
    wanted.push(&["[STATS] a.example "]);
    daemon.wait_for_all(&wanted);
    dnssec_verify(&site.installation.signed(ZONE), ZONE).unwrap();
    let calls = site.token.calls();
    let went = |line: String| calls.contains(&("C_Sign".to_owned(), line));
    for (word, _) in &refused {
        assert!(went(format!("{word} EPERM")), "{word}: {calls:?}");
    }
    for word in allowed {
        assert!(went(format!("{word} done")), "{word}: {calls:?}");
    }
    let lines = daemon.stop();
    // Told once; the built-in token is refused nothing, since it tries nothing.
    assert_eq!(lines.matches("refused the system call execve").count(), 1, "{lines}");
    assert!(!lines.contains("a built-in token does not need"), "{lines}");
}

/// As OpenDNSSEC's installations have it: the module may be a client of an HSM elsewhere.
#[test]
fn a_module_may_use_the_network_and_nothing_else_by_default() {
    check_refused(&Site::new(), &[], &["inet", "unix"]);
}

#[test]
fn a_module_may_not_use_a_network_that_it_does_not_need() {
    let site = Site::new();
    site.set_network("deny");
    let words = "refused a network connection; if this module's HSM is on the network, remove \
                 <Network>deny</Network> in conf.xml";
    check_refused(&site, &[("inet", words)], &["unix"]);
}

#[test]
fn the_same_is_not_refused_outside_of_a_host() {
    // Otherwise the tests above would prove nothing.
    let name = "the_same_is_not_refused_outside_of_a_host";
    anchorite_tests::fault_module::with_tokens(name, &[LABEL], |token| {
        token.rules(
            "C_GetSlotList 1 try inet\nC_GetSlotList 1 try exec\nC_GetSlotList 1 try signal",
        );
        let context = Pkcs11::new(module()).unwrap();
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        context.get_all_slots().unwrap();
        for word in ["inet", "exec", "signal"] {
            token.wait_for("C_GetSlotList", &format!("{word} done"), 1);
        }
    });
}

/// Another vendor's module: NSS's softoken, which brings a database of its own.
#[test]
fn softoken_works_in_a_host_without_network() {
    let name = "softoken_works_in_a_host_without_network";
    let path = format!("/usr/lib/{}-linux-gnu/libsoftokn3.so", std::env::consts::ARCH);
    let parameters =
        "configdir='sql:FOLDER' certPrefix='' keyPrefix='' secmod='' flags=noModDB,optimizeSpace";
    let (label, pin) = ("NSS Certificate DB", "NSS password 1");
    with_module(name, &PathBuf::from(path), parameters, |token| {
        set_pin(label, pin);
        let settings = Pkcs11Settings {
            repository: "softoken".to_owned(),
            module: module(),
            token_label: label.to_owned(),
            pin: Some(pin.into()),
            skip_public_key: false,
            allow_extraction: false,
            sessions_max: 4,
            module_parameters: None,
            known: KnownToken::default(),
        };
        token.rules("C_Sign 1 try inet");
        let slot = HostedSlot::open(HostedSettings {
            repository: "softoken".to_owned(),
            program: HostProgram {
                path: anchorite(),
                network: Network::Deny,
                ..HostProgram::own()
            },
            user: None,
            token: HostedToken::Pkcs11 { settings, capacity: None },
            deadlines: Deadlines::default(),
        })
        .unwrap();
        let id = hsm::random_key_id().unwrap();
        let algorithm = Algorithm::EcdsaP256Sha256;
        slot.generate(&GenerateRequest::new(id.clone(), algorithm)).unwrap();
        let messages = std::iter::repeat_n(b"to be signed".as_slice(), 100).collect();
        // What comes back was verified.
        let signatures = slot.sign(&SignBatch { key: id, algorithm, messages }).unwrap();
        assert_eq!(signatures.len(), 100);
        token.wait_for("C_Sign", "inet EPERM", 1);
    });
}

fn set_pin(label: &str, pin: &str) {
    let context = Pkcs11::new(module()).unwrap();
    context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let is_ours =
        |slot: &cryptoki::slot::Slot| context.get_token_info(*slot).unwrap().label() == label;
    let slot = context.get_all_slots().unwrap().into_iter().find(is_ours).unwrap();
    let session = context.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&"".into())).unwrap();
    session.init_pin(&pin.into()).unwrap();
    session.logout().unwrap();
}

/// More zones than the sign stage has credits are held up; those of the other repository are not.
#[test]
fn a_module_that_hangs_while_it_signs_delays_no_other_repository() {
    let site = Site::new();
    let names: Vec<String> = (0..9).map(|number| format!("z{number}.example")).collect();
    let mut zones: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "tld")).collect();
    zones.push((STEADY, "steady"));
    site.installation.write_zonelist(&zones);
    names.iter().for_each(|name| site.write(name, 1));
    let stats: Vec<String> = names.iter().map(|name| format!("[STATS] {name} ")).collect();
    let lines: Vec<[&str; 1]> = stats.iter().map(|line| [line.as_str()]).collect();
    let wanted: Vec<&[&str]> = lines.iter().map(<[&str; 1]>::as_slice).collect();
    let steady: &[&str] = &["[STATS] steady.example "];
    let mut daemon = site.installation.start();
    daemon.wait_for_all(&[wanted.as_slice(), &[steady]].concat());

    site.token.rules("C_Sign always stall");
    names.iter().for_each(|name| site.write(name, 2));
    daemon.reload();
    site.token.wait_for("C_Sign", "stalls", 1);
    for serial in 2..5 {
        site.write(STEADY, serial);
        daemon.reload();
        daemon.wait_for(steady);
        assert!(site.has(STEADY, serial));
        dnssec_verify(&site.installation.signed(STEADY), STEADY).unwrap();
    }
    assert!(names.iter().all(|name| site.has(name, 1)), "they still wait");
    assert_eq!(daemon.count("no answer during C_Sign"), 0, "they still wait");
    site.token.rules("");
    daemon.wait_for_all(&wanted);
    for name in &names {
        assert!(site.has(name, 2), "{name}");
        dnssec_verify(&site.installation.signed(name), name).unwrap();
    }
    daemon.stop();
}

#[test]
fn a_zone_is_published_without_the_token_of_its_ksk_until_its_keys_expire() {
    check_without_ksk(AWAY);
}

#[test]
fn a_zone_is_published_while_the_module_of_its_ksk_hangs_until_its_keys_expire() {
    check_without_ksk("C_Sign always stall");
}

/// Signatures live 21 days, give or take one, are due 7 days before, and passes are an hour apart.
fn check_without_ksk(rules: &str) {
    let site = Site::new();
    let kasp = site.installation.read("kasp.xml");
    let (before, zsk) = kasp.split_once("<ZSK>").unwrap();
    let zsk = zsk.replacen("SoftHSM", "built-in", 1);
    site.installation.write("kasp.xml", &format!("{before}<ZSK>{zsk}"));
    site.installation.write_zonelist(&[(ZONE, "tld")]);
    let (mut settings, _) = read_settings(&site.installation.path("conf.xml")).unwrap();
    // This program is no audit host.
    settings.auditor = Auditor::Here;
    let environment = site.token.environment();
    let program = HostProgram {
        path: anchorite(),
        arguments: vec!["slot-host".into()],
        environment: environment.map(|(name, path)| (name.into(), path.into())).to_vec(),
        ..HostProgram::own()
    };
    let seconds = Duration::from_secs(3);
    let open = hosted_within(program, Deadlines { answer: seconds, generate: seconds });
    System::new().block_on(async {
        let clock = Clock::system();
        let store = open_store(&settings, &clock).unwrap();
        let failed = |failure| panic!("{failure}");
        let running = start_with(&settings, store, clock.clone(), open, failed).unwrap();
        wait(&running, |zone| zone.output_serial.is_some()).await;
        site.token.rules(rules);
        let began = clock.now();
        clock.leap_by(Seconds(16 * 86_400));
        let mut expires = Timestamp(0);
        // With everything due, and then with what changes only.
        for serial in 2..5 {
            let runs = running.staff.zones.all()[0].status.borrow().run_count;
            site.write(ZONE, serial);
            running.staff.sign_all();
            let zone = wait(&running, |zone| zone.run_count > runs && site.has(ZONE, serial)).await;
            assert_eq!((zone.failures, zone.failure), (0, None));
            expires = zone.keyset_expires.expect("an alarm");
            assert_eq!(zone.earliest_expiration, Some(expires), "all others were made anew");
            let later = clock.now().since(began);
            ldns_verify_zone_at(&site.installation.signed(ZONE), later.0).unwrap();
        }
        // Half an hour before the end, and the next pass would come after it.
        clock.leap_to(expires.minus(Seconds(1800))).unwrap();
        let last = Untouched::look(&site.installation.signed(ZONE));
        site.write(ZONE, 5);
        running.staff.sign_all();
        let zone = wait(&running, |zone| zone.failures > 0).await;
        assert!(zone.failure.unwrap().contains("repository SoftHSM"));
        last.check();
        site.token.rules("");
        let zone = wait(&running, |zone| zone.failures == 0 && site.has(ZONE, 5)).await;
        assert_eq!(zone.keyset_expires, None);
        let later = clock.now().since(began);
        ldns_verify_zone_at(&site.installation.signed(ZONE), later.0).unwrap();
        running.stop().await;
    });
}

/// Waits for a state of the only zone.
async fn wait(running: &Running, is_there: impl Fn(&ZoneStatus) -> bool) -> ZoneStatus {
    let mut status = running.staff.zones.all()[0].status.clone();
    let waited = tokio::time::timeout(WAIT, status.wait_for(|status| is_there(status))).await;
    let found = waited.ok().map(|found| found.unwrap().clone());
    found.unwrap_or_else(|| panic!("{:?}", *status.borrow()))
}
