//! Who may come to the box: at a console by a passphrase, over SSH by a key. Pure but for the salt
//! of a new hash. In: values of the settings. Out: users, keys, or what is wrong with them.
//!
//! ```text
//! user    = ann admin,officer correct horse battery staple    (or its hash, $argon2id$...)
//! ssh-key = role="admin" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA... ann
//! ```
//!
//! Passphrases are kept as Argon2id hashes (RFC 9106) only. Limits: [`USERS_MAX`], [`KEYS_MAX`];
//! a hash that was made elsewhere may take [`MEMORY_KIB_MAX`] and [`PASSES_MAX`].

use crate::settings::{Expected, Fault};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};

/// Users of a box.
pub(crate) const USERS_MAX: usize = 16;
/// Keys of a box.
pub(crate) const KEYS_MAX: usize = 32;
/// Shortest passphrase, in characters.
pub(crate) const PASSPHRASE_MIN: usize = 12;
const NAME_OCTETS_MAX: usize = 32;
const KEY_OCTETS_MAX: usize = 4096;
const MEMORY_KIB_MAX: u32 = 64 * 1024;
const PASSES_MAX: u32 = 16;
/// Begin of a hash, where a passphrase could stand.
const HASH_BEGIN: &str = "$argon2id$";
/// The roles of the control protocol.
const ROLES: [&str; 5] = ["monitor", "auditor", "operator", "admin", "officer"];
/// What makes an administrator.
const ADMIN: &str = "admin";
/// Kinds of keys that the SSH host lets in.
const KEY_KINDS: [&str; 5] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

/// Somebody who may log in at a console.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    /// Roles with commas between them.
    pub(crate) roles: String,
    hash: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({} {})", self.name, self.roles)
    }
}

impl User {
    /// A user with a new passphrase.
    pub(crate) fn new(name: &str, roles: &str, passphrase: &str) -> Result<User, Fault> {
        if passphrase.chars().count() < PASSPHRASE_MIN {
            // What was typed is not repeated.
            return Err(Fault::Value {
                value: "passphrase".to_owned(),
                expected: Expected::Passphrase,
            });
        }
        let name = name_of(name)?;
        let hashed = Argon2::default().hash_password(passphrase.as_bytes());
        let hash = hashed.map_err(|_| Fault::Hashing)?.to_string();
        Ok(User { name, roles: roles_of(roles)?, hash })
    }

    /// Reads `NAME ROLES PASSPHRASE`, or a hash in place of the last.
    pub(crate) fn parse(value: &str) -> Result<User, Fault> {
        let wrong = || Fault::Value { value: "user".to_owned(), expected: Expected::User };
        let (name, rest) = value.split_once(char::is_whitespace).ok_or_else(wrong)?;
        let (roles, secret) =
            rest.trim_start().split_once(char::is_whitespace).ok_or_else(wrong)?;
        let secret = secret.trim();
        if !secret.starts_with(HASH_BEGIN) {
            return User::new(name, roles, secret);
        }
        let is_usable = PasswordHash::new(secret)
            .ok()
            .filter(|hash| hash.hash.is_some())
            .and_then(|hash| Params::try_from(&hash).ok())
            .is_some_and(|p| p.m_cost() <= MEMORY_KIB_MAX && p.t_cost() <= PASSES_MAX);
        if !is_usable {
            return Err(Fault::Value { value: "the hash".to_owned(), expected: Expected::Hash });
        }
        let (name, roles) = (name_of(name)?, roles_of(roles)?);
        Ok(User { name, roles, hash: secret.to_owned() })
    }

    /// The value that reads back as this user.
    pub(crate) fn to_text(&self) -> String {
        format!("{} {} {}", self.name, self.roles, self.hash)
    }

    /// Whether that is the passphrase.
    pub(crate) fn is_passphrase(&self, passphrase: &str) -> bool {
        verify(&self.hash, passphrase)
    }

    /// Whether the user steers the box.
    pub(crate) fn is_admin(&self) -> bool {
        self.roles.split(',').any(|role| role == ADMIN)
    }
}

