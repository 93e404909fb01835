//! `<Agents>` and `<Notify>` in kasp.xml's `<Parent>`, ours: servers of the parent that are asked
//! which DS they show, with the trust anchors to which their answers have to verify; and the
//! resolvers that know where the parent wants to be told of a change (RFC 9859).
//! In: an element of the right form. Out: [`ParentalAgents`], [`NotifyPolicy`].
//! Never: reads the file of anchors; it changes under the running daemon, which reads it.
//! Limits: [`AGENTS_MAX`] servers and [`RESOLVERS_MAX`] resolvers, each once; [`ANCHORS_MAX`]
//! anchors; an interval from [`INTERVAL_MIN`].

use dnssec::Seconds;
use dnssec::parent::{
    AGENTS_MAX, ANCHORS_MAX, DNS_PORT, INTERVAL_DEFAULT, INTERVAL_MIN, NotifyPolicy,
    ParentalAgents, RESOLVERS_MAX, TrustAnchor,
};
use std::net::{IpAddr, SocketAddr};

use crate::diagnostics::Findings;
use crate::fault::Fault;
use crate::kasp::{number, optional_duration};
use crate::schema::{Content, Rule};
use crate::tree::Element;

/// A server: its address, and its port unless it is 53.
const SERVER: Content = Content::Ordered(&[
    Rule::one("Address", Content::Text),
    Rule::optional("Port", Content::Number { min: 1, max: 65_535 }),
]);

/// The form of `<Agents>`.
pub(crate) const AGENTS: Rule = Rule::optional(
    "Agents",
    Content::Ordered(&[
        Rule::any("Agent", SERVER),
        Rule::optional("Interval", Content::Duration),
        Rule::any("TrustAnchor", Content::Text),
        Rule::optional("TrustAnchorFile", Content::Text),
    ]),
);

/// The form of `<Notify>`.
pub(crate) const NOTIFY: Rule = Rule::optional(
    "Notify",
    Content::Ordered(&[Rule::any("Resolver", SERVER), Rule::optional("Delay", Content::Duration)]),
);

/// Reads `<Agents>`.
pub(crate) fn read_agents(element: &Element<'_>, findings: &mut Findings) -> ParentalAgents {
    let addresses = servers(element, ("Agents", "Agent"), AGENTS_MAX, findings);
    let interval = optional_duration(element, &["Interval"], findings);
    let interval = interval.unwrap_or(INTERVAL_DEFAULT);
    if interval < INTERVAL_MIN
        && let Some(given) = element.child("Interval")
    {
        findings.push(given.text_place(), Fault::AgentInterval { least: INTERVAL_MIN });
    }
    let anchor_file = element.child("TrustAnchorFile").map(|file| {
        if !file.trimmed().starts_with('/') {
            findings.push(file.text_place(), Fault::RelativePath { element: "TrustAnchorFile" });
        }
        file.trimmed().to_owned()
    });
    ParentalAgents {
        addresses,
        interval: interval.max(Seconds(1)),
        anchors: anchors(element, findings),
        anchor_file,
    }
}

/// Reads `<Notify>`; `parent` is `<Parent>`, which has to publish what it tells of.
pub(crate) fn read_notify(parent: &Element<'_>, findings: &mut Findings) -> Option<NotifyPolicy> {
    let element = parent.child("Notify")?;
    if !parent.has("CDS") {
        let fault = Fault::OnlyWith { element: "Notify", with: "<CDS/>" };
        findings.push(element.tag.clone(), fault);
    }
    let resolvers = servers(element, ("Notify", "Resolver"), RESOLVERS_MAX, findings);
    let delay = optional_duration(element, &["Delay"], findings);
    Some(NotifyPolicy { resolvers, delay })
}

fn anchors(element: &Element<'_>, findings: &mut Findings) -> Vec<TrustAnchor> {
    let mut anchors: Vec<TrustAnchor> = Vec::new();
    for given in element.all("TrustAnchor") {
        match TrustAnchor::parse(given.trimmed()) {
            Ok(anchor) if anchors.contains(&anchor) => {
                let fault = Fault::DuplicateName { what: "trust anchor", name: anchor.to_string() };
                findings.push(given.tag.clone(), fault);
            }
            Ok(anchor) => anchors.push(anchor),
            Err(problem) => {
                findings.push(given.text_place(), Fault::TrustAnchor { problem });
            }
        }
    }
    if anchors.len() > ANCHORS_MAX {
        let (count, most) = (anchors.len(), ANCHORS_MAX);
        let fault = Fault::ServerCount { within: "Agents", element: "TrustAnchor", count, most };
        findings.push(element.tag.clone(), fault);
    }
    anchors
}

