//! The bytes that a signature covers (RFC 4034 §3.1.8.1, §6; RFC 6840 §5.1).
//! In: an RRset and the fields of its RRSIG. Out: RRSIG RDATA without the signature, followed by
//! the RRset in canonical form.

use crate::rdata;
use crate::zone::chunk::{RrsetView, SignatureView};
use crate::{KeyTag, RrType, Ttl};

/// The RRSIG fields that differ from one signature to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureFields {
    /// Algorithm number.
    pub algorithm: u8,
    /// Tag of the key.
    pub key_tag: KeyTag,
    /// Begin of validity, as on the wire.
    pub inception: u32,
    /// End of validity, as on the wire.
    pub expiration: u32,
}

impl SignatureFields {
    /// Those of a signature that a zone has.
    pub fn of(signature: &SignatureView<'_>) -> SignatureFields {
        SignatureFields {
            algorithm: signature.algorithm,
            key_tag: signature.key_tag,
            inception: signature.inception,
            expiration: signature.expiration,
        }
    }
}

/// Appends RDATA of an RRSIG up to and with the signer's name (RFC 4034 §3.1). `signer` is the
/// apex in lower case, `labels` counts the owner's labels without root and wildcard.
pub fn push_rrsig_head(
    rtype: RrType,
    ttl: Ttl,
    labels: u8,
    fields: &SignatureFields,
    signer: &[u8],
    out: &mut Vec<u8>,
) {
    out.extend(rtype.0.to_be_bytes());
    out.extend([fields.algorithm, labels]);
    out.extend(ttl.0.to_be_bytes());
    out.extend(fields.expiration.to_be_bytes());
    out.extend(fields.inception.to_be_bytes());
    out.extend(fields.key_tag.0.to_be_bytes());
    out.extend(signer);
}

/// Labels field of an RRSIG over records of this owner (RFC 4034 §3.1.3); `owner` in wire form.
pub fn rrsig_labels(owner: &[u8]) -> u8 {
    let mut count = 0;
    let mut at = 0;
    while owner[at] != 0 {
        count += 1;
        at += 1 + usize::from(owner[at]);
    }
    if owner.starts_with(b"\x01*") { count - 1 } else { count }
}

/// Appends the message to be signed. `owner` and `signer` are in lower case, in wire form.
pub fn push_message(
    owner: &[u8],
    rrset: &RrsetView<'_>,
    fields: &SignatureFields,
    signer: &[u8],
    out: &mut Vec<u8>,
) {
    push_rrsig_head(rrset.rtype, rrset.ttl, rrsig_labels(owner), fields, signer, out);
    for rdata in rrset.rdatas() {
        out.extend(owner);
        out.extend(rrset.rtype.0.to_be_bytes());
        out.extend(crate::rrtype::CLASS_IN.to_be_bytes());
        out.extend(rrset.ttl.0.to_be_bytes());
        let length_at = out.len();
        out.extend([0, 0]);
        if rdata::has_canonical_names(rrset.rtype) {
            rdata::canonicalise(rrset.rtype, rdata, out);
        } else {
            out.extend(rdata);
        }
        // Canonical form never changes the length, and RDATA is at most 65,535 octets.
        let length = (out.len() - length_at - 2) as u16;
        out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
    }
}
