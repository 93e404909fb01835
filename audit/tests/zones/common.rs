//! A tiny signer for tests: records as plain structs, NSEC and NSEC3 chains, and places to tamper
//! in between. It knows only the zone of these tests.

pub(crate) use crate::test_keys::{Key, at_clock_time, dnskey_of_rsa, ds, with_rsa_keys};
use audit::{Denial, Expectations, Report, Zones};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// Moment of the audits in these tests.
pub(crate) const NOW: u64 = 1_800_000_000;
/// Inception and expiration of good signatures.
pub(crate) const INCEPTION: u32 = 1_799_996_400;
pub(crate) const EXPIRATION: u32 = 1_801_209_600;

pub(crate) const A: u16 = 1;
pub(crate) const NS: u16 = 2;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const MX: u16 = 15;
pub(crate) const TXT: u16 = 16;
pub(crate) const DNAME: u16 = 39;
pub(crate) const DS: u16 = 43;
pub(crate) const RRSIG: u16 = 46;
pub(crate) const NSEC: u16 = 47;
pub(crate) const DNSKEY: u16 = 48;
pub(crate) const NSEC3: u16 = 50;
pub(crate) const NSEC3PARAM: u16 = 51;
pub(crate) const CDS: u16 = 59;
pub(crate) const CDNSKEY: u16 = 60;
pub(crate) const ZONEMD: u16 = 63;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rr {
    pub(crate) owner: Vec<u8>,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    pub(crate) rdata: Vec<u8>,
}

pub(crate) fn name(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

pub(crate) fn rr(owner: &str, rtype: u16, rdata: &[u8]) -> Rr {
    Rr { owner: name(owner), rtype, class: 1, ttl: 3600, rdata: rdata.to_vec() }
}

pub(crate) fn soa(serial: u32, minimum: u32) -> Vec<u8> {
    let mut rdata = [name("ns1.example"), name("hostmaster.example")].concat();
    for number in [serial, 7200, 900, 604_800, minimum] {
        rdata.extend_from_slice(&number.to_be_bytes());
    }
    rdata
}

/// The zone that all tampering starts from.
pub(crate) fn source() -> Vec<Rr> {
    let target = |text: &str| name(text);
    vec![
        rr("Example", SOA, &soa(10, 600)),
        rr("example", NS, &target("NS1.example")),
        rr("example", MX, &[&[0, 10][..], &target("mail.example")].concat()),
        rr("alias.example", CNAME, &target("www.example")),
        rr("deep.ent.example", TXT, b"\x04deep"),
        rr("Mail.example", A, &[192, 0, 2, 3]),
        rr("ns1.example", A, &[192, 0, 2, 1]),
        rr("lone.only.example", NS, &target("ns1.example")),
        rr("safe.example", NS, &target("ns1.example")),
        rr("safe.example", DS, &[[0x12, 0x34, 13, 2].as_slice(), &[7; 32]].concat()),
        rr("sub.example", NS, &target("ns.sub.example")),
        rr("ns.sub.example", A, &[192, 0, 2, 9]),
        rr("tree.example", DNAME, &target("www.example")),
        rr("hidden.tree.example", TXT, b"\x06hidden"),
        rr("*.wild.example", TXT, b"\x04wild"),
        rr("www.example", A, &[192, 0, 2, 80]),
        rr("www.example", A, &[192, 0, 2, 81]),
        rr("www.example", TXT, b"\x05hello"),
    ]
}

pub(crate) fn canonical(rtype: u16, rdata: &[u8]) -> Vec<u8> {
    match rtype {
        // The preference in this zone's MX has no octet that looks like a letter.
        NS | CNAME | DNAME | MX => rdata.to_ascii_lowercase(),
        SOA => {
            let (names, numbers) = rdata.split_at(rdata.len() - 20);
            [&names.to_ascii_lowercase(), numbers].concat()
        }
        _ => rdata.to_vec(),
    }
}

pub(crate) fn labels(owner: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut rest) = (Vec::new(), owner);
    while rest[0] != 0 {
        let (label, after) = rest[1..].split_at(usize::from(rest[0]));
        found.push(label.to_ascii_lowercase());
        rest = after;
    }
    found
}

