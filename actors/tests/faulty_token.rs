//! The whole tree on a token that fails, panics or lies: nothing wrong is published, the other
//! zones do not notice, and when the token is well again everything goes on. Waits are for a
//! zone's status, never for a time.

use actors::runtime::{Clock, System};
use actors::settings::{
    Auditor, EnforcerSettings, RepositorySettings, RunAs, Settings, TokenSettings, ZoneSettings,
};
use actors::slot::{NewToken, OpenSlot, open_token};
use actors::system::{Running, open_store, start_with};
use actors::zone::{CRASH_COUNT_MAX, Phase, ZoneMessage, ZoneStatus};
use dnssec::key::{KeyId, PublicKey};
use dnssec::policy::Policy;
use dnssec::zone::load::Limits;
use dnssec::{Algorithm, Name, Seconds};
use hsm::builtin::Unlock;
use hsm::error::Cause;
use hsm::{GenerateRequest, KeyEntry, Packed, Place, SignBatch, Slot, SlotError, TokenInfo};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use storage::StateStore;
use storage::state::KeyState;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What is wrong with the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    PanicWhileSigning,
    PanicAfterGenerating,
    WrongSignatures,
    TooFewSignatures,
    BrokenModule,
    Away,
}

/// A built-in token with a fault.
struct FaultyToken {
    inner: Arc<dyn Slot>,
    fault: Arc<Mutex<Fault>>,
    place: Place,
}

impl FaultyToken {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }
}

impl Slot for FaultyToken {
    fn info(&self) -> Result<TokenInfo, SlotError> {
        self.inner.info()
    }

    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        let key = self.inner.generate(request)?;
        assert_ne!(self.fault(), Fault::PanicAfterGenerating, "as the test wants it");
        Ok(key)
    }

    fn list(&self) -> Result<Vec<KeyEntry>, SlotError> {
        self.inner.list()
    }

    fn public_key(&self, id: &KeyId, algorithm: Algorithm) -> Result<PublicKey, SlotError> {
        self.inner.public_key(id, algorithm)
    }

    fn sign(&self, batch: &SignBatch) -> Result<Packed, SlotError> {
        let signatures = self.inner.sign(batch)?;
        match self.fault() {
            Fault::None | Fault::PanicAfterGenerating | Fault::Away => Ok(signatures),
            Fault::PanicWhileSigning => panic!("as the test wants it"),
            Fault::WrongSignatures => {
                let mut wrong: Vec<Vec<u8>> = signatures.iter().map(<[u8]>::to_vec).collect();
                wrong[0][5] ^= 1;
                Ok(wrong.iter().map(Vec::as_slice).collect())
            }
            Fault::TooFewSignatures => Ok(signatures.iter().skip(1).collect()),
            Fault::BrokenModule => Err(SlotError::ModuleFault {
                place: self.place.clone(),
                operation: "C_Sign",
                cause: Cause::of("CKR_DEVICE_ERROR"),
            }),
        }
    }

    fn delete(&self, id: &KeyId) -> Result<(), SlotError> {
        self.inner.delete(id)
    }
}

const ILL: &str = "ill.example.";
const WELL: &str = "well.example.";

/// Two zones, each with a repository of its own, of which that of [`ILL`] has a fault.
struct Lab {
    folder: tempfile::TempDir,
    settings: Settings,
    fault: Arc<Mutex<Fault>>,
    store: Arc<StateStore>,
    clock: Clock,
}

