//! The box's own settings: its name, its network, and who may come to it (users.rs). The same
//! text is the file of a set-up disk (`anchorite.setup`), what the wizard hands in, and what is
//! kept on the data partition.
//!
//! ```text
//! # a comment
//! hostname = signer1
//! network = static          (or dhcp)
//! interface = eth0          (else the first one)
//! address = 192.0.2.10/24   (static only)
//! gateway = 192.0.2.1       (static only; may be missing)
//! nameserver = 192.0.2.53   (up to three; with dhcp: before those of the lease)
//! user = ann admin,officer PASSPHRASE        (or its hash; at a console)
//! ssh-key = role="admin" ssh-ed25519 AAAA... ann
//! ```
//!
//! In: text of at most [`OCTETS_MAX`] bytes. Out: settings, or the line and what is wrong with it.
//! Nothing is taken of a text with a fault.

use crate::users::{KEYS_MAX, PASSPHRASE_MIN, USERS_MAX, User, ssh_key};
use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr};

/// Longest text.
pub(crate) const OCTETS_MAX: usize = 64 * 1024;
/// What the resolver looks at (resolv.conf(5)).
pub(crate) const NAMESERVERS_MAX: usize = 3;
/// A label of the DNS, RFC 1035 section 2.3.4.
const LABEL_OCTETS_MAX: usize = 63;
/// IFNAMSIZ without the final zero.
const INTERFACE_OCTETS_MAX: usize = 15;

/// Name and network of the box, and who may come to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) hostname: String,
    pub(crate) interface: Option<String>,
    pub(crate) network: Network,
    pub(crate) nameservers: Vec<IpAddr>,
    /// Who may log in at a console.
    pub(crate) users: Vec<User>,
    /// Lines of the file of keys that may come in over SSH.
    pub(crate) ssh_keys: Vec<String>,
}

impl Settings {
    /// Whether somebody has a passphrase or a key. If not, the box is for whoever stands before it.
    pub(crate) fn lets_in(&self) -> bool {
        !self.users.is_empty() || !self.ssh_keys.is_empty()
    }
}

/// How the box gets its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Dhcp,
    Static(Address),
}

/// A fixed address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix_bits: u8,
    pub(crate) gateway: Option<Ipv4Addr>,
}

impl Address {
    /// The mask of the prefix.
    pub(crate) fn mask(&self) -> Ipv4Addr {
        let bits = 32_u32.saturating_sub(u32::from(self.prefix_bits));
        Ipv4Addr::from(u32::MAX.checked_shl(bits).unwrap_or(0))
    }
}

/// Why a text is no settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("line {line}: {fault}")]
    Line { line: usize, fault: Fault },
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{key} stands without network = static")]
    NotStatic { key: &'static str },
    #[error("the gateway {gateway} is not in the network of {address}/{prefix_bits}")]
    GatewayFar { gateway: Ipv4Addr, address: Ipv4Addr, prefix_bits: u8 },
    #[error("more than {OCTETS_MAX} bytes")]
    TooLong,
    #[error("it is not text in UTF-8")]
    NotText,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("expected NAME = VALUE")]
    NoPair,
    #[error("there is no setting {0}")]
    UnknownKey(String),
    #[error("{0} is there twice")]
    Twice(String),
    #[error("more than {NAMESERVERS_MAX} nameservers")]
    NameserversTooMany,
    #[error("more than {USERS_MAX} users")]
    UsersTooMany,
    #[error("more than {KEYS_MAX} keys")]
    KeysTooMany,
    #[error("the passphrase cannot be hashed")]
    Hashing,
    #[error("{value}: expected {expected}")]
    Value { value: String, expected: Expected },
}

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Hostname,
    Network,
    Interface,
    AddressWithPrefix,
    Ipv4Address,
    Address,
    User,
    UserName,
    Roles,
    Passphrase,
    Hash,
    SshKey,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Expected::User => "NAME ROLES PASSPHRASE",
            Expected::UserName => "a name of letters, digits, hyphens, dots, at most 32",
            Expected::Roles => "roles of monitor, auditor, operator, admin, officer",
            Expected::Passphrase => {
                return write!(f, "a passphrase of {PASSPHRASE_MIN} characters or more");
            }
            Expected::Hash => "a hash of argon2id with at most 64 MiB and 16 passes",
            Expected::SshKey => "a line like role=\"admin\" ssh-ed25519 AAAA... NAME",
            Expected::Hostname => "a name of letters, digits and hyphens, at most 63",
            Expected::Network => "dhcp or static",
            Expected::Interface => "the name of a network interface, like eth0",
            Expected::AddressWithPrefix => "an IPv4 address with its prefix, like 192.0.2.10/24",
            Expected::Ipv4Address => "an IPv4 address, like 192.0.2.1",
            Expected::Address => "an IP address",
        })
    }
}

