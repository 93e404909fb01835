//! OpenDNSSEC's schemas as tables, and a tree checked against one.
//! In: a tree and the rule of its top element. Out: every fault of form, with what is allowed.
//! The tables hold every element of any version from 1.1 to 2.1; what 2.1 no longer knows gives
//! a notice. Order is free where OpenDNSSEC 2.x leaves it free (conf.xml).
//! Never: typed values; the tables only say what a text must look like.

use crate::diagnostics::Findings;
use crate::duration::{DurationError, parse_duration};
use crate::fault::Fault;
use crate::tree::Element;

pub(crate) mod addns;
pub(crate) mod conf;
pub(crate) mod kasp;
pub(crate) mod zonelist;

/// What may be said about one element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) occurs: Occurs,
    pub(crate) content: Content,
    pub(crate) attributes: &'static [AttributeRule],
    /// A note on the versions that have it, when 2.1 has not.
    pub(crate) old: Option<&'static str>,
}

/// How often an element stands in its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occurs {
    One,
    Optional,
    Any,
    /// Exactly one of the elements with this number.
    Choice(u8),
}

/// What stands in an element.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// Nothing: being there is what it says.
    Flag,
    Text,
    Duration,
    Number {
        min: u64,
        max: u64,
    },
    /// A number, or this word.
    NumberOr {
        min: u64,
        max: u64,
        word: &'static str,
    },
    Word(&'static [&'static str]),
    /// Elements in any order.
    Free(&'static [Rule]),
    /// Elements in the order of the rules.
    Ordered(&'static [Rule]),
}

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeRule {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) content: Content,
    pub(crate) old: Option<&'static str>,
}

/// A mandatory attribute of free text.
pub(crate) const fn text_attribute(name: &'static str) -> AttributeRule {
    AttributeRule { name, required: true, content: Content::Text, old: None }
}

impl Rule {
    const fn new(name: &'static str, occurs: Occurs, content: Content) -> Rule {
        Rule { name, occurs, content, attributes: &[], old: None }
    }
    pub(crate) const fn one(name: &'static str, content: Content) -> Rule {
        Rule::new(name, Occurs::One, content)
    }
    pub(crate) const fn optional(name: &'static str, content: Content) -> Rule {
        Rule::new(name, Occurs::Optional, content)
    }
    pub(crate) const fn any(name: &'static str, content: Content) -> Rule {
        Rule::new(name, Occurs::Any, content)
    }
    pub(crate) const fn choice(group: u8, name: &'static str, content: Content) -> Rule {
        Rule::new(name, Occurs::Choice(group), content)
    }
    pub(crate) const fn with(mut self, attributes: &'static [AttributeRule]) -> Rule {
        self.attributes = attributes;
        self
    }
    pub(crate) const fn old(mut self, note: &'static str) -> Rule {
        self.old = Some(note);
        self
    }
}

/// Checks `element` and everything in it against `rule`.
pub(crate) fn validate(element: &Element<'_>, rule: &Rule, findings: &mut Findings) {
    check_attributes(element, rule, findings);
    match rule.content {
        Content::Free(rules) => check_children(element, rules, false, findings),
        Content::Ordered(rules) => check_children(element, rules, true, findings),
        simple => {
            for child in &element.children {
                unknown_element(child, element, &[], findings);
            }
            if matches!(simple, Content::Duration) && element.text.contains('W') {
                let text = shorten(element.trimmed());
                findings.push(element.text_place(), Fault::Weeks { text });
            }
            if element.children.is_empty()
                && let Some(expected) = mismatch(simple, &element.text)
            {
                let place = format!("<{}>", element.name);
                let value = shorten(element.trimmed());
                findings.push(element.text_place(), Fault::BadValue { place, value, expected });
            }
        }
    }
}

fn check_children(
    element: &Element<'_>,
    rules: &'static [Rule],
    ordered: bool,
    findings: &mut Findings,
) {
    if !element.text.trim_ascii().is_empty() {
        let name = element.name.to_owned();
        findings.push(element.content.clone(), Fault::UnexpectedText { element: name });
    }
    let mut counts = vec![0_usize; rules.len()];
    let mut last = 0;
    for child in &element.children {
        let Some(index) = rules.iter().position(|rule| rule.name == child.name) else {
            unknown_element(child, element, rules, findings);
            continue;
        };
        counts[index] += 1;
        note_child(child, element, rules, index, counts[index], findings);
        if ordered && index < last {
            let fault = Fault::OutOfOrder {
                element: child.name.to_owned(),
                parent: element.name.to_owned(),
                before: rules[last].name.to_owned(),
            };
            findings.push(child.tag.clone(), fault);
        }
        last = last.max(index);
        validate(child, &rules[index], findings);
    }
    check_counts(element, rules, &counts, findings);
}