impl Lab {
    fn new(fault: Fault) -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let zones = [ILL, WELL].map(|zone| {
            let mut policy = Policy::anchorite_default(zone);
            zone.clone_into(&mut policy.name);
            // So that every run makes signatures.
            policy.signatures.refresh = policy.signatures.validity_default;
            policy.signatures.jitter = Seconds(0);
            let input = folder.path().join(format!("{zone}in"));
            std::fs::write(&input, zone_text(1)).unwrap();
            let output = folder.path().join(format!("{zone}out"));
            let name = Name::parse(zone.as_bytes(), None).unwrap();
            let limits = Limits::default();
            let (policy, input, output) = (Arc::new(policy), input.into(), output.into());
            ZoneSettings { name, policy, input, output, signconf: None, limits }
        });
        let repositories = [ILL, WELL].map(|name| RepositorySettings {
            name: name.to_owned(),
            serial: None,
            token: TokenSettings::BuiltIn {
                label: name.to_owned(),
                folder: folder.path().join(format!("{name}token")),
                unlock: Unlock::Pin("1234".into()),
            },
        });
        let settings = Settings {
            state_file: folder.path().join("state.redb"),
            snapshot_folder: folder.path().join("snapshots"),
            repositories: repositories.to_vec(),
            zones: zones.to_vec(),
            listeners: Vec::new(),
            notify_command: None,
            checkers: Vec::new(),
            allow_deprecated: false,
            enforcer: EnforcerSettings::default(),
            run_as: RunAs::default(),
            worker_count: 2,
            audit_log_kept: dnssec::Seconds(400 * 86_400),
            keeps_approved: true,
            auditor: Auditor::Here,
            verbosity: 3,
            facility: None,
            expected_ds: std::collections::BTreeMap::new(),
        };
        let clock = Clock::system();
        let store = open_store(&settings, &clock).unwrap();
        Lab { folder, settings, fault: Arc::new(Mutex::new(fault)), store, clock }
    }

    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn write_zone(&self, zone: &str, serial: u32) {
        let path = self.folder.path().join(format!("{zone}in"));
        std::fs::write(path, zone_text(serial)).unwrap();
    }

    fn signed(&self, zone: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.path().join(format!("{zone}out"))).ok()
    }

    fn start(&self) -> (Tree, UnboundedReceiver<()>) {
        let (opened, openings) = unbounded_channel();
        let fault = self.fault.clone();
        let tokens = Mutex::new(std::collections::BTreeMap::<String, Arc<dyn Slot>>::new());
        let open: OpenSlot = Arc::new(move |settings: &RepositorySettings, new: NewToken| {
            let mut tokens = tokens.lock().unwrap();
            // A token has one user at a time, so the second opening finds that of the first.
            let inner = match tokens.get(&settings.name) {
                Some(token) => token.clone(),
                None => open_token(settings, new)?,
            };
            tokens.insert(settings.name.clone(), inner.clone());
            if settings.name == WELL {
                return Ok(inner);
            }
            // Nobody counts the openings in most tests.
            let _ = opened.send(());
            let place = Place { repository: settings.name.clone(), token: "faulty".to_owned() };
            if *fault.lock().unwrap() == Fault::Away {
                return Err(SlotError::SessionsBusy { place, waited: std::time::Duration::ZERO });
            }
            Ok(Arc::new(FaultyToken { inner, fault: fault.clone(), place }) as Arc<dyn Slot>)
        });
        let running =
            start_with(&self.settings, self.store.clone(), self.clock.clone(), open, |failure| {
                panic!("the root gave up: {failure}")
            });
        (Tree { running: running.unwrap(), seen: [0; 2].map(AtomicUsize::new) }, openings)
    }
}

fn zone_text(serial: u32) -> String {
    format!(
        "$TTL 60\n@ SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.1\n\
         www A 192.0.2.{serial}\n"
    )
}

struct Tree {
    running: Running,
    /// Runs of each zone that were waited for.
    seen: [AtomicUsize; 2],
}

impl Tree {
    /// Waits for the end of the zone's next run.
    async fn next(&self, zone: &str) -> ZoneStatus {
        let position = usize::from(zone == WELL);
        let mut status = self.running.staff.zones.all()[position].status.clone();
        let seen = self.seen[position].load(Ordering::Relaxed) as u64;
        let status = status.wait_for(|status| status.run_count > seen).await.unwrap().clone();
        self.seen[position].store(status.run_count as usize, Ordering::Relaxed);
        status
    }

