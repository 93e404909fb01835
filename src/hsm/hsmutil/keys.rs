//! `list`, `generate`, `remove` and `purge` of `ods-hsmutil`.
//! In: repositories and words. Out: OpenDNSSEC's lines. Keys are listed in the order of their ids.

use super::super::repositories::{self, NewToken, slot_fault};
use super::super::words::atoi;
use super::{End, MINUS_ONE, Outcome, Task, group, kind_and_bits};
use dnssec::Algorithm;
use hsm::pkcs11::Pkcs11Settings;
use hsm::{GenerateRequest, KeyEntry, random_key_id};
use std::io::{self, BufRead, Read, Write};

/// Length of a new RSA key when none is named. OpenDNSSEC's 1024 is not made any more.
const RSA_BITS_DEFAULT: i64 = 2048;

/// `list [repository]`.
pub(super) fn list(task: &mut Task) -> Outcome {
    let known = task.repositories;
    if let Some(group) = task.operands.first().and_then(|name| known.group(name)) {
        return group::list(task, group);
    }
    let wanted = match task.operands.first() {
        Some(name) => std::slice::from_ref(known.named(name)?),
        None => known.all.as_slice(),
    };
    let mut found = Vec::new();
    for repository in wanted {
        let slot = task.open(repository)?;
        let keys = slot.list().map_err(|error| slot_fault(repository, error))?;
        found.extend(keys.into_iter().map(|key| (&repository.name, key)));
    }
    match task.operands.first() {
        Some(name) => writeln!(task.output, "\nListing keys in repository: {name}")?,
        None => writeln!(task.output, "\nListing keys in all repositories.")?,
    }
    count(task.output, found.len())?;
    if found.is_empty() && task.operands.is_empty() {
        return Ok(MINUS_ONE);
    }
    row(task.output, ["Repository", "ID", "Type"], "")?;
    row(task.output, ["----------", "--", "----"], "")?;
    for (repository, key) in found {
        let kind = kind_and_bits(&key);
        let kind = kind.map_or_else(|| "UNKNOWN".into(), |(name, bits)| format!("{name}/{bits}"));
        row(task.output, [repository, &key.id.to_string(), &kind], "")?;
    }
    Ok(0)
}

/// A row of keys; a group's has something more.
pub(super) fn row(
    output: &mut dyn Write,
    [repository, id, kind]: [&str; 3],
    more: &str,
) -> io::Result<()> {
    writeln!(output, "{repository:<20}  {id:<32}  {kind:<10}{more}")
}

pub(super) fn count(output: &mut dyn Write, count: usize) -> io::Result<()> {
    writeln!(output, "{count} {} found.\n", if count == 1 { "key" } else { "keys" })
}

/// `generate <repository> rsa|ecdsa|ed25519 [keysize]`.
pub(super) fn generate(task: &mut Task) -> Outcome {
    let (name, word, size) = match task.operands {
        [name, word] => (name, word, None),
        [name, word, size] => (name, word, Some(atoi(size))),
        _ => return Err(End::Usage(MINUS_ONE)),
    };
    let known = task.repositories;
    // An unknown name is said before an unknown algorithm.
    known.members(name)?;
    let bits = size.unwrap_or(RSA_BITS_DEFAULT);
    let (algorithm, what) = match (word.to_ascii_lowercase().as_str(), bits) {
        ("rsa", _) => (Ok(Algorithm::RsaSha256), format!("{bits} bit RSA key")),
        ("dsa", _) => (Err("DSA keys are not made (RFC 8624)"), format!("{bits} bit DSA key")),
        ("gost", _) => (Err("GOST keys are not made (RFC 9906)"), "512 bit GOST key".to_owned()),
        ("ecdsa", 256) => (Ok(Algorithm::EcdsaP256Sha256), "a P-256 ECDSA key".to_owned()),
        ("ecdsa", 384) => (Ok(Algorithm::EcdsaP384Sha384), "a P-384 ECDSA key".to_owned()),
        ("ecdsa", _) => {
            writeln!(task.output, "Invalid ECDSA key size: {bits}\nExpecting 256 or 384.")?;
            return Ok(MINUS_ONE);
        }
        ("ed25519", _) => (Ok(Algorithm::Ed25519), "an Ed25519 key".to_owned()),
        _ => {
            writeln!(task.output, "Unknown algorithm: {word}")?;
            return Ok(MINUS_ONE);
        }
    };
    let sessions = Pkcs11Settings::SESSIONS_DEFAULT;
    let alone = match known.group(name) {
        Some(_) => None,
        None => {
            let repository = known.named(name)?;
            Some((repository, repositories::open(repository, NewToken::Made, sessions)?))
        }
    };
    writeln!(task.output, "Generating {what} in repository: {name}")?;
    task.output.flush()?;
    let algorithm = match algorithm {
        Ok(algorithm) => algorithm,
        Err(reason) => return failed(task, &reason),
    };
    let Some(id) = random_key_id() else {
        return failed(task, &"the system's random source failed");
    };
    let request = GenerateRequest {
        id: id.clone(),
        algorithm,
        // What does not fit is refused as surely as 0 bits are.
        rsa_bits: u16::try_from(bits).unwrap_or(0),
        allow_deprecated: known.allow_deprecated,
    };
    let Some((repository, slot)) = alone else {
        let Some(group) = known.group(name) else { return Err(End::Usage(MINUS_ONE)) };
        return group::generate(task, group, &request).or_else(|fault| failed(task, &fault));
    };
    let public = match slot.generate(&request) {
        Ok(public) => public,
        Err(error) => return failed(task, &slot_fault(repository, error)),
    };
    writeln!(task.output, "Key generation successful: {id}")?;
    if task.is_verbose {
        let kind = hsm::KeyKind::of(algorithm);
        let bits = public.bits();
        let key = KeyEntry { id, label: String::new(), kind, bits, algorithm: None };
        let (kind, bits) = kind_and_bits(&key).unwrap_or_default();
        writeln!(task.output, "key:\n\trepository: {name}\n\talgorithm: {kind}\n\tsize: {bits}")?;
        writeln!(task.output, "\tid: {}", key.id)?;
    }
    Ok(0)
}

