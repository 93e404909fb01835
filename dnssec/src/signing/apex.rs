//! The apex of a signed version: SOA and keys as the policy wants them, NSEC3PARAM, CDS.
//! RFC 4035 §2.1, RFC 5155 §4, RFC 7344, RFC 9077; overrides of catalogue 5.3.
//! In: the apex as the input has it. Out: the apex before signing, and after, with the serial.
//! Keys in the input are kept beside ours (catalogue 3.2); CDS and CDNSKEY of ours replace those of
//! the input, since two opinions there would be a wish for two key sets.

use super::ZoneKey;
use super::plan::{SigningRun, fields, view};
use super::reuse::kept_signature;
use super::tbs::push_message;
use crate::key::KeyRole;
use crate::policy::Policy;
use crate::zone::build::ChunkBuilder;
use crate::zone::chunk::{Chunk, RrsetView};
use crate::zone::{ZoneVersion, soa_serial, soa_with};
use crate::zonemd::{ZoneDigest, placeholder, zonemd_rdata};
use crate::{RrType, Serial, Timestamp, Ttl};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a published version is, as far as DNSSEC goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZoneForm {
    /// Signed, with a chain of denial. Keys of the input stand beside ours.
    #[default]
    Signed,
    /// No chain and no signatures over the zone's data. Of DNSKEY, CDS and CDNSKEY there is what
    /// the plan has: on the way to unsigned keys may be left, in the end there are none.
    Unsigned,
    /// `<Passthrough/>`: the input as it is, with another serial.
    Passthrough,
}

impl ZoneForm {
    /// What `keys` make of a zone of this policy.
    pub fn of(policy: &Policy, keys: &[ZoneKey]) -> ZoneForm {
        let signs_zone = |key: &ZoneKey| key.signing_role().is_some_and(KeyRole::signs_zone);
        match keys {
            [] if policy.passthrough => ZoneForm::Passthrough,
            keys if keys.iter().any(signs_zone) => ZoneForm::Signed,
            _ => ZoneForm::Unsigned,
        }
    }
}

/// What the signer decides about the apex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApexPlan {
    /// What the version is to be.
    pub form: ZoneForm,
    /// `<Zone><SOA><TTL>`.
    pub soa_ttl: Ttl,
    /// `<Zone><SOA><Minimum>`, in seconds.
    pub soa_minimum: u32,
    /// Serial that stands in until the version has its own: the last published one.
    pub serial: Option<Serial>,
    /// `<Keys><TTL>`; also for CDS and CDNSKEY.
    pub keys_ttl: Ttl,
    /// RDATA of our DNSKEY records.
    pub dnskeys: Vec<Vec<u8>>,
    /// RDATA of our CDS records.
    pub cds: Vec<Vec<u8>>,
    /// RDATA of our CDNSKEY records.
    pub cdnskey: Vec<Vec<u8>>,
    /// TTL of the ZONEMD record, where the version is to have one.
    pub zonemd: Option<Ttl>,
    /// TTL and RDATA of the NSEC3PARAM record.
    pub nsec3param: Option<(Ttl, Vec<u8>)>,
}

/// The version has no SOA at its apex; a loaded one always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("zone version without SOA record")]
pub struct NoSoa;

/// The version with the apex that `plan` describes, unsigned.
pub fn with_apex(version: &ZoneVersion, plan: &ApexPlan) -> Result<ZoneVersion, NoSoa> {
    let first = version.names.first().ok_or(NoSoa)?;
    let soa = version.soa_rdata().ok_or(NoSoa)?;
    let serial = plan.serial.or(soa_serial(soa)).ok_or(NoSoa)?;
    if plan.form == ZoneForm::Passthrough {
        let owner = version.apex_owner().ok_or(NoSoa)?;
        let ttl = owner.rrset(RrType::SOA).ok_or(NoSoa)?.ttl;
        let minimum = crate::zone::soa_minimum(soa).ok_or(NoSoa)?;
        let soa = soa_with(soa, serial, minimum).ok_or(NoSoa)?;
        return Ok(with_first(version, replace_last(first, (RrType::SOA, ttl), &soa, &[])));
    }
    let soa = soa_with(soa, serial, plan.soa_minimum).ok_or(NoSoa)?;
    let mut own: BTreeMap<RrType, (Ttl, Vec<Vec<u8>>)> = BTreeMap::new();
    own.insert(RrType::SOA, (plan.soa_ttl, vec![soa]));
    let dnskeys = expected_dnskeys(version, plan);
    for (rtype, rdatas) in
        [(RrType::DNSKEY, &dnskeys), (RrType::CDS, &plan.cds), (RrType::CDNSKEY, &plan.cdnskey)]
    {
        if !rdatas.is_empty() || plan.form == ZoneForm::Unsigned {
            own.insert(rtype, (plan.keys_ttl, rdatas.clone()));
        }
    }
    if let Some(ttl) = plan.zonemd {
        own.insert(RrType::ZONEMD, (ttl, vec![placeholder(serial)]));
    }
    if let Some((ttl, rdata)) = &plan.nsec3param {
        own.insert(RrType::NSEC3PARAM, (*ttl, vec![rdata.clone()]));
    }
    Ok(with_first(version, rebuild_apex(first, &own)))
}

