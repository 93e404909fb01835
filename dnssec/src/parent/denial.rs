//! Proof that a parent has no DS for a name (RFC 4035 §5.4; RFC 5155 §8.3, §8.5, §8.6; RFC 6840
//! §4.1, §4.3, §4.4).
//! In: the authority section of an answer, the parent's keys. Out: that it is proven, or why not.
//! A name that does not exist has no DS either; that a wildcard might have one is not looked at,
//! since no delegation comes from a wildcard (RFC 4592 §4.2).
//! Limits: those of `rrsig`; [`ITERATIONS_MAX`] of NSEC3; one set of NSEC3 parameters.

use super::answer::{AnswerRecord, Response, is_above, is_same};
use super::rrsig::{Bogus, Judge, ParentKey, prove};
use crate::denial::nsec3::{HASH_LENGTH, Nsec3Parameters, hash};
use crate::zone::key::push_owner_key;
use crate::{Name, RrType};
use data_encoding::BASE32_DNSSEC;

/// Most additional iterations of NSEC3: a validator may give up above it (RFC 9276 §3.2).
pub const ITERATIONS_MAX: u16 = 100;
/// NXDOMAIN (RFC 1035 §4.1.1).
const NAME_ERROR: u16 = 3;
/// Octets of NSEC3 RDATA before the salt's length (RFC 5155 §3.2).
const SALT_OFFSET: usize = 4;

/// Proves that the zone of `keys` has no DS at `child`.
pub(super) fn prove_no_ds(
    child: &Name,
    response: &Response,
    (zone, keys): (&Name, &[ParentKey]),
    judge: &mut Judge<'_>,
) -> Result<(), Bogus> {
    let records = &response.authorities;
    if records.iter().any(|record| record.rtype == RrType::NSEC3) {
        let chain = Nsec3Chain::read(zone, records)?;
        for owner in chain.proof(child, response.rcode == NAME_ERROR)? {
            prove(records, (&owner, RrType::NSEC3), (zone, keys), judge)?;
        }
        return Ok(());
    }
    let owner = nsec_proof(zone, child, records)?;
    prove(records, (&owner, RrType::NSEC), (zone, keys), judge).map(|_| ())
}

/// The types that a bitmap has (RFC 4034 §4.1.2).
struct Types<'r>(&'r [u8]);

impl Types<'_> {
    /// Whether the bitmap has a type; one that is malformed seems to have every type, so that it
    /// denies none.
    fn has(&self, rtype: RrType) -> bool {
        let [window, low] = rtype.0.to_be_bytes();
        let mut rest = self.0;
        while let [number, length, tail @ ..] = rest {
            let Some((bits, tail)) = tail.split_at_checked(usize::from(*length)) else {
                return true;
            };
            if *number == window {
                let octet = bits.get(usize::from(low / 8)).copied().unwrap_or(0);
                return octet & (0x80 >> (low % 8)) != 0;
            }
            rest = tail;
        }
        !rest.is_empty()
    }

    /// Whether it denies a DS to the name that it is of: the child's own apex does not count.
    fn denies_ds(&self) -> bool {
        ![RrType::DS, RrType::SOA, RrType::CNAME].into_iter().any(|rtype| self.has(rtype))
    }

    /// Whether names below are not the zone's to deny: they are another zone's, or renamed.
    fn ends_authority(&self) -> bool {
        self.has(RrType::DNAME) || (self.has(RrType::NS) && !self.has(RrType::SOA))
    }
}

/// The owner of the NSEC that proves it, before its signature is looked at.
fn nsec_proof(zone: &Name, child: &Name, records: &[AnswerRecord]) -> Result<Name, Bogus> {
    let key = |name: &Name| {
        let mut key = Vec::new();
        push_owner_key(zone, name, &mut key).then_some(key)
    };
    let wanted = key(child).ok_or(Bogus::NoProof)?;
    for record in records.iter().filter(|record| record.rtype == RrType::NSEC) {
        let Ok((next, length)) = Name::from_wire(&record.rdata) else { continue };
        let types = Types(&record.rdata[length..]);
        if is_same(&record.owner, child) {
            return match types.denies_ds() {
                true => Ok(record.owner.clone()),
                false => Err(Bogus::Contrary),
            };
        }
        let (Some(from), Some(to)) = (key(&record.owner), key(&next)) else { continue };
        let is_between = from < wanted && (wanted < to || to.is_empty());
        if is_between && !(is_above(&record.owner, child) && types.ends_authority()) {
            return Ok(record.owner.clone());
        }
    }
    Err(Bogus::NoProof)
}

