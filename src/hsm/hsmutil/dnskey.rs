//! `dnskey` of `ods-hsmutil`: the DNSKEY record of a key, as ldns prints it.
//! RFC 4034 §2. In: id, owner, flags, algorithm. Out: the record with key tag, role and size.

use super::super::repositories::slot_fault;
use super::super::words::atoi;
use super::{End, MINUS_ONE, Outcome, Task, kind_and_bits};
use dnssec::key::{dnskey_rdata, key_tag};
use dnssec::zonefile::print_record;
use dnssec::{Algorithm, Name, RrType, Ttl};
use hsm::KeyEntry;

/// ldns's default.
const TTL: Ttl = Ttl(3600);

/// `dnskey <id> <name> <type> <algo>`.
pub(super) fn run(task: &mut Task) -> Outcome {
    let [id, owner, flags, number] = task.operands else { return Err(End::Usage(MINUS_ONE)) };
    let Some((repository, slot, key)) = task.find(id)? else {
        writeln!(task.output, "Key not found: {id}")?;
        return Ok(MINUS_ONE);
    };
    let flags = atoi(flags);
    let (flags, role) = match flags {
        256 => (256, "zsk"),
        257 => (257, "ksk"),
        _ => {
            writeln!(task.output, "Invalid key type: {flags}\nPlease use: 256 or 257")?;
            return Ok(MINUS_ONE);
        }
    };
    let algorithm = match algorithm(atoi(number), &key) {
        Ok(algorithm) => algorithm,
        Err(complaint) => {
            writeln!(task.output, "{complaint}")?;
            return Ok(MINUS_ONE);
        }
    };
    let Ok(name) = Name::parse(owner.as_bytes(), Some(&Name::root())) else {
        writeln!(task.output, "Invalid name: {owner}")?;
        return Ok(MINUS_ONE);
    };
    let public = slot.public_key(&key.id, algorithm);
    let public = public.map_err(|error| slot_fault(repository, error))?;
    let rdata = dnskey_rdata(flags, &public);
    let mut line = Vec::new();
    print_record(name.as_wire(), TTL, RrType::DNSKEY, &rdata, &mut line);
    task.output.write_all(line.trim_ascii_end())?;
    let (tag, bits) = (key_tag(&rdata).0, public.bits());
    writeln!(task.output, " ;{{id = {tag} ({role}), size = {bits}b}}")?;
    Ok(0)
}

/// The algorithm, if the key is one for it; else OpenDNSSEC's words for what it is.
fn algorithm(number: i64, key: &KeyEntry) -> Result<Algorithm, String> {
    let (kind, bits) = kind_and_bits(key).unwrap_or(("UNKNOWN", 0));
    let (wanted, article, wanted_bits) = match number {
        5 | 7 | 8 | 10 => ("RSA", "an", None),
        3 | 6 => ("DSA", "a", None),
        12 => ("GOST", "a", None),
        13 => ("ECDSA", "an", Some(256)),
        14 => ("ECDSA", "an", Some(384)),
        15 => ("EDDSA", "an", Some(255)),
        16 => ("EDDSA", "an", Some(448)),
        _ => return Err(format!("Invalid algorithm: {number}")),
    };
    if kind != wanted {
        return Err(format!("Not {article} {wanted} key, the key is of algorithm {kind}."));
    }
    if let Some(wanted_bits) = wanted_bits.filter(|wanted| *wanted != bits) {
        // OpenDNSSEC's two forms of one sentence.
        let article = if wanted == "ECDSA" { "a " } else { "" };
        return Err(format!(
            "The key is {article}{kind}/{bits}, expecting {wanted}/{wanted_bits} for this \
             algorithm."
        ));
    }
    let known = u8::try_from(number).ok().and_then(Algorithm::from_number);
    known.ok_or_else(|| format!("Invalid algorithm: {number}"))
}
