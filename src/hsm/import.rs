//! `anchorite hsm import`: a private key that was made elsewhere goes into a repository.
//! In: a key file. Out: the key's id, algorithm, tag and DNSKEY record. Never: a copy of the key
//! anywhere else; the file is left as it is, to be wiped by who made it.

use super::members::{self, Member};
use super::repositories::{Fault, NewToken, Repositories, slot_fault};
use super::{ImportArguments, RoleArgument};
use dnssec::key::{KeyId, KeyRole, PublicKey, dnskey_rdata, key_tag};
use dnssec::zonefile::print_record;
use dnssec::{Algorithm, KeyTag, Name, RrType, Ttl};
use hsm::import::{FILE_BYTES_MAX, FoundKey, ImportFault, read_private_key};
use hsm::{KeyKind, SlotError};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zeroize::Zeroizing;

/// Why a key was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    #[error(transparent)]
    Tool(#[from] Fault),
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{}: {fault}", path.display())]
    NoKey { path: PathBuf, fault: ImportFault },
    #[error("{0} is no algorithm that a zone can be signed with; use 8, 10, 13, 14 or 15")]
    UnknownAlgorithm(u8),
    #[error("{0:?} is no key id: 1 to 64 bytes in hexadecimal")]
    BadId(String),
    #[error("the system's random source failed; restart the machine")]
    NoRandomness,
    #[error(
        "repository {repository} has this very key already, under the id {id}; use that, or give \
         it a second id with `ods-hsmutil copy`"
    )]
    SameKey { repository: String, id: KeyId },
    #[error(
        "repository {repository} has a key with the key tag {tag} already, as a {role}: {id}; in \
         one zone two keys of one tag cost validators time and invite mistakes; if that one is \
         another zone's, say --same-tag"
    )]
    SameTag { repository: String, id: KeyId, tag: KeyTag, role: KeyRole },
    #[error("{fault}\n{undone}")]
    Halfway { fault: Box<Fault>, undone: Undone },
}

/// What became of the members that had taken the key before another one refused it.
#[derive(Debug)]
pub(super) struct Undone(Vec<(String, Result<(), SlotError>)>);

impl std::fmt::Display for Undone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, (member, result)) in self.0.iter().enumerate() {
            let line = if position == 0 { "" } else { "\n" };
            match result {
                Ok(()) => write!(f, "{line}{member}: taken, and removed again")?,
                Err(error) => write!(f, "{line}{member}: still has the key: {error}")?,
            }
        }
        Ok(())
    }
}

/// Takes the key.
pub(super) fn run(arguments: &ImportArguments) -> Result<ExitCode, super::HsmFault> {
    import(arguments)?;
    Ok(ExitCode::SUCCESS)
}

fn import(arguments: &ImportArguments) -> Result<(), ImportError> {
    let known = Repositories::read(&arguments.config)?;
    let repositories = known.members(&arguments.repository)?;
    let wanted = arguments
        .algorithm
        .map(|number| Algorithm::from_number(number).ok_or(ImportError::UnknownAlgorithm(number)));
    let bytes = read(&arguments.file)?;
    let found = read_private_key(&bytes, wanted.transpose()?)
        .map_err(|fault| ImportError::NoKey { path: arguments.file.clone(), fault })?;
    let id = match &arguments.id {
        Some(text) => KeyId::from_hex(text).ok_or_else(|| ImportError::BadId(text.clone()))?,
        None => hsm::random_key_id().ok_or(ImportError::NoRandomness)?,
    };
    let public = found
        .public()
        .map_err(|fault| ImportError::NoKey { path: arguments.file.clone(), fault })?;
    let role = match arguments.role {
        RoleArgument::Ksk => KeyRole::Ksk,
        RoleArgument::Zsk => KeyRole::Zsk,
        RoleArgument::Csk => KeyRole::Csk,
    };
    let open = |repository| members::open_one(repository, NewToken::Made);
    let members: Vec<_> = repositories.into_iter().map(open).collect::<Result<_, _>>()?;
    for member in &members {
        check_others(member, &public, role, arguments.same_tag)?;
    }
    take(&members, &id, &found)?;
    let rdata = dnskey_rdata(role.flags(), &public);
    let mut record = Vec::new();
    let owner = owner(&arguments.file);
    print_record(owner.as_wire(), Ttl(3600), RrType::DNSKEY, &rdata, &mut record);
    let mut output = io::stdout().lock();
    let (algorithm, bits, tag) = (public.algorithm, public.bits(), key_tag(&rdata).0);
    let written = writeln!(
        output,
        "Key import successful: {id}\n{role}, {algorithm}, {bits} bits, key tag {tag}"
    );
    written.and_then(|()| output.write_all(&record)).map_err(Fault::Output)?;
    if known.group(&arguments.repository).is_some() {
        for member in &members {
            writeln!(output, "\t{}: taken", member.name()).map_err(Fault::Output)?;
        }
    }
    Ok(())
}

