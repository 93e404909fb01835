//! The slot under test and the way it is used: one function makes it, in this process or in a
//! process of its own, and one caller does what errors say may be done next.

use anchorite_tests::fault_module::{FaultyToken, PIN, module, with_tokens_and};
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use hsm::hosted::{Deadlines, HostProgram, HostedSettings, HostedSlot, HostedToken, Network};
use hsm::pkcs11::{Pkcs11Settings, Pkcs11Slot};
use hsm::{Disposition, GenerateRequest, Packed, SignBatch, Slot, SlotError};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use std::ffi::OsString;
use std::time::Duration;

/// Set in a child that is to be a slot host.
pub(crate) const HOST: &str = "ANCHORITE_FAULT_TEST_HOST";
/// Set in the child of a test: which kind of slot it is about.
const KIND: &str = "ANCHORITE_FAULT_TEST_KIND";
/// Token label.
pub(crate) const LABEL: &str = "Faulty";
/// How often a caller tries, at most.
const TRIES_MAX: usize = 5;

/// Where the slot under test lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In this process.
    Direct,
    /// In a process of its own.
    Hosted,
}

/// A token that can be made faulty, and what is needed to open it.
pub(crate) struct Subject<'a> {
    pub(crate) kind: Kind,
    pub(crate) token: &'a FaultyToken,
    pub(crate) settings: Pkcs11Settings,
    pub(crate) deadlines: Deadlines,
}

/// Runs `body` for both kinds of slots, each in a process of its own with a fresh token.
pub(crate) fn on_both(test: &str, body: impl Fn(Subject)) {
    [Kind::Direct, Kind::Hosted].into_iter().for_each(|kind| on_one(test, kind, &body));
}

/// Runs `body` for one kind of slots only.
pub(crate) fn on_one(test: &str, kind: Kind, body: impl Fn(Subject)) {
    let name = format!("{kind:?}");
    if std::env::var_os(KIND).is_some_and(|wanted| wanted != *name) {
        return;
    }
    with_tokens_and(test, &[LABEL], &[(KIND, &name)], |token| {
        let settings = Pkcs11Settings {
            repository: "SoftHSM".to_owned(),
            module: module(),
            token_label: LABEL.to_owned(),
            pin: Some(PIN.into()),
            skip_public_key: false,
            allow_extraction: false,
            sessions_max: 4,
            module_parameters: None,
            known: hsm::KnownToken::default(),
        };
        body(Subject { kind, token, settings, deadlines: Deadlines::default() });
    });
}

impl Subject<'_> {
    /// The slot under test: the one place that knows how it is made.
    pub(crate) fn open(&self) -> Result<Box<dyn Slot>, SlotError> {
        let settings = self.settings.clone();
        if self.kind == Kind::Direct {
            return Ok(Box::new(Pkcs11Slot::open(&settings)?));
        }
        let program = HostProgram {
            path: std::env::current_exe().unwrap(),
            arguments: ["--exact", "host_process", "--nocapture"].map(OsString::from).to_vec(),
            environment: vec![(HOST.into(), "1".into())],
            working_directory: None,
            network: Network::Allow,
        };
        Ok(Box::new(HostedSlot::open(HostedSettings {
            repository: settings.repository.clone(),
            program,
            user: None,
            token: HostedToken::Pkcs11 { settings, capacity: None },
            deadlines: self.deadlines,
        })?))
    }

    /// A caller with an open slot.
    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller {
            subject: self,
            slot: Some(self.open().unwrap()),
            is_to_mend: false,
            has_failed: false,
        }
    }

    /// A caller that has to open the slot first, and mends the token at the first error it sees:
    /// counts of rules live in the process that loaded the module, so that in a slot host begun
    /// anew a fault that happens once would happen once more.
    pub(crate) fn caller_that_mends(&self) -> Caller<'_> {
        Caller { subject: self, slot: None, is_to_mend: true, has_failed: false }
    }
}

/// Uses a slot, and does after an error what its disposition allows: again, or with a slot that
/// was opened anew.
pub(crate) struct Caller<'a> {
    subject: &'a Subject<'a>,
    slot: Option<Box<dyn Slot>>,
    is_to_mend: bool,
    /// Whether an error was seen.
    pub(crate) has_failed: bool,
}

