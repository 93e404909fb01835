//! `anchorite hsm import`: a private key that was made elsewhere goes into a repository.
//! In: a key file. Out: the key's id, algorithm, tag and DNSKEY record. Never: a copy of the key
//! anywhere else; the file is left as it is, to be wiped by who made it.

use super::repositories::{self, Fault, NewToken, Repositories, slot_fault};
use super::{ImportArguments, RoleArgument};
use appliance_config::{Repository, RepositoryKind};
use dnssec::key::{KeyId, KeyRole, dnskey_rdata, key_tag};
use dnssec::zonefile::print_record;
use dnssec::{Algorithm, Name, RrType, Ttl};
use hsm::KeyTransfer;
use hsm::builtin::BuiltinToken;
use hsm::import::{FILE_BYTES_MAX, ImportFault, read_private_key};
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
        "repository {0} is a PKCS#11 token, whose keys are imported with its vendor's tool \
         (SoftHSM: softhsm2-util --import FILE --token LABEL --label ID --id ID); \
         a repository with <BuiltIn/> takes the file as it is"
    )]
    Pkcs11(String),
}

/// Takes the key.
pub(super) fn run(arguments: &ImportArguments) -> Result<ExitCode, super::HsmFault> {
    import(arguments)?;
    Ok(ExitCode::SUCCESS)
}

fn import(arguments: &ImportArguments) -> Result<(), ImportError> {
    let known = Repositories::read(&arguments.config)?;
    let repository = known.named(&arguments.repository)?;
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
    let token = token(repository)?;
    let public = token
        .import(&id, found.algorithm, &found.pkcs8)
        .map_err(|error| slot_fault(repository, error))?;
    let role = match arguments.role {
        RoleArgument::Ksk => KeyRole::Ksk,
        RoleArgument::Zsk => KeyRole::Zsk,
        RoleArgument::Csk => KeyRole::Csk,
    };
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
    Ok(())
}

/// The repository's built-in token; it is made where it is not there yet.
fn token(repository: &Repository) -> Result<BuiltinToken, ImportError> {
    let RepositoryKind::BuiltIn { directory } = &repository.kind else {
        return Err(ImportError::Pkcs11(repository.name.clone()));
    };
    repositories::open_builtin(repository, directory, NewToken::Made).map_err(ImportError::Tool)
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
