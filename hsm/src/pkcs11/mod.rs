//! PKCS#11 slots: any vendor's module behind the [`Slot`] contract. PKCS#11 v3.1.
//!
//! Hashing is done here and the token only signs (CKM_RSA_PKCS with our DigestInfo, CKM_ECDSA,
//! CKM_EDDSA); only a token whose trial says so hashes itself (`trial`). Every signature is
//! verified before it is given out (rule HSM-5). A lost session is opened anew and its call is
//! repeated once; a slot that has its process to itself may also finalise and initialise the
//! module. Everything else is for the slot's owner to decide.
//! Not here: Ed448 (its signatures could not be verified), deadlines (a module that hangs is
//! killed with its process).
//! A repository whose token another repository of the same process has logged in to is not asked
//! for its own PIN: the login belongs to the process.

mod canary;
mod fault;
mod generate;
mod import;
mod mechanisms;
mod module;
mod objects;
mod raw;
mod replicate;
mod sessions;
mod trial;

use crate::error::{Cause, SlotError};
use crate::packed::Packed;
use crate::pin::Pin;
use crate::slot::{
    GenerateRequest, KeyEntry, KeyKind, KnownToken, MechanismChoice, SignBatch, Slot, TokenInfo,
};
use crate::verify::Verifier;
use crate::{der, hash};
use cryptoki::object::{ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use fault::{CallFault, is_session_fault, to_slot_error};
use mechanisms::Candidate;
pub(crate) use mechanisms::usual_mechanism;
use secrecy::SecretString;
use sessions::{Lease, Sessions};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// A repository of `conf.xml`, as far as its token is concerned.
#[derive(Clone, Debug)]
pub struct Pkcs11Settings {
    /// Repository name.
    pub repository: String,
    /// `<Module>`: path of the library.
    pub module: PathBuf,
    /// `<TokenLabel>`.
    pub token_label: String,
    /// `<PIN>`; `None` for a token with its own PIN pad.
    pub pin: Option<SecretString>,
    /// `<SkipPublicKey/>`: RSA public keys do not stay in the token. Those of elliptic curves
    /// do, since the private object lacks what a DNSKEY needs.
    pub skip_public_key: bool,
    /// `<AllowExtraction/>`: new private keys may be wrapped out of the token.
    pub allow_extraction: bool,
    /// Most sessions at once, besides the one that keeps the login.
    pub sessions_max: usize,
    /// `<ModuleParameters>`: text that C_Initialize is given in `pReserved`, beyond the standard,
    /// as NSS's softoken wants it.
    pub module_parameters: Option<String>,
    /// What is known of the token from before.
    pub known: KnownToken,
}

impl Pkcs11Settings {
    /// Sessions that a slot uses unless told otherwise.
    pub const SESSIONS_DEFAULT: usize = 64;
}

/// What a host knows beyond the settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Most private keys in the token.
    pub(crate) capacity: Option<usize>,
    /// Whether no other slot lives in this process: then the module may be initialised anew.
    pub(crate) owns_process: bool,
    /// Whether the PIN may have been offered before without an answer.
    pub(crate) pin_in_doubt: bool,
    /// Keys that the token has shown to a host before this one.
    pub(crate) witnesses: Vec<KeyId>,
}

/// What is signed to see that a public key fits. It can pass for no RRSIG's data: the third byte
/// would be the algorithm there (RFC 4034 §3.1), and no key has algorithm 99.
const PROOF_TEXT: &[u8] = b"anchorite: this signature proves that two halves of a key fit";
/// Lengths of RSA keys, in bits, whose signatures [`Verifier`] can verify. Each is verified, so
/// that a key of another length signs nothing.
const VERIFIED_RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=8192;
/// Most keys that are remembered as having been shown.
pub(crate) const WITNESSES_MAX: usize = 64;
/// Keys that are looked at when a token is opened; each costs some calls.
const WITNESSES_AT_OPEN: usize = 4;

