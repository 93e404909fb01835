//! A made parent, com., with signatures that are digests of key and message: what is believed and
//! what is not. Real cryptography is in the tests of the running daemon.

use super::super::rrsig::{KEYS_PER_TAG_MAX, SIGNATURES_MAX};
use super::super::{AnswerRecord, ITERATIONS_MAX, VERIFICATIONS_MAX, read_response};
use super::*;
use crate::denial::nsec3::{Nsec3Parameters, hash};
use crate::key::PublicKey;
use crate::signing::tbs::rrsig_labels;
use crate::{KeyTag, Timestamp, Ttl};
use data_encoding::BASE32_DNSSEC;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::cell::Cell;

const NOW: Timestamp = Timestamp(1_800_000_000);
const HOUR: u64 = 3600;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn child() -> Name {
    name("example.com.")
}

fn record(owner: &str, rtype: RrType, rdata: &[u8]) -> AnswerRecord {
    AnswerRecord { owner: name(owner), rtype, ttl: Ttl(60), rdata: rdata.to_vec() }
}

/// DNSKEY RDATA of an ECDSA key.
fn dnskey(flags: u16, number: u8) -> Vec<u8> {
    [&flags.to_be_bytes()[..], &[3, 13], &[number; 64]].concat()
}

fn mark(key: &[u8], message: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update(key).chain_update(message).finalize().to_vec()
}

fn is_right(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    mark(&key.bytes, message) == signature
}

/// How an RRSIG is made; tests change one thing.
#[derive(Clone)]
struct Pen {
    signer: &'static str,
    key: Vec<u8>,
    labels: Option<u8>,
    algorithm: u8,
    ttl: u32,
    begin: Timestamp,
    end: Timestamp,
}

impl Pen {
    fn ksk() -> Pen {
        Pen {
            signer: "com.",
            key: dnskey(257, 1),
            labels: None,
            algorithm: 13,
            ttl: 7200,
            begin: Timestamp(NOW.0 - HOUR),
            end: Timestamp(NOW.0 + 24 * HOUR),
        }
    }

    fn zsk() -> Pen {
        Pen { key: dnskey(256, 2), ..Pen::ksk() }
    }

    /// The RRSIG over an RRset (RFC 4034 §3.1.8.1).
    fn sign(&self, rrset: &[AnswerRecord]) -> AnswerRecord {
        let (owner, rtype) = (rrset[0].owner.to_lowercase(), rrset[0].rtype);
        let labels = self.labels.unwrap_or_else(|| rrsig_labels(owner.as_wire()));
        let mut rdata = rtype.0.to_be_bytes().to_vec();
        rdata.extend([self.algorithm, labels]);
        rdata.extend(self.ttl.to_be_bytes());
        rdata.extend(self.end.to_wire().to_be_bytes());
        rdata.extend(self.begin.to_wire().to_be_bytes());
        rdata.extend(key_tag(&self.key).0.to_be_bytes());
        rdata.extend(name(self.signer).as_wire());
        let mut message = rdata.clone();
        let mut rdatas: Vec<&Vec<u8>> = rrset.iter().map(|record| &record.rdata).collect();
        rdatas.sort();
        for one in rdatas {
            message.extend(owner.as_wire());
            message.extend(rtype.0.to_be_bytes());
            message.extend([0, 1]);
            message.extend(self.ttl.to_be_bytes());
            message.extend((one.len() as u16).to_be_bytes());
            message.extend(one);
        }
        rdata.extend(mark(&self.key[4..], &message));
        AnswerRecord { rtype: RrType::RRSIG, rdata, ..rrset[0].clone() }
    }
}

fn answer(answers: Vec<AnswerRecord>, authorities: Vec<AnswerRecord>) -> Response {
    Response { rcode: 0, is_authoritative: true, answers, authorities }
}

fn key_records(keys: &[Vec<u8>]) -> Vec<AnswerRecord> {
    keys.iter().map(|key| record("com.", RrType::DNSKEY, key)).collect()
}

