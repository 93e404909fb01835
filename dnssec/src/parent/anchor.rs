//! Trust anchors of parent zones: one record in kasp.xml, or a file as validators have it.
//! Forms: records of a zone file (unbound's `trust-anchor-file`, and `auto-trust-anchor-file` with
//! its RFC 5011 states, of which VALID and MISSING count), or BIND's statements `trust-anchors`,
//! `managed-keys` and `trusted-keys`.
//! In: text. Out: [`TrustAnchor`]s, or the line that is wrong.
//! Never: files; SHA-1 digests and algorithms that nobody should believe (RFC 9905).
//! Limits: [`ANCHORS_MAX`] anchors, [`ANCHOR_TEXT_MAX`] octets.

use super::rrsig::is_believed;
use crate::key::REVOKE;
use crate::rdata::{self, Field, RdataError};
use crate::{Algorithm, Name, RrType};
use std::fmt;

/// Most anchors of a policy, in kasp.xml or in a file.
pub const ANCHORS_MAX: usize = 64;
/// Longest file of anchors, in octets.
pub const ANCHOR_TEXT_MAX: usize = 256 << 10;

/// A key of a parent zone that is known before any answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    /// The zone whose key it is.
    pub zone: Name,
    /// [`RrType::DS`] or [`RrType::DNSKEY`].
    pub rtype: RrType,
    /// RDATA of that record.
    pub rdata: Vec<u8>,
}

/// A line that is no anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct AnchorError {
    /// Which, from 1.
    pub line: usize,
    /// Why.
    pub problem: AnchorProblem,
}

/// Why something is no anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorProblem {
    /// No record at all.
    #[error("expected a DS or DNSKEY record, as in \"example. IN DS 12345 13 2 ...\"")]
    NoRecord,
    /// The first word.
    #[error("'{0}' is not the name of a zone")]
    Name(String),
    /// Another type, class or kind.
    #[error("'{0}' where DS or DNSKEY is expected")]
    Kind(String),
    /// What follows.
    #[error("{0}")]
    Rdata(#[from] RdataError),
    /// An algorithm that proves nothing here.
    #[error("algorithm {0} is not one that answers are validated with")]
    Algorithm(u8),
    /// A digest that proves nothing.
    #[error("digest type {0} is not one that is believed; 2 (SHA-256) and 4 (SHA-384) are")]
    Digest(u8),
    /// A revoked key, or one of no zone.
    #[error("a key with flags {0} signs no zone")]
    Flags(u16),
    /// A statement without its end.
    #[error("the text ends within a statement or a record")]
    Unclosed,
    /// More than [`ANCHORS_MAX`].
    #[error("there are more than {ANCHORS_MAX} anchors")]
    TooMany,
    /// More than [`ANCHOR_TEXT_MAX`].
    #[error("the text has more than {ANCHOR_TEXT_MAX} octets")]
    TooLong,
}

impl TrustAnchor {
    /// Reads one record: `ZONE [TTL] [IN] DS|DNSKEY RDATA`.
    pub fn parse(text: &str) -> Result<TrustAnchor, AnchorProblem> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        record(&words)
    }
}

