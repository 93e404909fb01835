//! `<InputLimits>` in kasp.xml's `<Policy>`, ours: what an input may change by before an operator
//! is asked (the input breaker).
//! In: an element of the right form. Out: [`InputLimits`]; what is not said has its default.
//! Never: judges inputs.

use dnssec::Seconds;
use dnssec::breaker::{END_MARKER_LENGTH_MAX, InputLimits};

use crate::diagnostics::Findings;
use crate::fault::Fault;
use crate::kasp::optional_duration;
use crate::schema::{Content, Rule};
use crate::tree::Element;

/// What switches a limit off.
pub(crate) const NONE: &str = "none";

const PERCENT: Content = Content::NumberOr { min: 0, max: 1_000_000, word: NONE };
const COUNT: Content = Content::NumberOr { min: 0, max: u32::MAX as u64, word: NONE };
const NUMBER: Content = Content::Number { min: 0, max: u32::MAX as u64 };
const HOLD: Content = Content::Word(&["hold", NONE]);

/// The form of `<InputLimits>`.
pub(crate) const INPUT_LIMITS: Rule = Rule::optional(
    "InputLimits",
    Content::Ordered(&[
        Rule::optional("Shrink", PERCENT),
        Rule::optional("Growth", PERCENT),
        Rule::optional("TypeShrink", PERCENT),
        Rule::optional("TypeGrowth", PERCENT),
        Rule::optional("SmallChange", NUMBER),
        Rule::optional("SmallGrowth", NUMBER),
        Rule::optional("DelegationsLost", PERCENT),
        Rule::optional("SmallLoss", NUMBER),
        Rule::optional("ApexServers", HOLD),
        Rule::optional("DoubledOrigin", COUNT),
        Rule::optional("MissingGlue", COUNT),
        // A duration, or none.
        Rule::optional("MaxTTL", Content::Text),
        Rule::optional("SerialBackwards", HOLD),
        Rule::optional("FinalNewline", HOLD),
        Rule::optional("EndMarker", Content::Text),
        Rule::optional("ZoneDigest", HOLD),
    ]),
);

/// Reads `<InputLimits>` of a policy.
pub(crate) fn read_input_limits(policy: &Element<'_>, findings: &mut Findings) -> InputLimits {
    let Some(element) = policy.child("InputLimits") else { return InputLimits::default() };
    let usual = InputLimits::default();
    let text = |name: &str| element.child(name).map(Element::trimmed);
    // The table has checked form and range.
    let limit = |name: &str, usual: Option<u64>| match text(name) {
        None => usual,
        Some(given) => given.parse::<u64>().ok(),
    };
    let percent = |name: &str, usual: Option<u32>| {
        limit(name, usual.map(u64::from)).and_then(|number| u32::try_from(number).ok())
    };
    let number = |name: &str, usual: u64| limit(name, Some(usual)).unwrap_or(usual);
    let holds = |name: &str, usual: bool| text(name).map_or(usual, |word| word != NONE);
    InputLimits {
        shrink_percent: percent("Shrink", usual.shrink_percent),
        growth_percent: percent("Growth", usual.growth_percent),
        type_shrink_percent: percent("TypeShrink", usual.type_shrink_percent),
        type_growth_percent: percent("TypeGrowth", usual.type_growth_percent),
        small_change: number("SmallChange", usual.small_change),
        small_growth: number("SmallGrowth", usual.small_growth),
        delegations_percent: percent("DelegationsLost", usual.delegations_percent),
        small_loss: number("SmallLoss", usual.small_loss),
        keeps_apex_server: holds("ApexServers", usual.keeps_apex_server),
        doubled_origin: limit("DoubledOrigin", usual.doubled_origin),
        missing_glue: limit("MissingGlue", usual.missing_glue),
        ttl_max: ttl_max(element, usual.ttl_max, findings),
        holds_old_serial: holds("SerialBackwards", usual.holds_old_serial),
        needs_newline: holds("FinalNewline", usual.needs_newline),
        end_marker: end_marker(element, findings),
        verifies_digest: holds("ZoneDigest", usual.verifies_digest),
    }
}

fn ttl_max(
    element: &Element<'_>,
    usual: Option<Seconds>,
    findings: &mut Findings,
) -> Option<Seconds> {
    match element.child("MaxTTL") {
        None => usual,
        Some(given) if given.trimmed() == NONE => None,
        Some(_) => optional_duration(element, &["MaxTTL"], findings),
    }
}

