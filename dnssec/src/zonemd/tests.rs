//! The digest: vectors of RFC 8976, and what counts and what does not.

use std::sync::Arc;

use data_encoding::HEXLOWER;

use super::*;
use crate::Name;
use crate::zone::build::ChunkBuilder;
use crate::zone::load::{Limits, Loader, Place};
use crate::zonefile::{
    BlockEnd, IncludeRequest, Included, Position, Reader, RecordRef, Sink, State,
};

/// The records of a text, loaded.
fn version(apex: &str, text: &str) -> ZoneVersion {
    struct Loading(Loader);
    impl Sink for Loading {
        type Error = String;
        fn record(&mut self, record: RecordRef<'_>, _: Position) -> Result<(), String> {
            let place = Place { source: 0, line: 1 };
            let RecordRef { owner, rtype, ttl, rdata, .. } = record;
            self.0.add(owner, rtype, ttl, rdata, place).map_err(|error| error.to_string())
        }
        fn warning(&mut self, _: crate::zonefile::Warning, _: Position) -> Result<(), String> {
            Ok(())
        }
        fn include(&mut self, _: IncludeRequest<'_>) -> Result<Included, String> {
            Err("no files here".to_owned())
        }
    }
    let apex = Name::parse(apex.as_bytes(), None).unwrap();
    let mut loading = Loading(Loader::new(&apex, Limits::default()));
    let mut reader = Reader::new(State::new(Some(apex), 0));
    reader.read_block(text.as_bytes(), BlockEnd::Final, &mut loading).unwrap();
    loading.0.finish().unwrap().version
}

/// Appendix A.1.
const SIMPLE: &str = "\
example. 86400 IN SOA ns1.example. admin.example. 2018031900 1800 900 604800 86400
example. 86400 IN NS ns1.example.
example. 86400 IN NS ns2.example.
ns1.example. 3600 IN A 203.0.113.63
ns2.example. 3600 IN AAAA 2001:db8::63
";
const SIMPLE_DIGEST: &str = "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3\
     a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c";

#[test]
fn digest_of_rfc8976_a_1() {
    let digest = zone_digest(&version("example.", SIMPLE));
    assert_eq!(HEXLOWER.encode(&digest), SIMPLE_DIGEST);
}

#[test]
fn case_of_owners_and_names_in_data_does_not_count_rfc8976_3_3_2() {
    let upper = SIMPLE.replace("ns1.example.", "NS1.Example.");
    assert_eq!(HEXLOWER.encode(&zone_digest(&version("Example.", &upper))), SIMPLE_DIGEST);
}

#[test]
fn every_record_counts_but_the_zonemd_at_the_apex() {
    let plain = version("example.", SIMPLE);
    let other = version("example.", &SIMPLE.replace("203.0.113.63", "203.0.113.64"));
    assert_ne!(zone_digest(&plain), zone_digest(&other));
    let below = format!("{SIMPLE}a.example. 5 IN ZONEMD 1 1 1 {}\n", "00".repeat(48));
    assert_ne!(zone_digest(&plain), zone_digest(&version("example.", &below)));
    let with_zonemd = with_rrset(&plain, RrType::ZONEMD, &placeholder(Serial(1)));
    assert_eq!(zone_digest(&plain), zone_digest(&with_zonemd));
    let with_txt = with_rrset(&plain, RrType::TXT, b"\x01x");
    assert_ne!(zone_digest(&plain), zone_digest(&with_txt));
}

/// The version with one RRset more at the apex, of a type higher than all there.
fn with_rrset(version: &ZoneVersion, rtype: RrType, rdata: &[u8]) -> ZoneVersion {
    let mut builder = ChunkBuilder::default();
    for owner in version.names[0].owners() {
        builder.begin_owner_like(&owner);
        for rrset in owner.rrsets() {
            builder.begin_rrset_like(&rrset);
            builder.end_rrset();
        }
        if owner.key().is_empty() {
            builder.begin_rrset(rtype, Ttl(5));
            builder.push_rdata(rdata).unwrap();
            builder.end_rrset();
        }
        builder.end_owner();
    }
    let names = Arc::from(vec![Arc::new(builder.finish())]);
    ZoneVersion { names, ..version.clone() }
}

#[test]
fn rdata_of_rfc8976_2_2() {
    let rdata = zonemd_rdata(Serial(0x0102_0304), &[7; DIGEST_OCTETS]);
    assert_eq!(rdata[..6], [1, 2, 3, 4, 1, 1]);
    assert_eq!(rdata[6..], [7; 48]);
    assert_eq!(placeholder(Serial(1)).len(), 54);
}