fn key_answer(pen: &Pen) -> Response {
    let records = key_records(&[dnskey(257, 1), dnskey(256, 2)]);
    let rrsig = pen.sign(&records);
    answer([records, vec![rrsig]].concat(), Vec::new())
}

fn anchors() -> Vec<TrustAnchor> {
    let rdata = ds_rdata(&name("com."), &dnskey(257, 1), DigestType::Sha256);
    vec![TrustAnchor { zone: name("com."), rtype: RrType::DS, rdata }]
}

fn parent() -> ParentKeys {
    let mut judge = Judge::new(NOW, &is_right);
    proven_keys(&anchors(), &name("com."), &key_answer(&Pen::ksk()), &mut judge).unwrap()
}

fn ds(number: u8) -> AnswerRecord {
    record("example.com.", RrType::DS, &[&[0, number, 13, 2][..], &[number; 32]].concat())
}

fn ds_answer(pen: &Pen) -> Response {
    let records = vec![ds(9), ds(8)];
    let rrsig = pen.sign(&records);
    answer([records, vec![rrsig]].concat(), Vec::new())
}

/// What is believed of an answer about example.com.
fn believed(response: &Response) -> Result<ShownDs, Bogus> {
    let mut judge = Judge::new(NOW, &is_right);
    let shown = read_response(&child(), response).expect("the answer is one");
    proven_ds(&child(), shown, response, &parent(), &mut judge)
}

#[test]
fn a_ds_rrset_is_believed_with_the_ttl_that_was_signed() {
    let shown = believed(&ds_answer(&Pen::zsk())).unwrap();
    // The answer says 60, which anybody could have written there.
    assert_eq!((shown.records.len(), shown.ttl), (2, Ttl(7200)));
    let short = Pen { end: Timestamp(NOW.0 + 500), ..Pen::zsk() };
    assert_eq!(believed(&ds_answer(&short)).unwrap().ttl, Ttl(500));
    // Case, order and a record that stands twice change nothing.
    let mut other = ds_answer(&Pen::zsk());
    other.answers.swap(0, 1);
    other.answers.push(ds(8));
    other.answers.iter_mut().for_each(|one| one.owner = name("Example.COM."));
    assert_eq!(believed(&other).unwrap().ttl, Ttl(7200));
}

#[test]
fn times_are_compared_to_the_second_rfc4034_3_1_5() {
    let with = |begin: u64, end: u64| {
        let pen = Pen { begin: Timestamp(begin), end: Timestamp(end), ..Pen::zsk() };
        believed(&ds_answer(&pen)).map(|shown| shown.ttl.0)
    };
    assert_eq!(with(NOW.0, NOW.0), Ok(0));
    assert_eq!(with(NOW.0 + 1, NOW.0 + 9), Err(Bogus::NotYet(RrType::DS)));
    assert_eq!(with(NOW.0 - 9, NOW.0 - 1), Err(Bogus::Expired(RrType::DS)));
    // The end of 32 bits lies between: sequence space.
    let near = Timestamp((1 << 32) - 10);
    let pen = Pen { begin: near, end: near.plus(crate::Seconds(100)), ..Pen::zsk() };
    let response = ds_answer(&pen);
    let mut judge = Judge::new(near.plus(crate::Seconds(20)), &is_right);
    let shown = read_response(&child(), &response).unwrap();
    assert_eq!(proven_ds(&child(), shown, &response, &parent(), &mut judge).unwrap().ttl, Ttl(80));
}

