//! The corpus of planted defects: good zones, each with one thing wrong, and the finding that says
//! so. Signatures are good wherever they are not the defect. A defect that does not depend on the
//! kind of denial is planted in a zone of each kind.

mod chain;
mod data;
mod denial;
mod keys;
mod outages;
mod signatures;
mod structure;
mod whole_zone;

use std::collections::BTreeSet;

use crate::common::*;
use audit::{Denial, Expectations, PublishedKeys, PublishedVersion, Report, SignedBy};

pub(crate) type Records = Vec<Rr>;

/// A good zone and what is done to it, stage by stage.
#[derive(Clone)]
pub(crate) struct Case {
    /// What is wrong, for the manual.
    pub(crate) what: &'static str,
    /// The findings that say so; the first is the one that this case is for.
    pub(crate) codes: &'static [u16],
    pub(crate) denial: Denial,
    /// Whether it is planted in zones of every kind of denial.
    pub(crate) is_for_all: bool,
    /// The source, before the signer sees it.
    pub(crate) source: fn(&mut Records),
    /// The source as the auditor sees it.
    pub(crate) audited: fn(&mut Records),
    pub(crate) left_out: &'static [&'static str],
    pub(crate) put_in: &'static [(&'static str, &'static [u16])],
    pub(crate) before_signing: fn(&mut Records),
    pub(crate) signed: fn(&mut Records),
    pub(crate) expect: fn(&mut Expectations),
    pub(crate) bytes: fn(&mut Vec<u8>),
    pub(crate) source_bytes: fn(&mut Vec<u8>),
}

pub(crate) fn case(what: &'static str, codes: &'static [u16], denial: Denial) -> Case {
    Case {
        what,
        codes,
        denial,
        is_for_all: false,
        source: |_| {},
        audited: |_| {},
        left_out: &[],
        put_in: &[],
        before_signing: |_| {},
        signed: |_| {},
        expect: |_| {},
        bytes: |_| {},
        source_bytes: |_| {},
    }
}

fn nsec(what: &'static str, codes: &'static [u16]) -> Case {
    case(what, codes, Denial::Nsec)
}

/// Planted in zones of every kind of denial.
pub(crate) fn any(what: &'static str, codes: &'static [u16]) -> Case {
    Case { is_for_all: true, ..nsec(what, codes) }
}

fn with_source(what: &'static str, codes: &'static [u16], source: fn(&mut Records)) -> Case {
    Case { source, ..any(what, codes) }
}

fn with_chain(what: &'static str, codes: &'static [u16], change: fn(&mut Records)) -> Case {
    Case { before_signing: change, ..nsec(what, codes) }
}

fn with_nsec3(what: &'static str, codes: &'static [u16], change: fn(&mut Records)) -> Case {
    Case { before_signing: change, ..case(what, codes, nsec3(false)) }
}

fn with_opt_out(what: &'static str, codes: &'static [u16], change: fn(&mut Records)) -> Case {
    Case { before_signing: change, ..case(what, codes, nsec3(true)) }
}

pub(crate) fn with_signed(
    what: &'static str,
    codes: &'static [u16],
    signed: fn(&mut Records),
) -> Case {
    Case { signed, ..any(what, codes) }
}

pub(crate) fn with_audited(
    what: &'static str,
    codes: &'static [u16],
    audited: fn(&mut Records),
) -> Case {
    Case { audited, ..any(what, codes) }
}

pub(crate) fn with_expectations(
    what: &'static str,
    codes: &'static [u16],
    expect: fn(&mut Expectations),
) -> Case {
    Case { expect, ..any(what, codes) }
}

/// Further DNSKEYs, which the key list does not mention. The bitmap at the apex is the same.
fn with_key(what: &'static str, codes: &'static [u16], change: fn(&mut Records)) -> Case {
    Case { before_signing: change, expect: |e| e.dnskeys = None, ..any(what, codes) }
}

impl Case {
    /// The case, or its copies for every kind of denial.
    fn planted(self) -> Vec<Case> {
        let kinds = [Denial::Nsec, nsec3(false), nsec3(true)];
        match self.is_for_all {
            true => kinds.map(|denial| Case { denial, ..self.clone() }).into(),
            false => vec![self],
        }
    }

    /// The signed zone and its source. Without `has_hidden` there is nothing below the DNAME, which
    /// some judges refuse.
    pub(crate) fn records(&self, has_hidden: bool) -> (Records, Records) {
        let mut source = source();
        source.retain(|r| has_hidden || r.owner != name("hidden.tree.example"));
        (self.source)(&mut source);
        let hooks = Hooks {
            left_out: self.left_out,
            put_in: self.put_in,
            before_signing: &self.before_signing,
        };
        let mut candidate = sign(&source, &self.denial, &hooks);
        (self.signed)(&mut candidate);
        (self.audited)(&mut source);
        (candidate, source)
    }

    pub(crate) fn expectations(&self) -> Expectations {
        let mut expectations = expectations(&self.denial);
        (self.expect)(&mut expectations);
        expectations
    }