/// Reads the bytes of a file.
pub(crate) fn parse_octets(octets: &[u8]) -> Result<Settings, SettingsError> {
    if octets.len() > OCTETS_MAX {
        return Err(SettingsError::TooLong);
    }
    parse(std::str::from_utf8(octets).map_err(|_| SettingsError::NotText)?)
}

/// Values as they were found.
#[derive(Default)]
struct Found {
    hostname: Option<String>,
    interface: Option<String>,
    is_static: Option<Kind>,
    address: Option<(Ipv4Addr, u8)>,
    gateway: Option<Ipv4Addr>,
    nameservers: Vec<IpAddr>,
    users: Vec<User>,
    ssh_keys: Vec<String>,
}

enum Kind {
    Dhcp,
    Static,
}

/// Reads a text.
pub(crate) fn parse(text: &str) -> Result<Settings, SettingsError> {
    let mut found = Found::default();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = without_comment(line);
        if !line.is_empty() {
            found.take(line).map_err(|fault| SettingsError::Line { line: number, fault })?;
        }
    }
    found.settings()
}

/// A passphrase and a key may have any character in them, so comments stand on lines of their own
/// there.
fn without_comment(line: &str) -> &str {
    let line = line.trim();
    let key = line.split('=').next().unwrap_or_default().trim();
    match key {
        "user" | "ssh-key" => line,
        _ => line.split('#').next().unwrap_or_default().trim(),
    }
}

impl Found {
    fn take(&mut self, line: &str) -> Result<(), Fault> {
        let (key, value) = line.split_once('=').ok_or(Fault::NoPair)?;
        let (key, value) = (key.trim(), value.trim());
        match key {
            "hostname" => once(&mut self.hostname, key, hostname(value)?),
            "interface" => once(&mut self.interface, key, interface(value)?),
            "network" => once(&mut self.is_static, key, kind(value)?),
            "address" => once(&mut self.address, key, address_with_prefix(value)?),
            "gateway" => once(&mut self.gateway, key, ipv4_address(value)?),
            "nameserver" => {
                if self.nameservers.len() == NAMESERVERS_MAX {
                    return Err(Fault::NameserversTooMany);
                }
                self.nameservers.push(address(value)?);
                Ok(())
            }
            "user" => {
                let user = User::parse(value)?;
                if self.users.len() == USERS_MAX {
                    return Err(Fault::UsersTooMany);
                }
                if self.users.iter().any(|other| other.name == user.name) {
                    return Err(Fault::Twice(format!("user {}", user.name)));
                }
                self.users.push(user);
                Ok(())
            }
            "ssh-key" => {
                if self.ssh_keys.len() == KEYS_MAX {
                    return Err(Fault::KeysTooMany);
                }
                self.ssh_keys.push(ssh_key(value)?);
                Ok(())
            }
            _ => Err(Fault::UnknownKey(key.to_owned())),
        }
    }

    fn settings(self) -> Result<Settings, SettingsError> {
        let hostname = self.hostname.ok_or(SettingsError::Missing("hostname"))?;
        let network = match self.is_static.ok_or(SettingsError::Missing("network"))? {
            Kind::Dhcp if self.address.is_some() => {
                return Err(SettingsError::NotStatic { key: "address" });
            }
            Kind::Dhcp if self.gateway.is_some() => {
                return Err(SettingsError::NotStatic { key: "gateway" });
            }
            Kind::Dhcp => Network::Dhcp,
            Kind::Static => {
                let (address, prefix_bits) =
                    self.address.ok_or(SettingsError::Missing("address"))?;
                Network::Static(with_gateway(address, prefix_bits, self.gateway)?)
            }
        };
        let (interface, nameservers) = (self.interface, self.nameservers);
        let (users, ssh_keys) = (self.users, self.ssh_keys);
        Ok(Settings { hostname, interface, network, nameservers, users, ssh_keys })
    }
}

fn once<T>(place: &mut Option<T>, key: &str, value: T) -> Result<(), Fault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::Twice(key.to_owned())),
    }
}