#[test]
fn a_signature_that_is_not_the_parents_proves_nothing() {
    let of = |pen: Pen| believed(&ds_answer(&pen)).unwrap_err();
    assert_eq!(of(Pen { signer: ".", ..Pen::zsk() }), Bogus::Signer(RrType::DS));
    assert_eq!(of(Pen { labels: Some(1), ..Pen::zsk() }), Bogus::Labels(RrType::DS));
    assert_eq!(of(Pen { labels: Some(3), ..Pen::zsk() }), Bogus::Labels(RrType::DS));
    for algorithm in [5, 7, 16, 23, 253] {
        let fault = of(Pen { algorithm, ..Pen::zsk() });
        assert_eq!(fault, Bogus::Algorithm(RrType::DS, algorithm));
    }
    let stranger = dnskey(256, 77);
    let fault = of(Pen { key: stranger.clone(), ..Pen::zsk() });
    assert_eq!(fault, Bogus::Key(RrType::DS, key_tag(&stranger)));
    // Changed after it was signed.
    let mut changed = ds_answer(&Pen::zsk());
    changed.answers[0].rdata[20] ^= 1;
    assert_eq!(believed(&changed), Err(Bogus::Signature(RrType::DS)));
    let mut more = ds_answer(&Pen::zsk());
    more.answers.push(ds(1));
    assert_eq!(believed(&more), Err(Bogus::Signature(RrType::DS)));
    let mut less = ds_answer(&Pen::zsk());
    less.answers.remove(0);
    assert_eq!(believed(&less), Err(Bogus::Signature(RrType::DS)));
    // Stripped.
    let mut stripped = ds_answer(&Pen::zsk());
    stripped.answers.truncate(2);
    assert_eq!(believed(&stripped), Err(Bogus::Unsigned(RrType::DS)));
    // A compressed signer's name (RFC 4034 §3.1.7).
    let mut pointer = ds_answer(&Pen::zsk());
    pointer.answers[2].rdata.splice(SIGNER_AT..SIGNER_AT + 5, [0xc0, 12]);
    let mut judge = Judge::new(NOW, &is_right);
    let shown = ShownDs { records: vec![ds(9).rdata], ttl: Ttl(1) };
    let fault = proven_ds(&child(), shown, &pointer, &parent(), &mut judge).unwrap_err();
    assert_eq!(fault, Bogus::Malformed(RrType::DS));
}

/// Where the signer's name stands in an RRSIG.
const SIGNER_AT: usize = 18;

#[test]
fn a_right_signature_among_wrong_ones_is_found_within_limits() {
    let wrong = Pen { begin: Timestamp(NOW.0 - 1), ..Pen::zsk() };
    let with_wrong = |count: usize| {
        let mut response = ds_answer(&Pen::zsk());
        let right = response.answers.pop().unwrap();
        for number in 0..count {
            let mut rrsig = wrong.sign(&response.answers[..2]);
            *rrsig.rdata.last_mut().unwrap() ^= 1 + number as u8;
            response.answers.push(rrsig);
        }
        response.answers.push(right);
        response
    };
    assert!(believed(&with_wrong(SIGNATURES_MAX - 1)).is_ok());
    let fault = believed(&with_wrong(SIGNATURES_MAX)).unwrap_err();
    assert_eq!(fault, Bogus::Signature(RrType::DS));
}

/// Keys that share a tag, and wrong signatures (CVE-2023-50387): the work stays bounded.
#[test]
fn colliding_key_tags_cost_little() {
    // Swapping octets that stand two apart leaves the sum.
    let colliding = |count: usize| -> Vec<Vec<u8>> {
        let make = |number: usize| {
            let mut key = dnskey(256, 60);
            (key[10], key[12]) = (key[10] + number as u8, key[12] - number as u8);
            key
        };
        (0..count).map(make).collect()
    };
    let parent_with = |count: usize| {
        let records = key_records(&[vec![dnskey(257, 1)], colliding(count)].concat());
        let rrsig = Pen::ksk().sign(&records);
        let response = answer([records, vec![rrsig]].concat(), Vec::new());
        let mut judge = Judge::new(NOW, &is_right);
        proven_keys(&anchors(), &name("com."), &response, &mut judge).unwrap()
    };
    // As many as are borne: they are tried one after the other.
    for key in colliding(KEYS_PER_TAG_MAX) {
        let response = ds_answer(&Pen { key, ..Pen::zsk() });
        let shown = read_response(&child(), &response).unwrap();
        let mut judge = Judge::new(NOW, &is_right);
        let two = parent_with(KEYS_PER_TAG_MAX);
        assert!(proven_ds(&child(), shown, &response, &two, &mut judge).is_ok());
    }
    let count = Cell::new(0);
    let counting = |key: &PublicKey, message: &[u8], signature: &[u8]| {
        count.set(count.get() + 1);
        is_right(key, message, signature)
    };
    let response = ds_answer(&Pen { key: dnskey(256, 60), ..Pen::zsk() });
    let shown = read_response(&child(), &response).unwrap();
    let many = parent_with(40);
    let mut judge = Judge::new(NOW, &counting);
    let fault = proven_ds(&child(), shown, &response, &many, &mut judge).unwrap_err();
    assert_eq!((fault, count.get()), (Bogus::KeyTags(key_tag(&dnskey(256, 60))), 0));
    // One judge for many answers: he stops.
    let mut wrong = ds_answer(&Pen::zsk());
    *wrong.answers[2].rdata.last_mut().unwrap() ^= 1;
    let mut faults = Vec::new();
    for _ in 0..VERIFICATIONS_MAX + 1 {
        let shown = read_response(&child(), &wrong).unwrap();
        faults.extend(proven_ds(&child(), shown, &wrong, &parent(), &mut judge).err());
    }
    assert_eq!(faults.last(), Some(&Bogus::Work));
    assert_eq!(count.get(), VERIFICATIONS_MAX);
}

