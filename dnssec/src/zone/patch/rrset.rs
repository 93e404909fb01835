//! One RRset while records and signatures come and go.
//! RFC 4034 §6.3 (order, and which records are equal), §3.1 (what an RRSIG repeats of its RRset).

use super::super::build::ChunkBuilder;
use super::super::chunk::{RrsetView, SignatureView, read_u16, read_u32};
use super::super::load::{RRSET_BYTES_MAX, RRSET_RECORD_COUNT_MAX};
use super::error::{ImpliedField, PatchError};
use super::records::{Record, Rrsigs};
use crate::signing::tbs::rrsig_labels;
use crate::{KeyTag, Name, RrType, Ttl, rdata};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// RRSIG RDATA before the signer's name.
const SIGNATURE_FIXED_LENGTH: usize = 18;
const SIGNATURE_COUNT_MAX: usize = u8::MAX as usize;

/// An RRset that is being changed.
pub(super) struct RrsetDraft<'a> {
    owner: &'a Name,
    rtype: RrType,
    rrsigs: Rrsigs,
    /// TTL and RDATA by canonical form: records with the same form are the same record.
    records: BTreeMap<Cow<'a, [u8]>, (Ttl, &'a [u8])>,
    /// Signatures with the TTL of their records: those kept in the old order, then the added ones.
    signatures: Vec<(Ttl, SignatureView<'a>)>,
}

impl<'a> RrsetDraft<'a> {
    /// The RRset as it was.
    pub(super) fn new(
        owner: &'a Name,
        rtype: RrType,
        old: Option<RrsetView<'a>>,
        rrsigs: Rrsigs,
    ) -> Self {
        let (records, signatures) = (BTreeMap::new(), Vec::new());
        let mut draft = RrsetDraft { owner, rtype, rrsigs, records, signatures };
        if let Some(old) = old {
            let records = old.rdatas().map(|rdata| (form(rtype, rdata), (old.ttl, rdata)));
            draft.records = records.collect();
            draft.signatures = old.signatures().map(|signature| (old.ttl, signature)).collect();
        }
        draft
    }

    /// Takes out a record, or a signature over this RRset, that has to be there.
    pub(super) fn remove(&mut self, apex: &Name, record: &Record<'a>) -> Result<(), PatchError> {
        let missing =
            || PatchError::RecordMissing { owner: self.owner.clone(), rtype: record.rtype };
        if self.is_signature(record) {
            let gone = (record.ttl, self.signature(apex, record)?);
            let at = self.signatures.iter().position(|known| *known == gone);
            self.signatures.remove(at.ok_or_else(missing)?);
            return Ok(());
        }
        let form = form(self.rtype, record.rdata);
        match self.records.get(&form) {
            Some((ttl, _)) if *ttl == record.ttl => {
                self.records.remove(&form);
                Ok(())
            }
            _ => Err(missing()),
        }
    }

    /// Puts in a record, or a signature over this RRset, that must not be there.
    pub(super) fn add(&mut self, apex: &Name, record: &Record<'a>) -> Result<(), PatchError> {
        let is_new = if self.is_signature(record) {
            let signature = (record.ttl, self.signature(apex, record)?);
            let is_new = !self.signatures.contains(&signature);
            self.signatures.push(signature);
            if self.signatures.len() > SIGNATURE_COUNT_MAX {
                let (owner, covered) = (self.owner.clone(), self.rtype);
                return Err(PatchError::TooManySignatures { owner, covered });
            }
            is_new
        } else {
            let form = form(self.rtype, record.rdata);
            self.records.insert(form, (record.ttl, record.rdata)).is_none()
        };
        let present =
            || PatchError::RecordPresent { owner: self.owner.clone(), rtype: record.rtype };
        is_new.then_some(()).ok_or_else(present)
    }

    /// Whether it is one over this RRset, and not a record of it.
    fn is_signature(&self, record: &Record<'_>) -> bool {
        record.rtype == RrType::RRSIG && self.rrsigs == Rrsigs::OfRrsets
    }

    /// What an RRSIG says beyond what its RRset implies, which has to fit. The structure of the
    /// RDATA was checked.
    fn signature(&self, apex: &Name, record: &Record<'a>) -> Result<SignatureView<'a>, PatchError> {
        let rdata = record.rdata;
        let misfit = |field| {
            let (owner, covered) = (self.owner.clone(), self.rtype);
            PatchError::SignatureMisfit { owner, covered, field }
        };
        if rdata[3] != rrsig_labels(self.owner.as_wire()) {
            return Err(misfit(ImpliedField::Labels));
        }
        if read_u32(rdata, 4) != record.ttl.0 {
            return Err(misfit(ImpliedField::OriginalTtl));
        }
        let signature = match Name::from_wire(&rdata[SIGNATURE_FIXED_LENGTH..]) {
            Ok((signer, length)) if signer == *apex => &rdata[SIGNATURE_FIXED_LENGTH + length..],
            _ => return Err(misfit(ImpliedField::Signer)),
        };
        Ok(SignatureView {
            algorithm: rdata[2],
            key_tag: KeyTag(read_u16(rdata, 16)),
            expiration: read_u32(rdata, 8),
            inception: read_u32(rdata, 12),
            signature,
        })
    }

    /// Checks the RRset and writes it, when there is something left of it; returns its number of
    /// records.
    pub(super) fn write(&self, builder: &mut ChunkBuilder) -> Result<usize, PatchError> {
        let (owner, rtype) = (self.owner, self.rtype);
        let Some((ttl, _)) = self.records.values().next() else {
            let covered = rtype;
            return match self.signatures.is_empty() {
                true => Ok(0),
                false => Err(PatchError::SignatureWithoutRrset { owner: owner.clone(), covered }),
            };
        };
        if self.records.values().any(|(other, _)| other != ttl) {
            return Err(PatchError::TtlsDiffer { owner: owner.clone(), rtype });
        }
        if self.signatures.iter().any(|(other, _)| other != ttl) {
            let (owner, covered, field) = (owner.clone(), rtype, ImpliedField::Ttl);
            return Err(PatchError::SignatureMisfit { owner, covered, field });
        }
        // A compressed owner, type, class, TTL and length take 12 octets, as the loader counts.
        let length: usize = self.records.values().map(|(_, rdata)| 12 + rdata.len()).sum();
        if self.records.len() > RRSET_RECORD_COUNT_MAX || length > RRSET_BYTES_MAX {
            return Err(PatchError::RrsetTooLarge { owner: owner.clone(), rtype });
        }
        builder.begin_rrset(rtype, *ttl);
        for (_, rdata) in self.records.values() {
            let too_large = |_| PatchError::RrsetTooLarge { owner: owner.clone(), rtype };
            builder.push_rdata(rdata).map_err(too_large)?;
        }
        self.signatures.iter().for_each(|(_, signature)| builder.push_signature(signature));
        builder.end_rrset();
        Ok(self.records.len())
    }
}

/// The canonical form of RDATA.
fn form(rtype: RrType, rdata: &[u8]) -> Cow<'_, [u8]> {
    if !rdata::has_canonical_names(rtype) {
        return Cow::Borrowed(rdata);
    }
    let mut form = Vec::with_capacity(rdata.len());
    rdata::canonicalise(rtype, rdata, &mut form);
    Cow::Owned(form)
}
