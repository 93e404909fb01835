//! Denial of existence: which names and types there are not. NSEC (RFC 4034 §4) and NSEC3
//! (RFC 5155, RFC 9276); TTLs by RFC 9077.
//! In: a zone version whose apex is final. Out: the chain, unsigned, as chunks.
//! Never: signatures, policy.

pub mod foreign;
pub mod nsec;
pub mod nsec3;
pub mod update;

#[cfg(test)]
mod tests;

use crate::zone::chunk::{OwnerKind, OwnerView};
use crate::{RrType, Ttl};

/// What an owner's type bitmap shows beside the records that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// The NSEC record itself stands at the owner, and is signed.
    Nsec,
    /// The chain stands elsewhere.
    Nsec3,
}

/// TTL of NSEC and NSEC3 records: the smaller of SOA TTL and SOA MINIMUM (RFC 9077 §3).
pub fn denial_ttl(soa_ttl: Ttl, soa_minimum: u32) -> Ttl {
    soa_ttl.min(Ttl(soa_minimum))
}

/// Whether an owner's record of this type is signed: everything authoritative, at a cut the DS
/// only, below a cut nothing (RFC 4035 §2.2).
pub fn is_signed(kind: OwnerKind, rtype: RrType) -> bool {
    match kind {
        OwnerKind::Authoritative => rtype != RrType::RRSIG,
        OwnerKind::Delegation => matches!(rtype, RrType::DS | RrType::NSEC),
        OwnerKind::Occluded => false,
    }
}

/// Appends the type bitmap of an owner that is in the chain (RFC 4034 §4.1.2, RFC 5155 §7.1).
pub fn push_bitmap(owner: &OwnerView<'_>, chain: Chain, out: &mut Vec<u8>) {
    let kind = owner.kind();
    let shown = |rtype: RrType| match kind {
        OwnerKind::Delegation => matches!(rtype, RrType::NS | RrType::DS),
        _ => true,
    };
    let mut bits = BitmapWriter::new(out);
    let mut own: Vec<RrType> = Vec::with_capacity(8);
    if chain == Chain::Nsec {
        own.push(RrType::NSEC);
    }
    let mut any_signed = chain == Chain::Nsec;
    for rrset in owner.rrsets().filter(|rrset| shown(rrset.rtype)) {
        any_signed |= is_signed(kind, rrset.rtype);
        own.push(rrset.rtype);
    }
    if any_signed {
        own.push(RrType::RRSIG);
    }
    own.sort_unstable();
    own.dedup();
    for rtype in own {
        bits.push(rtype);
    }
}

/// Writes types, in rising order, as window blocks.
struct BitmapWriter<'a> {
    out: &'a mut Vec<u8>,
    window: Option<u8>,
    length_at: usize,
}

impl<'a> BitmapWriter<'a> {
    fn new(out: &'a mut Vec<u8>) -> BitmapWriter<'a> {
        BitmapWriter { out, window: None, length_at: 0 }
    }

    fn push(&mut self, rtype: RrType) {
        let [window, low] = rtype.0.to_be_bytes();
        if self.window != Some(window) {
            self.window = Some(window);
            self.out.extend([window, 0]);
            self.length_at = self.out.len() - 1;
        }
        let octet = low / 8;
        while self.out[self.length_at] <= octet {
            self.out.push(0);
            self.out[self.length_at] += 1;
        }
        self.out[self.length_at + 1 + usize::from(octet)] |= 0x80 >> (low % 8);
    }
}
