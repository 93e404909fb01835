//! `<TSIG>` of addns.xml and zonefetch.xml as keys (RFC 8945).
//! In: elements of the right form. Out: [`TsigKey`]s, found by their names.
//! Never: a secret in a message; it is masked where its line is shown.

use std::sync::Arc;

use data_encoding::BASE64;
use dnssec::Name;
use dnssec::transfer::tsig::{TsigAlgorithm, TsigKey};
use zeroize::Zeroizing;

use crate::diagnostics::Findings;
use crate::fault::Fault;
use crate::tree::Element;
use crate::zonelist::zone_name;

/// A shorter secret is noticed: it can be guessed (128 bits).
const SECRET_OCTETS_GOOD: usize = 16;

/// The keys of one file; every name once.
#[derive(Default)]
pub(crate) struct Keys(Vec<Arc<TsigKey>>);

impl Keys {
    /// Those of the `<TSIG>`s in `parent`.
    pub(crate) fn read(parent: &Element<'_>, findings: &mut Findings) -> Keys {
        let mut keys = Keys::default();
        for element in parent.all("TSIG") {
            let Some(key) = key(element, findings) else { continue };
            if keys.find(key.name()).is_some() {
                let fault = Fault::DuplicateName { what: "<TSIG>", name: text_of(key.name()) };
                findings.push(element.tag.clone(), fault);
            }
            keys.0.push(Arc::new(key));
        }
        keys
    }

    /// The first, where a file has one for everything.
    pub(crate) fn first(&self) -> Option<&Arc<TsigKey>> {
        self.0.first()
    }

    /// The key that the `<Key>` of `element` names.
    pub(crate) fn named_in(
        &self,
        element: &Element<'_>,
        findings: &mut Findings,
    ) -> Option<Arc<TsigKey>> {
        let reference = element.child("Key")?;
        let name = domain_name(reference, findings)?;
        let found = self.find(&name).cloned();
        if found.is_none() {
            let known: Vec<String> = self.0.iter().map(|key| text_of(key.name())).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let fault = Fault::UnknownTsigKey { name: text_of(&name), known };
            findings.push(reference.text_place(), fault);
        }
        found
    }

    fn find(&self, name: &Name) -> Option<&Arc<TsigKey>> {
        self.0.iter().find(|key| key.name() == name)
    }
}

fn key(element: &Element<'_>, findings: &mut Findings) -> Option<TsigKey> {
    let name = element.child("Name").and_then(|name| domain_name(name, findings));
    let algorithm = element.child("Algorithm").and_then(|given| algorithm(given, findings));
    let secret = element.child("Secret").and_then(|given| secret(given, findings));
    Some(TsigKey::new(name?, algorithm?, secret?))
}

fn algorithm(element: &Element<'_>, findings: &mut Findings) -> Option<TsigAlgorithm> {
    let found = TsigAlgorithm::from_mnemonic(element.trimmed());
    match found {
        Some(algorithm) if algorithm.is_deprecated() => {
            findings.push(element.text_place(), Fault::WeakTsig { algorithm });
        }
        Some(_) => {}
        None => {
            let found = element.trimmed().chars().take(80).collect();
            findings.push(element.text_place(), Fault::TsigAlgorithm { found });
        }
    }
    found
}

fn secret(element: &Element<'_>, findings: &mut Findings) -> Option<Zeroizing<Vec<u8>>> {
    // White space may stand anywhere in the base64Binary of XML Schema.
    let digits = element.text.bytes().filter(|octet| !octet.is_ascii_whitespace());
    let digits: Zeroizing<Vec<u8>> = Zeroizing::new(digits.collect());
    if digits.is_empty() {
        let fault = Fault::EmptyValue { element: element.name.to_owned() };
        findings.push(element.tag.clone(), fault);
        return None;
    }
    match BASE64.decode(&digits) {
        Ok(octets) => {
            if octets.len() < SECRET_OCTETS_GOOD {
                let fault = Fault::ShortSecret { octets: octets.len(), good: SECRET_OCTETS_GOOD };
                findings.push(element.text_place(), fault);
            }
            Some(Zeroizing::new(octets))
        }
        Err(cause) => {
            findings.push(element.text_place(), Fault::Base64 { element: "Secret", cause });
            None
        }
    }
}

/// The text of an element as a name; the final dot may be missing.
fn domain_name(element: &Element<'_>, findings: &mut Findings) -> Option<Name> {
    match zone_name(element.trimmed()) {
        Ok(name) => Some(name),
        Err(cause) => {
            let name = element.trimmed().chars().take(80).collect();
            findings.push(element.text_place(), Fault::KeyName { name, cause });
            None
        }
    }
}

/// A name as the files write it: without the final dot.
fn text_of(name: &Name) -> String {
    let text = name.to_string();
    text.strip_suffix('.').filter(|rest| !rest.is_empty()).map(str::to_owned).unwrap_or(text)
}
