//! The made registry, and small changes of it. In: a number of delegations. Out: the zone as text
//! and as a version, and one difference after the other, each of [`CHANGED_COUNT`] delegations.
//! The zone stays as large as it is: as many delegations come as go.

use actors::io::zone_files::ZoneFile;
use actors::runtime::{PoolSpec, WorkerPool};
use actors::stages::Stage;
use actors::stages::sort::{Sort, SortInput, SortSource};
use anchorite_tests::zonegen;
use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::Difference;
use dnssec::zone::key::key_to_wire;
use dnssec::zone::load::{DnssecRecords, Limits};
use dnssec::zone::soa_with;
use dnssec::{Name, RrType, Serial, Ttl};
use std::sync::Arc;

/// The zone, as a label.
pub(crate) const ZONE: &str = "bench";
/// Delegations that a change concerns: some get another DS, some come, as many go.
pub(crate) const CHANGED_COUNT: usize = 10;
const COMING_COUNT: usize = 3;
/// Delegations whose DS changes in turn.
const SIGNED_COUNT_MAX: usize = 20_000;

/// A zone that changes.
pub(crate) struct Zone {
    /// Its first version.
    pub(crate) version: Arc<ZoneVersion>,
    /// Its text.
    pub(crate) text: String,
    soa: Vec<u8>,
    /// Owners of a DS, and the record.
    signed: Vec<(Vec<u8>, Vec<u8>)>,
    /// Records of the delegations that came with the last change.
    came: Vec<u8>,
    round: usize,
}

impl Zone {
    /// The zone with so many delegations.
    pub(crate) fn new(count: u64) -> Zone {
        let mut text = Vec::new();
        zonegen::tld(count, "bench.", zonegen::SEED, &mut text).expect("memory is there");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join(ZONE);
        std::fs::write(&path, &text).expect("a temporary folder can be written");
        let pool = PoolSpec { name: "reader", workers: 2, queue_bound: 16 };
        let pool = WorkerPool::start(pool).expect("threads can be started");
        let sort = SortInput {
            apex: apex(),
            source: SortSource::File(ZoneFile::open(&path).expect("it was written")),
            limits: Limits::default(),
            dnssec_records: DnssecRecords::Dropped,
            previous: None,
        };
        let version = Sort::run(&pool, sort).expect("a made zone has no errors").version;
        let text = String::from_utf8(text).expect("zone files are ASCII");
        let soa = version.soa_rdata().expect("a zone has a SOA").to_vec();
        let signed = signed(&version);
        Zone { version, text, soa, signed, came: Vec::new(), round: 0 }
    }

    /// The SOA's data now.
    pub(crate) fn soa(&self) -> &[u8] {
        &self.soa
    }

    /// The serial now.
    pub(crate) fn serial(&self) -> Serial {
        dnssec::zone::soa_serial(&self.soa).expect("it is a SOA")
    }

    /// The next change.
    pub(crate) fn change(&mut self) -> Difference {
        let mut removed = std::mem::take(&mut self.came);
        let mut added = Vec::new();
        let (apex, round) = (apex(), self.round);
        push(&mut removed, apex.as_wire(), RrType::SOA, &self.soa);
        let minimum = dnssec::zone::soa_minimum(&self.soa).expect("it is a SOA");
        let next = Serial(self.serial().0.wrapping_add(1));
        self.soa = soa_with(&self.soa, next, minimum).expect("it is a SOA");
        push(&mut added, apex.as_wire(), RrType::SOA, &self.soa);
        for number in 0..COMING_COUNT {
            let label = format!("change-{round}-{number}");
            let owner = [&[label.len() as u8], label.as_bytes(), apex.as_wire()].concat();
            push(&mut self.came, &owner, RrType::NS, b"\x02ns\x04test\x00");
            let ds = [&[0x12, 0x34, 13, 2][..], &[round as u8; 32]].concat();
            push(&mut self.came, &owner, RrType::DS, &ds);
        }
        added.extend(&self.came);
        // What went came with the last change: as many.
        for number in 0..CHANGED_COUNT - 2 * COMING_COUNT {
            let at = (round * 7919 + number * 104_729) % self.signed.len();
            let (owner, ds) = &mut self.signed[at];
            push(&mut removed, owner, RrType::DS, ds);
            // Digests are bits like others: another one each time.
            for octet in &mut ds[4..12] {
                *octet = octet.wrapping_mul(5).wrapping_add(round as u8 | 1);
            }
            push(&mut added, owner, RrType::DS, ds);
        }
        self.round += 1;
        Difference { removed, added }
    }
}

/// The zone's name.
pub(crate) fn apex() -> Name {
    Name::parse(b"bench.", None).expect("it is absolute")
}

/// Delegations with one DS each, spread over the zone.
fn signed(version: &ZoneVersion) -> Vec<(Vec<u8>, Vec<u8>)> {
    let step = 1 + version.names.len() / SIGNED_COUNT_MAX;
    let mut signed = Vec::new();
    for chunk in version.names.iter().step_by(step) {
        for owner in chunk.owners() {
            let Some(rrset) = owner.rrset(RrType::DS) else { continue };
            let mut rdatas = rrset.rdatas();
            if let (Some(ds), None, TTL) = (rdatas.next(), rdatas.next(), rrset.ttl) {
                let mut wire = Vec::new();
                key_to_wire(&version.apex, owner.key(), &mut wire);
                signed.push((wire, ds.to_vec()));
            }
        }
    }
    assert!(signed.len() > CHANGED_COUNT, "a registry of so few names has no DS");
    signed
}

const TTL: Ttl = Ttl(3600);

fn push(out: &mut Vec<u8>, owner: &[u8], rtype: RrType, rdata: &[u8]) {
    out.extend(owner);
    out.extend(rtype.0.to_be_bytes());
    out.extend([0, 1]);
    out.extend(TTL.0.to_be_bytes());
    out.extend((rdata.len() as u16).to_be_bytes());
    out.extend(rdata);
}