/// Every member takes the key, or none keeps it.
fn take(members: &[Member], id: &KeyId, found: &FoundKey) -> Result<(), ImportError> {
    for (position, member) in members.iter().enumerate() {
        let Err(error) = member.slot.import(id, found.algorithm, &found.pkcs8) else { continue };
        let fault = slot_fault(member.repository, error);
        if position == 0 {
            return Err(fault.into());
        }
        let removed = |member: &Member| (member.name().to_owned(), member.slot.delete(id));
        let undone = Undone(members[..position].iter().map(removed).collect());
        return Err(ImportError::Halfway { fault: Box::new(fault), undone });
    }
    Ok(())
}

/// Refuses a key that the repository has, and one with the tag of another. Nobody knows here for
/// which zone and in which role the others are, so they are looked at in both.
fn check_others(
    member: &Member,
    public: &PublicKey,
    role: KeyRole,
    is_same_tag_fine: bool,
) -> Result<(), ImportError> {
    let algorithm = public.algorithm;
    let tag = key_tag(&dnskey_rdata(role.flags(), public));
    let is_alike = |of: Option<Algorithm>| of.is_none_or(|of| of == algorithm);
    let alike = member
        .keys
        .values()
        .filter(|key| key.kind == KeyKind::of(algorithm) && is_alike(key.algorithm));
    for key in alike {
        // A key that cannot be read is no reason to refuse another one.
        let Ok(other) = member.slot.public_key(&key.id, algorithm) else { continue };
        let (repository, id) = (member.name().to_owned(), key.id.clone());
        if other.bytes == public.bytes {
            return Err(ImportError::SameKey { repository, id });
        }
        let mut roles = [KeyRole::Ksk, KeyRole::Zsk].into_iter();
        let same = roles.find(|role| key_tag(&dnskey_rdata(role.flags(), &other)) == tag);
        if let Some(role) = same.filter(|_| !is_same_tag_fine) {
            return Err(ImportError::SameTag { repository, id, tag, role });
        }
    }
    Ok(())
}

/// The file, in memory that is wiped; room for the largest is made at once.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, ImportError> {
    let unreadable = |cause| ImportError::Unreadable { path: path.to_owned(), cause };
    // Opening a pipe would wait for its writer, so look before opening.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("it is no regular file")));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut bytes = Zeroizing::new(vec![0; FILE_BYTES_MAX + 1]);
    let mut length = 0;
    while length < bytes.len() {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// The zone that BIND's file name tells; else the root.
fn owner(path: &Path) -> Name {
    let name = path.file_name().and_then(|name| name.to_str());
    let zone = name.and_then(|name| name.strip_prefix('K')?.split_once(".+"));
    let zone = zone.and_then(|(zone, _)| Name::parse(zone.as_bytes(), Some(&Name::root())).ok());
    zone.unwrap_or_else(Name::root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_of_file_names() {
        for (path, owner_name) in [
            ("/x/Kexample.com.+013+12345.private", "example.com."),
            ("K.+013+12345.private", "."),
            ("key.pem", "."),
            ("Kx..y.+008+1.private", "."),
        ] {
            assert_eq!(owner(Path::new(path)).to_string(), owner_name, "{path}");
        }
    }
}