/// The version with another first chunk; it has one.
fn with_first(version: &ZoneVersion, chunk: Chunk) -> ZoneVersion {
    let mut names: Vec<Arc<Chunk>> = version.names.to_vec();
    names[0] = Arc::new(chunk);
    ZoneVersion { names: names.into(), ..version.clone() }
}

/// The DNSKEY records that the version must have, as RDATA: ours, and in a signed one the input's.
pub fn expected_dnskeys(unsigned: &ZoneVersion, plan: &ApexPlan) -> Vec<Vec<u8>> {
    let mut all = match plan.form {
        ZoneForm::Signed => dnskeys_of(unsigned),
        ZoneForm::Unsigned | ZoneForm::Passthrough => Vec::new(),
    };
    all.extend_from_slice(&plan.dnskeys);
    all.sort_unstable();
    all.dedup();
    all
}

/// The DNSKEY records at the apex of a version, as RDATA; those of an input are other signers'.
pub fn dnskeys_of(version: &ZoneVersion) -> Vec<Vec<u8>> {
    let rrset = version.apex_owner().and_then(|apex| apex.rrset(RrType::DNSKEY));
    rrset.into_iter().flat_map(|rrset| rrset.rdatas()).map(<[u8]>::to_vec).collect()
}

/// The first chunk with these RRsets at the apex in place of those of the same types; without
/// records: in place of them nothing.
fn rebuild_apex(first: &Chunk, own: &BTreeMap<RrType, (Ttl, Vec<Vec<u8>>)>) -> Chunk {
    let mut builder = ChunkBuilder::default();
    for owner in first.owners() {
        builder.begin_owner_like(&owner);
        if !owner.key().is_empty() {
            for rrset in owner.rrsets() {
                builder.begin_rrset_like(&rrset);
                builder.end_rrset();
            }
            builder.end_owner();
            continue;
        }
        let given: BTreeMap<RrType, RrsetView<'_>> =
            owner.rrsets().map(|rrset| (rrset.rtype, rrset)).collect();
        let mut types: Vec<RrType> = given.keys().chain(own.keys()).copied().collect();
        types.sort_unstable();
        types.dedup();
        for rtype in types {
            if own.get(&rtype).is_some_and(|(_, rdatas)| rdatas.is_empty()) {
                continue;
            }
            if let Some((ttl, rdatas)) = own.get(&rtype) {
                builder.begin_rrset(rtype, *ttl);
                for rdata in rdatas {
                    // A zone has few keys; an apex RRset never comes near the limit of records.
                    let _ = builder.push_rdata(rdata);
                }
            } else if let Some(rrset) = given.get(&rtype) {
                builder.begin_rrset_like(rrset);
            }
            builder.end_rrset();
        }
        builder.end_owner();
    }
    builder.finish()
}

/// The RRsets of the apex that are made and signed when all others are: the SOA, whose serial is
/// known only when it is clear that there is a new version, and then our ZONEMD, which covers it.
pub const MADE_LAST: [RrType; 2] = [RrType::SOA, RrType::ZONEMD];

/// The messages that sign one RRset of [`MADE_LAST`]: one for each signer of zone data.
pub struct LastPlan {
    /// The first chunk, with the RRset's data in place, but not its signatures.
    chunk: Chunk,
    rtype: RrType,
    /// For each signer of the run, its message, when it signs this RRset.
    pub messages: Vec<Option<Vec<u8>>>,
    expiration: Timestamp,
}

/// Puts `serial` into the SOA of a signed chunk list's first chunk and plans its signatures.
pub fn plan_soa(run: &SigningRun<'_>, first: &Chunk, serial: Serial) -> Result<LastPlan, NoSoa> {
    let apex = first.find(&[]).ok_or(NoSoa)?;
    let soa = apex.rrset(RrType::SOA).ok_or(NoSoa)?;
    let rdata = soa.rdatas().next().ok_or(NoSoa)?;
    let minimum = crate::zone::soa_minimum(rdata).ok_or(NoSoa)?;
    let rdata = soa_with(rdata, serial, minimum).ok_or(NoSoa)?;
    let chunk = replace_last(first, (RrType::SOA, soa.ttl), &rdata, &[]);
    Ok(plan_last(run, chunk, RrType::SOA))
}