/// A token of a PKCS#11 module, logged in.
pub struct Pkcs11Slot {
    settings: Pkcs11Settings,
    sessions: Sessions,
    /// Handles are good for one generation of sessions; see [`sessions`].
    known: RwLock<HashMap<(KeyId, Algorithm), Arc<KnownKey>>>,
    /// Held while the token's objects change: tokens do not generate well in parallel, and two
    /// requests must not take one id.
    changing: Mutex<()>,
    /// Keys that the token has shown. When it shows none of them any more, its "not found" means
    /// nothing: it is away, or the module has lost it. Only kept where the module may be
    /// initialised anew, which is what helps then.
    witnesses: Mutex<BTreeSet<KeyId>>,
}

struct KnownKey {
    generation: u64,
    private: ObjectHandle,
    public: PublicKey,
    verifier: Verifier,
}

impl Pkcs11Slot {
    /// Loads the module, finds the token by its label and logs in, with one try.
    pub fn open(settings: &Pkcs11Settings) -> Result<Pkcs11Slot, SlotError> {
        // Locked where the system allows it; a host of its own insists on it.
        let pin = settings.pin.clone().map(|pin| Arc::new(Pin::lock(pin).0));
        Pkcs11Slot::open_with(settings, Options::default(), pin)
    }

    /// The same for a host; the PIN of the settings is not looked at.
    pub(crate) fn open_with(
        settings: &Pkcs11Settings,
        options: Options,
        pin: Option<Arc<Pin>>,
    ) -> Result<Pkcs11Slot, SlotError> {
        let settings = Pkcs11Settings { pin: None, ..settings.clone() };
        let slot = Pkcs11Slot {
            sessions: Sessions::connect(&settings, options, pin)?,
            settings,
            known: RwLock::default(),
            changing: Mutex::default(),
            witnesses: Mutex::default(),
        };
        slot.find_witnesses()?;
        Ok(slot)
    }

    /// Algorithms that want whole messages, not what [`hash::to_raw_mechanism`] makes.
    pub(crate) fn whole_messages(&self) -> Vec<Algorithm> {
        self.sessions.mechanisms().whole_messages()
    }

    /// Most sessions that are used at once.
    pub(crate) fn session_count_max(&self) -> usize {
        self.sessions.slot_and_limit().1
    }

    /// Ends all sessions and the module: the process is about to end.
    pub(crate) fn close(&self) {
        self.sessions.close();
    }

    /// Runs `work` with a session; once more with a new one when that was lost, or with the module
    /// initialised anew when that is allowed.
    fn call<T>(
        &self,
        operation: &'static str,
        work: impl Fn(&Lease) -> Result<T, CallFault>,
    ) -> Result<T, SlotError> {
        let (mut has_new_session, mut has_new_module) = (false, false);
        loop {
            let module_generation = self.sessions.module_generation();
            let error = match self.call_once(operation, &work) {
                Err(error) => error,
                result => return result,
            };
            // A token that is away may be seen again only by a module that begins anew.
            let is_away =
                matches!(error, SlotError::TokenGone { .. } | SlotError::TokenMissing { .. });
            let is_lost = matches!(error, SlotError::SessionLost { .. });
            let is_fault = matches!(error, SlotError::ModuleFault { .. });
            if is_lost && !has_new_session {
                has_new_session = true;
            } else if (is_lost || is_away || is_fault)
                && !has_new_module
                && self.sessions.reinitialise(module_generation, is_away)?
            {
                has_new_module = true;
            } else {
                return Err(error);
            }
        }
    }