fn verify(hash: &str, passphrase: &str) -> bool {
    let parsed = PasswordHash::new(hash);
    parsed.is_ok_and(|hash| Argon2::default().verify_password(passphrase.as_bytes(), &hash).is_ok())
}

/// Takes as long as a passphrase of somebody there is, so that nobody learns who there is.
pub(crate) fn verify_nobody(passphrase: &str) {
    let nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA\
                  $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    verify(nobody, passphrase);
}

fn name_of(name: &str) -> Result<String, Fault> {
    let is_good = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    let fits = (1..=NAME_OCTETS_MAX).contains(&name.len()) && name.bytes().all(is_good);
    if fits {
        Ok(name.to_owned())
    } else {
        Err(Fault::Value { value: name.to_owned(), expected: Expected::UserName })
    }
}

fn roles_of(roles: &str) -> Result<String, Fault> {
    match roles.split(',').all(|role| ROLES.contains(&role)) {
        true => Ok(roles.to_owned()),
        false => Err(Fault::Value { value: roles.to_owned(), expected: Expected::Roles }),
    }
}

/// A line of the file of authorized keys. The SSH host reads it in full; here it has to look like
/// one, so that a set-up with half a key is refused while somebody is there.
pub(crate) fn ssh_key(value: &str) -> Result<String, Fault> {
    let words: Vec<&str> = value.split_whitespace().collect();
    let kind = words.iter().position(|word| KEY_KINDS.contains(word));
    let is_good = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
    let fits = value.len() <= KEY_OCTETS_MAX
        && !value.contains(char::is_control)
        && kind.and_then(|at| words.get(at + 1)).is_some_and(|key| {
            // Every key begins with the length of its kind's name.
            key.starts_with("AAAA") && key.len() >= 64 && key.bytes().all(is_good)
        });
    if fits {
        Ok(value.to_owned())
    } else {
        Err(Fault::Value { value: "ssh-key".to_owned(), expected: Expected::SshKey })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ann";

    #[test]
    fn a_passphrase_becomes_a_hash_that_reads_back() {
        let user = User::parse("ann  admin,officer correct horse # battery").unwrap();
        assert!(user.is_passphrase("correct horse # battery") && user.is_admin());
        assert!(!user.is_passphrase("correct horse") && !user.is_passphrase(""));
        let text = user.to_text();
        assert!(text.starts_with("ann admin,officer $argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        let again = User::parse(&text).unwrap();
        assert_eq!(again, user);
        assert!(!format!("{again:?}").contains("argon2id"));
        verify_nobody("anything");
    }

    #[test]
    fn what_is_no_user() {
        let refused = |value: &str| User::parse(value).unwrap_err().to_string();
        assert!(refused("ann").contains("NAME ROLES PASSPHRASE"));
        assert!(refused("ann admin").contains("NAME ROLES PASSPHRASE"));
        assert!(refused("ann admin too-short").contains("12 characters or more"));
        assert!(!refused("ann admin too-short").contains("too-short"));
        assert!(refused("ann root long enough this is").contains("roles of monitor, auditor"));
        assert!(refused("../x admin long enough this is").contains("a name of letters"));
        let large = "ann admin $argon2id$v=19$m=4194304,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA\
                     $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(refused(large).contains("a hash of argon2id"));
        assert!(refused("ann admin $argon2id$nonsense").contains("a hash of argon2id"));
    }

    #[test]
    fn keys_look_like_keys() {
        assert_eq!(ssh_key(KEY).unwrap(), KEY);
        let options = format!("role=\"admin\",command=\"monitor health\" {KEY}");
        assert!(ssh_key(&options).is_ok());
        for wrong in ["", "ssh-ed25519", "ssh-ed25519 AAAA ann", "ssh-dss AAAAB3NzaC1kc3MAAACB"] {
            assert!(ssh_key(wrong).is_err(), "{wrong}");
        }
        assert!(ssh_key(&KEY[..60]).is_err());
    }
}
