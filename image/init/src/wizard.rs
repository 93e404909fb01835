//! The set-up dialogue of a console. Pure but for the salt of a new hash: in: lines that somebody
//! typed; out: the next question, what was wrong with an answer, and at the end settings. An empty
//! line takes what stands in brackets; `back` asks the last question again. Users and keys that are
//! there stay; where there are none, the first administrator is asked for.

use crate::settings::{self, NAMESERVERS_MAX, Network, Settings, SettingsError};
use crate::users::{self, PASSPHRASE_MIN, User};
use std::net::{IpAddr, Ipv4Addr};

/// The first user, who may everything; more come by a set-up file.
const FIRST_USER: &str = "admin";
const FIRST_ROLES: &str = "admin,officer";

/// A dialogue.
#[derive(Clone)]
pub(crate) struct Wizard {
    step: Step,
    hostname: String,
    interface: Option<String>,
    is_static: bool,
    address: Option<(Ipv4Addr, u8)>,
    gateway: Option<Ipv4Addr>,
    nameservers: Vec<IpAddr>,
    /// Whether there were users, and keys, before.
    has_users: bool,
    has_keys: bool,
    users: Vec<User>,
    ssh_keys: Vec<String>,
    /// What was typed the first time.
    passphrase: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Hostname,
    Network,
    Address,
    Gateway,
    Nameservers,
    Passphrase,
    Again,
    Key,
    Confirm,
}

/// What an answer led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// On with the next question.
    Ask,
    /// The same question again, and why.
    Again(String),
    /// Somebody confirmed these.
    Done(Settings),
}

impl Wizard {
    /// Begins at the first question; `before` are the settings that there are.
    pub(crate) fn new(before: Option<Settings>) -> Wizard {
        let before = before.unwrap_or(Settings {
            hostname: "anchorite".to_owned(),
            interface: None,
            network: Network::Dhcp,
            nameservers: Vec::new(),
            users: Vec::new(),
            ssh_keys: Vec::new(),
        });
        let fixed = match before.network {
            Network::Static(fixed) => Some(fixed),
            Network::Dhcp => None,
        };
        Wizard {
            step: Step::Hostname,
            hostname: before.hostname,
            interface: before.interface,
            is_static: fixed.is_some(),
            address: fixed.map(|fixed| (fixed.address, fixed.prefix_bits)),
            gateway: fixed.and_then(|fixed| fixed.gateway),
            nameservers: before.nameservers,
            has_users: !before.users.is_empty(),
            has_keys: !before.ssh_keys.is_empty(),
            users: before.users,
            ssh_keys: before.ssh_keys,
            passphrase: String::new(),
        }
    }

    /// Whether the answer is not to be shown while it is typed.
    pub(crate) fn asks_for_secret(&self) -> bool {
        matches!(self.step, Step::Passphrase | Step::Again)
    }

    /// The question that is open.
    pub(crate) fn question(&self) -> String {
        match self.step {
            Step::Hostname => format!("Name of this box [{}]: ", self.hostname),
            Step::Network => {
                let usual = if self.is_static { "static" } else { "dhcp" };
                format!("Network, dhcp or static [{usual}]: ")
            }
            Step::Address => match self.address {
                Some((address, bits)) => format!("IPv4 address and prefix [{address}/{bits}]: "),
                None => "IPv4 address and prefix, like 192.0.2.10/24: ".to_owned(),
            },
            Step::Gateway => match self.gateway {
                Some(gateway) => format!("Gateway, or none [{gateway}]: "),
                None => "Gateway [none]: ".to_owned(),
            },
            Step::Nameservers => {
                let names: Vec<String> = self.nameservers.iter().map(IpAddr::to_string).collect();
                let usual = if names.is_empty() { "none".to_owned() } else { names.join(" ") };
                format!("Nameservers, up to {NAMESERVERS_MAX}, or none [{usual}]: ")
            }
            Step::Passphrase => format!(
                "Passphrase for the user {FIRST_USER}, {PASSPHRASE_MIN} characters or more: "
            ),
            Step::Again => "The same once more: ".to_owned(),
            Step::Key => match self.ssh_keys.first() {
                Some(_) => "SSH public key of the administrator, or none [as typed]: ".to_owned(),
                None => "SSH public key of the administrator, or none [none]: ".to_owned(),
            },
            Step::Confirm => match self.settings() {
                Ok(settings) => format!("\n{}\nUse these, yes or no? ", settings.shown()),
                Err(fault) => format!("\n{fault}\nThat cannot be used; no starts again: "),
            },
        }
    }