    async fn sign(&self, zone: &str) -> ZoneStatus {
        let position = usize::from(zone == WELL);
        let told =
            self.running.staff.zones.all()[position].actor.outbox().tell(ZoneMessage::SignNow);
        told.unwrap();
        self.next(zone).await
    }

    #[track_caller]
    fn check_failed(status: &ZoneStatus, phase: Phase, text: &str) {
        let failure = status.failure.as_deref().unwrap_or_default();
        assert!(failure.contains(text), "{text} is not in: {failure}");
        assert_eq!(status.phase, phase, "{failure}");
    }
}

#[track_caller]
fn check_well(status: &ZoneStatus) {
    assert_eq!(status.failure, None);
    // It may be on its way to the next run: a token that was opened wakes its zones.
    assert!(!matches!(status.phase, Phase::Failed | Phase::Quarantined), "{:?}", status.phase);
}

#[test]
fn a_stage_that_crashes_three_times_puts_its_zone_in_quarantine_and_no_other() {
    let lab = Lab::new(Fault::PanicWhileSigning);
    System::new().block_on(async {
        let (tree, _) = lab.start();
        check_well(&tree.next(WELL).await);
        for crash in 1..=CRASH_COUNT_MAX + 1 {
            let status = match crash {
                1 => tree.next(ILL).await,
                _ => tree.sign(ILL).await,
            };
            let phase = match crash < CRASH_COUNT_MAX {
                true => Phase::Failed,
                false => Phase::Quarantined,
            };
            Tree::check_failed(&status, phase, "the sign stage crashed");
            assert_eq!(status.failures, crash);
            assert_eq!(lab.signed(ILL), None, "nothing is published");
            // The other zone is signed by the same stages.
            lab.write_zone(WELL, crash + 1);
            check_well(&tree.sign(WELL).await);
        }
        lab.set(Fault::None);
        check_well(&tree.sign(ILL).await);
        assert!(lab.signed(ILL).is_some());
        tree.running.stop().await;
    });
}

#[test]
fn wrong_signatures_are_refused_by_the_auditor_and_the_last_version_stays() {
    let lab = Lab::new(Fault::None);
    System::new().block_on(async {
        let (tree, _) = lab.start();
        let first = tree.next(ILL).await;
        check_well(&first);
        check_well(&tree.next(WELL).await);
        let published = lab.signed(ILL);
        lab.set(Fault::WrongSignatures);
        lab.write_zone(ILL, 2);
        for _ in 0..2 {
            let status = tree.sign(ILL).await;
            let text = "the auditor refused zone ill.example: ";
            Tree::check_failed(&status, Phase::Failed, text);
            assert!(status.failure.unwrap().contains("nothing was published"));
            assert_eq!((status.generation, status.output_serial), (1, first.output_serial));
            assert!(lab.signed(ILL) == published, "the last good version stays");
        }
        lab.set(Fault::None);
        let status = tree.sign(ILL).await;
        check_well(&status);
        assert!(status.output_serial > first.output_serial);
        assert!(lab.signed(ILL) != published);
        tree.running.stop().await;
    });
}

#[test]
fn a_token_that_returns_too_few_signatures_is_noticed() {
    let lab = Lab::new(Fault::TooFewSignatures);
    System::new().block_on(async {
        let (tree, _) = lab.start();
        let status = tree.next(ILL).await;
        assert_eq!(status.phase, Phase::Failed);
        assert!(status.failure.unwrap().contains("signatures"), "says what is missing");
        assert_eq!(lab.signed(ILL), None);
        tree.running.stop().await;
    });
}

#[test]
fn a_module_fault_has_the_slot_opened_anew() {
    let lab = Lab::new(Fault::BrokenModule);
    System::new().block_on(async {
        let (tree, mut openings) = lab.start();
        let status = tree.next(ILL).await;
        Tree::check_failed(&status, Phase::Failed, "CKR_DEVICE_ERROR");
        assert_eq!(lab.signed(ILL), None);
        lab.set(Fault::None);
        // At the start, and again after the fault.
        for _ in 0..2 {
            openings.recv().await.unwrap();
        }
        check_well(&tree.sign(ILL).await);
        assert!(lab.signed(ILL).is_some());
        tree.running.stop().await;
    });
}