#[test]
fn keys_of_the_parent_are_those_that_the_anchor_signs_for() {
    let judged = |anchors: &[TrustAnchor], response: &Response| {
        let mut judge = Judge::new(NOW, &is_right);
        proven_keys(anchors, &name("com."), response, &mut judge).map(|keys| keys.keys.len())
    };
    let good = key_answer(&Pen::ksk());
    assert_eq!(judged(&anchors(), &good), Ok(2));
    let by_key = TrustAnchor { rtype: RrType::DNSKEY, rdata: dnskey(257, 1), zone: name("COM.") };
    assert_eq!(judged(&[by_key], &good), Ok(2));
    let long = ds_rdata(&name("com."), &dnskey(257, 1), DigestType::Sha384);
    let long = TrustAnchor { rdata: long, ..anchors()[0].clone() };
    assert_eq!(judged(&[long], &good), Ok(2));

    // Another key's anchor, another zone's, a digest that differs in its last octet.
    let mut changed = anchors();
    *changed[0].rdata.last_mut().unwrap() ^= 1;
    assert_eq!(judged(&changed, &good), Err(Bogus::AnchorMatchesNone));
    let other = vec![TrustAnchor { zone: name("org."), ..anchors()[0].clone() }];
    assert_eq!(judged(&other, &good), Err(Bogus::AnchorMatchesNone));
    // Signed by a key of the zone that no anchor is of.
    let key = Bogus::Key(RrType::DNSKEY, key_tag(&dnskey(256, 2)));
    assert_eq!(judged(&anchors(), &key_answer(&Pen::zsk())), Err(key));
    let nothing = answer(Vec::new(), Vec::new());
    assert_eq!(judged(&anchors(), &nothing), Err(Bogus::Missing(RrType::DNSKEY)));
    let many: Vec<Vec<u8>> = (0..65).map(|number| dnskey(256, number)).collect();
    let many = answer(key_records(&many), Vec::new());
    assert_eq!(judged(&anchors(), &many), Err(Bogus::Records(RrType::DNSKEY)));
    // A revoked key, even when it is the anchor's own (RFC 5011 §2.1).
    let revoked = dnskey(257 | 0x80, 1);
    let records = key_records(std::slice::from_ref(&revoked));
    let rrsig = Pen { key: revoked.clone(), ..Pen::ksk() }.sign(&records);
    let anchor = TrustAnchor { rtype: RrType::DNSKEY, rdata: revoked, zone: name("com.") };
    let response = answer([records, vec![rrsig]].concat(), Vec::new());
    assert_eq!(judged(&[anchor], &response), Err(Bogus::AnchorMatchesNone));
}