    /// Takes an answer.
    pub(crate) fn answer(&mut self, line: &str) -> Next {
        let line = line.trim();
        if line == "back" {
            self.step = self.before();
            return Next::Ask;
        }
        if self.step == Step::Confirm {
            return self.confirm(line);
        }
        let taken = if line.is_empty() { self.keep() } else { self.take(line) };
        match taken {
            Ok(()) => {
                self.step = self.after();
                Next::Ask
            }
            Err(fault) => Next::Again(fault),
        }
    }

    fn keep(&self) -> Result<(), String> {
        match self.step {
            Step::Address if self.address.is_none() => Err("An address is needed.".to_owned()),
            Step::Passphrase | Step::Again => Err("A passphrase is needed.".to_owned()),
            _ => Ok(()),
        }
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        let fault = |fault: settings::Fault| fault.to_string();
        match self.step {
            Step::Hostname => self.hostname = settings::hostname(line).map_err(fault)?,
            Step::Network => match line {
                "dhcp" => self.is_static = false,
                "static" => self.is_static = true,
                _ => return Err(format!("{line}: expected dhcp or static")),
            },
            Step::Address => {
                self.address = Some(settings::address_with_prefix(line).map_err(fault)?);
            }
            Step::Gateway if line == "none" => self.gateway = None,
            Step::Gateway => {
                let gateway = settings::ipv4_address(line).map_err(fault)?;
                // The step before has seen to it that there is one.
                if let Some((address, bits)) = self.address {
                    settings::with_gateway(address, bits, Some(gateway))
                        .map_err(|fault| fault.to_string())?;
                }
                self.gateway = Some(gateway);
            }
            Step::Nameservers if line == "none" => self.nameservers.clear(),
            Step::Nameservers => {
                let words = line.split([' ', ',']).filter(|word| !word.is_empty());
                let servers =
                    words.map(settings::address).collect::<Result<Vec<_>, _>>().map_err(fault)?;
                if servers.len() > NAMESERVERS_MAX {
                    return Err(fault(settings::Fault::NameserversTooMany));
                }
                self.nameservers = servers;
            }
            Step::Passphrase if line.chars().count() < PASSPHRASE_MIN => {
                return Err(format!("{PASSPHRASE_MIN} characters or more, please."));
            }
            Step::Passphrase => self.passphrase = line.to_owned(),
            Step::Again if line != self.passphrase => {
                self.step = Step::Passphrase;
                return Err("These were not the same; once more.".to_owned());
            }
            Step::Again => {
                let user = User::new(FIRST_USER, FIRST_ROLES, line).map_err(fault)?;
                self.users = vec![user];
                self.passphrase.clear();
            }
            Step::Key if line == "none" => self.ssh_keys.clear(),
            Step::Key => {
                // Whoever types a key without options means one for everything.
                let options = format!("role=\"{FIRST_ROLES}\" ");
                let bare = line.starts_with("ssh-") || line.starts_with("ecdsa-");
                let whole = if bare { options + line } else { line.to_owned() };
                self.ssh_keys = vec![users::ssh_key(&whole).map_err(fault)?];
            }
            Step::Confirm => {}
        }
        Ok(())
    }

    fn confirm(&mut self, line: &str) -> Next {
        match (line, self.settings()) {
            ("yes" | "y", Ok(settings)) => Next::Done(settings),
            ("no" | "n", _) => {
                self.step = Step::Hostname;
                Next::Ask
            }
            _ => Next::Again("Please answer yes or no.".to_owned()),
        }
    }

    fn after(&self) -> Step {
        match self.step {
            Step::Hostname => Step::Network,
            Step::Network if self.is_static => Step::Address,
            Step::Address => Step::Gateway,
            Step::Network | Step::Gateway => Step::Nameservers,
            Step::Nameservers if !self.has_users => Step::Passphrase,
            Step::Passphrase => Step::Again,
            Step::Nameservers | Step::Again if !self.has_keys => Step::Key,
            Step::Nameservers | Step::Again | Step::Key | Step::Confirm => Step::Confirm,
        }
    }

    fn before(&self) -> Step {
        match self.step {
            Step::Hostname | Step::Network => Step::Hostname,
            Step::Address => Step::Network,
            Step::Gateway => Step::Address,
            Step::Nameservers if self.is_static => Step::Gateway,
            Step::Nameservers => Step::Network,
            Step::Confirm if !self.has_keys => Step::Key,
            Step::Again | Step::Confirm | Step::Key if !self.has_users => Step::Passphrase,
            Step::Passphrase | Step::Again | Step::Key | Step::Confirm => Step::Nameservers,
        }
    }