    /// Whether the defect is in octets that no zone file can have.
    pub(crate) fn is_of_octets(&self) -> bool {
        let (mut candidate, mut source) = (Vec::new(), Vec::new());
        (self.bytes)(&mut candidate);
        (self.source_bytes)(&mut source);
        !(candidate.is_empty() && source.is_empty())
    }

    pub(crate) fn run(&self) -> Report {
        self.run_with(&self.expectations())
    }

    /// With other expectations than its own.
    pub(crate) fn run_with(&self, expectations: &Expectations) -> Report {
        let (candidate, source) = self.records(true);
        let (mut candidate, mut source) = (block(&candidate), block(&source));
        (self.bytes)(&mut candidate);
        (self.source_bytes)(&mut source);
        audit_bytes(&candidate, &source, expectations)
    }
}

/// Each defect once.
pub(crate) fn distinct_cases() -> Vec<Case> {
    let groups = [
        structure::cases(),
        keys::cases(),
        signatures::cases(),
        denial::cases(),
        data::cases(),
        chain::cases(),
        whole_zone::cases(),
        outages::cases(),
    ];
    groups.into_iter().flatten().collect()
}

/// Each defect in every zone that it is planted in.
pub(crate) fn all_cases() -> Vec<Case> {
    distinct_cases().into_iter().flat_map(Case::planted).collect()
}

/// Numbers of what was found.
pub(crate) fn codes(report: &Report) -> BTreeSet<u16> {
    report.findings.iter().map(|finding| finding.id.code()).collect()
}

pub(crate) fn find<'z>(zone: &'z mut Records, owner: &str, rtype: u16) -> &'z mut Rr {
    let is_it = |r: &&mut Rr| r.owner.eq_ignore_ascii_case(&name(owner)) && r.rtype == rtype;
    zone.iter_mut().find(is_it).unwrap()
}

fn first(zone: &mut Records, rtype: u16) -> &mut Rr {
    zone.iter_mut().find(|record| record.rtype == rtype).unwrap()
}

fn is_signature_of(record: &Rr, owner: &str, covered: u16) -> bool {
    record.rtype == RRSIG
        && record.owner.eq_ignore_ascii_case(&name(owner))
        && record.rdata[..2] == covered.to_be_bytes()
}

pub(crate) fn signature<'z>(zone: &'z mut Records, owner: &str, covered: u16) -> &'z mut Rr {
    zone.iter_mut().find(|record| is_signature_of(record, owner, covered)).unwrap()
}

pub(crate) fn rrset(zone: &Records, owner: &str, rtype: u16) -> Records {
    let is_it = |r: &&Rr| r.owner.eq_ignore_ascii_case(&name(owner)) && r.rtype == rtype;
    let mut found: Records = zone.iter().filter(is_it).cloned().collect();
    found.sort_by_key(canonical_key);
    found
}

/// Puts another signature in the place of the one over the A RRset of www.
fn sign_www_again(zone: &mut Records, key: &Key, change: impl Fn(&mut Vec<u8>)) {
    let signed = rrset(zone, "www.example", A);
    *signature(zone, "www.example", A) = key.rrsig_with(&signed, change);
}

/// A signature beside those that are there.
fn sign_also(zone: &mut Records, key: &Key, owner: &str, rtype: u16) {
    let signed = rrset(zone, owner, rtype);
    zone.push(key.rrsig_with(&signed, |_| {}));
}

fn set_time(rdata: &mut [u8], at: usize, time: u64) {
    rdata[at..at + 4].copy_from_slice(&(time as u32).to_be_bytes());
}

fn rdatas(keys: &[&Key]) -> Vec<Vec<u8>> {
    keys.iter().map(|key| key.rdata.clone()).collect()
}

/// A version with these DNSKEYs, of which the first signs them; everything else is signed by
/// `signer`. It is served still.
pub(crate) fn version(dnskeys: &[&Key], signer: &Key) -> PublishedVersion {
    let keys = PublishedKeys {
        dnskeys: rdatas(dnskeys),
        dnskey_ttl: 3600,
        keyset_signers: rdatas(&dnskeys[..1]),
        data_signers: vec![SignedBy { dnskeys: rdatas(&[signer]), owner: name("a.example") }],
        data_ttl: 3600,
        denial: Denial::Nsec,
    };
    PublishedVersion { keys, served_until: None }
}

/// The version before, like this one.
pub(crate) fn usual_version(e: &Expectations) -> PublishedVersion {
    let mut version = version(&[&ksk(), &zsk()], &zsk());
    version.keys.denial = e.denial.clone();
    version
}

/// What follows must be of this kind of denial, and its predecessors left the caches long ago.
fn long_ago(e: &mut Expectations) {
    for version in &mut e.history {
        version.served_until = Some(NOW - 100_000);
    }
}

fn same_denial(e: &mut Expectations) {
    let denial = e.denial.clone();
    for version in &mut e.history {
        version.keys.denial = denial.clone();
    }
}