fn note_child(
    child: &Element<'_>,
    parent: &Element<'_>,
    rules: &[Rule],
    index: usize,
    count: usize,
    findings: &mut Findings,
) {
    let rule = &rules[index];
    let (element, parent) = (child.name.to_owned(), parent.name.to_owned());
    if count == 2 && rule.occurs != Occurs::Any {
        findings.push(child.tag.clone(), Fault::Repeated { element, parent });
    } else if let Some(note) = rule.old {
        findings.push(child.tag.clone(), Fault::OldElement { element, parent, note });
    }
}

fn check_counts(element: &Element<'_>, rules: &[Rule], counts: &[usize], findings: &mut Findings) {
    let parent = || element.name.to_owned();
    for (index, rule) in rules.iter().enumerate() {
        match rule.occurs {
            Occurs::One if counts[index] == 0 => {
                let fault =
                    Fault::MissingElement { element: rule.name.to_owned(), parent: parent() };
                findings.push(element.tag.clone(), fault);
            }
            Occurs::Choice(group) => {
                let members = || {
                    rules
                        .iter()
                        .zip(counts)
                        .filter(|(rule, _)| rule.occurs == Occurs::Choice(group))
                };
                let is_first = members().next().is_some_and(|(first, _)| first.name == rule.name);
                let present = members().filter(|(_, count)| **count > 0).count();
                if !is_first || present == 1 {
                    continue;
                }
                let choices = names(members().map(|(rule, _)| rule.name));
                let fault = match present {
                    0 => Fault::MissingChoice { choices, parent: parent() },
                    _ => Fault::TooManyChoices { choices, parent: parent() },
                };
                findings.push(element.tag.clone(), fault);
            }
            _ => {}
        }
    }
}

fn check_attributes(element: &Element<'_>, rule: &Rule, findings: &mut Findings) {
    for attribute in &element.attributes {
        let (name, parent) = (attribute.name.to_owned(), element.name.to_owned());
        let Some(known) = rule.attributes.iter().find(|known| known.name == attribute.name) else {
            let allowed = match rule.attributes {
                [] => "no attributes".to_owned(),
                known => known.iter().map(|known| known.name).collect::<Vec<_>>().join(", "),
            };
            let fault = Fault::UnknownAttribute { attribute: name, element: parent, allowed };
            findings.push(element.tag.clone(), fault);
            continue;
        };
        if let Some(note) = known.old {
            let fault = Fault::OldAttribute { attribute: name, element: parent, note };
            findings.push(element.tag.clone(), fault);
        }
        if let Some(expected) = mismatch(known.content, &attribute.value) {
            let place = format!("<{} {}>", element.name, attribute.name);
            let value = shorten(&attribute.value);
            findings.push(element.tag.clone(), Fault::BadValue { place, value, expected });
        }
    }
    for known in rule.attributes.iter().filter(|known| known.required) {
        if element.attribute(known.name).is_none() {
            let fault = Fault::MissingAttribute {
                attribute: known.name.to_owned(),
                element: element.name.to_owned(),
            };
            findings.push(element.tag.clone(), fault);
        }
    }
}

fn unknown_element(
    child: &Element<'_>,
    parent: &Element<'_>,
    rules: &[Rule],
    findings: &mut Findings,
) {
    let allowed = match rules {
        [] => "no elements".to_owned(),
        rules => names(rules.iter().filter(|rule| rule.old.is_none()).map(|rule| rule.name)),
    };
    let fault = Fault::UnknownElement {
        element: shorten(child.name),
        parent: parent.name.to_owned(),
        allowed,
    };
    findings.push(child.tag.clone(), fault);
}

/// What was expected, when `text` is not it.
fn mismatch(content: Content, text: &str) -> Option<String> {
    let trimmed = text.trim_ascii();
    match content {
        Content::Flag => (!trimmed.is_empty()).then(|| "nothing: it is a flag".to_owned()),
        // Impossible lengths of the right form are faults of the value, not of the form.
        Content::Duration => (parse_duration(trimmed) == Err(DurationError::Malformed))
            .then(|| DurationError::Malformed.to_string().replacen("not a", "a", 1)),
        Content::Number { min, max } => match trimmed.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => None,
            _ if max == u64::MAX => Some(format!("a number from {min}")),
            _ => Some(format!("a number from {min} to {max}")),
        },
        Content::NumberOr { min, max, word } => match trimmed.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => None,
            Err(_) if trimmed == word => None,
            _ => Some(format!("a number from {min} to {max}, or {word}")),
        },
        Content::Word(words) if words.contains(&trimmed) => None,
        Content::Word(words) => Some(format!("one of {}", words.join(", "))),
        Content::Text | Content::Free(_) | Content::Ordered(_) => None,
    }
}

fn names<'n>(list: impl Iterator<Item = &'n str>) -> String {
    list.map(|name| format!("<{name}>")).collect::<Vec<_>>().join(", ")
}

/// A value from outside, short enough for a message.
fn shorten(value: &str) -> String {
    value.chars().take(80).map(|char| if char.is_control() { ' ' } else { char }).collect()
}