/// Sorts by canonical owner order, type, RDATA.
pub(crate) fn canonical_key(record: &Rr) -> (Vec<Vec<u8>>, u16, Vec<u8>) {
    let mut owner = labels(&record.owner);
    owner.reverse();
    (owner, record.rtype, canonical(record.rtype, &record.rdata))
}

/// Whether the signer signs this record in the zone of these tests.
fn is_signed(record: &Rr) -> bool {
    let owner = record.owner.to_ascii_lowercase();
    let is_cut = ["safe.example", "sub.example", "lone.only.example"].map(name).contains(&owner);
    let is_hidden = ["ns.sub.example", "hidden.tree.example"].map(name).contains(&owner);
    !is_hidden && (!is_cut || matches!(record.rtype, DS | NSEC | NSEC3))
}

pub(crate) fn bitmap(types: &[u16]) -> Vec<u8> {
    let mut octets = [0_u8; 32];
    for &t in types {
        octets[usize::from(t / 8)] |= 0x80 >> (t % 8);
    }
    let used = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    if used == 0 { Vec::new() } else { [&[0, used as u8][..], &octets[..used]].concat() }
}

/// Names of the chain, with their types in rising order. Needs no knowledge of the audit.
fn chain_names(records: &[Rr]) -> Vec<(Vec<u8>, Vec<u16>)> {
    let mut names: Vec<(Vec<u8>, Vec<u16>)> = Vec::new();
    for record in records {
        let owner = record.owner.to_ascii_lowercase();
        if ["ns.sub.example", "hidden.tree.example"].map(name).contains(&owner) {
            continue;
        }
        match names.last_mut() {
            Some((last, types)) if *last == owner => types.push(record.rtype),
            _ => names.push((owner, vec![record.rtype])),
        }
    }
    names
}

pub(crate) fn nsec3_hash(owner: &[u8]) -> Vec<u8> {
    nsec3_hash_with(owner, SALT)
}

pub(crate) fn nsec3_hash_with(owner: &[u8], salt: [u8; 2]) -> Vec<u8> {
    let salted = |octets: &[u8]| digest(&SHA1_FOR_LEGACY_USE_ONLY, &[octets, &salt].concat());
    let first = salted(&owner.to_ascii_lowercase());
    salted(first.as_ref()).as_ref().to_vec()
}

pub(crate) const SALT: [u8; 2] = [0xab, 0xcd];

pub(crate) fn nsec3(opt_out: bool) -> Denial {
    Denial::Nsec3 { hash_algorithm: 1, iterations: 1, salt: SALT.to_vec(), opt_out }
}

pub(crate) fn nsec3_owner(hash: &[u8]) -> Vec<u8> {
    let digits = b"0123456789abcdefghijklmnopqrstuv";
    let mut owner = vec![32];
    for group in hash.chunks(5) {
        let bits = group.iter().fold(0_u64, |bits, &octet| bits << 8 | u64::from(octet));
        owner.extend((0..8).rev().map(|at| digits[(bits >> (5 * at) & 31) as usize]));
    }
    owner.extend(name("example"));
    owner
}

/// What a tamperer may change, at the stage where it is changed.
pub(crate) struct Hooks<'h> {
    /// Names left out of the chain, and further names put into it.
    pub(crate) left_out: &'h [&'h str],
    pub(crate) put_in: &'h [(&'h str, &'h [u16])],
    /// Records with the chain, before signing.
    pub(crate) before_signing: &'h dyn Fn(&mut Vec<Rr>),
}

impl Default for Hooks<'_> {
    fn default() -> Self {
        Hooks { left_out: &[], put_in: &[], before_signing: &|_| {} }
    }
}

pub(crate) fn ksk() -> Key {
    Key::new(1, 257)
}

pub(crate) fn zsk() -> Key {
    Key::new(2, 256)
}