impl Caller<'_> {
    /// The slot.
    pub(crate) fn slot(&self) -> &dyn Slot {
        self.slot.as_deref().unwrap()
    }

    /// One try; opens the slot where there is none.
    pub(crate) fn attempt<T>(
        &mut self,
        work: impl Fn(&dyn Slot) -> Result<T, SlotError>,
    ) -> Result<T, SlotError> {
        let result = match self.slot.take().map_or_else(|| self.subject.open(), Ok) {
            Ok(slot) => work(&**self.slot.insert(slot)),
            Err(error) => Err(error),
        };
        self.has_failed |= result.is_err();
        if self.is_to_mend && result.is_err() {
            self.subject.token.rules("");
        }
        if let Err(error) = &result
            && error.disposition() == Disposition::Restart
        {
            self.slot = None;
        }
        result
    }

    /// Tries until it works. An error that forbids a further try is a failure of the test.
    #[track_caller]
    pub(crate) fn insist<T>(&mut self, work: impl Fn(&dyn Slot) -> Result<T, SlotError>) -> T {
        let mut errors = Vec::new();
        for _ in 0..TRIES_MAX {
            match self.attempt(&work) {
                Ok(result) => return result,
                Err(error) => {
                    let disposition = error.disposition();
                    errors.push(error);
                    let is_allowed =
                        matches!(disposition, Disposition::Retry { .. } | Disposition::Restart);
                    assert!(is_allowed, "{disposition:?} forbids another try: {errors:?}");
                }
            }
        }
        panic!("does not heal: {errors:?}");
    }

    /// Makes a key as the enforcer does: an id first, and after an error a look whether the key is
    /// there all the same.
    #[track_caller]
    pub(crate) fn generate(&mut self, id: &KeyId, algorithm: Algorithm) -> PublicKey {
        let request = GenerateRequest::new(id.clone(), algorithm);
        let mut errors = Vec::new();
        for _ in 0..TRIES_MAX {
            match self.attempt(|slot| slot.generate(&request)) {
                Ok(key) => return key,
                Err(error) => errors.push(error),
            }
            match self.attempt(|slot| slot.public_key(id, algorithm)) {
                Ok(key) => return key,
                Err(error) => errors.push(error),
            }
        }
        panic!("no key: {errors:?}");
    }

    /// Signs, with as many tries as errors allow, and has every signature judged.
    #[track_caller]
    pub(crate) fn sign(&mut self, id: &KeyId, key: &PublicKey) {
        let batch = batch(id, key.algorithm);
        let signatures = self.insist(|slot| slot.sign(&batch));
        check_signatures(key, &batch, &signatures);
    }

    /// Deletes a key; one that an earlier try has deleted may be gone.
    #[track_caller]
    pub(crate) fn delete(&mut self, id: &KeyId) {
        let mut errors = Vec::new();
        for _ in 0..TRIES_MAX {
            match self.attempt(|slot| slot.delete(id)) {
                Ok(()) => return,
                Err(SlotError::NotFound { .. }) if !errors.is_empty() => return,
                Err(error) => errors.push(error),
            }
        }
        panic!("not deleted: {errors:?}");
    }
}

/// A new id.
pub(crate) fn new_id() -> KeyId {
    hsm::random_key_id().unwrap()
}

/// A new key, from a token that has no fault at the time.
#[track_caller]
pub(crate) fn new_key(slot: &dyn Slot, algorithm: Algorithm) -> (KeyId, PublicKey) {
    let id = new_id();
    let key = slot.generate(&GenerateRequest::new(id.clone(), algorithm)).unwrap();
    (id, key)
}

/// Three messages to sign: a usual one, an empty one, a long one.
pub(crate) fn batch(id: &KeyId, algorithm: Algorithm) -> SignBatch {
    let messages = [b"to be signed".as_slice(), b"", &[0x5a; 1000]].into_iter().collect();
    SignBatch { key: id.clone(), algorithm, messages }
}

/// Every signature is judged by a library that no slot signs or verifies with.
#[track_caller]
pub(crate) fn check_signatures(key: &PublicKey, batch: &SignBatch, signatures: &Packed) {
    assert_eq!(signatures.len(), batch.messages.len());
    for (index, (message, signature)) in batch.messages.iter().zip(signatures.iter()).enumerate() {
        assert!(is_right(key, message, signature), "wrong signature {index}: {signature:?}");
    }
}

fn is_right(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let point = || [&[4], key.bytes.as_slice()].concat();
    let verdict = match key.algorithm {
        Algorithm::EcdsaP256Sha256 => {
            let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point());
            key.verify(message, signature)
        }
        Algorithm::EcdsaP384Sha384 => {
            let key = UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point());
            key.verify(message, signature)
        }
        Algorithm::Ed25519 => {
            UnparsedPublicKey::new(&signature::ED25519, &key.bytes).verify(message, signature)
        }
        _ => {
            let (e, n) = key.bytes[1..].split_at(usize::from(key.bytes[0]));
            let parameters = &signature::RSA_PKCS1_2048_8192_SHA256;
            RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
        }
    };
    verdict.is_ok()
}

/// Deadlines so short that a test may wait for them.
pub(crate) fn short_deadlines() -> Deadlines {
    Deadlines { answer: Duration::from_secs(1), generate: Duration::from_secs(1) }
}