/// A fixed address whose gateway, if it has one, can be reached.
pub(crate) fn with_gateway(
    address: Ipv4Addr,
    prefix_bits: u8,
    gateway: Option<Ipv4Addr>,
) -> Result<Address, SettingsError> {
    let whole = Address { address, prefix_bits, gateway };
    let network = |of: Ipv4Addr| u32::from(of) & u32::from(whole.mask());
    match gateway {
        Some(gateway) if network(gateway) != network(address) => {
            Err(SettingsError::GatewayFar { gateway, address, prefix_bits })
        }
        _ => Ok(whole),
    }
}

fn wrong(value: &str, expected: Expected) -> Fault {
    Fault::Value { value: value.to_owned(), expected }
}

/// A host's name: one label of letters, digits and inner hyphens (RFC 952, RFC 1123 section 2.1).
pub(crate) fn hostname(value: &str) -> Result<String, Fault> {
    let fits = (1..=LABEL_OCTETS_MAX).contains(&value.len())
        && value.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && !value.starts_with('-')
        && !value.ends_with('-');
    if fits { Ok(value.to_owned()) } else { Err(wrong(value, Expected::Hostname)) }
}

fn interface(value: &str) -> Result<String, Fault> {
    let fits = (1..=INTERFACE_OCTETS_MAX).contains(&value.len())
        && value.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'/')
        && !value.starts_with('.');
    if fits { Ok(value.to_owned()) } else { Err(wrong(value, Expected::Interface)) }
}

fn kind(value: &str) -> Result<Kind, Fault> {
    match value {
        "dhcp" => Ok(Kind::Dhcp),
        "static" => Ok(Kind::Static),
        _ => Err(wrong(value, Expected::Network)),
    }
}

/// `ADDRESS/BITS` of one host.
pub(crate) fn address_with_prefix(value: &str) -> Result<(Ipv4Addr, u8), Fault> {
    let parsed = value.split_once('/').and_then(|(address, bits)| {
        Some((address.parse::<Ipv4Addr>().ok()?, bits.parse::<u8>().ok()?))
    });
    let usable = parsed.filter(|(address, bits)| {
        (1..=32).contains(bits)
            && !(address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()
                || address.is_loopback())
    });
    usable.ok_or_else(|| wrong(value, Expected::AddressWithPrefix))
}

/// An IPv4 address.
pub(crate) fn ipv4_address(value: &str) -> Result<Ipv4Addr, Fault> {
    value.parse().map_err(|_| wrong(value, Expected::Ipv4Address))
}

/// An address of either family.
pub(crate) fn address(value: &str) -> Result<IpAddr, Fault> {
    value.parse().map_err(|_| wrong(value, Expected::Address))
}

impl Settings {
    /// The text that reads back as these settings.
    pub(crate) fn to_text(&self) -> String {
        let mut text = self.of_the_box();
        for user in &self.users {
            let _ = writeln!(text, "user = {}", user.to_text());
        }
        for key in &self.ssh_keys {
            let _ = writeln!(text, "ssh-key = {key}");
        }
        text
    }

    /// The same to look at: without hashes.
    pub(crate) fn shown(&self) -> String {
        let mut text = self.of_the_box();
        for user in &self.users {
            let _ = writeln!(text, "user = {} {}", user.name, user.roles);
        }
        for key in &self.ssh_keys {
            let _ = writeln!(text, "ssh-key = {key}");
        }
        text
    }

