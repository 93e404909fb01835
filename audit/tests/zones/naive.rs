//! A naive signer of any small zone, for the tests of the incremental audit: it signs the whole
//! zone anew each time, by the book and without cleverness. Signatures are deterministic, so what
//! did not change comes out the same. RFC 4035 §2, RFC 5155 §7.1.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::common::*;
use crate::zonemd::digested;
use audit::Denial;
use ring::digest::{SHA384, digest};

/// Seconds that a new signature is valid.
const VALIDITY: u32 = 1_209_600;

/// Deviations from the book.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deviation {
    /// Names left out of the chain.
    pub(crate) left_out: BTreeSet<Vec<u8>>,
    /// Names put into the chain, with their types.
    pub(crate) put_in: Vec<(Vec<u8>, Vec<u16>)>,
    /// NSEC3 flags of one record in so many, by its hash.
    pub(crate) flip_flags_of: Option<u8>,
}

/// Remembers when it signed what.
pub(crate) struct Signer {
    pub(crate) denial: Denial,
    pub(crate) ksk: Key,
    pub(crate) zsk: Key,
    /// RDATA of keys that are published and sign nothing.
    pub(crate) idle: Vec<Vec<u8>>,
    pub(crate) salt: [u8; 2],
    /// Inception and expiration of RRsets by owner and type.
    times: BTreeMap<(Vec<u8>, u16), (u32, u32)>,
    made: HashMap<Vec<u8>, Rr>,
}

/// What stands at one owner name.
struct Name {
    owner: Vec<u8>,
    types: Vec<u16>,
    is_hidden: bool,
}

impl Name {
    fn is_cut(&self) -> bool {
        self.owner != name("example") && self.types.contains(&NS)
    }

    fn is_insecure(&self) -> bool {
        self.is_cut() && !self.types.contains(&DS)
    }
}

impl Signer {
    pub(crate) fn new(denial: Denial) -> Self {
        let (times, made) = (BTreeMap::new(), HashMap::new());
        let (ksk, zsk, idle, salt) = (ksk(), zsk(), Vec::new(), SALT);
        Signer { denial, ksk, zsk, idle, salt, times, made }
    }

    /// Makes all signatures anew the next time.
    pub(crate) fn forget_times(&mut self) {
        self.times.clear();
    }

    /// Signs the zone for a moment: signatures that expire within `refresh` are made anew.
    pub(crate) fn sign(
        &mut self,
        source: &[Rr],
        now: u64,
        refresh: u32,
        deviation: &Deviation,
    ) -> Vec<Rr> {
        let mut records = source.to_vec();
        records.extend([&self.ksk, &self.zsk].map(|key| rr("example", DNSKEY, &key.rdata)));
        records.extend(self.idle.iter().map(|rdata| rr("example", DNSKEY, rdata)));
        let [first, second] = self.salt;
        if matches!(self.denial, Denial::Nsec3 { .. }) {
            records.push(rr("example", NSEC3PARAM, &[1, 0, 0, 1, 2, first, second]));
        }
        records.sort_by_key(canonical_key);
        let names = names(&records);
        let chain = match self.denial {
            Denial::None | Denial::Source => Vec::new(),
            Denial::Nsec => nsec_chain(&names, deviation, denial_ttl(source)),
            Denial::Nsec3 { opt_out, .. } => {
                nsec3_chain((&names, self.salt), opt_out, deviation, denial_ttl(source))
            }
        };
        records.extend(chain);
        records.sort_by_key(canonical_key);
        let hidden: BTreeSet<&[u8]> =
            names.iter().filter(|n| n.is_hidden).map(|n| &n.owner[..]).collect();
        let cuts: BTreeSet<&[u8]> =
            names.iter().filter(|n| n.is_cut()).map(|n| &n.owner[..]).collect();
        let mut rrsigs = Vec::new();
        for rrset in
            records.chunk_by(|l, r| l.rtype == r.rtype && l.owner.eq_ignore_ascii_case(&r.owner))
        {
            let owner = rrset[0].owner.to_ascii_lowercase();
            let is_denial = matches!(rrset[0].rtype, NSEC | NSEC3);
            let is_glue = hidden.contains(&owner[..]) && !is_denial;
            let is_parents = cuts.contains(&owner[..]) && rrset[0].rtype != DS && !is_denial;
            if !is_glue && !is_parents {
                rrsigs.push(self.rrsig(rrset, now, refresh));
            }
        }
        records.extend(rrsigs);
        records.sort_by_key(canonical_key);
        self.fill_digest(&mut records, now, refresh);
        records
    }

