//! `cargo xtask zonegen SHAPE N OUT`: writes a made zone to a file, or a hoster's zones to a
//! folder. Out: zone files, and a line with the number of records.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::workspace::Outcome;
use crate::zonegen;

/// Writes `count` delegations (tld), records (enterprise) or zones (hosting) to `out`.
pub(crate) fn run(shape: &str, count: &str, out: &str) -> Outcome {
    let count: u64 = count.parse().map_err(|_| format!("{count} is not a number"))?;
    let path = Path::new(out);
    let written = match shape {
        "tld" => to_file(path, |file| zonegen::tld(count, "bench.", zonegen::SEED, file)),
        "enterprise" => {
            to_file(path, |file| zonegen::enterprise(count, "corp.example.", zonegen::SEED, file))
        }
        "hosting" => hosting(path, count),
        _ => return Err(format!("{shape} is no shape; there are tld, enterprise and hosting")),
    };
    let records = written.map_err(|e| format!("cannot write {out}: {e}"))?;
    println!("{out}: {shape}, {records} records");
    Ok(())
}

/// Writes one zone file.
pub(crate) fn to_file(
    path: &Path,
    generate: impl FnOnce(&mut BufWriter<File>) -> io::Result<u64>,
) -> io::Result<u64> {
    let mut file = BufWriter::new(File::create(path)?);
    let records = generate(&mut file)?;
    file.flush()?;
    Ok(records)
}

/// One file for each zone, and `zones.txt` with their names.
fn hosting(folder: &Path, count: u64) -> io::Result<u64> {
    fs::create_dir_all(folder)?;
    let mut list = BufWriter::new(File::create(folder.join("zones.txt"))?);
    let mut records = 0;
    for index in 0..count {
        let (zone, text) = zonegen::hosting(index, zonegen::SEED);
        let name = zone.trim_end_matches('.');
        fs::write(folder.join(format!("{name}.zone")), &text)?;
        writeln!(list, "{name}")?;
        // The first line sets the TTL, each other one is a record.
        records += text.lines().count() as u64 - 1;
    }
    list.flush()?;
    Ok(records)
}
