//! Zones in the middle of rolls and on the way to unsigned: what the expectations say of the keys
//! is allowed, the same without them is not, and what they do not say never is.

use std::collections::BTreeSet;

use crate::common::*;
use audit::{Denial, Expectations, ParentSync, Signer, Signing};

fn signer(key: &Key, signs_keyset: bool, signs_zone: bool) -> Signer {
    Signer { dnskey: key.rdata.clone(), signs_keyset, signs_zone }
}

fn usual_signers() -> Vec<Signer> {
    vec![signer(&ksk(), true, false), signer(&zsk(), false, true)]
}

fn signing(signers: Vec<Signer>, ds_algorithms: &[u8]) -> Option<Signing> {
    Some(Signing { signers, ds_algorithms: ds_algorithms.to_vec() })
}

#[track_caller]
fn check(candidate: &[Rr], source: &[Rr], expectations: &Expectations, codes: &[u16]) {
    let report = audit_bytes(&block(candidate), &block(source), expectations);
    let found: BTreeSet<u16> = report.findings.iter().map(|f| f.id.code()).collect();
    assert_eq!(found, codes.iter().copied().collect(), "{:#?}", report.findings);
}

fn signed() -> Vec<Rr> {
    sign(&source(), &Denial::Nsec, &Hooks::default())
}

/// Signatures by `key` beside those that are there, over the keys or over everything else.
fn sign_beside(zone: &mut Vec<Rr>, key: &Key, over_keys: bool) {
    zone.sort_by_key(canonical_key);
    let covered = |record: &Rr| u16::from_be_bytes([record.rdata[0], record.rdata[1]]);
    let wanted: BTreeSet<(Vec<u8>, u16)> = zone
        .iter()
        .filter(|record| record.rtype == RRSIG && (covered(record) == DNSKEY) == over_keys)
        .map(|record| (record.owner.clone(), covered(record)))
        .collect();
    for (owner, rtype) in wanted {
        let is_it = |r: &&Rr| r.rtype == rtype && r.owner.eq_ignore_ascii_case(&owner);
        let rrset: Vec<Rr> = zone.iter().filter(is_it).cloned().collect();
        zone.push(key.rrsig_with(&rrset, |_| {}));
    }
}

#[test]
fn an_unpublished_key_may_sign_where_that_is_expected() {
    let hidden = Key::new(9, 256);
    let mut zone = signed();
    sign_beside(&mut zone, &hidden, false);
    let mut expected = expectations(&Denial::Nsec);
    check(&zone, &source(), &expected, &[303]);
    expected.signing = signing(usual_signers(), &[15]);
    check(&zone, &source(), &expected, &[303]);
    let mut signers = usual_signers();
    signers.push(signer(&hidden, true, false));
    expected.signing = signing(signers, &[15]);
    // It may sign the keys, and does not; it may not sign the zone, and does.
    check(&zone, &source(), &expected, &[303, 316]);
    let mut signers = usual_signers();
    signers.push(signer(&hidden, false, true));
    expected.signing = signing(signers, &[15]);
    check(&zone, &source(), &expected, &[]);
    // Each of two is counted on, and a signature by an unpublished key is verified as well.
    let of_hidden =
        |record: &Rr| record.rtype == RRSIG && record.rdata[16..18] == hidden.tag().to_be_bytes();
    let at = zone.iter().position(of_hidden).unwrap();
    *zone[at].rdata.last_mut().unwrap() ^= 1;
    check(&zone, &source(), &expected, &[302]);
    zone.remove(at);
    check(&zone, &source(), &expected, &[316]);
    // And it counts for no algorithm.
    zone.retain(|record| {
        record.rtype != RRSIG || record.rdata[16..18] != zsk().tag().to_be_bytes()
    });
    check(&zone, &source(), &expected, &[301]);
}

#[test]
fn a_key_set_may_be_signed_by_a_key_that_has_left_it() {
    let left = Key::new(9, 257);
    let mut zone = signed();
    sign_beside(&mut zone, &left, true);
    let mut expected = expectations(&Denial::Nsec);
    let mut signers = usual_signers();
    signers.push(signer(&left, true, false));
    expected.signing = signing(signers, &[15]);
    check(&zone, &source(), &expected, &[]);
    // A validator does not take its signature, so a published one has to sign.
    let of_ksk =
        |record: &Rr| record.rtype == RRSIG && record.rdata[16..18] == ksk().tag().to_be_bytes();
    zone.retain(|record| !of_ksk(record));
    check(&zone, &source(), &expected, &[209, 301]);
}

/// The source with these keys at the apex.
fn with_keys(keys: &[Key]) -> Vec<Rr> {
    let mut zone = source();
    zone.extend(keys.iter().map(|key| rr("example", DNSKEY, &key.rdata)));
    zone.sort_by_key(canonical_key);
    zone
}

fn unsigned_expectations() -> Expectations {
    Expectations {
        dnskeys: Some(Vec::new()),
        signing: signing(Vec::new(), &[]),
        parent_sync: Some(ParentSync::Silent),
        ..expectations(&Denial::None)
    }
}