/// The servers in `within`, each named by an `item`.
fn servers(
    element: &Element<'_>,
    (within, item): (&'static str, &'static str),
    most: usize,
    findings: &mut Findings,
) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for server in element.all(item) {
        let Some(address) = address(server, findings) else { continue };
        if addresses.contains(&address) {
            let fault = Fault::DuplicateName { what: "server", name: address.to_string() };
            findings.push(server.tag.clone(), fault);
        } else {
            addresses.push(address);
        }
    }
    let count = element.all(item).count();
    if !(1..=most).contains(&count) {
        let fault = Fault::ServerCount { within, element: item, count, most };
        findings.push(element.tag.clone(), fault);
    }
    addresses
}

fn address(server: &Element<'_>, findings: &mut Findings) -> Option<SocketAddr> {
    let element = server.child("Address")?;
    let Ok(ip) = element.trimmed().parse::<IpAddr>() else {
        let value = element.trimmed().chars().take(80).collect();
        findings.push(element.text_place(), Fault::Address { value });
        return None;
    };
    let port = if server.has("Port") { number(server, &["Port"]) } else { DNS_PORT };
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

    const ANCHOR: &str = "com. IN DS 19718 13 2 \
                          8acbb0cd28f41250a80a491389424d341522d946b0da0c0291f2d3d771d7805a";

    #[test]
    fn trust_anchors_are_read_and_faults_have_a_place() {
        let with = |more: &str| {
            format!("<Agents><Agent><Address>192.0.2.1</Address></Agent>\n{more}</Agents>")
        };
        let read_with = |more: &str| read(&with(more));
        let both = format!(
            "<TrustAnchor>{ANCHOR}</TrustAnchor><TrustAnchor>. DS {}</TrustAnchor>\
             <TrustAnchorFile>/var/lib/unbound/root.key</TrustAnchorFile>",
            ANCHOR.split_once("DS ").unwrap().1
        );
        let agents = read_with(&both).unwrap();
        assert!(agents.validates());
        assert_eq!(agents.anchors[0].to_string(), ANCHOR);
        assert_eq!(agents.anchors[1].zone, dnssec::Name::root());
        assert_eq!(agents.anchor_file.as_deref(), Some("/var/lib/unbound/root.key"));
        assert!(!read_with("").unwrap().validates());
        let anchor = |text: &str| format!("<TrustAnchor>{text}</TrustAnchor>");
        check_refused(&with(&anchor("com. DS 1 2 3")), "<TrustAnchor>");
        check_refused(&with(&anchor("com. A 192.0.2.1")), "'A' where DS or DNSKEY is expected");
        check_refused(&with(&anchor("")), "expected a DS or DNSKEY record");
        let twice = anchor(ANCHOR).repeat(2);
        check_refused(&with(&twice), "trust anchor");
        let relative = "<TrustAnchorFile>root.key</TrustAnchorFile>";
        check_refused(&with(relative), "<TrustAnchorFile> is not absolute");
        let faults = read_with(&anchor("com. A 192.0.2.1")).unwrap_err();
        let place = faults.split_once("kasp.xml:").unwrap().1;
        let line: usize = place.split(':').next().unwrap().parse().unwrap();
        assert!(line > 1, "{faults}");
    }

    #[test]
    fn notify_is_read_and_needs_something_to_tell_of() {
        let with = |more: &str| {
            let text = write_kasp([&Policy::anchorite_default("token")]);
            let text = text.replace("</Parent>", &format!("{more}</Parent>"));
            let read = read_kasp("kasp.xml", text.as_bytes());
            read.map(|read| read.value[0].parent.notify.clone()).map_err(|it| it.to_string())
        };
        let resolver = "<Resolver><Address>::1</Address><Port>5300</Port></Resolver>";
        let resolvers = vec!["[::1]:5300".parse().unwrap()];
        let plain = with(&format!("<CDS/><Notify>{resolver}</Notify>")).unwrap();
        assert_eq!(plain, Some(NotifyPolicy { resolvers: resolvers.clone(), delay: None }));
        let late = with(&format!("<CDS/><Notify>{resolver}<Delay>PT5M</Delay></Notify>")).unwrap();
        assert_eq!(late, Some(NotifyPolicy { resolvers, delay: Some(Seconds(300)) }));
        assert_eq!(with("<CDS/>"), Ok(None));
        let check = |more: &str, words: &str| {
            let faults = with(more).unwrap_err();
            assert!(faults.contains(words), "{faults}");
        };
        check(&format!("<Notify>{resolver}</Notify>"), "<Notify> goes only with <CDS/>");
        check("<CDS/><Notify/>", "<Notify> has 0 <Resolver>; it needs 1 to 8");
        check(&format!("<CDS/><Notify>{}</Notify>", resolver.repeat(2)), "[::1]:5300");
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
            anchors: Vec::new(),
            anchor_file: None,
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
        policy.parent.agents = Some(ParentalAgents {
            addresses: addresses.clone(),
            interval: Seconds(90),
            anchors: vec![TrustAnchor::parse(ANCHOR).unwrap()],
            anchor_file: Some("/etc/anchors & more".to_owned()),
        });
        policy.parent.publishes_cds = true;
        let resolvers = addresses;
        policy.parent.notify = Some(NotifyPolicy { resolvers, delay: Some(Seconds(7)) });
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
