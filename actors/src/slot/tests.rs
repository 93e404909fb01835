//! A token for tests that does what it is told, and the slot actor on it in virtual time.

use super::*;
use crate::runtime::testing::{TEST_EPOCH, test_system};
use crate::runtime::{ChildRef, PoolSpec, SupervisorRef, start_root};
use crate::settings::TokenSettings;
use crate::tree;
use dnssec::Algorithm;
use dnssec::key::{KeyId, KeyRole, PublicKey};
use hsm::error::Cause;
use hsm::pkcs11::Pkcs11Settings;
use hsm::{
    GenerateRequest, KeyEntry, KeyKind, KnownToken, MechanismChoice, Packed, Place, SignBatch,
    TokenInfo,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use storage::StateStore;
use storage::faults::FaultDisk;
use storage::state::{BackupState, KeyOwner, NewKey};

pub(super) const NAME: &str = "SoftHSM";
pub(super) const P256: Algorithm = Algorithm::EcdsaP256Sha256;

/// What a token is like.
pub(super) struct Token {
    pub(super) serial: String,
    pub(super) firmware: String,
    pub(super) keys: BTreeSet<KeyId>,
    pub(super) canary: Option<KeyId>,
    /// It takes no canary.
    pub(super) refuses_canary: bool,
    /// It shows nothing of what it holds.
    pub(super) is_blind: bool,
    /// The mechanism that works.
    pub(super) mechanism: u64,
    /// What is said to each signature.
    pub(super) failure: Option<SlotError>,
    pub(super) signed: watch::Sender<u32>,
    /// What was known at each opening.
    pub(super) openings: Vec<KnownToken>,
}

/// A token in every slot that it was opened by.
#[derive(Clone)]
pub(super) struct FakeToken(Arc<Mutex<Token>>);

impl FakeToken {
    pub(super) fn new(serial: &str) -> FakeToken {
        FakeToken(Arc::new(Mutex::new(Token {
            serial: serial.to_owned(),
            firmware: "1.0".to_owned(),
            keys: BTreeSet::new(),
            canary: None,
            refuses_canary: false,
            is_blind: false,
            mechanism: 0x1041,
            failure: None,
            signed: watch::Sender::new(0),
            openings: Vec::new(),
        })))
    }

    pub(super) fn get(&self) -> MutexGuard<'_, Token> {
        self.0.lock().unwrap()
    }

    /// How it is opened.
    pub(super) fn opener(&self) -> OpenSlot {
        let token = self.clone();
        Arc::new(move |settings, _| {
            let TokenSettings::Pkcs11 { settings, .. } = &settings.token else {
                panic!("the tests have no other");
            };
            token.get().openings.push(settings.known.clone());
            Ok(Arc::new(token.clone()))
        })
    }
}

fn place() -> Place {
    Place { repository: NAME.to_owned(), token: "ods".to_owned() }
}

