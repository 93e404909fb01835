//! kasp.xml as policies ([`dnssec::policy::Policy`]).
//! In: bytes. Out: the policies in the order of the file.
//! Never: judging whether a policy is wise; that is kaspcheck's. Algorithms that no zone of ours
//! can be signed with are refused with the reason.

use dnssec::key::KeyRole;
use dnssec::policy::{
    AuditMode, DenialPolicy, KeyPolicy, KeysPolicy, Nsec3Policy, ParentPolicy, Policy, RollType,
    SerialMode, SignaturesPolicy, ZonePolicy,
};
use dnssec::{Algorithm, Seconds};

use crate::agents::{read_agents, read_notify};
use crate::diagnostics::{FileFaults, Findings, Read};
use crate::duration::parse_duration;
use crate::fault::Fault;
use crate::input_limits::read_input_limits;
use crate::schema::{self, validate};
use crate::tree::{Element, FILE_BYTES_MAX, read_tree};

/// Reads kasp.xml; `file` is its name in messages.
pub fn read_kasp(file: &str, bytes: &[u8]) -> Result<Read<Vec<Policy>>, FileFaults> {
    let mut findings = Findings::default();
    let root = kasp_tree(bytes, &mut findings);
    let value =
        root.filter(|_| findings.form_is_right()).map(|root| policies(&root, &mut findings));
    findings.finish(file, bytes, value)
}

/// The tree of a kasp.xml, checked against the table.
pub(crate) fn kasp_tree<'a>(bytes: &'a [u8], findings: &mut Findings) -> Option<Element<'a>> {
    let root = read_tree(bytes, FILE_BYTES_MAX, "KASP", findings)?;
    validate(&root, &schema::kasp::KASP, findings);
    Some(root)
}

/// The policies of a tree of the right form.
pub(crate) fn policies(root: &Element<'_>, findings: &mut Findings) -> Vec<Policy> {
    let mut policies: Vec<Policy> = Vec::new();
    for element in root.all("Policy") {
        let policy = policy(element, findings);
        if policies.iter().any(|other| other.name == policy.name) {
            let fault = Fault::DuplicateName { what: "policy", name: policy.name.clone() };
            findings.push(element.tag.clone(), fault);
        }
        policies.push(policy);
    }
    policies
}

/// The duration at `path`; zero after a fault, and when it is missing.
pub(crate) fn duration(element: &Element<'_>, path: &[&str], findings: &mut Findings) -> Seconds {
    optional_duration(element, path, findings).unwrap_or_default()
}

/// The duration at `path`, if it is there.
pub(crate) fn optional_duration(
    element: &Element<'_>,
    path: &[&str],
    findings: &mut Findings,
) -> Option<Seconds> {
    let found = element.path(path)?;
    match parse_duration(found.trimmed()) {
        Ok(length) => Some(length),
        Err(cause) => {
            let text = found.trimmed().chars().take(80).collect();
            let field = format!("{}/{}", element.name, path.join("/"));
            findings.push(found.text_place(), Fault::Duration { field, text, cause });
            Some(Seconds(0))
        }
    }
}

/// The number at `path`. The table has checked form and range, so it fits `T`.
pub(crate) fn number<T: TryFrom<u64> + Default>(element: &Element<'_>, path: &[&str]) -> T {
    let text = element.path(path).map_or("", Element::trimmed);
    text.parse::<u64>().ok().and_then(|number| T::try_from(number).ok()).unwrap_or_default()
}

