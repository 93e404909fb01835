//! `<Agents>` in kasp.xml's `<Parent>`, ours: servers of the parent that are asked which DS they
//! show.
//! In: an element of the right form. Out: [`ParentalAgents`].
//! Limits: [`AGENTS_MAX`] servers, each once; an interval from [`INTERVAL_MIN`].

use dnssec::Seconds;
use dnssec::parent::{AGENTS_MAX, DNS_PORT, INTERVAL_DEFAULT, INTERVAL_MIN, ParentalAgents};
use std::net::{IpAddr, SocketAddr};

use crate::diagnostics::Findings;
use crate::fault::Fault;
use crate::kasp::{number, optional_duration};
use crate::schema::{Content, Rule};
use crate::tree::Element;

/// The form of `<Agents>`.
pub(crate) const AGENTS: Rule = Rule::optional(
    "Agents",
    Content::Ordered(&[
        Rule::any(
            "Agent",
            Content::Ordered(&[
                Rule::one("Address", Content::Text),
                Rule::optional("Port", Content::Number { min: 1, max: 65_535 }),
            ]),
        ),
        Rule::optional("Interval", Content::Duration),
    ]),
);

/// Reads `<Agents>`.
pub(crate) fn read_agents(element: &Element<'_>, findings: &mut Findings) -> ParentalAgents {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for agent in element.all("Agent") {
        let Some(address) = agent_address(agent, findings) else { continue };
        if addresses.contains(&address) {
            let fault = Fault::DuplicateName { what: "agent", name: address.to_string() };
            findings.push(agent.tag.clone(), fault);
        } else {
            addresses.push(address);
        }
    }
    let count = element.all("Agent").count();
    if !(1..=AGENTS_MAX).contains(&count) {
        findings.push(element.tag.clone(), Fault::AgentCount { count, most: AGENTS_MAX });
    }
    let interval = optional_duration(element, &["Interval"], findings);
    let interval = interval.unwrap_or(INTERVAL_DEFAULT);
    if interval < INTERVAL_MIN
        && let Some(given) = element.child("Interval")
    {
        findings.push(given.text_place(), Fault::AgentInterval { least: INTERVAL_MIN });
    }
    ParentalAgents { addresses, interval: interval.max(Seconds(1)) }
}

fn agent_address(agent: &Element<'_>, findings: &mut Findings) -> Option<SocketAddr> {
    let element = agent.child("Address")?;
    let Ok(ip) = element.trimmed().parse::<IpAddr>() else {
        let value = element.trimmed().chars().take(80).collect();
        findings.push(element.text_place(), Fault::Address { value });
        return None;
    };
    let port = if agent.has("Port") { number(agent, &["Port"]) } else { DNS_PORT };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read_kasp, write_kasp};
    use dnssec::policy::Policy;

    /// A kasp.xml with these `<Agents>`.
    fn read(agents: &str) -> Result<ParentalAgents, String> {
        let text = write_kasp([&Policy::anchorite_default("token")]);
        assert!(text.contains("</Parent>"));
        let text = text.replace("</Parent>", &format!("{agents}</Parent>"));
        let read = read_kasp("kasp.xml", text.as_bytes());
        let policies = read.map_err(|faults| faults.to_string())?.value;
        policies[0].parent.agents.clone().ok_or_else(|| "none".to_owned())
    }

    #[track_caller]
    fn check_refused(agents: &str, words: &str) {
        let faults = read(agents).unwrap_err();
        assert!(faults.contains(words), "{faults}");
    }

    fn agent(inner: &str) -> String {
        format!("<Agents><Agent>{inner}</Agent></Agents>")
    }

    #[test]
    fn agents_are_read_with_their_defaults() {
        let agents = "<Agents><Agent><Address>192.0.2.1</Address></Agent><Agent><Address> \
                      2001:db8::1 </Address><Port>5353</Port></Agent><Interval>PT1M</Interval>\
                      </Agents>";
        let expected = ParentalAgents {
            addresses: vec!["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:5353".parse().unwrap()],
            interval: Seconds(60),
        };
        assert_eq!(read(agents), Ok(expected));
        let one = read(&agent("<Address>192.0.2.1</Address>")).unwrap();
        assert_eq!(one.interval, Seconds(600));
        assert_eq!(read(""), Err("none".to_owned()));
    }

    #[test]
    fn agents_are_written_as_they_are_read() {
        let mut policy = Policy::anchorite_default("token");
        let addresses = vec!["192.0.2.1:53".parse().unwrap(), "[::1]:5300".parse().unwrap()];
        policy.parent.agents = Some(ParentalAgents { addresses, interval: Seconds(90) });
        let text = write_kasp([&policy]);
        assert_eq!(read_kasp("kasp.xml", text.as_bytes()).unwrap().value, [policy], "{text}");
    }

    #[test]
    fn what_nobody_can_ask_is_refused() {
        check_refused("<Agents/>", "<Agents> has 0 <Agent>");
        let many: String =
            (0..17).map(|n| format!("<Agent><Address>192.0.2.{n}</Address></Agent>")).collect();
        check_refused(&format!("<Agents>{many}</Agents>"), "<Agents> has 17 <Agent>");
        check_refused(&agent("<Address>ns.example</Address>"), "'ns.example' is not an IP address");
        check_refused(&agent("<Address>192.0.2.1</Address><Port>0</Port>"), "Port");
        let one = "<Agent><Address>192.0.2.1</Address></Agent>";
        check_refused(&format!("<Agents>{one}{one}</Agents>"), "192.0.2.1:53");
        let often = format!("<Agents>{one}<Interval>PT0S</Interval></Agents>");
        check_refused(&often, "<Interval> is at least 1 second");
    }
}
