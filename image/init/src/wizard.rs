//! The set-up dialogue of a console. Pure: in: lines that somebody typed; out: the next question,
//! what was wrong with an answer, and at the end settings. An empty line takes what stands in
//! brackets; `back` asks the last question again.

use crate::settings::{self, NAMESERVERS_MAX, Network, Settings, SettingsError};
use std::net::{IpAddr, Ipv4Addr};

/// A dialogue.
#[derive(Clone, Debug)]
pub(crate) struct Wizard {
    step: Step,
    hostname: String,
    is_static: bool,
    address: Option<(Ipv4Addr, u8)>,
    gateway: Option<Ipv4Addr>,
    nameservers: Vec<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Hostname,
    Network,
    Address,
    Gateway,
    Nameservers,
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
    /// Begins at the first question.
    pub(crate) fn new() -> Wizard {
        Wizard {
            step: Step::Hostname,
            hostname: "anchorite".to_owned(),
            is_static: false,
            address: None,
            gateway: None,
            nameservers: Vec::new(),
        }
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
            Step::Confirm => match self.settings() {
                Ok(settings) => format!("\n{}\nUse these, yes or no? ", settings.to_text()),
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
            Step::Nameservers | Step::Confirm => Step::Confirm,
        }
    }

    fn before(&self) -> Step {
        match self.step {
            Step::Hostname | Step::Network => Step::Hostname,
            Step::Address => Step::Network,
            Step::Gateway => Step::Address,
            Step::Nameservers if self.is_static => Step::Gateway,
            Step::Nameservers => Step::Network,
            Step::Confirm => Step::Nameservers,
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
        Ok(Settings { hostname, interface: None, network, nameservers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(answers: &[&str]) -> (Wizard, Vec<Next>) {
        let mut wizard = Wizard::new();
        let next = answers.iter().map(|answer| wizard.answer(answer)).collect();
        (wizard, next)
    }

    #[test]
    fn empty_lines_take_what_is_usual() {
        let (_, next) = play(&["", "", "", "yes"]);
        let Some(Next::Done(settings)) = next.last() else { panic!("{next:?}") };
        assert_eq!(settings.to_text(), "hostname = anchorite\nnetwork = dhcp\n");
    }

    #[test]
    fn a_fixed_address() {
        let answers = ["ns", "static", "192.0.2.10/24", "192.0.2.1", "::1, 192.0.2.53", "y"];
        let (_, next) = play(&answers);
        let Some(Next::Done(settings)) = next.last() else { panic!("{next:?}") };
        let expected = "hostname = ns\nnetwork = static\naddress = 192.0.2.10/24\n\
                        gateway = 192.0.2.1\nnameserver = ::1\nnameserver = 192.0.2.53\n";
        assert_eq!(settings.to_text(), expected);
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
        let (wizard, next) = play(&["a", "dhcp", "", "perhaps", "no"]);
        assert!(matches!(next[3], Next::Again(_)));
        assert_eq!(wizard.question(), "Name of this box [a]: ");
    }

    #[test]
    fn a_gateway_that_no_longer_fits_cannot_be_confirmed() {
        let answers =
            ["a", "static", "192.0.2.10/24", "192.0.2.1", "back", "back", "10.0.0.2/8", "", ""];
        let (mut wizard, _) = play(&answers);
        assert!(wizard.question().contains("is not in the network"), "{}", wizard.question());
        assert!(matches!(wizard.answer("yes"), Next::Again(_)));
    }
}