fn failed(task: &mut Task, reason: &dyn std::fmt::Display) -> Outcome {
    writeln!(task.output, "Key generation failed.")?;
    eprintln!("{reason}");
    Ok(MINUS_ONE)
}

/// `remove <id>`.
pub(super) fn remove(task: &mut Task) -> Outcome {
    let [id] = task.operands else { return Err(End::Usage(MINUS_ONE)) };
    let Some((repository, slot, key)) = task.find(id)? else {
        writeln!(task.output, "Key not found: {id}")?;
        return Ok(MINUS_ONE);
    };
    if let Some(group) = task.repositories.group_of(repository) {
        drop(slot);
        return group::remove(task, group, &key.id);
    }
    if let Err(error) = slot.delete(&key.id) {
        let fault = slot_fault(repository, error);
        writeln!(task.output, "Key remove failed.")?;
        eprintln!("{fault}");
        return Ok(MINUS_ONE);
    }
    writeln!(task.output, "Key remove successful.")?;
    Ok(0)
}

/// `purge <repository>`.
pub(super) fn purge(task: &mut Task) -> Outcome {
    let [name] = task.operands else { return Err(End::Usage(MINUS_ONE)) };
    if let Some(group) = task.repositories.group(name) {
        return group::purge(task, group);
    }
    let repository = task.repositories.named(name)?;
    let slot = task.open(repository)?;
    writeln!(task.output, "Purging all keys from repository: {name}")?;
    let keys = slot.list().map_err(|error| slot_fault(repository, error))?;
    count(task.output, keys.len())?;
    if keys.is_empty() {
        return Ok(MINUS_ONE);
    }
    if !is_confirmed(task, name)? {
        return Ok(MINUS_ONE);
    }
    writeln!(task.output, "\nStarting purge...")?;
    let mut failures: u8 = 0;
    for key in keys {
        match slot.delete(&key.id) {
            Ok(()) => writeln!(task.output, "Key remove successful: {}", key.id)?,
            Err(error) => {
                writeln!(task.output, "Key remove failed: {}", key.id)?;
                eprintln!("{}", slot_fault(repository, error));
                failures = failures.saturating_add(1);
            }
        }
    }
    writeln!(task.output, "Purge done.")?;
    Ok(failures)
}

/// Whether all keys may go.
pub(super) fn is_confirmed(task: &mut Task, name: &str) -> io::Result<bool> {
    if task.is_forced {
        return Ok(true);
    }
    let question = "Are you sure you want to remove ALL keys from repository";
    write!(task.output, "{question} {name} ? (YES/NO) ")?;
    task.output.flush()?;
    let is_confirmed = is_yes(&mut io::stdin().lock());
    if !is_confirmed {
        writeln!(task.output, "\npurge cancelled.")?;
    }
    Ok(is_confirmed)
}

/// Whether the line says yes, and nothing else.
fn is_yes(input: &mut impl BufRead) -> bool {
    let mut line = String::new();
    let read = input.take(16).read_line(&mut line);
    read.is_ok() && line.trim().eq_ignore_ascii_case("yes")
}
