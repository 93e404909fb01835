//! What a query about a published version is answered with: a transfer, or data of the apex.
//! RFC 5936 §2.2, RFC 1995 §2 and §4 (a server that has nothing newer, and UDP), RFC 1035 §3.2.3
//! (types that are questions only), RFC 2308 §2.2 (nothing of that type).
//! RFC 7314 §3.2 (EXPIRE).
//! In: a request that may be answered, a version. Out: what it wants; the short answers.
//! Never: who may ask; names below the apex, which nobody is told of here.

use super::Rcode;
use super::message::{AXFR, Answer, IXFR, RecordData, Request};
use crate::signing::tbs::{SignatureFields, push_rrsig_head, rrsig_labels};
use crate::zone::chunk::{OwnerView, RrsetView};
use crate::zone::{ZoneVersion, soa_numbers};
use crate::{Name, RrType, Seconds, Serial, Timestamp};

/// What a query wants of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The whole zone.
    Axfr,
    /// What changed since a version.
    Ixfr {
        /// The serial of that version.
        since: Serial,
    },
    /// An RRset at the apex.
    Apex,
    /// Nothing that there is.
    Unserved,
}

impl Wanted {
    /// What `request`, a QUERY, wants.
    pub fn by(request: &Request) -> Wanted {
        match (request.question.rtype, request.serial) {
            (AXFR, _) => Wanted::Axfr,
            (IXFR, Some(since)) => Wanted::Ixfr { since },
            // OPT and 128 to 255: of those 249 (TKEY) to 255 (ANY) have a meaning, as questions.
            (RrType(0 | 41 | 128..=255), _) => Wanted::Unserved,
            _ => Wanted::Apex,
        }
    }
}

/// Whether a secondary with `theirs` lacks anything of a version of serial `ours`.
pub fn is_behind(theirs: Serial, ours: Serial) -> bool {
    ours.is_after(theirs)
}

/// In how long a zone is too old to be served, for a request that wants to know (RFC 7314 §3.2):
/// what its SOA says, and when it comes from masters what is left of that. `expires` is when that
/// ends.
pub fn expires_in(
    request: &Request,
    version: &ZoneVersion,
    expires: Option<Timestamp>,
    now: Timestamp,
) -> Option<Seconds> {
    request.edns.filter(|edns| edns.wants_expire)?;
    if !matches!(request.question.rtype, RrType::SOA | AXFR | IXFR) {
        return None;
    }
    let [_, _, _, expire, _] = soa_numbers(version.soa_rdata()?)?;
    let whole = Seconds(expire.into());
    Some(expires.map_or(whole, |at| at.since(now).min(whole)))
}

/// What an answer is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Above so many octets it is cut short.
    pub octets_max: usize,
    /// See [`expires_in`].
    pub expire: Option<Seconds>,
}

/// The answer with the RRset at the apex that is asked for, or the SOA in the authority section
/// where there is none; with signatures when DO is set.
pub fn apex_answer(request: &Request, version: &ZoneVersion, shape: Shape) -> Vec<u8> {
    let signatures = request.edns.is_some_and(|edns| edns.dnssec_ok);
    with_rrset(request, version, request.question.rtype, signatures, shape)
}

/// The answer with the SOA record alone, whatever was asked for: to a transfer by UDP, and to IXFR
/// of somebody who lacks nothing. A signature behind it would look like the rest of a transfer.
pub fn soa_answer(request: &Request, version: &ZoneVersion, shape: Shape) -> Vec<u8> {
    with_rrset(request, version, RrType::SOA, false, shape)
}

fn with_rrset(
    request: &Request,
    version: &ZoneVersion,
    rtype: RrType,
    signatures: bool,
    Shape { octets_max, expire }: Shape,
) -> Vec<u8> {
    let Some(apex) = version.apex_owner() else {
        return Answer::new(request, Rcode::SERVFAIL).finish(octets_max);
    };
    let answer = Answer::new(request, Rcode::NOERROR).authoritative().expiring_in(expire);
    let answer = match (apex.rrset(rtype), apex.rrset(RrType::SOA)) {
        (Some(rrset), _) => {
            add(answer, version, &apex, &rrset, signatures, |answer, record| answer.answer(record))
        }
        (None, Some(soa)) => {
            add(answer, version, &apex, &soa, signatures, |answer, record| answer.authority(record))
        }
        (None, None) => answer,
    };
    answer.finish(octets_max)
}