    /// Makes the SHA-384 digest and its signature anew, if there is one (RFC 8976 §3.4).
    pub(crate) fn fill_digest(&mut self, records: &mut Vec<Rr>, now: u64, refresh: u32) {
        let is_apex = |r: &Rr| r.owner.eq_ignore_ascii_case(&name("example"));
        let is_own = |r: &Rr| is_apex(r) && r.rtype == ZONEMD && r.rdata[4..6] == [1, 1];
        let Some(mut zonemd) = records.iter().find(|r| is_own(r)).cloned() else { return };
        let soa = records.iter().find(|r| is_apex(r) && r.rtype == SOA);
        // Two names and the serial; without an SOA the digest is the least that is wrong.
        let serial = soa.map_or(vec![0; 4], |soa| {
            soa.rdata[soa.rdata.len() - 20..soa.rdata.len() - 16].to_vec()
        });
        let digest = digest(&SHA384, &digested(records));
        zonemd.rdata = [&serial[..], &[1, 1], digest.as_ref()].concat();
        records.retain(|r| {
            let is_rrsig = r.rtype == RRSIG && r.rdata[..2] == ZONEMD.to_be_bytes();
            !(is_own(r) || is_apex(r) && is_rrsig)
        });
        records.push(self.rrsig(std::slice::from_ref(&zonemd), now, refresh));
        records.push(zonemd);
        records.sort_by_key(canonical_key);
    }

    /// A signature of the right key over an RRset.
    pub(crate) fn rrsig(&mut self, rrset: &[Rr], now: u64, refresh: u32) -> Rr {
        let first = &rrset[0];
        let now = now as u32;
        let key = (first.owner.to_ascii_lowercase(), first.rtype);
        let spread = first.owner.iter().fold(u32::from(first.rtype), |sum, &octet| {
            sum.wrapping_mul(31).wrapping_add(u32::from(octet))
        }) % 400_000;
        let fresh = (now - 3600, now + VALIDITY - spread);
        let times = self.times.entry(key).or_insert(fresh);
        if times.1 < now + refresh + 10 {
            *times = fresh;
        }
        let times = *times;
        let mut rrset = rrset.to_vec();
        rrset.sort_by_key(canonical_key);
        let id = [&block(&rrset)[..], &times.0.to_be_bytes(), &times.1.to_be_bytes()].concat();
        let signer = if first.rtype == DNSKEY { &self.ksk } else { &self.zsk };
        let make = || {
            signer.rrsig_with(&rrset, |rdata| {
                rdata[8..12].copy_from_slice(&times.1.to_be_bytes());
                rdata[12..16].copy_from_slice(&times.0.to_be_bytes());
            })
        };
        self.made.entry(id).or_insert_with(make).clone()
    }
}

/// RFC 9077: the smaller of SOA TTL and SOA MINIMUM.
fn denial_ttl(source: &[Rr]) -> u32 {
    let soa = source.iter().find(|record| record.rtype == SOA).unwrap();
    let minimum = soa.rdata[soa.rdata.len() - 4..].try_into().unwrap();
    soa.ttl.min(u32::from_be_bytes(minimum))
}

/// Parent of a name that is not the root.
pub(crate) fn parent(owner: &[u8]) -> &[u8] {
    &owner[1 + usize::from(owner[0])..]
}