    /// Runs `work` with a session. When that is lost, the next call gets a new one.
    fn call_once<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Lease) -> Result<T, CallFault>,
    ) -> Result<T, SlotError> {
        let lease = self.sessions.lease()?;
        let error = match work(&lease) {
            Ok(result) => {
                self.sessions.prove();
                return Ok(result);
            }
            Err(CallFault::Slot(error)) => return Err(error),
            Err(CallFault::Module(error)) => error,
        };
        let generation = lease.generation;
        lease.discard();
        if is_session_fault(&error) {
            self.sessions.renew(generation)?;
        }
        Err(to_slot_error(&self.sessions.place, operation, &error))
    }

    /// Takes the witnesses of a host before this one, or else the first keys that are shown.
    fn find_witnesses(&self) -> Result<(), SlotError> {
        if !self.sessions.owns_process() {
            return Ok(());
        }
        let mut witnesses: BTreeSet<_> =
            self.sessions.options().witnesses.iter().cloned().collect();
        if witnesses.is_empty() {
            witnesses = self.call_once("C_FindObjects", |lease| shown(lease, WITNESSES_AT_OPEN))?;
        }
        *self.lock_witnesses() = witnesses;
        Ok(())
    }

    /// An error when the token shows none of the witnesses: then "not found" means nothing
    /// (rule HSM-3). Asked before anything is called not found, or free.
    fn check_witnesses(&self, session: &Session) -> Result<(), CallFault> {
        let witnesses = self.lock_witnesses().clone();
        let Some(first) = witnesses.first() else { return Ok(()) };
        if !objects::find(session, ObjectClass::PRIVATE_KEY, first)?.is_empty() {
            return Ok(());
        }
        if !witnesses.is_disjoint(&shown(session, usize::MAX)?) {
            return Ok(());
        }
        let place = self.sessions.place.clone();
        let cause = Cause::of(format_args!(
            "it shows none of the keys that it has shown, like {first}; were they removed on \
             purpose, restart anchorite"
        ));
        Err(SlotError::TokenGone { place, cause }.into())
    }

    fn add_witness(&self, id: &KeyId) {
        let mut witnesses = self.lock_witnesses();
        if self.sessions.owns_process() && witnesses.len() < WITNESSES_MAX {
            witnesses.insert(id.clone());
        }
    }

    fn lock_witnesses(&self) -> MutexGuard<'_, BTreeSet<KeyId>> {
        self.witnesses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one private key with this id.
    fn find_private(&self, session: &Session, id: &KeyId) -> Result<ObjectHandle, CallFault> {
        let found = objects::find_private(session, &self.sessions.place, id);
        if let Err(CallFault::Slot(SlotError::NotFound { .. })) = &found {
            // The login may have gone since it was looked at before the search.
            self.sessions.check_login(session)?;
            self.check_witnesses(session)?;
        }
        found
    }

    /// The key's handle, public half and verifier, from memory or from the token.
    fn known(
        &self,
        lease: &Lease,
        id: &KeyId,
        algorithm: Algorithm,
    ) -> Result<Arc<KnownKey>, CallFault> {
        let name = (id.clone(), algorithm);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(known) = known
            && known.generation == lease.generation
        {
            return Ok(known);
        }
        let place = &self.sessions.place;
        self.sessions.check_login(lease)?;
        let private = self.find_private(lease, id)?;
        let (kind, bits) = objects::kind_and_bits(lease, private)?;
        if kind != KeyKind::of(algorithm) {
            let (place, key) = (place.clone(), id.clone());
            return Err(SlotError::AlgorithmMismatch { place, key, algorithm }.into());
        }
        if algorithm == Algorithm::Ed448 {
            return Err(self.no_ed448().into());
        }
        // A token that does not tell the length says 0.
        if kind == KeyKind::Rsa && bits > 0 && !VERIFIED_RSA_BITS.contains(&bits) {
            let (place, bits) = (place.clone(), u16::try_from(bits).unwrap_or(u16::MAX));
            let (least, most) = (VERIFIED_RSA_BITS.start(), VERIFIED_RSA_BITS.end());
            let cause = Cause::of(format_args!(
                "key {id} has so many, and signatures of {least} to {most} bits can be verified"
            ));
            return Err(SlotError::KeyLengthRefused { place, algorithm, bits, cause }.into());
        }
        let public = objects::public_key(lease, place, id, private, algorithm)?;
        let verifier = Verifier::new(&public).ok_or_else(|| SlotError::PublicKeyUnavailable {
            place: place.clone(),
            key: id.clone(),
            cause: Cause::of("what the token shows is no key of this algorithm"),
        })?;
        self.add_witness(id);
        let known = Arc::new(KnownKey { generation: lease.generation, private, public, verifier });
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(name, Arc::clone(&known));
        Ok(known)
    }

    /// The public half of a key as the token shows it, not proven to fit.
    pub(crate) fn public_key_unproven(
        &self,
        id: &KeyId,
        algorithm: Algorithm,
    ) -> Result<PublicKey, SlotError> {
        self.call("public_key", |lease| Ok(self.known(lease, id, algorithm)?.public.clone()))
    }

    /// Signs a text of our own and verifies that: a public key that does not fit its private key
    /// must not get into a zone, or to its parent.
    fn prove(
        &self,
        session: &Session,
        id: &KeyId,
        private: ObjectHandle,
        public: &PublicKey,
    ) -> Result<(), CallFault> {
        let algorithm = public.algorithm;
        let texts: Packed = std::iter::once(PROOF_TEXT).collect();
        let signatures = self.sign_somehow(session, private, algorithm, &texts)?;
        if crate::verify::verify(public, PROOF_TEXT, signatures.get(0).unwrap_or_default()) {
            return Ok(());
        }
        let (place, key) = (self.sessions.place.clone(), id.clone());
        Err(SlotError::WrongSignature { place, key, algorithm, index: 0 }.into())
    }

    /// Signs some of the inputs, which have the form that [`Pkcs11Slot::whole_messages`] says.
    /// The signatures are not verified: that is the asker's, in another process.
    pub(crate) fn sign_unverified(
        &self,
        id: &KeyId,
        algorithm: Algorithm,
        inputs: &Packed,
        range: Range<usize>,
    ) -> Result<Packed, SlotError> {
        self.call("C_Sign", |lease| {
            let key = self.known(lease, id, algorithm)?;
            let mechanism = self.sessions.mechanisms().choose(&self.sessions.place, algorithm)?;
            self.sign_with(lease, key.private, &mechanism, inputs, range.clone())
        })
    }

    fn sign_with(
        &self,
        session: &Session,
        private: ObjectHandle,
        mechanism: &Candidate,
        inputs: &Packed,
        range: Range<usize>,
    ) -> Result<Packed, CallFault> {
        let mut signatures = Packed::with_capacity(range.len(), range.len() * 64);
        let mut input = Vec::new();
        for position in range {
            input.clear();
            input.extend_from_slice(inputs.get(position).unwrap_or_default());
            let functions = &self.sessions.module.functions;
            let taken = functions.sign(
                session,
                &mechanism.mechanism,
                private,
                &mut input,
                |signature| push_in_wire_form(&mut signatures, mechanism.algorithm, signature),
            )?;
            // Inputs have the same limit and signatures of one request are few, so this is a
            // module that gives out megabytes.
            if !taken {
                let place = self.sessions.place.clone();
                let cause = Cause::of("its signatures are too long");
                return Err(SlotError::ModuleFault { place, operation: "C_Sign", cause }.into());
            }
        }
        Ok(signatures)
    }

    fn forget(&self, id: &KeyId) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(key, _), _| key != id);
    }

    fn no_ed448(&self) -> SlotError {
        SlotError::AlgorithmUnavailable {
            place: self.sessions.place.clone(),
            algorithm: Algorithm::Ed448,
            cause: Cause::of("no library of this program could verify its signatures"),
        }
    }
}