fn policy(element: &Element<'_>, findings: &mut Findings) -> Policy {
    let keys = ["KSK", "ZSK", "CSK"];
    let key_elements = element.child("Keys").into_iter().flat_map(|keys_element| {
        keys_element.children.iter().filter(|child| keys.contains(&child.name))
    });
    let zone = |path: &[&str], findings: &mut Findings| {
        element.child("Zone").map_or(Seconds(0), |zone| duration(zone, path, findings))
    };
    let parent = |path: &[&str], findings: &mut Findings| {
        element.child("Parent").map_or(Seconds(0), |parent| duration(parent, path, findings))
    };
    Policy {
        name: element.attribute("name").unwrap_or_default().to_owned(),
        description: element.child("Description").map_or("", Element::trimmed).to_owned(),
        passthrough: element.has("Passthrough"),
        signatures: signatures(element, findings),
        denial: denial(element, findings),
        keys: KeysPolicy {
            ttl: duration(element, &["Keys", "TTL"], findings),
            retire_safety: duration(element, &["Keys", "RetireSafety"], findings),
            publish_safety: duration(element, &["Keys", "PublishSafety"], findings),
            share_keys: element.path(&["Keys", "ShareKeys"]).is_some(),
            purge: optional_duration(element, &["Keys", "Purge"], findings),
            keys: key_elements.filter_map(|element| key(element, findings)).collect(),
        },
        zone: ZonePolicy {
            propagation_delay: zone(&["PropagationDelay"], findings),
            soa_ttl: zone(&["SOA", "TTL"], findings),
            soa_minimum: zone(&["SOA", "Minimum"], findings),
            serial: serial(element),
            makes_zonemd: element.path(&["Zone", "ZoneMD"]).is_some(),
        },
        parent: ParentPolicy {
            propagation_delay: parent(&["PropagationDelay"], findings),
            ds_ttl: parent(&["DS", "TTL"], findings),
            soa_ttl: parent(&["SOA", "TTL"], findings),
            soa_minimum: parent(&["SOA", "Minimum"], findings),
            registration_delay: parent(&["RegistrationDelay"], findings),
            publishes_cds: element.path(&["Parent", "CDS"]).is_some(),
            agents: element.path(&["Parent", "Agents"]).map(|agents| read_agents(agents, findings)),
            notify: element.child("Parent").and_then(|parent| read_notify(parent, findings)),
        },
        audit: match element.all("Audit").any(|audit| audit.has("Partial")) {
            true => AuditMode::Partial,
            false => AuditMode::Full,
        },
        input: read_input_limits(element, findings),
    }
}

fn signatures(policy: &Element<'_>, findings: &mut Findings) -> SignaturesPolicy {
    let mut of = |path: &[&str]| {
        policy.child("Signatures").and_then(|element| optional_duration(element, path, findings))
    };
    SignaturesPolicy {
        resign: of(&["Resign"]).unwrap_or_default(),
        refresh: of(&["Refresh"]).unwrap_or_default(),
        validity_default: of(&["Validity", "Default"]).unwrap_or_default(),
        validity_denial: of(&["Validity", "Denial"]).unwrap_or_default(),
        validity_keyset: of(&["Validity", "Keyset"]).filter(|length| *length != Seconds(0)),
        jitter: of(&["Jitter"]).unwrap_or_default(),
        inception_offset: of(&["InceptionOffset"]).unwrap_or_default(),
        max_zone_ttl: of(&["MaxZoneTTL"]),
    }
}

fn denial(policy: &Element<'_>, findings: &mut Findings) -> DenialPolicy {
    let Some(nsec3) = policy.path(&["Denial", "NSEC3"]) else { return DenialPolicy::Nsec };
    let hash: u64 = number(nsec3, &["Hash", "Algorithm"]);
    if hash != 1
        && let Some(element) = nsec3.path(&["Hash", "Algorithm"])
    {
        findings.push(element.text_place(), Fault::Nsec3Hash { number: hash });
    }
    let salt = nsec3.path(&["Hash", "Salt"]).and_then(|salt| salt.attribute("length"));
    DenialPolicy::Nsec3(Nsec3Policy {
        param_ttl: duration(nsec3, &["TTL"], findings),
        opt_out: nsec3.has("OptOut"),
        resalt: duration(nsec3, &["Resalt"], findings),
        hash_algorithm: 1,
        iterations: number(nsec3, &["Hash", "Iterations"]),
        salt_length: salt.and_then(|length| length.trim_ascii().parse().ok()).unwrap_or_default(),
    })
}