/// One NSEC3 record.
struct Nsec3<'r> {
    owner: &'r Name,
    from: [u8; HASH_LENGTH],
    to: [u8; HASH_LENGTH],
    opts_out: bool,
    types: Types<'r>,
}

/// The NSEC3 records of an answer.
struct Nsec3Chain<'r> {
    zone: &'r Name,
    parameters: Nsec3Parameters,
    records: Vec<Nsec3<'r>>,
}

impl<'r> Nsec3Chain<'r> {
    /// Those with the parameters of the first; others would be another chain (RFC 5155 §8.2).
    fn read(zone: &'r Name, records: &'r [AnswerRecord]) -> Result<Nsec3Chain<'r>, Bogus> {
        let all = records.iter().filter(|record| record.rtype == RrType::NSEC3);
        let mut read = all.filter_map(|record| read_nsec3(zone, record)).peekable();
        let parameters = read.peek().ok_or(Bogus::NoProof)?.0.clone();
        if parameters.iterations > ITERATIONS_MAX {
            return Err(Bogus::Iterations(parameters.iterations));
        }
        let same = read.filter(|(own, _)| *own == parameters);
        let records = same.map(|(_, record)| record).collect();
        Ok(Nsec3Chain { zone, parameters, records })
    }

    fn hash(&self, name: &Name) -> [u8; HASH_LENGTH] {
        hash(name.to_lowercase().as_wire(), &self.parameters)
    }

    fn matching(&self, name: &Name) -> Option<&Nsec3<'r>> {
        let hash = self.hash(name);
        self.records.iter().find(|record| record.from == hash)
    }

    fn covering(&self, name: &Name) -> Option<&Nsec3<'r>> {
        let hash = self.hash(name);
        self.records.iter().find(|record| match record.from < record.to {
            true => record.from < hash && hash < record.to,
            // The last of the chain, or the only one.
            false => record.from < hash || hash < record.to,
        })
    }

    /// Owners of the records that prove it, before their signatures are looked at.
    fn proof(&self, child: &Name, is_name_error: bool) -> Result<Vec<Name>, Bogus> {
        if let Some(record) = self.matching(child) {
            return match record.types.denies_ds() && !is_name_error {
                true => Ok(vec![record.owner.clone()]),
                false => Err(Bogus::Contrary),
            };
        }
        // The closest encloser and the name below it (RFC 5155 §8.3).
        let (mut next_closer, mut above) = (child.clone(), child.parent());
        while let Some(name) = above.filter(|name| name.is_at_or_below(self.zone)) {
            if let Some(encloser) = self.matching(&name) {
                let cover = self.covering(&next_closer).ok_or(Bogus::NoProof)?;
                // Without NXDOMAIN the name is a delegation that was left out (RFC 5155 §8.6).
                let is_denied = cover.opts_out || is_name_error;
                return match is_denied && !encloser.types.ends_authority() {
                    true => Ok(vec![encloser.owner.clone(), cover.owner.clone()]),
                    false => Err(Bogus::NoProof),
                };
            }
            above = name.parent();
            next_closer = name;
        }
        Err(Bogus::NoProof)
    }
}

/// A record with what its names are hashed with; `None` for one that has no form, an unknown hash
/// algorithm or unknown flags (RFC 5155 §8.1, §8.2), or that stands elsewhere than in `zone`.
fn read_nsec3<'r>(zone: &Name, record: &'r AnswerRecord) -> Option<(Nsec3Parameters, Nsec3<'r>)> {
    let parent = record.owner.parent().filter(|parent| is_same(parent, zone))?;
    let label = record.owner.labels().next()?.to_ascii_lowercase();
    debug_assert!(parent.label_count() + 1 == record.owner.label_count());
    let from = BASE32_DNSSEC.decode(&label).ok()?.try_into().ok()?;
    let (head, rest) = record.rdata.split_at_checked(SALT_OFFSET)?;
    let [algorithm, flags, iterations @ ..] = head else { return None };
    if *algorithm != 1 || *flags > 1 {
        return None;
    }
    let iterations = u16::from_be_bytes(iterations.try_into().ok()?);
    let (length, rest) = rest.split_first()?;
    let (salt, rest) = rest.split_at_checked(usize::from(*length))?;
    let (length, rest) = rest.split_first()?;
    let (to, types) = rest.split_at_checked(usize::from(*length))?;
    let parameters = Nsec3Parameters { iterations, salt: salt.to_vec(), opt_out: false };
    let to = to.try_into().ok()?;
    let (owner, types) = (&record.owner, Types(types));
    Some((parameters, Nsec3 { owner, from, to, opts_out: *flags == 1, types }))
}