    fn settings(&self) -> Result<Settings, SettingsError> {
        let network = match self.address.filter(|_| self.is_static) {
            // The address may have been given anew after the gateway, with another prefix.
            Some((address, bits)) => {
                Network::Static(settings::with_gateway(address, bits, self.gateway)?)
            }
            None => Network::Dhcp,
        };
        let (hostname, nameservers) = (self.hostname.clone(), self.nameservers.clone());
        let (users, ssh_keys) = (self.users.clone(), self.ssh_keys.clone());
        let interface = self.interface.clone();
        Ok(Settings { hostname, interface, network, nameservers, users, ssh_keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSPHRASE: &str = "a long passphrase";
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ann";

    fn play(answers: &[&str]) -> (Wizard, Vec<Next>) {
        let mut wizard = Wizard::new(None);
        let next = answers.iter().map(|answer| wizard.answer(answer)).collect();
        (wizard, next)
    }

    #[test]
    fn empty_lines_take_what_is_usual() {
        let (_, next) = play(&["", "", "", PASSPHRASE, PASSPHRASE, "", "yes"]);
        let Some(Next::Done(settings)) = next.last() else { panic!("{next:?}") };
        let expected = "hostname = anchorite\nnetwork = dhcp\nuser = admin admin,officer\n";
        assert_eq!(settings.shown(), expected);
        assert!(settings.users[0].is_passphrase(PASSPHRASE));
    }

    #[test]
    fn the_first_administrator_and_his_key() {
        let answers = ["", "", "", "short", PASSPHRASE, "another passphrase", PASSPHRASE];
        let (mut wizard, next) = play(&answers);
        assert!(matches!(next[3], Next::Again(_)) && matches!(next[5], Next::Again(_)));
        assert!(wizard.asks_for_secret());
        wizard.answer(PASSPHRASE);
        assert!(!wizard.asks_for_secret());
        assert!(matches!(wizard.answer("ssh-ed25519 AAAA"), Next::Again(_)));
        wizard.answer(KEY);
        let Next::Done(settings) = wizard.answer("yes") else { panic!() };
        assert_eq!(settings.ssh_keys, [format!("role=\"admin,officer\" {KEY}")]);
        // The next time they stay, and nobody is asked for them.
        let mut wizard = Wizard::new(Some(settings.clone()));
        for answer in ["signer2", "", ""] {
            wizard.answer(answer);
        }
        let Next::Done(later) = wizard.answer("yes") else { panic!("{}", wizard.question()) };
        assert_eq!((later.users, later.ssh_keys), (settings.users, settings.ssh_keys));
        assert_eq!(later.hostname, "signer2");
    }

    #[test]
    fn a_fixed_address() {
        let answers = ["ns", "static", "192.0.2.10/24", "192.0.2.1", "::1, 192.0.2.53"];
        let rest = [PASSPHRASE, PASSPHRASE, "none", "y"];
        let (_, next) = play(&[&answers[..], &rest].concat());
        let Some(Next::Done(settings)) = next.last() else { panic!("{next:?}") };
        let expected = "hostname = ns\nnetwork = static\naddress = 192.0.2.10/24\n\
                        gateway = 192.0.2.1\nnameserver = ::1\nnameserver = 192.0.2.53\n\
                        user = admin admin,officer\n";
        assert_eq!(settings.shown(), expected);
    }

    #[test]
    fn wrong_answers_are_asked_for_again() {
        let (wizard, next) =
            play(&["a b", "a", "wlan", "static", "", "x", "192.0.2.10/24", "10.0.0.1"]);
        let again = |at: usize| matches!(next[at], Next::Again(_));
        assert!([0, 2, 4, 5, 7].into_iter().all(again), "{next:?}");
        assert!(wizard.question().starts_with("Gateway"));
        let (wizard, next) = play(&["", "", "::1 ::2 ::3 ::4"]);
        assert!(matches!(next[2], Next::Again(_)) && wizard.question().starts_with("Nameservers"));
    }

    #[test]
    fn back_and_no() {
        let (wizard, _) = play(&["a", "static", "192.0.2.10/24", "back", "back", "dhcp"]);
        assert!(wizard.question().starts_with("Nameservers"));
        let (wizard, next) = play(&["a", "dhcp", "", PASSPHRASE, PASSPHRASE, "", "perhaps", "no"]);
        assert!(matches!(next[6], Next::Again(_)));
        let (wizard_again, _) =
            play(&["a", "dhcp", "", PASSPHRASE, PASSPHRASE, "", "back", "back"]);
        assert!(wizard_again.asks_for_secret());
        assert_eq!(wizard.question(), "Name of this box [a]: ");
    }

    #[test]
    fn a_gateway_that_no_longer_fits_cannot_be_confirmed() {
        let answers =
            ["a", "static", "192.0.2.10/24", "192.0.2.1", "back", "back", "10.0.0.2/8", "", ""];
        let rest = [PASSPHRASE, PASSPHRASE, ""];
        let (mut wizard, _) = play(&[&answers[..], &rest].concat());
        assert!(wizard.question().contains("is not in the network"), "{}", wizard.question());
        assert!(matches!(wizard.answer("yes"), Next::Again(_)));
    }
}
