//! The file of authorized keys: who may come in, under which name, and as what. sshd(8), section
//! AUTHORIZED_KEYS FILE FORMAT, with one option of ours. Pure: in: the file's text; out: holders of
//! keys, and lines that are none.
//!
//! ```text
//! role="operator" ssh-ed25519 AAAA... ann
//! role="monitor",restrict,command="monitor health" ssh-ed25519 AAAA... nagios
//! ```
//!
//! A line with an option that is not known here is not taken, since it may have been a limit
//! (`from=`, `expiry-time=`). Limits: [`KEYS_MAX`] keys, [`RSA_BITS_MIN`].

use console_protocol::table::Roles;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, HashAlg, PublicKey};

/// Keys that are looked at; later ones are faults.
pub const KEYS_MAX: usize = 1000;
/// Shortest RSA key that may come in (NIST SP 800-131A).
pub const RSA_BITS_MIN: u32 = 2048;
/// Longest name, in characters.
const NAME_MAX: usize = 64;
/// What a key may do that has no role in its line: look at the state, not at zones.
const ROLE_USUAL: &str = "monitor";

/// Whose key it is, and what it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The comment behind the key; its fingerprint where there is none.
    pub name: String,
    /// What the holder may do.
    pub roles: Roles,
    /// The one command that is run, whatever the holder asks for.
    pub command: Option<String>,
    /// Whether the holder may have a terminal, and with it the shell.
    pub terminal: Terminal,
}

/// Whether somebody may have a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Yes.
    Allowed,
    /// No: `restrict` or `no-pty`.
    Refused,
}

/// A line that lets nobody in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub cause: LineError,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Neither a key nor options before one.
    #[error("expected [OPTIONS] TYPE KEY NAME")]
    NoKey,
    /// A quotation mark without its partner.
    #[error("a quotation mark is missing")]
    Quote,
    /// An option whose meaning is not known here.
    #[error("there is no option {0} here")]
    Option(String),
    /// A role that there is not.
    #[error("there is no role {0}")]
    Role(String),
    /// Of a kind that may not come in.
    #[error("keys of type {0} may not come in: ssh-ed25519, ecdsa-sha2-nistp*, ssh-rsa may")]
    Algorithm(String),
    /// Too short.
    #[error("an RSA key of {bits} bits; {RSA_BITS_MIN} are needed")]
    Short {
        /// Its size.
        bits: u32,
    },
    /// There are too many before it.
    #[error("more than {KEYS_MAX} keys")]
    TooMany,
}

/// All keys of a file, each with its holder, and the lines that are none.
pub fn read(text: &str) -> (Vec<(KeyData, Holder)>, Vec<Fault>) {
    let (mut keys, mut faults) = (Vec::new(), Vec::new());
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let read = if keys.len() < KEYS_MAX { entry(content) } else { Err(LineError::TooMany) };
        match read {
            Ok(entry) => keys.push(entry),
            Err(cause) => faults.push(Fault { line, cause }),
        }
    }
    (keys, faults)
}

/// Whose key it is; of two lines with one key, the first counts.
pub fn holder_of(text: &str, key: &PublicKey) -> (Option<Holder>, Vec<Fault>) {
    let (keys, faults) = read(text);
    let found = keys.into_iter().find(|(data, _)| data == key.key_data());
    (found.map(|(_, holder)| holder), faults)
}

/// Whether a key of that kind and size may be used, with that signature.
pub fn check_key(key: &PublicKey, algorithm: &Algorithm) -> Result<(), LineError> {
    match (key.key_data(), algorithm) {
        // SHA-1 signatures (RFC 8332 section 4) are what `hash: None` stands for.
        (KeyData::Rsa(_), Algorithm::Rsa { hash: None }) => {
            Err(LineError::Algorithm("ssh-rsa with SHA-1 signatures".to_owned()))
        }
        (KeyData::Rsa(rsa), _) if rsa.key_size() < RSA_BITS_MIN => {
            Err(LineError::Short { bits: rsa.key_size() })
        }
        (KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::Rsa(_), _) => Ok(()),
        _ => Err(LineError::Algorithm(algorithm.to_string())),
    }
}

fn entry(line: &str) -> Result<(KeyData, Holder), LineError> {
    // A key may begin at once, or behind options, which have blanks in quotation marks only.
    let (options, key) = match PublicKey::from_openssh(line) {
        Ok(key) => ("", key),
        Err(_) => {
            let (options, rest) = split_options(line)?;
            (options, PublicKey::from_openssh(rest.trim()).map_err(|_| LineError::NoKey)?)
        }
    };
    let algorithm = match key.algorithm() {
        Algorithm::Rsa { .. } => Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        other => other,
    };
    check_key(&key, &algorithm)?;
    let mut holder = Holder {
        name: name_of(&key),
        roles: roles(ROLE_USUAL)?,
        command: None,
        terminal: Terminal::Allowed,
    };
    for option in options_of(options) {
        take_option(&mut holder, option)?;
    }
    Ok((key.key_data().clone(), holder))
}

fn take_option(holder: &mut Holder, option: &str) -> Result<(), LineError> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    match name.to_ascii_lowercase().as_str() {
        "role" => holder.roles = roles(value)?,
        "command" if !value.is_empty() => holder.command = Some(value.replace("\\\"", "\"")),
        "restrict" | "no-pty" => holder.terminal = Terminal::Refused,
        "pty" => holder.terminal = Terminal::Allowed,
        // What these forbid, nobody can do here.
        "no-agent-forwarding" | "no-port-forwarding" | "no-x11-forwarding" | "no-user-rc" => {}
        _ => return Err(LineError::Option(plain(name))),
    }
    Ok(())
}

fn roles(text: &str) -> Result<Roles, LineError> {
    text.parse().map_err(|_| LineError::Role(plain(text)))
}

/// The options of a line, and what follows them.
fn split_options(line: &str) -> Result<(&str, &str), LineError> {
    let ends = ends(line, |octet| octet == b' ' || octet == b'\t')?;
    ends.first().map(|end| line.split_at(*end)).ok_or(LineError::NoKey)
}

/// The single options. Whoever has come here has quotation marks in pairs.
fn options_of(options: &str) -> impl Iterator<Item = &str> {
    let mut begin = 0;
    let mut all = ends(options, |octet| octet == b',').unwrap_or_default();
    all.push(options.len());
    let single = all.into_iter().map(move |end| {
        let option = &options[begin..end];
        begin = end + 1;
        option
    });
    single.filter(|option| !option.is_empty())
}

/// Where octets outside quotation marks are what is looked for. All of these are ASCII, so that a
/// text can be cut there.
fn ends(text: &str, is_end: fn(u8) -> bool) -> Result<Vec<usize>, LineError> {
    let (mut ends, mut is_quoted, mut before) = (Vec::new(), false, 0);
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            b'"' if before != b'\\' => is_quoted = !is_quoted,
            _ if is_end(octet) && !is_quoted => ends.push(at),
            _ => {}
        }
        before = octet;
    }
    // The quotation marks of a comment are its own business, so only a line without any end of
    // options is wrong for them.
    if is_quoted && ends.is_empty() { Err(LineError::Quote) } else { Ok(ends) }
}

fn name_of(key: &PublicKey) -> String {
    let comment = plain(key.comment().as_str_lossy().trim());
    if comment.is_empty() { key.fingerprint(HashAlg::Sha256).to_string() } else { comment }
}

/// What may stand in a line of a log.
fn plain(text: &str) -> String {
    text.chars().take(NAME_MAX).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests;
