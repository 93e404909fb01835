//! `anchorite hsm test`: whether a token does what signing needs (the successor of hsmbully).
//! In: conf.xml, and tokens that may be in use: every key made here has an id of its own and is
//! removed again. Out: a line for each check with OK, FAIL or SKIPPED, and for each FAIL what it
//! means. Exit code 1 when a check failed.

mod keys;
mod report;
mod sharing;

use super::members::{self, Holders, shared_keys};
use super::repositories::{self, Fault, NewToken, Repositories, slot_fault};
use super::{HsmFault, TestArguments};
use appliance_config::{Repository, RepositoryGroup, RepositoryKind};
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use hsm::builtin::Unlock;
use hsm::{
    GenerateRequest, KeyEntry, KeyTransfer, Packed, SignBatch, Slot, SlotError, TokenInfo,
    random_key_id, verify,
};
use report::{Outcome, Report};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

/// Sessions that the test uses at most; more than its threads.
const SESSIONS_MAX: usize = 16;

/// A token under test.
struct Subject<'a> {
    repository: &'a Repository,
    unlock: Unlock,
    is_destructive: bool,
    slot: Box<dyn KeyTransfer>,
    /// An algorithm that works here; the checks of sharing use it.
    algorithm: RefCell<Option<Algorithm>>,
    /// Every key made here, also those that the token says it has destroyed.
    made: RefCell<BTreeSet<KeyId>>,
}

