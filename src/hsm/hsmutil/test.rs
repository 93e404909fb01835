//! `test` of `ods-hsmutil`: a key of each kind is made, signs, and is removed again.
//! Out: OpenDNSSEC's lines; the exit code is the number of failures. What is not made here is
//! skipped. Signatures are verified, which OpenDNSSEC does not do. `anchorite hsm test` says more.

use super::super::repositories::{self, NewToken};
use super::{End, Outcome, Task, group};
use appliance_config::{Repository, RepositoryKind};
use dnssec::Algorithm;
use hsm::pkcs11::Pkcs11Settings;
use hsm::{GenerateRequest, SignBatch, Slot, SlotError, random_key_id};
use std::io::Write;

/// A line about a kind of key, and what it is signed with: names and algorithms.
struct Kind {
    name: String,
    rsa_bits: u16,
    signs: &'static [(&'static str, Algorithm)],
}

const RSA: &[(&str, Algorithm)] = &[
    (" (RSA/SHA1)", Algorithm::RsaSha1),
    (" (RSA/SHA256)", Algorithm::RsaSha256),
    (" (RSA/SHA512)", Algorithm::RsaSha512),
];
const RSA_BUILT_IN: &[(&str, Algorithm)] = &[(" (RSA/SHA256)", Algorithm::RsaSha256)];
const P256: &[(&str, Algorithm)] = &[(" (ECDSA/SHA256)", Algorithm::EcdsaP256Sha256)];
const P384: &[(&str, Algorithm)] = &[(" (ECDSA/SHA384)", Algorithm::EcdsaP384Sha384)];
const ED25519: &[(&str, Algorithm)] = &[("", Algorithm::Ed25519)];

/// `test <repository>`.
pub(super) fn run(task: &mut Task) -> Outcome {
    let Some(name) = task.operands.first() else { return Err(End::Usage(0)) };
    if let Some(group) = task.repositories.group(name) {
        return group::test(task, group);
    }
    writeln!(task.output, "Testing repository: {name}\n")?;
    test(task, task.repositories.named(name)?)
}

/// The kinds of keys in one repository; says how many failures there were.
pub(super) fn test(task: &mut Task, repository: &Repository) -> Outcome {
    let sessions = Pkcs11Settings::SESSIONS_DEFAULT;
    let slot = repositories::open(repository, NewToken::Refused, sessions)?;
    // A built-in key is for one algorithm.
    let is_built_in = matches!(repository.kind, RepositoryKind::BuiltIn { .. });
    let rsa = if is_built_in { RSA_BUILT_IN } else { RSA };
    let mut failures: u8 = 0;
    for kind in kinds(rsa) {
        failures = failures.saturating_add(check(task.output, slot.as_ref(), &kind)?);
        writeln!(task.output)?;
    }
    Ok(failures)
}

/// The kinds in OpenDNSSEC's order.
fn kinds(rsa: &'static [(&'static str, Algorithm)]) -> Vec<Kind> {
    let kind = |name: String, rsa_bits, signs| Kind { name, rsa_bits, signs };
    let named = |name: &str, signs| Kind { name: name.to_owned(), rsa_bits: 2048, signs };
    let mut kinds: Vec<_> = [512, 768, 1024, 1536, 2048, 4096]
        .map(|bits| kind(format!("{bits}-bit RSA"), bits, rsa))
        .into();
    kinds.extend([512, 768, 1024].map(|bits| kind(format!("{bits}-bit DSA"), bits, &[])));
    kinds.push(named("512-bit GOST", &[]));
    kinds.push(named("ECDSA Curve P-256", P256));
    kinds.push(named("ECDSA Curve P-384", P384));
    kinds.push(named("ED25519", ED25519));
    kinds.push(named("ED448", &[]));
    kinds
}

/// One kind of key; says how many failures there were.
fn check(output: &mut dyn Write, slot: &dyn Slot, kind: &Kind) -> Result<u8, End> {
    write!(output, "Generating {} key... ", kind.name)?;
    output.flush()?;
    let (Some(id), Some((_, algorithm))) = (random_key_id(), kind.signs.last()) else {
        writeln!(output, "Skipped")?;
        return Ok(0);
    };
    let mut request = GenerateRequest::new(id.clone(), *algorithm);
    // Short keys are still made for a test, which removes them at once.
    (request.rsa_bits, request.allow_deprecated) = (kind.rsa_bits, true);
    match slot.generate(&request) {
        Ok(_) => writeln!(output, "OK")?,
        Err(SlotError::KeyLengthRefused { .. }) if kind.rsa_bits < 2048 => {
            writeln!(output, "Skipped")?;
            return Ok(0);
        }
        Err(error) => {
            writeln!(output, "Failed")?;
            eprintln!("{error}");
            return Ok(1);
        }
    }
    writeln!(output, "Extracting key identifier... OK, {id}")?;
    let mut failures = 0;
    for (name, algorithm) in kind.signs {
        write!(output, "Signing{name} with key... ")?;
        output.flush()?;
        let messages = [b"example.com. IN A 192.168.0.1".as_slice()].into_iter().collect();
        let batch = SignBatch { key: id.clone(), algorithm: *algorithm, messages };
        failures += said(output, slot.sign(&batch).map(drop), "Failed, error: 1")?;
    }
    write!(output, "Deleting key... ")?;
    failures += said(output, slot.delete(&id), "Failed: error: 1")?;
    Ok(failures)
}

fn said(output: &mut dyn Write, result: Result<(), SlotError>, failed: &str) -> Result<u8, End> {
    match result {
        Ok(()) => writeln!(output, "OK")?,
        Err(error) => {
            writeln!(output, "{failed}")?;
            eprintln!("{error}");
            return Ok(1);
        }
    }
    Ok(0)
}