impl Slot for FakeToken {
    fn info(&self) -> Result<TokenInfo, SlotError> {
        let token = self.get();
        Ok(TokenInfo {
            repository: NAME.to_owned(),
            module: "fake".to_owned(),
            slot: 0,
            label: "ods".to_owned(),
            manufacturer: String::new(),
            model: String::new(),
            serial: token.serial.clone(),
            firmware: token.firmware.clone(),
            sessions_max: Some(4),
            damaged: Vec::new(),
        })
    }

    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        self.get().keys.insert(request.id.clone());
        self.public_key(&request.id, request.algorithm)
    }

    fn list(&self) -> Result<Vec<KeyEntry>, SlotError> {
        let token = self.get();
        let shown = token.keys.iter().filter(|_| !token.is_blind);
        let entry = |id: &KeyId| KeyEntry {
            id: id.clone(),
            label: String::new(),
            kind: KeyKind::EcdsaP256,
            bits: 256,
            algorithm: None,
        };
        Ok(shown.map(entry).collect())
    }

    fn public_key(&self, id: &KeyId, algorithm: Algorithm) -> Result<PublicKey, SlotError> {
        let token = self.get();
        match token.keys.contains(id) && !token.is_blind {
            true => Ok(PublicKey { algorithm, bytes: vec![1; 64] }),
            false => Err(SlotError::NotFound { place: place(), key: id.clone() }),
        }
    }

    fn sign(&self, batch: &SignBatch) -> Result<Packed, SlotError> {
        if let Some(failure) = &self.get().failure {
            return Err(failure.clone());
        }
        self.public_key(&batch.key, batch.algorithm)?;
        self.get().signed.send_modify(|count| *count += 1);
        Ok(batch
            .messages
            .iter()
            .map(|_| [0; 64])
            .collect::<Vec<_>>()
            .iter()
            .map(|one| &one[..])
            .collect())
    }

    fn delete(&self, id: &KeyId) -> Result<(), SlotError> {
        self.get().keys.remove(id);
        Ok(())
    }

    fn put_canary(&self, id: &KeyId) -> Result<(), SlotError> {
        let mut token = self.get();
        if token.refuses_canary {
            return Err(SlotError::CanaryRefused { place: place(), cause: Cause::of("no") });
        }
        token.canary = Some(id.clone());
        Ok(())
    }

    fn shows_canary(&self, id: &KeyId) -> Result<bool, SlotError> {
        let token = self.get();
        Ok(!token.is_blind && token.canary.as_ref() == Some(id))
    }

    fn choose_mechanism(
        &self,
        _: &KeyId,
        algorithm: Algorithm,
    ) -> Result<Option<MechanismChoice>, SlotError> {
        Ok(Some(MechanismChoice { algorithm, mechanism: self.get().mechanism }))
    }
}

pub(super) fn id(byte: u8) -> KeyId {
    KeyId::new(&[byte; 16]).unwrap()
}

pub(super) fn memory() -> Arc<StateStore> {
    let store = StateStore::open_on(&FaultDisk::default(), Path::new("memory"), TEST_EPOCH);
    Arc::new(store.unwrap())
}

/// Records a key, and puts it into the token.
pub(super) fn add_key(store: &StateStore, token: &FakeToken, byte: u8) -> KeyId {
    let key = NewKey {
        id: id(byte),
        repository: NAME.to_owned(),
        role: KeyRole::Zsk,
        algorithm: P256,
        bits: 256,
        flags: 256,
        owner: KeyOwner::Policy("lab".to_owned()),
        inception: TEST_EPOCH,
        backup: BackupState::NotRequired,
    };
    store.key_intent(&key).unwrap();
    let public = PublicKey { algorithm: P256, bytes: vec![1; 64] };
    store.key_present(NAME, &key.id, &public, TEST_EPOCH).unwrap();
    token.get().keys.insert(key.id.clone());
    key.id
}

pub(super) fn settings(serial: Option<&str>) -> RepositorySettings {
    let settings = Pkcs11Settings {
        repository: NAME.to_owned(),
        module: "fake".into(),
        token_label: "ods".to_owned(),
        pin: None,
        skip_public_key: false,
        allow_extraction: false,
        sessions_max: 4,
        module_parameters: None,
        known: KnownToken::default(),
    };
    RepositorySettings {
        name: NAME.to_owned(),
        serial: serial.map(str::to_owned),
        token: TokenSettings::Pkcs11 {
            settings,
            capacity: Some(10),
            network: hsm::hosted::Network::Allow,
        },
    }
}

/// A running slot.
struct Site {
    root: SupervisorRef,
    slot: ChildRef<SlotActor>,
    openings: watch::Receiver<Openings>,
    token: FakeToken,
    key: KeyId,
    clock: Clock,
}

impl Site {
    async fn start(clock: &Clock) -> Site {
        let (store, token) = (memory(), FakeToken::new("1"));
        let key = add_key(&store, &token, 1);
        let book = TokenBook::new(store, clock.clone());
        let openings = watch::Sender::new(Openings::new());
        let pool = PoolSpec { name: "slot", workers: 2, queue_bound: 100 };
        let parts = SlotParts {
            settings: settings(None),
            new_token: NewToken::Refused,
            open: known(token.opener(), book.clone()),
            pool: WorkerPool::start(pool).unwrap(),
            clock: clock.clone(),
            openings: openings.clone(),
            book,
            demand: KeyDemand::default(),
        };
        let root = start_root(tree::root(), |failure| panic!("{failure}"));
        let slot = root.add(&tree::slot(NAME), move || SlotActor::new(&parts)).unwrap();
        let openings = openings.subscribe();
        let mut site = Site { root, slot, openings, token, key, clock: clock.clone() };
        site.opened(1).await;
        site
    }

