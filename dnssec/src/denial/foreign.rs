//! How a zone that somebody else signed proves what does not exist, as its own records say.
//! RFC 4035 §2.3 (NSEC), RFC 5155 §3.2 and §4.2 (NSEC3, NSEC3PARAM).
//! In: an input with its DNSSEC records. Out: kind and parameters of the chain that it should have,
//! for the auditor to hold it against; nothing here is a judgement.
//! Cost: the apex, and the names before the first NSEC3.
//! Limits: of several NSEC3PARAM records the first counts; the flags of the first NSEC3 stand for
//! all, as signers make them.

use super::nsec3::Nsec3Parameters;
use crate::RrType;
use crate::zone::ZoneVersion;

/// The only hash algorithm there is (RFC 5155 §11), where the zone says nothing.
const SHA1: u8 = 1;
/// NSEC3's opt-out flag (RFC 5155 §3.1.2.1).
const OPT_OUT: u8 = 1;

/// What a zone says of its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignDenial {
    /// It has NSEC, or nothing that could be a chain.
    Nsec,
    /// It has NSEC3.
    Nsec3 {
        /// Hash algorithm.
        hash_algorithm: u8,
        /// The rest.
        parameters: Nsec3Parameters,
    },
}

/// What RDATA of NSEC3 and NSEC3PARAM have in common (RFC 5155 §3.2, §4.2).
struct Head<'r> {
    hash_algorithm: u8,
    flags: u8,
    iterations: u16,
    salt: &'r [u8],
}

impl<'r> Head<'r> {
    fn read(rdata: &'r [u8]) -> Option<Head<'r>> {
        let &[hash_algorithm, flags, high, low, salt_length, ref rest @ ..] = rdata else {
            return None;
        };
        let salt = rest.get(..usize::from(salt_length))?;
        Some(Head { hash_algorithm, flags, iterations: u16::from_be_bytes([high, low]), salt })
    }
}

/// The chain of a zone that was read with its DNSSEC records; `None`: it has no DNSKEY at its apex,
/// and is unsigned.
pub fn foreign_denial(version: &ZoneVersion) -> Option<ForeignDenial> {
    let apex = version.apex_owner()?;
    apex.rrset(RrType::DNSKEY)?;
    if apex.rrset(RrType::NSEC).is_some() {
        return Some(ForeignDenial::Nsec);
    }
    let parameters = apex.rrset(RrType::NSEC3PARAM).and_then(|rrset| rrset.rdatas().next());
    let mut owners = version.chunks().flat_map(|chunk| chunk.owners());
    let nsec3 = owners.find_map(|owner| owner.rrset(RrType::NSEC3)?.rdatas().next());
    let nsec3 = nsec3.and_then(Head::read);
    let opt_out = nsec3.as_ref().is_some_and(|nsec3| nsec3.flags & OPT_OUT != 0);
    let Some(head) = parameters.and_then(Head::read).or(nsec3) else {
        return Some(match parameters {
            // Unreadable: the auditor will say so.
            Some(_) => nsec3_of(SHA1, 0, &[], opt_out),
            None => ForeignDenial::Nsec,
        });
    };
    Some(nsec3_of(head.hash_algorithm, head.iterations, head.salt, opt_out))
}

fn nsec3_of(hash_algorithm: u8, iterations: u16, salt: &[u8], opt_out: bool) -> ForeignDenial {
    let parameters = Nsec3Parameters { iterations, salt: salt.to_vec(), opt_out };
    ForeignDenial::Nsec3 { hash_algorithm, parameters }
}

/// Whether the apex of a version has signatures that somebody else made.
pub fn is_signed_elsewhere(version: &ZoneVersion) -> bool {
    version.apex_owner().is_some_and(|apex| apex.rrset(RrType::RRSIG).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ttl;
    use crate::zone::load::{Assembly, DnssecRecords, Limits, Packer, Place};
    use crate::zone::tests::{name, soa_rdata};

    const DNSKEY: &[u8] = &[1, 1, 3, 13, 1, 2, 3];

    /// What is seen in `example.` with these records below it.
    fn seen(records: &[(&str, RrType, &[u8])]) -> Option<ForeignDenial> {
        let (apex, limits) = (name("example."), Limits::default());
        let packer = Packer::new(&apex, limits);
        let mut packer = packer.with_dnssec_records(DnssecRecords::Kept);
        let place = Place { source: 0, line: 1 };
        let soa = soa_rdata();
        for (owner, rtype, rdata) in [("example.", RrType::SOA, &soa[..])].iter().chain(records) {
            packer.add(&name(owner), *rtype, Ttl(60), rdata, place).unwrap();
        }
        let assembly = Assembly::new(&apex, vec![packer.finish()], limits).unwrap();
        let built = assembly.ranges(1).into_iter().map(|range| assembly.build(range).unwrap());
        let built = built.collect();
        foreign_denial(&assembly.finish(built).version)
    }

    fn nsec3(iterations: u16, salt: &[u8], opt_out: bool) -> Option<ForeignDenial> {
        Some(nsec3_of(1, iterations, salt, opt_out))
    }

    #[test]
    fn the_zone_says_what_its_chain_is() {
        let key = ("example.", RrType::DNSKEY, DNSKEY);
        let hashed = [&[1, 1, 0, 2, 1, 0xab, 20][..], &[7; 20], &[0, 1, 0x20]].concat();
        let hashed = |hash: &'static str| (hash, RrType::NSEC3, &hashed[..]);
        let below = hashed("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.");
        let parameters = ("example.", RrType::NSEC3PARAM, &[1, 0, 0, 5, 0][..]);
        let nsec = ("example.", RrType::NSEC, &[0, 0, 1, 0x40][..]);
        assert_eq!(seen(&[]), None);
        assert_eq!(seen(&[below, parameters]), None, "without keys it is unsigned");
        assert_eq!(seen(&[key]), Some(ForeignDenial::Nsec), "as the auditor will see");
        assert_eq!(seen(&[key, nsec]), Some(ForeignDenial::Nsec));
        assert_eq!(seen(&[key, parameters]), nsec3(5, &[], false));
        assert_eq!(seen(&[key, below]), nsec3(2, &[0xab], true));
        assert_eq!(seen(&[key, below, parameters]), nsec3(5, &[], true));
    }
}