impl fmt::Display for TrustAnchor {
    /// As [`TrustAnchor::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        crate::name::print_wire_name(self.zone.as_wire(), &mut text);
        text.extend(b" IN ");
        rdata::print_type(self.rtype, &mut text);
        text.push(b' ');
        rdata::print(self.rtype, &self.rdata, &mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// Reads a file of anchors; one that holds none is in order and lets nothing validate.
pub fn read_anchors(text: &[u8]) -> Result<Vec<TrustAnchor>, AnchorError> {
    if text.len() > ANCHOR_TEXT_MAX {
        return Err(AnchorError { line: 1, problem: AnchorProblem::TooLong });
    }
    let text = String::from_utf8_lossy(text);
    let is_statement = |line: &str| {
        let word = line.trim_start().split([' ', '\t', '{']).next().unwrap_or_default();
        STATEMENTS.contains(&word)
    };
    let anchors = match text.lines().any(is_statement) {
        true => statements(&text)?,
        false => records(&text)?,
    };
    match anchors.len() > ANCHORS_MAX {
        true => Err(AnchorError { line: 1, problem: AnchorProblem::TooMany }),
        false => Ok(anchors),
    }
}

/// BIND's statements that hold anchors.
const STATEMENTS: [&str; 3] = ["trust-anchors", "managed-keys", "trusted-keys"];
/// States of RFC 5011 in which unbound trusts a key.
const TRUSTED_STATES: [&str; 2] = ["2", "3"];

/// The zone-file form. Parentheses join lines; every record names its owner.
fn records(text: &str) -> Result<Vec<TrustAnchor>, AnchorError> {
    let mut anchors = Vec::new();
    let (mut words, mut open, mut begin) = (Vec::new(), false, 1);
    for (line, text) in (1..).zip(text.lines()) {
        let (content, comment) = text.split_once(';').unwrap_or((text, ""));
        if !open {
            begin = line;
        }
        for part in content.split_inclusive(['(', ')']) {
            words.extend(part.trim_end_matches(['(', ')']).split_ascii_whitespace());
            open = match part.chars().last() {
                Some('(') => true,
                Some(')') => false,
                _ => open,
            };
        }
        if open || words.is_empty() {
            continue;
        }
        let state = comment.split_once(";;state=").map(|(_, rest)| rest);
        let state = state.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        let is_trusted =
            state.is_none_or(|state| state.is_some_and(|s| TRUSTED_STATES.contains(&s)));
        if is_trusted {
            anchors.push(record(&words).map_err(|problem| AnchorError { line: begin, problem })?);
        }
        words.clear();
    }
    match open {
        true => Err(AnchorError { line: begin, problem: AnchorProblem::Unclosed }),
        false => Ok(anchors),
    }
}

/// BIND's form: `NAME [KIND] N N N "DATA";` within the braces of a statement.
fn statements(text: &str) -> Result<Vec<TrustAnchor>, AnchorError> {
    let mut anchors = Vec::new();
    // Within which statement, and the words since the last `;`.
    let (mut statement, mut words, mut begin): (Option<String>, Vec<(String, usize)>, _) =
        (None, Vec::new(), 1);
    for (word, line) in tokens(text)? {
        match (word.as_str(), statement.is_some()) {
            ("{", false) => statement = words.pop().map(|(word, _)| word),
            ("}", true) => statement = None,
            (";", _) => {
                if let (Some(statement), false) = (&statement, words.is_empty()) {
                    let words: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
                    let wrong = |problem| AnchorError { line: begin, problem };
                    if STATEMENTS.contains(&statement.as_str()) {
                        anchors.push(entry(statement, &words).map_err(wrong)?);
                    }
                }
                words.clear();
            }
            _ => {
                if words.is_empty() {
                    begin = line;
                }
                words.push((word, line));
            }
        }
    }
    match statement.is_some() {
        true => Err(AnchorError { line: begin, problem: AnchorProblem::Unclosed }),
        false => Ok(anchors),
    }
}

/// Words, quoted texts (without white space) and the signs `{ } ;`, each with its line; comments
/// of BIND's three kinds are left out.
fn tokens(text: &str) -> Result<Vec<(String, usize)>, AnchorError> {
    let mut tokens = Vec::new();
    let (mut line, mut at) = (1, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let unclosed = || AnchorError { line, problem: AnchorProblem::Unclosed };
        let plain_end = || rest.find(|c: char| c.is_whitespace() || "{};\"".contains(c));
        let taken = match rest.as_bytes() {
            [b'#', ..] | [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => rest.find("*/").ok_or_else(unclosed)? + 2,
            [b'"', ..] => {
                let end = rest[1..].find('"').ok_or_else(unclosed)? + 2;
                let quoted: String = rest[1..end - 1].split_whitespace().collect();
                tokens.push((quoted, line));
                end
            }
            [b'{' | b'}' | b';', ..] => {
                tokens.push((rest[..1].to_owned(), line));
                1
            }
            _ if rest.starts_with(char::is_whitespace) => {
                rest.chars().next().map_or(1, char::len_utf8)
            }
            _ => {
                let end = plain_end().unwrap_or(rest.len());
                tokens.push((rest[..end].to_owned(), line));
                end
            }
        };
        line += rest[..taken].matches('\n').count();
        at += taken;
    }
    Ok(tokens)
}

/// One anchor of a statement, as the record that it stands for.
fn entry(statement: &str, words: &[&str]) -> Result<TrustAnchor, AnchorProblem> {
    let [zone, rest @ ..] = words else { return Err(AnchorProblem::NoRecord) };
    let (kind, data) = match (statement, rest) {
        ("trusted-keys", data) => ("DNSKEY", data),
        (_, ["static-key" | "initial-key", data @ ..]) => ("DNSKEY", data),
        (_, ["static-ds" | "initial-ds", data @ ..]) => ("DS", data),
        (_, [other, ..]) => return Err(AnchorProblem::Kind((*other).to_owned())),
        (_, []) => return Err(AnchorProblem::NoRecord),
    };
    record(&[&[*zone, kind], data].concat())
}

fn record(words: &[&str]) -> Result<TrustAnchor, AnchorProblem> {
    let [zone, rest @ ..] = words else { return Err(AnchorProblem::NoRecord) };
    let name = Name::parse(zone.as_bytes(), Some(&Name::root()));
    let zone = name.map_err(|_| AnchorProblem::Name((*zone).to_owned()))?.to_lowercase();
    let is_ttl_or_class =
        |word: &&&str| word.parse::<u32>().is_ok() || word.eq_ignore_ascii_case("IN");
    let skipped = rest.iter().take(2).take_while(is_ttl_or_class).count();
    let [kind, data @ ..] = &rest[skipped..] else { return Err(AnchorProblem::NoRecord) };
    let rtype = match kind.to_ascii_uppercase().as_str() {
        "DS" => RrType::DS,
        "DNSKEY" => RrType::DNSKEY,
        _ => return Err(AnchorProblem::Kind((*kind).to_owned())),
    };
    let fields: Vec<Field<'_>> = data.iter().map(|word| Field::plain(word.as_bytes())).collect();
    let mut rdata = Vec::new();
    rdata::parse(rtype, &fields, None, &mut rdata)?;
    check(rtype, &rdata)?;
    Ok(TrustAnchor { zone, rtype, rdata })
}

/// Refuses what could never validate anything, or should not.
fn check(rtype: RrType, rdata: &[u8]) -> Result<(), AnchorProblem> {
    let [high, low, third, fourth, ..] = rdata else { return Err(AnchorProblem::NoRecord) };
    let algorithm = if rtype == RrType::DS { *third } else { *fourth };
    if !Algorithm::from_number(algorithm).is_some_and(is_believed) {
        return Err(AnchorProblem::Algorithm(algorithm));
    }
    let flags = u16::from_be_bytes([*high, *low]);
    match (rtype, *fourth) {
        (RrType::DS, 2 | 4) => Ok(()),
        (RrType::DS, digest) => Err(AnchorProblem::Digest(digest)),
        _ if flags & super::rrsig::ZONE_KEY == 0 || flags & REVOKE != 0 => {
            Err(AnchorProblem::Flags(flags))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