impl Slot for Pkcs11Slot {
    fn info(&self) -> Result<TokenInfo, SlotError> {
        let (slot, limit) = self.sessions.slot_and_limit();
        let place = &self.sessions.place;
        let _call = self.sessions.read_calls();
        let token = self.sessions.module.functions.token(slot);
        let token = token.map_err(|error| to_slot_error(place, "C_GetTokenInfo", &error))?;
        Ok(TokenInfo {
            repository: place.repository.clone(),
            module: self.settings.module.display().to_string(),
            slot: slot.id(),
            label: token.label,
            manufacturer: token.manufacturer,
            model: token.model,
            serial: token.serial,
            firmware: token.firmware,
            sessions_max: Some(limit as u64),
            damaged: Vec::new(),
        })
    }

    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        self.generate_key(request)
    }

    fn list(&self) -> Result<Vec<KeyEntry>, SlotError> {
        self.call("list", |lease| {
            self.sessions.check_login(lease)?;
            let mut entries = Vec::new();
            for handle in objects::find_all_private(lease)? {
                entries.extend(objects::describe(lease, handle)?);
            }
            self.sessions.check_login(lease)?;
            self.check_witnesses(lease)?;
            entries.sort_by(|a: &KeyEntry, b| a.id.cmp(&b.id));
            Ok(entries)
        })
    }

    fn public_key(&self, id: &KeyId, algorithm: Algorithm) -> Result<PublicKey, SlotError> {
        self.call("public_key", |lease| {
            let key = self.known(lease, id, algorithm)?;
            self.prove(lease, id, key.private, &key.public).inspect_err(|_| self.forget(id))?;
            Ok(key.public.clone())
        })
    }

    fn sign(&self, batch: &SignBatch) -> Result<Packed, SlotError> {
        self.call("C_Sign", |lease| {
            let key = self.known(lease, &batch.key, batch.algorithm)?;
            let mechanisms = self.sessions.mechanisms();
            let mechanism = mechanisms.choose(&self.sessions.place, batch.algorithm)?;
            let inputs = hash::inputs(mechanism.form, batch.algorithm, &batch.messages);
            let signatures =
                self.sign_with(lease, key.private, &mechanism, &inputs, 0..inputs.len())?;
            let pairs = batch.messages.iter().zip(signatures.iter());
            for (index, (message, signature)) in pairs.enumerate() {
                if !key.verifier.verify(message, signature) {
                    let place = self.sessions.place.clone();
                    let (key, algorithm) = (batch.key.clone(), batch.algorithm);
                    return Err(SlotError::WrongSignature { place, key, algorithm, index }.into());
                }
            }
            Ok(signatures)
        })
    }

    fn delete(&self, id: &KeyId) -> Result<(), SlotError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.call("C_DestroyObject", |lease| {
            self.sessions.check_login(lease)?;
            let private = self.find_private(lease, id)?;
            let public = objects::find(lease, ObjectClass::PUBLIC_KEY, id)?;
            self.forget(id);
            // The public half first: should the second step fail, the key is still listed.
            for handle in public.into_iter().chain([private]) {
                lease.destroy_object(handle)?;
            }
            self.lock_witnesses().remove(id);
            Ok(())
        })
    }

    fn put_canary(&self, id: &KeyId) -> Result<(), SlotError> {
        self.make_canary(id)
    }

    fn shows_canary(&self, id: &KeyId) -> Result<bool, SlotError> {
        self.find_canary(id)
    }

    fn choose_mechanism(
        &self,
        key: &KeyId,
        algorithm: Algorithm,
    ) -> Result<Option<MechanismChoice>, SlotError> {
        self.try_mechanisms(key, algorithm).map(Some)
    }
}

/// The ids of some private keys that the token shows.
fn shown(session: &Session, count_max: usize) -> Result<BTreeSet<KeyId>, CallFault> {
    let mut ids = BTreeSet::new();
    for handle in objects::find_all_private(session)?.into_iter().take(count_max) {
        ids.extend(objects::describe(session, handle)?.map(|entry| entry.id));
    }
    Ok(ids)
}

/// Appends a signature in wire form: ECDSA that comes in DER is taken apart (rule HSM-10).
/// Anything odd stays as it is and fails the verification that follows.
fn push_in_wire_form(signatures: &mut Packed, algorithm: Algorithm, signature: &[u8]) -> bool {
    let half = match algorithm {
        Algorithm::EcdsaP256Sha256 => 32,
        Algorithm::EcdsaP384Sha384 => 48,
        _ => return signatures.push(signature),
    };
    if signature.len() == 2 * half {
        return signatures.push(signature);
    }
    match der::ecdsa_to_fixed(signature, half) {
        Some(fixed) => signatures.push(&fixed),
        None => signatures.push(signature),
    }
}