/// Owner names below the apex and the apex, in canonical order.
fn names(records: &[Rr]) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for record in records {
        let owner = record.owner.to_ascii_lowercase();
        match names.last_mut() {
            Some(last) if last.owner == owner => last.types.push(record.rtype),
            _ => {
                names.push(Name { owner, types: vec![record.rtype], is_hidden: false });
            }
        }
    }
    let mut tops: Vec<Vec<u8>> = Vec::new();
    for name in &mut names {
        let mut above = &name.owner[..];
        while above[0] != 0 {
            above = parent(above);
            name.is_hidden |= tops.iter().any(|top| top == above);
        }
        if name.is_cut() || name.types.contains(&DNAME) {
            tops.push(name.owner.clone());
        }
    }
    names
}

fn nsec_chain(names: &[Name], deviation: &Deviation, ttl: u32) -> Vec<Rr> {
    let mut chain: Vec<(Vec<u8>, Vec<u16>)> = names
        .iter()
        .filter(|n| !n.is_hidden && !deviation.left_out.contains(&n.owner))
        .map(|n| (n.owner.clone(), listed(n)))
        .collect();
    chain.extend(deviation.put_in.iter().cloned());
    let order = |owner: &[u8]| canonical_key(&Rr { owner: owner.to_vec(), ..rr("", 0, &[]) });
    chain.sort_by_key(|(owner, _)| order(owner));
    chain.dedup_by(|l, r| l.0 == r.0);
    (0..chain.len())
        .map(|at| {
            let next = chain[(at + 1) % chain.len()].0.clone();
            let rdata = [next, bitmap(&[&chain[at].1[..], &[RRSIG, NSEC]].concat())].concat();
            Rr { owner: chain[at].0.clone(), rtype: NSEC, class: 1, ttl, rdata }
        })
        .collect()
}

/// Types that a bitmap lists, without those that signing adds.
fn listed(name: &Name) -> Vec<u16> {
    let is_listed = |t: &&u16| !name.is_cut() || matches!(**t, NS | DS);
    name.types.iter().filter(is_listed).copied().collect()
}

fn nsec3_chain(
    (names, salt): (&[Name], [u8; 2]),
    opt_out: bool,
    deviation: &Deviation,
    ttl: u32,
) -> Vec<Rr> {
    let mut chain: BTreeMap<Vec<u8>, Vec<u16>> = BTreeMap::new();
    for name in names.iter().filter(|n| !(n.is_hidden || opt_out && n.is_insecure())) {
        let mut types = listed(name);
        if !name.is_insecure() {
            types.push(RRSIG);
        }
        chain.insert(name.owner.clone(), types);
    }
    // Every name up to the apex exists (RFC 4592 section 2.2.2).
    for owner in chain.keys().cloned().collect::<Vec<_>>() {
        let mut above = &owner[..];
        while above != name("example") {
            chain.entry(above.to_vec()).or_default();
            above = parent(above);
        }
    }
    chain.retain(|owner, _| !deviation.left_out.contains(owner));
    chain.extend(deviation.put_in.iter().cloned());
    let mut hashes: Vec<_> =
        chain.into_iter().map(|(owner, types)| (nsec3_hash_with(&owner, salt), types)).collect();
    hashes.sort();
    (0..hashes.len())
        .map(|at| {
            let (hash, types) = &hashes[at];
            let next = &hashes[(at + 1) % hashes.len()].0;
            let is_odd = deviation.flip_flags_of.is_some_and(|wanted| hash[0] & 0x0f == wanted);
            let flags = u8::from(opt_out != is_odd);
            let head = [1, flags, 0, 1, 2, salt[0], salt[1], 20];
            let rdata = [&head[..], next, &bitmap(types)].concat();
            Rr { owner: nsec3_owner(hash), rtype: NSEC3, class: 1, ttl, rdata }
        })
        .collect()
}
