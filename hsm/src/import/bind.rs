//! BIND's private key files, `K<zone>.+<algorithm>+<tag>.private`: lines of `Name: value`.
//! In: text from outside. Out: the key as PKCS#8. Fields about times and HSM labels are passed
//! over.

use super::{Family, FoundKey, ImportFault, base64, structure};
use dnssec::Algorithm;
use zeroize::Zeroizing;

const FORMAT: &str = "Private-key-format";
/// The numbers of an RSA key, in the order of RFC 8017 appendix A.1.2.
const RSA_FIELDS: [&str; 8] = [
    "Modulus",
    "PublicExponent",
    "PrivateExponent",
    "Prime1",
    "Prime2",
    "Exponent1",
    "Exponent2",
    "Coefficient",
];

/// Whether this is meant to be a file of BIND's.
pub(super) fn is_bind(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(FORMAT.as_bytes())
}

/// Reads the key.
pub(super) fn read(bytes: &[u8]) -> Result<FoundKey, ImportFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| ImportFault::UnknownForm)?;
    let version = field(text, FORMAT)?;
    if !matches!(version, "v1.2" | "v1.3") {
        return Err(ImportFault::UnknownVersion { found: shortened(version) });
    }
    let said = field(text, "Algorithm")?;
    let number = said.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
    let known = number.and_then(Algorithm::from_number);
    let known = known.and_then(|algorithm| Some((algorithm, Family::of(algorithm)?)));
    let Some((algorithm, family)) = known else {
        return Err(ImportFault::UnusableAlgorithm { found: shortened(said) });
    };
    let damaged = ImportFault::FieldDamaged { field: "PrivateKey" };
    let pkcs8 = match family {
        Family::Rsa => rsa(text)?,
        Family::P256 | Family::P384 => {
            structure::ec(family, &bytes_of(text, "PrivateKey")?).ok_or(damaged)?
        }
        Family::Ed25519 => structure::ed25519(&bytes_of(text, "PrivateKey")?).ok_or(damaged)?,
    };
    Ok(FoundKey { algorithm, pkcs8 })
}

fn rsa(text: &str) -> Result<Zeroizing<Vec<u8>>, ImportFault> {
    let mut numbers: [Zeroizing<Vec<u8>>; 8] = Default::default();
    for (number, name) in numbers.iter_mut().zip(RSA_FIELDS) {
        *number = bytes_of(text, name)?;
    }
    Ok(structure::rsa(&numbers))
}

/// The value of a field, which has to be there once.
fn field<'a>(text: &'a str, name: &'static str) -> Result<&'a str, ImportFault> {
    let mut found = text.lines().filter_map(|line| {
        let (field, value) = line.split_once(':')?;
        (field.trim() == name).then(|| value.trim())
    });
    match (found.next(), found.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(ImportFault::FieldMissing { field: name }),
        (Some(_), Some(_)) => Err(ImportFault::FieldDamaged { field: name }),
    }
}

fn bytes_of(text: &str, name: &'static str) -> Result<Zeroizing<Vec<u8>>, ImportFault> {
    let bytes = base64::decode(field(text, name)?.as_bytes());
    bytes.filter(|bytes| !bytes.is_empty()).ok_or(ImportFault::FieldDamaged { field: name })
}

/// The beginning of what stands in a file, for a message.
fn shortened(text: &str) -> String {
    text.chars().take(40).map(|one| if one.is_control() { '?' } else { one }).collect()
}