#[test]
fn a_key_whose_making_was_cut_short_is_adopted_and_not_made_again() {
    let lab = Lab::new(Fault::PanicAfterGenerating);
    System::new().block_on(async {
        let (tree, _) = lab.start();
        let status = tree.next(ILL).await;
        assert_eq!(status.phase, Phase::Failed, "{status:?}");
        let intents = lab.store.intents().unwrap();
        assert_eq!(intents.iter().filter(|key| key.repository == ILL).count(), 1);
        lab.set(Fault::None);
        check_well(&tree.sign(ILL).await);
        let keys = lab.store.keys().unwrap();
        let keys: Vec<_> = keys.iter().filter(|key| key.repository == ILL).collect();
        assert_eq!(keys.len(), 2);
        assert!(keys.iter().all(|key| key.state == KeyState::Present));
        let first = keys.iter().find(|key| key.id == intents[0].id);
        assert!(first.is_some(), "the key that was made is the key that is used");
        assert_eq!(key_files(&lab.folder.path().join(format!("{ILL}token"))), 2);
        tree.running.stop().await;
    });
}

fn key_files(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "key"))
        .count()
}

/// The output cannot be written, so a version is true and nobody has it. What comes next builds
/// on that version: its serial is not used a second time.
#[test]
fn a_version_that_was_not_delivered_keeps_its_serial_to_itself() {
    let lab = Lab::new(Fault::None);
    let output = lab.settings.zones[0].output_file().unwrap().to_owned();
    std::fs::create_dir(&output).unwrap();
    System::new().block_on(async {
        let (tree, _) = lab.start();
        let status = tree.next(ILL).await;
        Tree::check_failed(&status, Phase::Failed, "is a directory, a file was expected");
        let saved = lab.store.zone(&lab.settings.zones[0].name).unwrap().unwrap();
        assert_eq!((saved.generation, saved.last_published), (1, None));
        lab.write_zone(ILL, 2);
        let status = tree.sign(ILL).await;
        Tree::check_failed(&status, Phase::Failed, "is a directory, a file was expected");
        let again = lab.store.zone(&lab.settings.zones[0].name).unwrap().unwrap();
        // As a difference to the one before, which nobody has seen either.
        assert_eq!(again.generation, 1);
        assert!(again.output_serial > saved.output_serial);
        std::fs::remove_dir(&output).unwrap();
        let status = tree.sign(ILL).await;
        check_well(&status);
        assert!(lab.signed(ILL).is_some());
        let last = lab.store.zone(&lab.settings.zones[0].name).unwrap().unwrap();
        assert!(last.last_published.is_some());
        tree.running.stop().await;
    });
}

/// The zone's own pause after a failure is a minute; its slot tries again after a second.
#[test]
fn a_zone_is_signed_as_soon_as_its_token_is_there() {
    let lab = Lab::new(Fault::Away);
    System::new().block_on(async {
        let (tree, mut openings) = lab.start();
        let failed = tree.next(ILL).await;
        assert_eq!(failed.phase, Phase::Failed);
        check_well(&tree.next(WELL).await);
        openings.recv().await.unwrap();
        let before = lab.clock.uptime();
        lab.set(Fault::None);
        check_well(&tree.next(ILL).await);
        assert!(lab.clock.uptime() - before < std::time::Duration::from_secs(50));
        tree.running.stop().await;
    });
}

/// The sort stage waited for copies of its data that lay in the queue of the only worker.
#[test]
fn one_worker_is_enough() {
    let mut lab = Lab::new(Fault::None);
    lab.settings.worker_count = 1;
    System::new().block_on(async {
        let (tree, _) = lab.start();
        check_well(&tree.next(ILL).await);
        check_well(&tree.next(WELL).await);
        tree.running.stop().await;
    });
}
