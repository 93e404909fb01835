//! The input's own digest (RFC 8976 §4), which only the file as it came in can be held against.
//! In: the open file. Out: what is wrong. The auditor reads and judges it, with code of its own.
//! Costs another reading of the file, and only where there is a ZONEMD at the apex.

use crate::io::zone_files::{SourceError, ZoneFile};
use audit::{Denial, Expectations, FindingId, Zones};
use dnssec::Name;

/// Most octets that are read at once.
const BLOCK_BYTES: usize = 16 << 20;

/// What is wrong with the ZONEMD records of a file; `None`: nothing, or it cannot be told, which a
/// warning then says.
pub(super) fn verified(
    apex: &Name,
    file: &mut ZoneFile,
    warnings: &mut Vec<String>,
) -> Result<Option<String>, SourceError> {
    file.rewind()?;
    let mut text = Vec::new();
    while !file.read_block(BLOCK_BYTES, &mut text)? {}
    let apex = apex.as_wire().to_vec();
    let path = file.path().display();
    let section = match audit::presentation::read_text(&text, Some(apex.clone())) {
        Ok(section) => section,
        Err(error) => {
            let (line, column) = error.line_and_column(&text);
            let place = format!("{path}:{line}:{column}");
            warnings.push(format!("{place}: {error}; the zone's ZONEMD was not verified"));
            return Ok(None);
        }
    };
    drop(text);
    Ok(judged(apex, &section.records, path.to_string(), warnings))
}

/// The same of a zone whose records are at hand, in wire form, `path` being their file.
pub(super) fn judged(
    apex: Vec<u8>,
    records: &[u8],
    path: String,
    warnings: &mut Vec<String>,
) -> Option<String> {
    // Signatures of the input are no matter here, and so the moment is none.
    let expectations = Expectations::new(apex, 0, Denial::Source);
    let candidate: &[&[u8]] = &[records];
    let report = match audit::audit(Zones { candidate, source: None }, &expectations) {
        Ok(report) => report,
        Err(error) => {
            warnings.push(format!("{path}: {error}; the zone's ZONEMD was not verified"));
            return None;
        }
    };
    let is_about_digest = |id: FindingId| {
        use FindingId::{ZonemdDigest, ZonemdRepeated, ZonemdSerial};
        matches!(id, ZonemdDigest | ZonemdSerial | ZonemdRepeated)
    };
    let fault = report.findings.into_iter().find(|finding| is_about_digest(finding.id));
    fault.map(|finding| format!("{} ({})", finding.id.title(), finding.detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8976 §A.1.
    const EXAMPLE: &str = "\
example. 86400 IN SOA ns1 admin 2018031900 1800 900 604800 86400
example. 86400 IN NS ns1
example. 86400 IN NS ns2
example. 86400 IN ZONEMD 2018031900 1 1 (
  c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9
  a9713b3c9ae5cc27777f98b8e730044c )
ns1 3600 IN A 203.0.113.63
ns2 3600 IN AAAA 2001:db8::63
";

    fn check(text: &str) -> (Option<String>, Vec<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut open = ZoneFile::open(file.path()).unwrap();
        let mut warnings = Vec::new();
        let apex = Name::parse(b"example.", None).unwrap();
        (verified(&apex, &mut open, &mut warnings).unwrap(), warnings)
    }

    #[test]
    fn a_digest_is_that_of_the_file_or_a_fault() {
        assert_eq!(check(EXAMPLE), (None, Vec::new()));
        let (fault, _) = check(&EXAMPLE.replace("203.0.113.63", "203.0.113.64"));
        assert!(fault.unwrap().starts_with("ZONEMD digest is not that of the zone"));
        let (fault, _) = check(&EXAMPLE.replace("ZONEMD 2018031900", "ZONEMD 2018031901"));
        assert!(fault.unwrap().starts_with("serial in ZONEMD is not the SOA's"));
    }

    #[test]
    fn what_cannot_be_verified_is_a_warning() {
        let (fault, warnings) = check(&format!("{EXAMPLE}$INCLUDE more\n"));
        assert_eq!((fault, warnings.len()), (None, 1));
        assert!(warnings[0].contains("ZONEMD was not verified"), "{warnings:?}");
    }
}