/// Puts the digest of the version with the signed SOA into its ZONEMD, if it has one of ours, and
/// plans its signatures. `digest` is asked for only then.
pub fn plan_zonemd(
    run: &SigningRun<'_>,
    version: &ZoneVersion,
    digest: impl FnOnce(&ZoneVersion) -> ZoneDigest,
) -> Option<LastPlan> {
    let first = version.names.first()?;
    let apex = first.find(&[])?;
    let zonemd = apex.rrset(RrType::ZONEMD).filter(|_| is_ours(run, &[], RrType::ZONEMD))?;
    let rdata = zonemd_rdata(version.serial()?, &digest(version));
    let chunk = replace_last(first, (RrType::ZONEMD, zonemd.ttl), &rdata, &[]);
    Some(plan_last(run, chunk, RrType::ZONEMD))
}

/// Whether an RRset of the owner with this key is our ZONEMD: the input's is left out where we
/// sign.
pub(super) fn is_ours(run: &SigningRun<'_>, owner_key: &[u8], rtype: RrType) -> bool {
    owner_key.is_empty() && rtype == RrType::ZONEMD && !run.signers.is_empty()
}

fn plan_last(run: &SigningRun<'_>, chunk: Chunk, rtype: RrType) -> LastPlan {
    let name = run.apex.to_lowercase();
    let expiration = run.times.expiration(&[], rtype);
    let apex = chunk.find(&[]);
    let rrset = apex.as_ref().and_then(|apex| apex.rrset(rtype));
    let message = |signer: &super::Signer| {
        let fields = fields(run, signer, expiration);
        let mut message = Vec::new();
        push_message(name.as_wire(), rrset.as_ref()?, &fields, name.as_wire(), &mut message);
        Some(message)
    };
    let signs = |signer: &super::Signer| signer.signs_at_apex(rtype).then(|| message(signer));
    let messages = run.signers.iter().map(|signer| signs(signer).flatten()).collect();
    LastPlan { messages, expiration, rtype, chunk }
}

impl LastPlan {
    /// The first chunk with the RRset signed. `signatures[s]` is signer `s`'s, where it was asked.
    pub fn apply(&self, run: &SigningRun<'_>, signatures: &[Option<Vec<u8>>]) -> Chunk {
        let signed = run.signers.iter().zip(signatures);
        let views: Vec<_> = signed
            .filter_map(|(signer, signature)| {
                signature.as_ref().map(|bytes| view(run, signer, self.expiration, bytes))
            })
            .collect();
        let rtype = self.rtype;
        let rrset = self.chunk.find(&[]).and_then(|apex| apex.rrset(rtype));
        match rrset.and_then(|rrset| rrset.rdatas().next().map(|rdata| (rrset.ttl, rdata))) {
            Some((ttl, rdata)) => replace_last(&self.chunk, (rtype, ttl), rdata, &views),
            // The plan has put one there.
            None => replace_last(&self.chunk, (rtype, Ttl(0)), &[], &views),
        }
    }
}

/// Copies a chunk with its signatures, with another record in the one RRset of this type at the
/// apex.
fn replace_last(
    first: &Chunk,
    (rtype, ttl): (RrType, Ttl),
    rdata: &[u8],
    signatures: &[crate::zone::chunk::SignatureView<'_>],
) -> Chunk {
    let mut builder = ChunkBuilder::default();
    for owner in first.owners() {
        builder.begin_owner_like(&owner);
        for rrset in owner.rrsets() {
            if rrset.rtype == rtype && owner.key().is_empty() {
                builder.begin_rrset(rtype, ttl);
                let _ = builder.push_rdata(rdata); // the first of one
                signatures.iter().for_each(|signature| builder.push_signature(signature));
            } else {
                builder.begin_rrset_like(&rrset);
                rrset.signatures().for_each(|signature| builder.push_signature(&signature));
            }
            builder.end_rrset();
        }
        builder.end_owner();
    }
    builder.finish()
}

/// Whether the last version's signatures of what is [`MADE_LAST`] may all be kept: one by each
/// active key, and no other.
pub fn is_last_kept(run: &SigningRun<'_>) -> bool {
    let apex = run.previous.and_then(|previous| previous.apex_owner());
    let is_kept = |rtype: RrType| {
        let rrset = apex.and_then(|apex| apex.rrset(rtype));
        if rtype == RrType::ZONEMD && rrset.is_none() {
            return true;
        }
        let signers = run.signers.iter().filter(|signer| signer.signs_at_apex(rtype));
        let kept = signers.map(|signer| kept_signature(run, signer, rrset.as_ref()).is_some());
        let kept: Vec<bool> = kept.collect();
        let signature_count = rrset.map_or(0, |rrset| usize::from(rrset.signature_count));
        signature_count == kept.len() && kept.iter().all(|is_kept| *is_kept)
    };
    MADE_LAST.into_iter().all(is_kept)
}