#[test]
fn the_closest_anchor_above_counts() {
    let of = |zones: &[&str]| {
        let anchor = |zone: &&str| TrustAnchor { zone: name(zone), ..anchors()[0].clone() };
        let anchors: Vec<TrustAnchor> = zones.iter().map(anchor).collect();
        anchored_parent(&anchors, &child())
    };
    assert_eq!(of(&[".", "com.", "org."]), Ok(name("com.")));
    assert_eq!(of(&["."]), Ok(Name::root()));
    assert_eq!(of(&["example.com.", "a.example.com.", "org."]), Err(Bogus::NoAnchor));
    assert_eq!(of(&[]), Err(Bogus::NoAnchor));
}

/// A bitmap of types below 256.
fn bitmap(types: &[RrType]) -> Vec<u8> {
    let mut bits = [0_u8; 32];
    types.iter().for_each(|one| bits[usize::from(one.0 / 8)] |= 0x80 >> (one.0 % 8));
    [&[0, 32][..], &bits].concat()
}

fn nsec(owner: &str, next: &str, types: &[RrType]) -> AnswerRecord {
    record(owner, RrType::NSEC, &[name(next).as_wire(), &bitmap(types)].concat())
}

/// An answer without a DS: the parent's SOA, and these records, each signed.
fn denial(rcode: u16, records: &[AnswerRecord]) -> Response {
    let mut authorities = vec![record("com.", RrType::SOA, &[])];
    for one in records {
        authorities.push(one.clone());
        authorities.push(Pen::zsk().sign(std::slice::from_ref(one)));
    }
    Response { rcode, ..answer(Vec::new(), authorities) }
}

#[test]
fn nsec_proves_that_there_is_no_ds_rfc4035_5_4() {
    use RrType as T;
    let check = |rcode, record: AnswerRecord, expected: Result<(), Bogus>| {
        let found = believed(&denial(rcode, std::slice::from_ref(&record))).map(|_| ());
        assert_eq!(found, expected, "{record:?}");
    };
    let delegation = [T::NS, T::RRSIG, T::NSEC];
    check(0, nsec("example.com.", "f.com.", &delegation), Ok(()));
    // No delegation at all has no DS either.
    check(0, nsec("Example.com.", "f.com.", &[T::A]), Ok(()));
    check(3, nsec("e.com.", "f.com.", &delegation), Ok(()));
    check(0, nsec("a.com.", "com.", &delegation), Ok(()));
    check(0, nsec("com.", "b.example.com.", &[T::NS, T::SOA]), Ok(()));
    // It says the contrary, or is the child's own, or an alias.
    for more in [T::DS, T::SOA, T::CNAME] {
        let types = [T::NS, more];
        check(0, nsec("example.com.", "f.com.", &types), Err(Bogus::Contrary));
    }
    // Beside the name; beyond its end; of a name whose descendants are not the parent's to deny.
    check(3, nsec("f.com.", "g.com.", &delegation), Err(Bogus::NoProof));
    check(3, nsec("a.com.", "b.com.", &delegation), Err(Bogus::NoProof));
    check(3, nsec("org.", "com.", &delegation), Err(Bogus::NoProof));
    let mut cut = nsec("e.com.", "f.com.", &delegation);
    cut.rdata.truncate(3);
    check(3, cut, Err(Bogus::NoProof));
    // A bitmap that breaks off seems to have every type.
    let mut broken = nsec("example.com.", "f.com.", &delegation);
    broken.rdata.truncate(12);
    check(0, broken, Err(Bogus::Contrary));
}

#[test]
fn an_ancestors_nsec_denies_nothing_below_rfc6840_4_1() {
    let child = name("a.b.com.");
    let denied = |types: &[RrType]| {
        let response = denial(3, &[nsec("b.com.", "z.b.com.", types)]);
        let shown = read_response(&child, &response).unwrap();
        let mut judge = Judge::new(NOW, &is_right);
        proven_ds(&child, shown, &response, &parent(), &mut judge).map(|_| ())
    };
    assert_eq!(denied(&[RrType::NS]), Err(Bogus::NoProof));
    assert_eq!(denied(&[RrType::DNAME]), Err(Bogus::NoProof));
    assert_eq!(denied(&[RrType::A]), Ok(()));
}

