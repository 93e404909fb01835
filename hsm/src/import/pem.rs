//! PEM (RFC 7468): the first private key among the blocks of a text.
//! In: bytes. Out: the DER in the block, in memory that is wiped; `None` when there is no PEM at
//! all. Other blocks (EC PARAMETERS, certificates) are passed over.

use super::{ImportFault, base64};
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// The private key's DER.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, ImportFault> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(None) };
    let mut is_pem = false;
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let label = line.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES));
        let Some(label) = label else { continue };
        is_pem = true;
        match label {
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {}
            "ENCRYPTED PRIVATE KEY" => return Err(ImportFault::Encrypted),
            _ => continue,
        }
        let end = format!("-----END {label}{DASHES}");
        // All at once, so that no copy stays behind in a buffer that was too small.
        let mut content = Zeroizing::new(Vec::with_capacity(bytes.len()));
        for (line, _) in lines.by_ref() {
            let line = line.trim();
            if line == end {
                let der = base64::decode(&content);
                return der.map(Some).ok_or(ImportFault::PemDamaged { line: number });
            }
            // The headers of the old form (RFC 1421) only say how it is encrypted.
            if line.contains(':') {
                return Err(ImportFault::Encrypted);
            }
            content.extend_from_slice(line.as_bytes());
        }
        return Err(ImportFault::PemDamaged { line: number });
    }
    if is_pem { Err(ImportFault::UnknownForm) } else { Ok(None) }
}