fn key(element: &Element<'_>, findings: &mut Findings) -> Option<KeyPolicy> {
    let lifetime = duration(element, &["Lifetime"], findings);
    let algorithm = element.child("Algorithm")?;
    let algorithm_number: u8 = number(element, &["Algorithm"]);
    let Some(known) = Algorithm::from_number(algorithm_number) else {
        let fault =
            Fault::Algorithm { number: algorithm_number, reason: refusal(algorithm_number) };
        findings.push(algorithm.text_place(), fault);
        return None;
    };
    let length = algorithm.attribute("length").and_then(|length| length.trim_ascii().parse().ok());
    if length.is_none() {
        let fault = match known.is_rsa() {
            true => Fault::MissingKeyLength { number: algorithm_number },
            false => Fault::LengthOmitted { number: algorithm_number },
        };
        findings.push(algorithm.tag.clone(), fault);
    }
    let role = match element.name {
        "KSK" => KeyRole::Ksk,
        "ZSK" => KeyRole::Zsk,
        _ => KeyRole::Csk,
    };
    let repository = element.child("Repository").map_or("", Element::trimmed);
    Some(KeyPolicy {
        role,
        algorithm: known,
        // Where the algorithm fixes the length, whatever the file says has no effect.
        length_bits: length.filter(|_| known.is_rsa()),
        lifetime,
        repository: repository.to_owned(),
        standby: number(element, &["Standby"]),
        manual_rollover: element.has("ManualRollover"),
        roll_type: roll_type(element, role),
        rfc5011: element.has("RFC5011"),
    })
}

/// Why a zone cannot be signed with this algorithm (IANA's registry; RFC 9904 to 9906).
fn refusal(number: u8) -> &'static str {
    match number {
        0 => "0 means no algorithm (RFC 8078)",
        1 => "RSAMD5 is broken and must not be used (RFC 9904)",
        2 => "2 is Diffie-Hellman, which does not sign",
        3 | 6 => "DSA must not be used for signing (RFC 9904); take 13 (ECDSA P-256) or 8 (RSA)",
        12 => "GOST R 34.10-2001 must not be used (RFC 9906); take 13 (ECDSA P-256)",
        252 => "252 stands for indirect keys, which do not sign",
        253 | 254 => "private algorithms are not supported",
        _ => "unassigned, or not supported here; supported are 8, 10, 13, 14, 15 and 16",
    }
}

fn roll_type(key: &Element<'_>, role: KeyRole) -> RollType {
    let chosen = ["KskRollType", "ZskRollType", "CskRollType"];
    let text = chosen.iter().find_map(|name| key.child(name)).map_or("", Element::trimmed);
    match text {
        "KskDoubleRRset" => RollType::KskDoubleRrset,
        "KskDoubleDS" => RollType::KskDoubleDs,
        "KskDoubleSignature" => RollType::KskDoubleSignature,
        "ZskDoubleSignature" => RollType::ZskDoubleSignature,
        "ZskPrePublication" => RollType::ZskPrePublication,
        "ZskDoubleRRsig" => RollType::ZskDoubleRrsig,
        "CskDoubleRRset" => RollType::CskDoubleRrset,
        "CskSingleSignature" => RollType::CskSingleSignature,
        "CskDoubleDS" => RollType::CskDoubleDs,
        "CskDoubleSignature" => RollType::CskDoubleSignature,
        "CskPrePublication" => RollType::CskPrePublication,
        // Absent: OpenDNSSEC's defaults.
        _ => match role {
            KeyRole::Ksk => RollType::KskDoubleSignature,
            KeyRole::Zsk => RollType::ZskPrePublication,
            KeyRole::Csk => RollType::CskPrePublication,
        },
    }
}

fn serial(policy: &Element<'_>) -> SerialMode {
    match policy.path(&["Zone", "SOA", "Serial"]).map_or("", Element::trimmed) {
        "counter" => SerialMode::Counter,
        "datecounter" => SerialMode::DateCounter,
        "keep" => SerialMode::Keep,
        _ => SerialMode::UnixTime,
    }
}
