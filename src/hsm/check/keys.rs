//! Checks of what a token does with keys: each algorithm, CKA_IDs, many objects, old handles.
//! In: a [`Subject`]. Out: lines of the report.

use super::super::repositories::Fault;
use super::report::Report;
use super::{Subject, Trouble, check_signing};
use dnssec::Algorithm;
use hsm::{GenerateRequest, KeyKind, SlotError};

/// Algorithm, length of RSA keys, name in the report. The first that works serves all other
/// checks, so a quick one comes first.
const KINDS: [(Algorithm, u16, &str); 6] = [
    (Algorithm::EcdsaP256Sha256, 0, "ECDSA P-256"),
    (Algorithm::EcdsaP384Sha384, 0, "ECDSA P-384"),
    (Algorithm::Ed25519, 0, "Ed25519"),
    (Algorithm::RsaSha256, 2048, "RSA 2048"),
    (Algorithm::RsaSha256, 3072, "RSA 3072"),
    (Algorithm::RsaSha256, 4096, "RSA 4096"),
];
/// Keys among which one has to be found.
const MANY: usize = 16;
const MANY_DESTRUCTIVE: usize = 100;

/// All of them.
pub(super) fn run(subject: &Subject, report: &mut Report) -> Result<(), Fault> {
    for (algorithm, rsa_bits, name) in KINDS {
        let meaning = "do not use this kind of key in kasp.xml with this repository";
        report.add(&format!("{name}: generate, find, sign, verify"), meaning, || {
            life(subject, algorithm, rsa_bits).into()
        })?;
    }
    let meaning = "two keys may come to share an id, and the wrong one may sign: do not use this \
        token";
    report.add("a CKA_ID is given once", meaning, || duplicate(subject).into())?;
    let meaning = "keys get lost among others: keep fewer keys in this token, and call its vendor";
    report.add("find among many objects", meaning, || many(subject).into())?;
    let meaning = "a key that was removed may sign on, or another in its place: restart the \
        daemon after each removal, and call the vendor";
    report.add("handles die with their keys", meaning, || handles(subject).into())?;
    Ok(())
}

/// A key is made, listed, read, signs, and is destroyed.
fn life(subject: &Subject, algorithm: Algorithm, rsa_bits: u16) -> Result<String, Trouble> {
    let (id, public) = subject.make(algorithm, rsa_bits)?;
    let slot = subject.slot.as_ref();
    let listed = slot.list()?.into_iter().find(|key| key.id == id);
    let listed = listed.ok_or_else(|| Trouble::NotFound(id.clone()))?;
    let bits = if algorithm.is_rsa() { usize::from(rsa_bits) } else { listed.bits };
    if listed.kind != KeyKind::of(algorithm) || listed.bits != bits {
        return Err(Trouble::OtherKind(id, listed.kind, listed.bits));
    }
    if slot.public_key(&id, algorithm)? != public {
        return Err(Trouble::OtherPublic(id));
    }
    check_signing(slot, &id, &public)?;
    subject.remove(&id)?;
    if slot.list()?.iter().any(|key| key.id == id) {
        return Err(Trouble::Undead(id));
    }
    subject.algorithm.borrow_mut().get_or_insert(algorithm);
    Ok("made, found, signed, verified in software, destroyed".to_owned())
}

/// A second key with the id of the first is refused, and the first is none the worse for it.
fn duplicate(subject: &Subject) -> Result<String, Trouble> {
    let algorithm = subject.working()?;
    let (id, public) = subject.make(algorithm, 2048)?;
    match subject.slot.generate(&GenerateRequest::new(id.clone(), algorithm)) {
        Err(SlotError::KeyExists { .. }) => {}
        Ok(_) => return Err(Trouble::TwoKeys(id)),
        Err(error) => return Err(error.into()),
    }
    check_signing(subject.slot.as_ref(), &id, &public)?;
    subject.remove(&id)?;
    Ok("the second key with an id was refused, the first signs".to_owned())
}

/// Each of many keys is found by its id, with its own public half.
fn many(subject: &Subject) -> Result<String, Trouble> {
    let algorithm = subject.working()?;
    let count = if subject.is_destructive { MANY_DESTRUCTIVE } else { MANY };
    let mut keys = Vec::new();
    for _ in 0..count {
        keys.push(subject.make(algorithm, 2048)?);
    }
    for (id, public) in &keys {
        if subject.slot.public_key(id, algorithm)? != *public {
            return Err(Trouble::OtherPublic(id.clone()));
        }
    }
    if let Some((id, public)) = keys.last() {
        check_signing(subject.slot.as_ref(), id, public)?;
    }
    for (id, _) in &keys {
        subject.remove(id)?;
    }
    Ok(format!("{count} keys were made, told apart and destroyed"))
}

/// After a key is destroyed, its id signs nothing, and its neighbour signs as before.
fn handles(subject: &Subject) -> Result<String, Trouble> {
    let algorithm = subject.working()?;
    let slot = subject.slot.as_ref();
    let (gone, public) = subject.make(algorithm, 2048)?;
    let (stays, stays_public) = subject.make(algorithm, 2048)?;
    // Both handles are known to the slot from here on.
    check_signing(slot, &gone, &public)?;
    check_signing(slot, &stays, &stays_public)?;
    subject.remove(&gone)?;
    // A token may give the handle that has become free to the next key.
    let (next, next_public) = subject.make(algorithm, 2048)?;
    if check_signing(slot, &gone, &public).is_ok() {
        return Err(Trouble::Undead(gone));
    }
    check_signing(slot, &stays, &stays_public)?;
    check_signing(slot, &next, &next_public)?;
    subject.remove(&stays)?;
    subject.remove(&next)?;
    Ok("a destroyed key signs nothing, its neighbours sign on".to_owned())
}