/// Signs the source.
pub(crate) fn sign(source: &[Rr], denial: &Denial, hooks: &Hooks<'_>) -> Vec<Rr> {
    let mut records = source.to_vec();
    records.extend([ksk(), zsk()].map(|key| rr("example", DNSKEY, &key.rdata)));
    if let Denial::Nsec3 { .. } = denial {
        let rdata = [&[1, 0, 0, 1, 2][..], &SALT].concat();
        records.push(rr("example", NSEC3PARAM, &rdata));
    }
    records.sort_by_key(canonical_key);
    add_chain(&mut records, denial, hooks);
    (hooks.before_signing)(&mut records);
    records.sort_by_key(canonical_key);
    let rrsigs: Vec<Rr> = records
        .chunk_by(|l, r| l.rtype == r.rtype && l.owner.eq_ignore_ascii_case(&r.owner))
        .filter(|rrset| is_signed(&rrset[0]))
        .map(|rrset| {
            let key = if rrset[0].rtype == DNSKEY { ksk() } else { zsk() };
            key.rrsig_with(rrset, |_| {})
        })
        .collect();
    records.extend(rrsigs);
    records
}

fn add_chain(records: &mut Vec<Rr>, denial: &Denial, hooks: &Hooks<'_>) {
    let mut names = chain_names(records);
    let put_in = hooks.put_in.iter().map(|(text, types)| (name(text), types.to_vec()));
    let Denial::Nsec3 { opt_out, .. } = denial else {
        names.retain(|(owner, _)| !hooks.left_out.iter().any(|text| name(text) == *owner));
        names.extend(put_in);
        for (at, (owner, types)) in names.iter().enumerate() {
            let next = &names[(at + 1) % names.len()].0;
            let types = [types.as_slice(), &[RRSIG, NSEC]].concat();
            let rdata = [next.clone(), bitmap(&types)].concat();
            records.push(Rr { owner: owner.clone(), rtype: NSEC, class: 1, ttl: 600, rdata });
        }
        return;
    };
    names.extend(["ent.example", "only.example", "wild.example"].map(|n| (name(n), vec![])));
    let mut left_out = hooks.left_out.to_vec();
    if *opt_out {
        left_out.extend(["sub.example", "lone.only.example", "only.example"]);
    }
    names.retain(|(owner, _)| !left_out.iter().any(|text| name(text) == *owner));
    names.extend(put_in);
    let mut hashes: Vec<(Vec<u8>, Vec<u16>)> = names
        .into_iter()
        .map(|(owner, mut types)| {
            if !types.is_empty() && types != [NS] {
                types.push(RRSIG);
            }
            (nsec3_hash(&owner), types)
        })
        .collect();
    hashes.sort();
    for (at, (hash, types)) in hashes.iter().enumerate() {
        let next = &hashes[(at + 1) % hashes.len()].0;
        let head = [1, u8::from(*opt_out), 0, 1, 2, SALT[0], SALT[1], 20];
        let rdata = [&head[..], next, &bitmap(types)].concat();
        let owner = nsec3_owner(hash);
        records.push(Rr { owner, rtype: NSEC3, class: 1, ttl: 600, rdata });
    }
}

pub(crate) fn expectations(denial: &Denial) -> Expectations {
    let mut expectations = Expectations::new(name("example"), NOW, denial.clone());
    expectations.refresh_seconds = 3600;
    expectations.dnskeys = Some(vec![ksk().rdata, zsk().rdata]);
    expectations
}

/// Wire form of records.
pub(crate) fn block(records: &[Rr]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        bytes.extend_from_slice(&record.owner);
        bytes.extend_from_slice(&record.rtype.to_be_bytes());
        bytes.extend_from_slice(&record.class.to_be_bytes());
        bytes.extend_from_slice(&record.ttl.to_be_bytes());
        bytes.extend_from_slice(&(record.rdata.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&record.rdata);
    }
    bytes
}

/// Audits bytes in one piece and again name by name; both must agree.
pub(crate) fn audit_bytes(candidate: &[u8], source: &[u8], expectations: &Expectations) -> Report {
    let (candidate, source) = ([candidate], [source]);
    let zones = Zones { candidate: &candidate, source: Some(&source) };
    let report = audit::audit(zones, expectations).unwrap();
    let prepared = audit::Prepared::new(zones, expectations).unwrap();
    let mut partials: Vec<_> =
        prepared.ranges(usize::MAX).map(|range| prepared.verify_range(range)).collect();
    partials.reverse();
    let pieces = prepared.finish(partials).unwrap();
    if !report.stopped_early && !pieces.stopped_early {
        assert_eq!(report, pieces);
    }
    report
}