/// Tests one repository or all.
pub(super) fn run(arguments: &TestArguments) -> Result<ExitCode, HsmFault> {
    let known = Repositories::read(&arguments.config)?;
    let wanted = match &arguments.repository {
        Some(name) => known.members(name)?,
        None => known.all.iter().collect(),
    };
    let is_meant = |group: &&RepositoryGroup| match &arguments.repository {
        Some(name) => group.name == *name,
        None => true,
    };
    let groups: Vec<_> = known.groups.iter().filter(is_meant).collect();
    let mut output = io::stdout().lock();
    let mut failures = 0;
    for repository in wanted {
        failures += test(repository, arguments.destructive, &mut output)?;
    }
    for group in groups {
        failures += test_group(&known, group, &mut output)?;
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tests whether the members of a group hold the same keys, which each of them signs with.
fn test_group(
    known: &Repositories,
    group: &RepositoryGroup,
    output: &mut dyn Write,
) -> Result<usize, Fault> {
    writeln!(output, "Repository group {}", group.name)?;
    let mut report = Report::new(output);
    let meaning = "a key that a member lacks is signed with by the others only, and members with \
        different keys for one id are shut out: see the manual, \"Repository groups\"";
    report.add("members hold the same keys", meaning, || {
        let members = match members::open_all(known, &group.name) {
            Ok(members) => members,
            Err(fault) => return Outcome::Fail(fault.to_string()),
        };
        let keys = shared_keys(&members);
        let odd: Vec<_> = keys
            .iter()
            .filter(|key| !key.is_whole())
            .map(|key| format!("{}: {}", key.entry.id, Holders(key, &members)))
            .collect();
        match odd.is_empty() {
            true => Outcome::Ok(format!("{} keys in {}", keys.len(), group.members.join(", "))),
            false => Outcome::Fail(odd.join("\n")),
        }
    })?;
    report.end()
}

/// Tests one repository; says how many checks failed.
fn test(
    repository: &Repository,
    is_destructive: bool,
    output: &mut dyn Write,
) -> Result<usize, Fault> {
    writeln!(output, "Repository {}", repository.name)?;
    let mut report = Report::new(output);
    let opened = repositories::open(repository, NewToken::Refused, SESSIONS_MAX);
    let slot = match opened {
        Ok(slot) => slot,
        Err(fault) => {
            report.add("login", OPEN_MEANING, || Outcome::Fail(fault.to_string()))?;
            return report.end();
        }
    };
    // A PIN that the operator has typed is known by now.
    let unlock = repositories::key(repository)?.unlock;
    let before = slot.list().map_err(|error| slot_fault(repository, error))?;
    let subject = Subject {
        repository,
        unlock,
        is_destructive,
        slot,
        algorithm: RefCell::default(),
        made: RefCell::default(),
    };
    report.add("login", OPEN_MEANING, || match subject.slot.info() {
        Ok(info) => Outcome::Ok(described(&info, before.len())),
        Err(error) => Outcome::Fail(error.to_string()),
    })?;
    let meaning = "neither of the two can be used: find out which one the zones have, and remove \
        the other with the vendor's tool";
    report.add("no two keys share a CKA_ID", meaning, || shared_ids(&before))?;
    keys::run(&subject, &mut report)?;
    sharing::run(&subject, &mut report)?;
    let before: BTreeSet<_> = before.into_iter().map(|key| key.id).collect();
    report.add("everything removed", REMOVED_MEANING, || subject.clean_up(&before))?;
    report.end()
}

const OPEN_MEANING: &str = "nothing can be signed with this repository";
const REMOVED_MEANING: &str = "keys of this test are left in the token, or others are gone: \
    compare `ods-hsmutil list` with the keys of the zones, and remove what is named here";

fn described(info: &TokenInfo, key_count: usize) -> String {
    let TokenInfo { label, manufacturer, model, serial, .. } = info;
    format!("token {label:?}, {manufacturer}, {model}, serial {serial}, {key_count} keys")
}

/// The keys that were there before, in the order of their ids.
fn shared_ids(keys: &[KeyEntry]) -> Outcome {
    let twice = keys.windows(2).filter(|pair| pair[0].id == pair[1].id);
    let twice: BTreeSet<_> = twice.map(|pair| pair[0].id.to_string()).collect();
    if twice.is_empty() {
        return Outcome::Ok(format!("{} keys, each with an id of its own", keys.len()));
    }
    Outcome::Fail(twice.into_iter().collect::<Vec<_>>().join(", "))
}

impl Subject<'_> {
    fn is_built_in(&self) -> bool {
        matches!(self.repository.kind, RepositoryKind::BuiltIn { .. })
    }

    /// A new key with an id of its own.
    fn make(&self, algorithm: Algorithm, rsa_bits: u16) -> Result<(KeyId, PublicKey), Trouble> {
        let id = random_key_id().ok_or(Trouble::NoRandomness)?;
        // Noted first: a call that fails may have made the key all the same.
        self.made.borrow_mut().insert(id.clone());
        let request = GenerateRequest { rsa_bits, ..GenerateRequest::new(id.clone(), algorithm) };
        let public = self.slot.generate(&request)?;
        Ok((id, public))
    }

    fn remove(&self, id: &KeyId) -> Result<(), Trouble> {
        Ok(self.slot.delete(id)?)
    }

    /// An algorithm that this token has.
    fn working(&self) -> Result<Algorithm, Trouble> {
        self.algorithm.borrow().ok_or(Trouble::NoAlgorithm)
    }

    /// Removes what is left of this test; looks whether all else is as before.
    fn clean_up(&self, before: &BTreeSet<KeyId>) -> Outcome {
        self.clean_up_all(before).into()
    }

    fn clean_up_all(&self, before: &BTreeSet<KeyId>) -> Result<String, Trouble> {
        let made = self.made.borrow();
        let listed = || -> Result<BTreeSet<_>, SlotError> {
            Ok(self.slot.list()?.into_iter().map(|key| key.id).collect())
        };
        let left = listed()?;
        let removed: Vec<_> = made.intersection(&left).map(|id| self.slot.delete(id)).collect();
        let after = listed()?;
        let stay: Vec<_> = made.intersection(&after).cloned().collect();
        let gone: Vec<_> = before.difference(&after).cloned().collect();
        if !stay.is_empty() || !gone.is_empty() {
            return Err(Trouble::NotAsBefore { stay, gone });
        }
        removed.into_iter().collect::<Result<Vec<()>, SlotError>>()?;
        Ok(format!("{} keys as before", before.len()))
    }
}

/// Why a check could not be done, or what it found.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Slot(#[from] SlotError),
    #[error("the system's random source failed")]
    NoRandomness,
    #[error("none of the algorithms works")]
    NoAlgorithm,
    #[error("a signature does not verify, or verifies for another text or key")]
    WrongSignature,
    #[error("{asked} signatures were asked for and {made} made")]
    Count { asked: usize, made: usize },
    #[error("key {0} was not found by its CKA_ID")]
    NotFound(KeyId),
    #[error("the public half of key {0} is another one than before")]
    OtherPublic(KeyId),
    #[error("key {0} is listed as a {1:?} key of {2} bits")]
    OtherKind(KeyId, hsm::KeyKind, usize),
    #[error("two keys were made with the CKA_ID {0}")]
    TwoKeys(KeyId),
    #[error("keys of this test that stay: {stay:?}; keys that are gone: {gone:?}")]
    NotAsBefore { stay: Vec<KeyId>, gone: Vec<KeyId> },
    #[error("key {0} is still there after it was destroyed")]
    Undead(KeyId),
    #[error("a wrong PIN was taken")]
    WrongPinTaken,
    #[error("{0} threads of this program came to a bad end")]
    Threads(usize),
}

impl Trouble {
    /// Whether the token just has not got what was asked for.
    fn is_lack(&self) -> bool {
        matches!(
            self,
            Trouble::NoAlgorithm
                | Trouble::Slot(
                    SlotError::AlgorithmUnavailable { .. } | SlotError::KeyLengthRefused { .. }
                )
        )
    }
}

/// Has the key sign some texts, and verifies in software: each signature is right for its text
/// and key, and for no other text.
fn check_signing(slot: &dyn Slot, id: &KeyId, public: &PublicKey) -> Result<(), Trouble> {
    let messages: Packed = [b"to be signed".as_slice(), b"", &[0x5a; 4000]].into_iter().collect();
    let batch = SignBatch { key: id.clone(), algorithm: public.algorithm, messages };
    let signatures = slot.sign(&batch)?;
    let (asked, made) = (batch.messages.len(), signatures.len());
    if asked != made {
        return Err(Trouble::Count { asked, made });
    }
    let mut pairs = batch.messages.iter().zip(signatures.iter());
    let is_right = pairs.all(|(message, signature)| {
        verify(public, message, signature) && !verify(public, b"another text", signature)
    });
    if is_right { Ok(()) } else { Err(Trouble::WrongSignature) }
}