fn add(
    mut answer: Answer,
    version: &ZoneVersion,
    apex: &OwnerView<'_>,
    rrset: &RrsetView<'_>,
    with_signatures: bool,
    push: impl Fn(Answer, RecordData<'_>) -> Answer,
) -> Answer {
    let signer = version.apex.to_lowercase();
    let given = apex.given_case().and_then(|wire| Name::from_wire(wire).ok());
    let owner = given.map_or_else(|| signer.clone(), |(name, _)| name);
    for rdata in rrset.rdatas() {
        answer =
            push(answer, RecordData { owner: &owner, rtype: rrset.rtype, ttl: rrset.ttl, rdata });
    }
    let labels = rrsig_labels(signer.as_wire());
    for signature in rrset.signatures().filter(|_| with_signatures) {
        let fields = SignatureFields::of(&signature);
        let mut rdata = Vec::new();
        push_rrsig_head(rrset.rtype, rrset.ttl, labels, &fields, signer.as_wire(), &mut rdata);
        rdata.extend(signature.signature);
        let (rtype, ttl) = (RrType::RRSIG, rrset.ttl);
        answer = push(answer, RecordData { owner: &owner, rtype, ttl, rdata: &rdata });
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::super::message::query;
    use super::super::packing::tests::version;
    use super::*;
    use hickory_proto::op::Message;

    fn shape(octets_max: usize) -> Shape {
        Shape { octets_max, expire: None }
    }

    fn request(rtype: RrType) -> Request {
        let apex = Name::parse(b"example.", None).unwrap();
        let serial = (rtype == IXFR).then_some(Serial(3));
        Request::decode(&query(7, &apex, rtype, serial).octets).unwrap()
    }

    #[test]
    fn what_is_wanted() {
        let wanted = |rtype| Wanted::by(&request(rtype));
        assert_eq!(wanted(AXFR), Wanted::Axfr);
        assert_eq!(wanted(IXFR), Wanted::Ixfr { since: Serial(3) });
        assert_eq!(wanted(RrType::SOA), Wanted::Apex);
        assert_eq!(wanted(RrType(255)), Wanted::Unserved);
        assert_eq!(wanted(RrType(256)), Wanted::Apex);
    }

    #[test]
    fn apex_data_with_and_without_signatures() {
        let version = version(9, &[]);
        let mut asked = request(RrType::SOA);
        let plain = Message::from_vec(&apex_answer(&asked, &version, shape(512))).unwrap();
        assert_eq!((plain.answers.len(), plain.authorities.len()), (1, 0));
        assert!(plain.metadata.authoritative && plain.edns.is_some());
        asked.edns.as_mut().unwrap().dnssec_ok = true;
        let signed = Message::from_vec(&apex_answer(&asked, &version, shape(1232))).unwrap();
        assert_eq!(signed.answers.len(), 3);
        let cut = Message::from_vec(&apex_answer(&asked, &version, shape(100))).unwrap();
        assert!(cut.metadata.truncation && cut.answers.is_empty());
        asked.question.rtype = RrType::MX;
        let nothing = Message::from_vec(&apex_answer(&asked, &version, shape(1232))).unwrap();
        assert_eq!((nothing.answers.len(), nothing.authorities.len()), (0, 3));
        asked.question.rtype = IXFR;
        let soa = Message::from_vec(&soa_answer(&asked, &version, shape(512))).unwrap();
        assert_eq!(soa.answers.len(), 1);
    }
    /// Without the option in the request there is none in the answer, and none in other answers.
    #[test]
    fn who_wants_to_know_is_told_when_the_zone_expires() {
        let version = version(9, &[]);
        let now = Timestamp(1_000);
        let told = |request: &Request, expires| expires_in(request, &version, expires, now);
        let whole = soa_numbers(version.soa_rdata().unwrap()).unwrap()[3].into();
        for rtype in [RrType::SOA, AXFR, IXFR, RrType::MX] {
            let mut asked = request(rtype);
            asked.edns.as_mut().unwrap().wants_expire = false;
            assert_eq!(told(&asked, None), None);
            asked.edns.as_mut().unwrap().wants_expire = true;
            let is_told = rtype != RrType::MX;
            assert_eq!(told(&asked, None), is_told.then_some(Seconds(whole)));
            assert_eq!(told(&asked, Some(Timestamp(1_005))), is_told.then_some(Seconds(5)));
            assert_eq!(told(&asked, Some(Timestamp(999))), is_told.then_some(Seconds(0)));
            let late = Some(Timestamp(1_001 + whole));
            assert_eq!(told(&asked, late), is_told.then_some(Seconds(whole)));
        }
        let shape = Shape { octets_max: 512, expire: Some(Seconds(258)) };
        let answer = Message::from_vec(&soa_answer(&request(IXFR), &version, shape)).unwrap();
        let edns = answer.edns.unwrap();
        let option = edns.option(hickory_proto::rr::rdata::opt::EdnsCode::Expire).unwrap();
        assert_eq!(Vec::<u8>::try_from(option).unwrap(), [0, 0, 1, 2]);
    }
}