    /// Waits until the token was opened so often.
    async fn opened(&mut self, times: u64) {
        self.openings.wait_for(|counts| counts.get(NAME) == Some(&times)).await.unwrap();
    }

    /// Waits for so many signatures in all.
    async fn signed(&self, count: u32) {
        let mut signed = self.token.get().signed.subscribe();
        signed.wait_for(|all| *all >= count).await.unwrap();
    }

    fn client(&self) -> SlotClient {
        SlotClient::new(NAME, self.slot.outbox())
    }

    fn batch(&self) -> SignBatch {
        let messages = std::iter::once(b"text".as_slice()).collect();
        SignBatch { key: self.key.clone(), algorithm: P256, messages }
    }

    async fn observe(&self) -> SlotObserved {
        self.slot.observe(SLOT_DEADLINE).await.unwrap()
    }
}

#[test]
fn an_idle_token_is_asked_for_a_signature_again_and_again() {
    test_system(|clock| async move {
        let site = Site::start(&clock).await;
        assert_eq!(site.observe().await.last_good, None);
        for count in 1..=3 {
            let before = clock.uptime();
            site.signed(count).await;
            assert!(clock.uptime() - before >= PROBE_AFTER - PAUSE_FIRST, "{count}");
        }
        let observed = site.observe().await;
        let least = dnssec::Seconds(3 * (PROBE_AFTER - PAUSE_FIRST).as_secs());
        assert!(observed.last_good.unwrap() >= TEST_EPOCH.plus(least));
        assert_eq!(observed.room, Some(Room { capacity: 10, used: 1 }));
        assert_eq!(observed.forecast, Some(Forecast::Enough));
        site.root.stop().await;
    });
}

#[test]
fn a_token_that_signs_is_not_asked() {
    test_system(|clock| async move {
        let site = Site::start(&clock).await;
        let slot = site.client().lease().await.unwrap();
        for _ in 0..20 {
            slot.sign(&site.batch()).unwrap();
            site.clock.sleep(PROBE_AFTER / 2).await;
        }
        assert_eq!(*site.token.get().signed.borrow(), 20);
        site.root.stop().await;
    });
}

/// The slot is opened anew, and the failure is known, before anybody had something to sign.
#[test]
fn an_idle_token_that_fails_is_opened_anew() {
    test_system(|clock| async move {
        let mut site = Site::start(&clock).await;
        let (place, operation, cause) = (place(), "C_Sign", Cause::of("CKR_DEVICE_ERROR"));
        let failure = SlotError::ModuleFault { place, operation, cause };
        site.token.get().failure = Some(failure.clone());
        site.opened(2).await;
        // It fails again each time that it is asked, with a minute between.
        site.opened(3).await;
        assert!(clock.uptime() >= PROBE_AFTER * 2);
        site.token.get().failure = None;
        site.signed(1).await;
        assert!(site.observe().await.last_good.is_some());
        site.root.stop().await;
    });
}

#[test]
fn a_new_key_that_wants_another_mechanism_has_the_slot_opened_anew() {
    test_system(|clock| async move {
        let mut site = Site::start(&clock).await;
        site.token.get().mechanism = 0x1044;
        let algorithm = Algorithm::EcdsaP384Sha384;
        // Not by the client: its deadline is in virtual time, and the token's thread is not.
        let (reply, _answer) = Reply::channel();
        let request = GenerateRequest::new(id(2), algorithm);
        let told = site.slot.outbox().tell(SlotMessage::Generate { request, reply });
        assert!(told.is_ok());
        site.opened(2).await;
        let known = site.token.get().openings.last().unwrap().clone();
        assert!(known.mechanisms.contains(&MechanismChoice { algorithm, mechanism: 0x1044 }));
        site.root.stop().await;
    });
}