    /// Name and network as text.
    fn of_the_box(&self) -> String {
        let mut text = format!("hostname = {}\n", self.hostname);
        // Writing to a string does not fail.
        if let Some(interface) = &self.interface {
            let _ = writeln!(text, "interface = {interface}");
        }
        match self.network {
            Network::Dhcp => text.push_str("network = dhcp\n"),
            Network::Static(Address { address, prefix_bits, gateway }) => {
                let _ = writeln!(text, "network = static\naddress = {address}/{prefix_bits}");
                if let Some(gateway) = gateway {
                    let _ = writeln!(text, "gateway = {gateway}");
                }
            }
        }
        for nameserver in &self.nameservers {
            let _ = writeln!(text, "nameserver = {nameserver}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATIC: &str = "hostname = signer1\ninterface = eth1\nnetwork = static\n\
                          address = 192.0.2.10/24\ngateway = 192.0.2.1\nnameserver = 192.0.2.53\n\
                          nameserver = 2001:db8::53\n";

    #[test]
    fn text_and_settings_are_the_same_thing() {
        for text in [STATIC, "hostname = a\nnetwork = dhcp\n"] {
            assert_eq!(parse(text).unwrap().to_text(), text);
        }
        let windows = "\u{feff}# from a stick\r\nhostname=a # box\r\n\r\nnetwork=dhcp\r\n";
        assert_eq!(parse(windows).unwrap().to_text(), "hostname = a\nnetwork = dhcp\n");
    }

    #[test]
    fn users_and_keys_read_back_and_no_passphrase_is_kept() {
        let key = "role=\"admin\" ssh-ed25519 \
                   AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ann # 1";
        let text = format!(
            "hostname = a\nnetwork = dhcp\nuser = ann admin a long passphrase\n# x\n\
             ssh-key = {key}\n"
        );
        let settings = parse(&text).unwrap();
        assert!(settings.users[0].is_passphrase("a long passphrase"));
        assert_eq!(settings.ssh_keys, [key]);
        let kept = settings.to_text();
        assert!(!kept.contains("a long passphrase") && kept.contains("$argon2id$"), "{kept}");
        assert_eq!(parse(&kept).unwrap(), settings);
        assert!(!settings.shown().contains("argon2id"), "{}", settings.shown());
        let twice = "user = ann admin long enough this is\n".repeat(2);
        check_refused(&twice, "line 2: user ann is there twice");
    }

    #[test]
    fn masks() {
        let mask = |prefix_bits| {
            let address = Ipv4Addr::new(192, 0, 2, 1);
            Address { address, prefix_bits, gateway: None }.mask().to_string()
        };
        assert_eq!(
            [mask(24), mask(32), mask(1)],
            ["255.255.255.0", "255.255.255.255", "128.0.0.0"]
        );
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn faults_have_their_line() {
        check_refused("hostname\n", "line 1: expected NAME = VALUE");
        check_refused("\n\ncolour = red", "line 3: there is no setting colour");
        check_refused("hostname = a\nhostname = b", "line 2: hostname is there twice");
        let label = "line 1: -a: expected a name of letters, digits and hyphens, at most 63";
        check_refused("hostname = -a", label);
        check_refused("network = wifi", "line 1: wifi: expected dhcp or static");
        let interface = "line 1: ../x: expected the name of a network interface, like eth0";
        check_refused("interface = ../x", interface);
        for wrong in ["192.0.2.1", "192.0.2.1/33", "192.0.2.1/0", "127.0.0.1/8", "0.0.0.0/8"] {
            let expected = "expected an IPv4 address with its prefix, like 192.0.2.10/24";
            check_refused(&format!("address = {wrong}"), &format!("line 1: {wrong}: {expected}"));
        }
        check_refused("gateway = x", "line 1: x: expected an IPv4 address, like 192.0.2.1");
        check_refused("nameserver = x", "line 1: x: expected an IP address");
        let four = "nameserver = ::1\n".repeat(4);
        check_refused(&four, "line 4: more than 3 nameservers");
        let expected = "line 1: user: expected NAME ROLES PASSPHRASE";
        check_refused(
            "user = ann admin # secret",
            "line 1: passphrase: expected a passphrase of \
                       12 characters or more",
        );
        check_refused("user = ann", expected);
        let expected =
            "line 1: ssh-key: expected a line like role=\"admin\" ssh-ed25519 AAAA... NAME";
        check_refused("ssh-key = ssh-ed25519 AAAA", expected);
    }

    #[test]
    fn what_is_missing_or_does_not_fit_is_named() {
        check_refused("", "hostname is missing");
        check_refused("hostname = a", "network is missing");
        check_refused("hostname = a\nnetwork = static", "address is missing");
        let far = "hostname = a\nnetwork = static\naddress = 192.0.2.1/24\ngateway = 192.0.3.1";
        check_refused(far, "the gateway 192.0.3.1 is not in the network of 192.0.2.1/24");
        let mixed = "hostname = a\nnetwork = dhcp\naddress = 192.0.2.1/24";
        check_refused(mixed, "address stands without network = static");
        let mixed = "hostname = a\nnetwork = dhcp\ngateway = 192.0.2.1";
        check_refused(mixed, "gateway stands without network = static");
        assert_eq!(parse_octets(&[b'#'; OCTETS_MAX + 1]), Err(SettingsError::TooLong));
        assert_eq!(parse_octets(&[0xff]), Err(SettingsError::NotText));
    }
}