#[test]
fn a_denial_that_is_not_signed_is_none() {
    let mut response = denial(0, &[nsec("example.com.", "f.com.", &[RrType::NS])]);
    response.authorities.truncate(2);
    assert_eq!(believed(&response), Err(Bogus::Unsigned(RrType::NSEC)));
    response.authorities.truncate(1);
    assert_eq!(believed(&response), Err(Bogus::NoProof));
}

/// One NSEC3: from and to are hashes, or a name's.
struct Link {
    from: [u8; 20],
    to: [u8; 20],
    flags: u8,
    iterations: u16,
    types: Vec<RrType>,
}

fn hashed(text: &str, iterations: u16) -> [u8; 20] {
    hash(name(text).as_wire(), &Nsec3Parameters { iterations, salt: vec![7], opt_out: false })
}

/// The hash next to a name's.
fn beside(text: &str, iterations: u16, up: bool) -> [u8; 20] {
    let mut hash = hashed(text, iterations);
    let last = &mut hash[19];
    *last = if up { last.wrapping_add(1) } else { last.wrapping_sub(1) };
    hash
}

impl Link {
    fn matching(text: &str, types: &[RrType]) -> Link {
        let (from, to) = (hashed(text, 0), beside(text, 0, true));
        Link { from, to, flags: 0, iterations: 0, types: types.to_vec() }
    }

    fn covering(text: &str, flags: u8) -> Link {
        let (from, to) = (beside(text, 0, false), beside(text, 0, true));
        Link { from, to, flags, iterations: 0, types: Vec::new() }
    }

    fn record(&self) -> AnswerRecord {
        let owner = format!("{}.com.", BASE32_DNSSEC.encode(&self.from));
        let mut rdata = vec![1, self.flags];
        rdata.extend(self.iterations.to_be_bytes());
        rdata.extend([1, 7, 20]);
        rdata.extend(self.to);
        rdata.extend(bitmap(&self.types));
        record(&owner, RrType::NSEC3, &rdata)
    }
}

#[test]
fn nsec3_proves_that_there_is_no_ds_rfc5155_8_6() {
    use RrType as T;
    let check = |rcode, links: &[Link], expected: Result<(), Bogus>| {
        let records: Vec<AnswerRecord> = links.iter().map(Link::record).collect();
        assert_eq!(believed(&denial(rcode, &records)).map(|_| ()), expected);
    };
    let apex = || Link::matching("com.", &[T::NS, T::SOA]);
    check(0, &[Link::matching("example.com.", &[T::NS])], Ok(()));
    check(0, &[Link::matching("example.com.", &[T::NS, T::DS])], Err(Bogus::Contrary));
    check(0, &[Link::matching("example.com.", &[T::NS, T::SOA])], Err(Bogus::Contrary));
    // NXDOMAIN of a name that is there.
    check(3, &[Link::matching("example.com.", &[T::NS])], Err(Bogus::Contrary));
    // A delegation that opt-out left out; without opt-out only a name that is not there.
    check(0, &[apex(), Link::covering("example.com.", 1)], Ok(()));
    check(0, &[apex(), Link::covering("example.com.", 0)], Err(Bogus::NoProof));
    check(3, &[apex(), Link::covering("example.com.", 0)], Ok(()));
    // Half a proof, another name's, unknown flags.
    check(0, &[Link::covering("example.com.", 1)], Err(Bogus::NoProof));
    check(0, &[apex()], Err(Bogus::NoProof));
    check(0, &[apex(), Link::covering("other.com.", 1)], Err(Bogus::NoProof));
    check(0, &[apex(), Link::covering("example.com.", 3)], Err(Bogus::NoProof));
    // The only record of a chain covers everything but itself.
    let alone = Link { to: hashed("com.", 0), flags: 1, ..apex() };
    check(0, &[alone], Ok(()));
    // The closest encloser is a delegation.
    let cut = Link::matching("com.", &[T::NS]);
    check(3, &[cut, Link::covering("example.com.", 0)], Err(Bogus::NoProof));
    // Another salt is another chain.
    let mut other = Link::covering("example.com.", 1).record();
    other.rdata[5] = 8;
    let response = denial(0, &[apex().record(), other]);
    assert_eq!(believed(&response), Err(Bogus::NoProof));
    // Signed by nobody.
    let mut bare = denial(0, &[apex().record(), Link::covering("example.com.", 1).record()]);
    bare.authorities.pop();
    assert_eq!(believed(&bare), Err(Bogus::Unsigned(RrType::NSEC3)));
}