#[test]
fn an_unsigned_zone_has_no_dnssec_records_and_no_ds_anywhere() {
    let mut expected = unsigned_expectations();
    let good = source();
    check(&good, &source(), &expected, &[]);
    expected.published_serial = Some(10);
    check(&good, &source(), &expected, &[607]);
    expected.published_serial = None;
    expected.signing = signing(Vec::new(), &[15]);
    check(&good, &source(), &expected, &[201]);
    expected.signing = signing(Vec::new(), &[]);
    check(&signed(), &source(), &expected, &[205, 313, 501]);
    let mut missing = source();
    missing.retain(|record| record.rtype != MX);
    check(&missing, &source(), &expected, &[601]);
    let mut with_param = source();
    with_param.push(rr("example", NSEC3PARAM, &[1, 0, 0, 0, 0]));
    check(&with_param, &source(), &expected, &[501]);
    let mut with_cds = source();
    with_cds.push(rr("example", CDS, &[0; 5]));
    check(&with_cds, &source(), &expected, &[211]);
}

#[test]
fn on_the_way_to_unsigned_keys_may_be_left_signed_or_not() {
    let mut zone = with_keys(&[ksk()]);
    let mut expected = unsigned_expectations();
    expected.dnskeys = Some(vec![ksk().rdata]);
    check(&zone, &source(), &expected, &[]);
    // A DS of its algorithm asks for signatures over everything, signed keys are not enough.
    expected.signing = signing(Vec::new(), &[15]);
    check(&zone, &source(), &expected, &[301]);
    expected.signing = signing(vec![signer(&ksk(), true, false)], &[]);
    check(&zone, &source(), &expected, &[301]);
    let keys: Vec<Rr> = zone.iter().filter(|r| r.rtype == DNSKEY).cloned().collect();
    zone.push(ksk().rrsig_with(&keys, |_| {}));
    check(&zone, &source(), &expected, &[]);
    expected.signing = signing(vec![signer(&ksk(), true, false)], &[15]);
    check(&zone, &source(), &expected, &[301]);
    expected.signing = signing(Vec::new(), &[]);
    check(&zone, &source(), &expected, &[313]);
}

#[test]
fn a_revoked_key_signs_itself_and_nothing_else() {
    let revoked = Key::new(5, 0x0181);
    let mut zone = sign(
        &source(),
        &Denial::Nsec,
        &Hooks {
            before_signing: &|z: &mut Vec<Rr>| z.push(rr("example", DNSKEY, &revoked.rdata)),
            ..Hooks::default()
        },
    );
    let mut expected = expectations(&Denial::Nsec);
    expected.dnskeys = Some(vec![ksk().rdata, zsk().rdata, revoked.rdata.clone()]);
    let mut signers = usual_signers();
    signers.push(signer(&revoked, true, false));
    expected.signing = signing(signers, &[15]);
    check(&zone, &source(), &expected, &[316]);
    sign_beside(&mut zone, &revoked, true);
    check(&zone, &source(), &expected, &[]);
    sign_beside(&mut zone, &revoked, false);
    check(&zone, &source(), &expected, &[314]);
}

#[test]
fn a_zone_with_its_sources_dnssec_records_has_all_of_them_and_no_others() {
    let given = signed();
    let mut expected = expectations(&Denial::Source);
    expected.dnskeys = None;
    expected.published_serial = Some(9);
    check(&given, &given, &expected, &[]);
    let changed = |change: fn(&mut Vec<Rr>)| {
        let mut zone = given.clone();
        change(&mut zone);
        zone
    };
    let at = |zone: &Vec<Rr>, rtype| zone.iter().position(|r| r.rtype == rtype).unwrap();
    for rtype in [RRSIG, NSEC, DNSKEY] {
        let mut zone = given.clone();
        zone.remove(at(&zone, rtype));
        check(&zone, &given, &expected, &[601]);
    }
    check(&changed(|z| z.push(rr("www.example", RRSIG, &[0; 30]))), &given, &expected, &[602]);
    let mut zone = given.clone();
    let of_signature = at(&zone, RRSIG);
    zone[of_signature].ttl = 1;
    check(&zone, &given, &expected, &[604]);
    expected.published_serial = Some(10);
    check(&given, &given, &expected, &[607]);
}

#[test]
fn cds_names_keys_that_lead_into_the_zone() {
    let with_sync = |keys: &[Key]| {
        let mut source = source();
        for key in keys {
            source.push(rr("example", CDNSKEY, &key.rdata));
            source.push(rr("example", CDS, &ds(key, 2)));
        }
        source
    };
    let zone_of = |source: &[Rr]| sign(source, &Denial::Nsec, &Hooks::default());
    let mut expected = expectations(&Denial::Nsec);
    expected.parent_sync = Some(ParentSync::Keys(vec![ksk().rdata]));
    let source = with_sync(&[ksk()]);
    check(&zone_of(&source), &source, &expected, &[]);
    // A DS may come before its DNSKEY, as long as there is another way in.
    let source = with_sync(&[ksk(), Key::new(7, 257)]);
    let keys = vec![ksk().rdata, Key::new(7, 257).rdata];
    expected.parent_sync = Some(ParentSync::Keys(keys));
    check(&zone_of(&source), &source, &expected, &[]);
    expected.parent_sync = Some(ParentSync::Silent);
    check(&zone_of(&source), &source, &expected, &[211]);
}