/// A comment of one line: a record there would be part of the zone.
fn end_marker(element: &Element<'_>, findings: &mut Findings) -> Option<String> {
    let given = element.child("EndMarker").filter(|given| given.trimmed() != NONE)?;
    let marker = given.trimmed();
    let is_comment = marker.starts_with(';') && !marker.contains(char::is_control);
    if !is_comment || marker.len() > END_MARKER_LENGTH_MAX {
        findings.push(given.text_place(), Fault::EndMarker { limit: END_MARKER_LENGTH_MAX });
    }
    Some(marker.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read_kasp, write_kasp};
    use dnssec::policy::Policy;

    /// A kasp.xml with these limits.
    fn file(limits: &str) -> String {
        let text = write_kasp([&Policy::anchorite_default("token")]);
        text.replace("</Parent>", &format!("</Parent><InputLimits>{limits}</InputLimits>"))
    }

    fn read(limits: &str) -> Result<InputLimits, String> {
        let read = read_kasp("kasp.xml", file(limits).as_bytes());
        read.map(|read| read.value[0].input.clone()).map_err(|faults| faults.to_string())
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let plain = write_kasp([&Policy::anchorite_default("token")]);
        let plain = read_kasp("kasp.xml", plain.as_bytes()).unwrap().value;
        assert_eq!(plain[0].input, InputLimits::default());
        assert_eq!(read("").unwrap(), InputLimits::default());
        let some = read("<Shrink>5</Shrink><MaxTTL>P1D</MaxTTL>").unwrap();
        let expect = InputLimits {
            shrink_percent: Some(5),
            ttl_max: Some(Seconds(86_400)),
            ..InputLimits::default()
        };
        assert_eq!(some, expect);
    }

    #[test]
    fn each_is_switched_off_by_none() {
        let off = "<Shrink>none</Shrink><Growth>none</Growth><TypeShrink>none</TypeShrink>\
                   <TypeGrowth>none</TypeGrowth><DelegationsLost>none</DelegationsLost>\
                   <ApexServers>none</ApexServers><DoubledOrigin>none</DoubledOrigin>\
                   <MissingGlue>none</MissingGlue><MaxTTL>none</MaxTTL>\
                   <SerialBackwards>none</SerialBackwards><FinalNewline>none</FinalNewline>\
                   <EndMarker>none</EndMarker><ZoneDigest>none</ZoneDigest>";
        let expect = InputLimits {
            shrink_percent: None,
            growth_percent: None,
            type_shrink_percent: None,
            type_growth_percent: None,
            delegations_percent: None,
            keeps_apex_server: false,
            doubled_origin: None,
            missing_glue: None,
            ttl_max: None,
            holds_old_serial: false,
            needs_newline: false,
            end_marker: None,
            verifies_digest: false,
            ..InputLimits::default()
        };
        assert_eq!(read(off).unwrap(), expect);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut policy = Policy::anchorite_default("token");
        policy.input = InputLimits {
            shrink_percent: Some(3),
            growth_percent: None,
            small_change: 7,
            small_growth: 8,
            small_loss: 0,
            keeps_apex_server: false,
            doubled_origin: Some(0),
            missing_glue: None,
            ttl_max: None,
            holds_old_serial: false,
            end_marker: Some("; <end> & done".to_owned()),
            ..InputLimits::default()
        };
        let text = write_kasp([&policy]);
        assert_eq!(read_kasp("kasp.xml", text.as_bytes()).unwrap().value, [policy], "{text}");
    }

    #[test]
    fn faults_are_told() {
        for (limits, expect) in [
            ("<Shrink>many</Shrink>", "a number from 0 to 1000000, or none"),
            ("<SmallChange>none</SmallChange>", "a number from 0"),
            ("<SerialBackwards>pass</SerialBackwards>", "one of hold, none"),
            ("<MaxTTL>a week</MaxTTL>", "MaxTTL"),
            ("<EndMarker>www A 192.0.2.1</EndMarker>", "has to be a comment"),
        ] {
            let error = read(limits).unwrap_err();
            assert!(error.contains(expect), "{limits}: {error}");
        }
    }
}