#[test]
fn costly_chains_are_not_walked_rfc9276_3_2() {
    let with = |iterations| {
        let (from, to) = (hashed("example.com.", iterations), [0xff; 20]);
        let link = Link { from, to, flags: 0, iterations, types: vec![RrType::NS] };
        believed(&denial(0, &[link.record()])).map(|_| ())
    };
    assert_eq!(with(ITERATIONS_MAX), Ok(()));
    assert_eq!(with(ITERATIONS_MAX + 1), Err(Bogus::Iterations(101)));
}

proptest! {
    /// Whatever is changed in a good answer: nothing else than what was signed is believed.
    #[test]
    fn only_what_was_signed_is_believed(
        changes in proptest::collection::vec((any::<u16>(), any::<u16>(), 1..=255_u8), 1..4),
        is_denial in any::<bool>(),
    ) {
        let good = match is_denial {
            true => denial(0, &[nsec("example.com.", "f.com.", &[RrType::NS])]),
            false => ds_answer(&Pen::zsk()),
        };
        let mut response = good.clone();
        let part = if is_denial { &mut response.authorities } else { &mut response.answers };
        for (place, octet, change) in changes {
            let count = part.len();
            let rdata = &mut part[usize::from(place) % count].rdata;
            let length = rdata.len().max(1);
            if let Some(octet) = rdata.get_mut(usize::from(octet) % length) {
                *octet ^= change;
            }
        }
        let Ok(shown) = read_response(&child(), &response) else { return Ok(()) };
        let mut judge = Judge::new(NOW, &is_right);
        if let Ok(believed) = proven_ds(&child(), shown, &response, &parent(), &mut judge) {
            let mut found = believed.records;
            let mut signed = read_response(&child(), &good).unwrap().records;
            found.sort();
            signed.sort();
            prop_assert_eq!(found, signed);
        }
    }

    /// Octets of any kind, in the types that are looked into: no panic, and no belief.
    #[test]
    fn junk_is_never_believed(
        junk in proptest::collection::vec(
            (0..6_usize, proptest::collection::vec(any::<u8>(), 0..60)), 0..12,
        ),
        rcode in prop_oneof![Just(0_u16), Just(3)],
    ) {
        use RrType as T;
        let types = [T::DS, T::RRSIG, T::NSEC, T::NSEC3, T::DNSKEY, T::CNAME];
        let owners = ["example.com.", "com.", "0123456789abcdefghijklmnopqrstuv.com."];
        let records: Vec<AnswerRecord> = junk
            .iter()
            .enumerate()
            .map(|(at, (rtype, rdata))| record(owners[at % 3], types[*rtype], rdata))
            .collect();
        let soa = record("com.", T::SOA, &[]);
        let response = Response {
            rcode,
            ..answer(records.clone(), [records, vec![soa]].concat())
        };
        let mut judge = Judge::new(NOW, &is_right);
        prop_assert!(proven_keys(&anchors(), &name("com."), &response, &mut judge).is_err());
        let shown = ShownDs::default();
        prop_assert!(proven_ds(&child(), shown, &response, &parent(), &mut judge).is_err());
        let shown = ShownDs { records: vec![vec![1]], ttl: Ttl(1) };
        prop_assert!(proven_ds(&child(), shown, &response, &parent(), &mut judge).is_err());
    }
}

#[test]
fn reasons_are_said_in_words() {
    let expired = Bogus::Expired(RrType::DS).to_string();
    assert_eq!(expired, "the signature over its DS records has expired");
    let key = Bogus::Key(RrType::NSEC3, KeyTag(7)).to_string();
    assert_eq!(key, "its NSEC3 records are signed by a key (7) that the parent does not show");
}
