//! kaspcheck's checks K13 to K30 of one policy, and our own of RFC 9276, RFC 9905 and of
//! Refresh against TTLs.
//! In: the policy as element and as value (zero where a value is impossible). Out: report lines.

use dnssec::Seconds;
use dnssec::key::KeyRole;
use dnssec::policy::{DenialPolicy, Nsec3Policy, Policy, SerialMode, SignaturesPolicy};

use super::{Report, Repositories};
use crate::duration::{DurationError, parse_duration};
use crate::kasp::number;
use crate::schema::kasp::POLICY;
use crate::schema::{Content, Rule};
use crate::tree::Element;

const DAY_SECONDS: u64 = 86_400;
/// What 2.x assumes when there is no `<MaxZoneTTL>`.
const MAX_ZONE_TTL_DEFAULT: Seconds = Seconds(DAY_SECONDS);

/// A key as the file has it, whether or not we could sign with it.
struct Key<'a> {
    role: KeyRole,
    algorithm: u8,
    bits: u32,
    lifetime: u64,
    repository: &'a str,
}

impl Key<'_> {
    /// The roles to judge it in; a CSK is judged as both.
    fn roles(&self) -> &'static [&'static str] {
        match self.role {
            KeyRole::Ksk => &["KSK"],
            KeyRole::Zsk => &["ZSK"],
            KeyRole::Csk => &["KSK", "ZSK"],
        }
    }
    fn is_rsa(&self) -> bool {
        matches!(self.algorithm, 5 | 7 | 8 | 10)
    }
}

pub(super) fn check(
    file: &str,
    element: &Element<'_>,
    policy: &Policy,
    repositories: Option<&Repositories>,
    report: &mut Report,
) {
    let location = format!("policy {},", policy.name);
    durations(&location, element, POLICY, "", file, report);
    let keys: Vec<Key<'_>> = element.child("Keys").map(keys).unwrap_or_default();
    lifetimes(policy, &keys, report);
    signatures(file, &policy.name, &policy.signatures, report);
    safeties(file, policy, report);
    if let DenialPolicy::Nsec3(nsec3) = &policy.denial {
        let hash = number(element, &["Denial", "NSEC3", "Hash", "Algorithm"]);
        nsec3_checks(file, policy, nsec3, hash, &keys, report);
    }
    datecounter(file, policy, report);
    passed_through(file, policy, report);
    key_checks(file, policy, &keys, repositories, report);
    key_pairs(file, policy, &keys, report);
    largest_ttl(file, policy, report);
    shortest_life(file, policy, report);
}

fn keys<'a>(element: &'a Element<'_>) -> Vec<Key<'a>> {
    let role = |name: &str| match name {
        "KSK" => Some(KeyRole::Ksk),
        "ZSK" => Some(KeyRole::Zsk),
        "CSK" => Some(KeyRole::Csk),
        _ => None,
    };
    let key = |child: &'a Element<'_>| {
        let length = child.child("Algorithm").and_then(|found| found.attribute("length"));
        let lifetime = child.child("Lifetime").map_or("", Element::trimmed);
        Some(Key {
            role: role(child.name)?,
            algorithm: number(child, &["Algorithm"]),
            bits: length.and_then(|bits| bits.trim_ascii().parse().ok()).unwrap_or_default(),
            lifetime: parse_duration(lifetime).unwrap_or_default().0,
            repository: child.child("Repository").map_or("", Element::trimmed),
        })
    };
    element.children.iter().filter_map(key).collect()
}

/// K13 for every duration in `element`, found by the table.
fn durations(
    location: &str,
    element: &Element<'_>,
    rules: &[Rule],
    path: &str,
    file: &str,
    report: &mut Report,
) {
    for child in &element.children {
        let Some(rule) = rules.iter().find(|rule| rule.name == child.name) else { continue };
        let name = child.name;
        match rule.content {
            Content::Duration => {
                let separator = if name == "Lifetime" { " " } else { "/" };
                let field = format!("{}{separator}{name}", path.trim_start_matches('/'));
                duration(location, &field, child.trimmed(), file, report);
            }
            Content::Free(inner) | Content::Ordered(inner) => {
                durations(location, child, inner, &format!("{path}/{name}"), file, report);
            }
            _ => {}
        }
    }
}

/// K13: what a duration with years or months means, and those that mean nothing.
pub(super) fn duration(location: &str, field: &str, text: &str, file: &str, report: &mut Report) {
    let date = text.split('T').next().unwrap_or_default();
    let (months, years) = (date.contains('M'), date.contains('Y'));
    let said = match parse_duration(text) {
        Err(DurationError::TooLong) => {
            return report.error(format_args!(
                "{field} ({text}) too long to be an int. E.g. Maximum is ~68 years on a system \
                 with 32-bit integers."
            ));
        }
        Err(_) => {
            return report.error(format_args!("unable to translate {field} ({text}) to seconds."));
        }
        Ok(_) => match (months, years) {
            (false, false) => return,
            (true, false) => ("M", "this will be interpreted as 31 days"),
            (false, true) => ("Y", "this will be interpreted as 365 days"),
            (true, true) => ("M & Y", "these will be interpreted as 31 and 365 days respectively"),
        },
    };
    let (letters, meaning) = said;
    report.warning(format_args!(
        "In {location} {letters} used in duration field for {field} ({text}) in {file} - {meaning}"
    ));
}

/// K14, K15, K16.
fn lifetimes(policy: &Policy, keys: &[Key<'_>], report: &mut Report) {
    let name = &policy.name;
    let (ttl, ds_ttl) = (policy.keys.ttl.0, policy.parent.ds_ttl.0);
    // As OpenDNSSEC's checker: without <MaxZoneTTL> nothing is added.
    let zone_ttl = policy.signatures.max_zone_ttl.unwrap_or_default().0;
    let validity = policy.signatures.validity_default.0;
    for key in keys {
        let lifetime = key.lifetime;
        for role in key.roles() {
            let (other, other_ttl) = match *role {
                "KSK" => ("DS record TTL", ds_ttl),
                _ => ("MaxZoneTTL", zone_ttl),
            };
            if lifetime <= ttl + other_ttl {
                report.error(format_args!(
                    "{role}/Lifetime ({lifetime} seconds) for policy '{name}' must be greater \
                     than the DNSKEY record TTL ({ttl} seconds) plus the {other} ({other_ttl} \
                     seconds). This time is needed to pass for the {role} to be able to reach \
                     the ready state."
                ));
            }
            if *role == "ZSK" && lifetime < validity {
                report.warning(format_args!(
                    "ZSK/Lifetime ({lifetime} seconds) for policy '{name}' is less than \
                     Validity/Default ({validity} seconds), this might be a configuration error."
                ));
            }
        }
    }
}

/// K17 to K20.
fn signatures(file: &str, name: &str, signatures: &SignaturesPolicy, report: &mut Report) {
    let (resign, refresh) = (signatures.resign.0, signatures.refresh.0);
    let jitter = signatures.jitter.0;
    let validities =
        [("Default", signatures.validity_default.0), ("Denial", signatures.validity_denial.0)];
    if refresh <= resign {
        report.error(format_args!(
            "The Refresh interval ({refresh} seconds) for {name} Policy in {file} is less than \
             or equal to the Resign interval ({resign} seconds)"
        ));
    }
    for (what, validity) in validities {
        if validity <= refresh {
            report.error(format_args!(
                "Validity/{what} ({validity} seconds) for {name} policy in {file} is less than \
                 or equal to the Refresh interval ({refresh} seconds)"
            ));
        }
    }
    let (what, longest) =
        if validities[0].1 > validities[1].1 { validities[0] } else { validities[1] };
    if jitter * 2 > longest {
        report.warning(format_args!(
            "Jitter time ({jitter} seconds) is large compared to Validity/{what} ({longest} \
             seconds) for {name} policy in {file}"
        ));
    }
    for (what, validity) in validities {
        if jitter > validity {
            report.error(format_args!(
                "Jitter time ({jitter} seconds) is greater than the {what} Validity ({validity} \
                 seconds) for {name} policy in {file}"
            ));
        }
    }
    let offset = signatures.inception_offset.0;
    if offset > 3600 {
        report.warning(format_args!(
            "InceptionOffset is higher than expected ({offset} seconds) for {name} policy in {file}"
        ));
    }
}

/// K21.
fn safeties(file: &str, policy: &Policy, report: &mut Report) {
    let (name, ttl) = (&policy.name, policy.keys.ttl.0);
    for (what, safety) in [
        ("PublishSafety", policy.keys.publish_safety.0),
        ("RetireSafety", policy.keys.retire_safety.0),
    ] {
        let (relation, factor) = if safety * 10 < ttl {
            ("less", "0.1")
        } else if safety > ttl * 5 {
            ("greater", "5")
        } else {
            continue;
        };
        report.warning(format_args!(
            "Keys/{what} ({safety} seconds) is {relation} than {factor} * TTL ({ttl} seconds) \
             for {name} policy in {file}"
        ));
    }
}

/// K22 to K25 and RFC 9276 §3.1.
fn nsec3_checks(
    file: &str,
    policy: &Policy,
    nsec3: &Nsec3Policy,
    hash: u64,
    keys: &[Key<'_>],
    report: &mut Report,
) {
    let (name, iterations) = (&policy.name, nsec3.iterations);
    if hash != 1 {
        report.error(format_args!(
            "NSEC3 Hash algorithm for {name} Policy in {file} is {hash} but should be 1"
        ));
    }
    if iterations > 100 {
        report.warning(format_args!(
            "NSEC3 Hash iterations for {name} Policy in {file} is {iterations} which is larger \
             than the recommended maximum of 100"
        ));
    }
    for key in keys.iter().filter(|key| key.is_rsa() && key.role.signs_zone()) {
        let most = match key.bits {
            0..=1024 => 150,
            1025..=2048 => 500,
            _ => 2500,
        };
        if iterations > most {
            report.warning(format_args!(
                "NSEC3 Hash iterations for {name} Policy in {file} is {iterations}, more than \
                 {most} for the given key size ({}) for zone signing key",
                key.bits
            ));
        }
    }
    if iterations > 0 {
        report.warning(format_args!(
            "In policy {name}, NSEC3 iterations is {iterations} in {file}; it should be 0 \
             (RFC 9276)"
        ));
    }
    if nsec3.salt_length > 0 {
        let length = nsec3.salt_length;
        report.warning(format_args!(
            "In policy {name}, NSEC3 salt length is {length} in {file}; it should be 0 (RFC 9276)"
        ));
    }
    for key in keys.iter().filter(|key| key.algorithm <= 5) {
        for role in key.roles() {
            let algorithm = key.algorithm;
            report.error(format_args!(
                "In policy {name}, incompatible algorithm ({algorithm}) used for {role} NSEC3 \
                 in {file}."
            ));
        }
    }
    let (resalt, resign) = (nsec3.resalt.0, policy.signatures.resign.0);
    if resalt < resign {
        report.warning(format_args!(
            "NSEC3 resalt interval ({resalt} secs) is less than signature resign interval \
             ({resign} secs) for {name} Policy"
        ));
    }
}

/// K26.
fn datecounter(file: &str, policy: &Policy, report: &mut Report) {
    let name = &policy.name;
    let resign = policy.signatures.resign.0;
    if policy.zone.serial != SerialMode::DateCounter || resign == 0 {
        return;
    }
    let signings = DAY_SECONDS / resign;
    if signings > 99 {
        report.error(format_args!(
            "In {file}, policy {name}, serial type datecounter used but {signings} re-signs \
             requested. No more than 99 re-signs per day should be used with datecounter as only \
             2 digits are allocated for the version number."
        ));
    }
}

/// A SOA that another signer has signed has to stay as it is.
fn passed_through(file: &str, policy: &Policy, report: &mut Report) {
    let name = &policy.name;
    if policy.passthrough && policy.zone.serial != SerialMode::Keep {
        report.warning(format_args!(
            "In {file}, policy {name}, zones are passed through with new serials: that breaks the \
             SOA's signature of those that are signed already, which are refused then. Use serial \
             type keep for such zones."
        ));
    }
}

/// K27, K28 and RFC 9905.
fn key_checks(
    file: &str,
    policy: &Policy,
    keys: &[Key<'_>],
    repositories: Option<&Repositories>,
    report: &mut Report,
) {
    let name = &policy.name;
    for key in keys {
        let bits = key.bits;
        for role in key.roles() {
            if key.is_rsa() && bits < 1024 {
                report.warning(format_args!(
                    "Key length of {bits} used for {role} in {name} policy in {file}. Should \
                     probably be 1024 or more"
                ));
            } else if key.is_rsa() && bits > 4096 {
                report.error(format_args!(
                    "Key length of {bits} used for {role} in {name} policy in {file}. Should be \
                     4096 or less"
                ));
            }
            let repository = key.repository;
            if let Some(group) = repositories.and_then(|known| known.group_of(repository)) {
                report.error(format_args!(
                    "Repository ({repository}) defined for {role} in {name} policy is a member of \
                     the repository group {group}; a key in it alone would be in no other member: \
                     name the group"
                ));
            }
            let unknown = |known: &Repositories| !known.names.iter().any(|name| name == repository);
            if repositories.is_some_and(unknown) {
                let place = if *role == "KSK" { format!(" in {file}") } else { String::new() };
                report.error(format_args!(
                    "Unknown repository ({repository}) defined for {role} in {name} policy{place}"
                ));
            }
            if matches!(key.algorithm, 5 | 7) {
                let algorithm = key.algorithm;
                report.warning(format_args!(
                    "In policy {name}, algorithm {algorithm} used for {role} in {file} rests on \
                     SHA-1 and is deprecated (RFC 9905); new keys need \
                     <AllowDeprecatedAlgorithms/> in conf.xml"
                ));
            }
        }
    }
}

/// K29, K30.
fn key_pairs(file: &str, policy: &Policy, keys: &[Key<'_>], report: &mut Report) {
    let name = &policy.name;
    for ksk in keys.iter().filter(|key| key.role.signs_keyset()) {
        let mut found = false;
        for zsk in keys.iter().filter(|key| key.role.signs_zone()) {
            if zsk.algorithm != ksk.algorithm {
                continue;
            }
            found = true;
            let (short, long) = (ksk.lifetime, zsk.lifetime);
            if short < long {
                report.warning(format_args!(
                    "KSK minimum lifetime ({short} seconds) is less than ZSK minimum lifetime \
                     ({long} seconds) for {name} Policy in {file}"
                ));
            }
        }
        if !found {
            let algorithm = ksk.algorithm;
            report.error(format_args!(
                "ZSK with algorithm {algorithm} not found, algorithm mismatch between ZSK and KSK"
            ));
        }
    }
}

/// A signature is replaced when its life falls below Refresh; a record cached just before that,
/// with a TTL above it, outlives its signature.
fn largest_ttl(file: &str, policy: &Policy, report: &mut Report) {
    let zone_ttl = policy.signatures.max_zone_ttl.unwrap_or(MAX_ZONE_TTL_DEFAULT);
    let ttls = [zone_ttl, policy.keys.ttl, policy.zone.soa_ttl, policy.zone.soa_minimum];
    let largest = ttls.into_iter().max().unwrap_or_default().0;
    let refresh = policy.signatures.refresh.0;
    let name = &policy.name;
    if refresh < largest {
        report.warning(format_args!(
            "In policy {name}, the Refresh interval ({refresh} seconds) is smaller than the \
             largest TTL ({largest} seconds) in {file}: signatures may expire in caches"
        ));
        return;
    }
    // What is due is found by the next run; then secondaries get it, then caches let the old go.
    let (resign, delay) = (policy.signatures.resign.0, policy.zone.propagation_delay.0);
    if refresh < resign.saturating_add(delay).saturating_add(largest) {
        report.warning(format_args!(
            "In policy {name}, the Refresh interval ({refresh} seconds) is smaller than the Resign \
             interval ({resign} seconds) plus Zone/PropagationDelay ({delay} seconds) plus the \
             largest TTL ({largest} seconds) in {file}: signatures may expire in caches"
        ));
    }
}

/// A signature whose life is short by all of the jitter has to outlive the next run.
fn shortest_life(file: &str, policy: &Policy, report: &mut Report) {
    let signatures = &policy.signatures;
    let (refresh, resign, jitter) =
        (signatures.refresh.0, signatures.resign.0, signatures.jitter.0);
    let keyset = signatures.validity_keyset.filter(|validity| validity.0 != 0);
    let validities = [
        ("Default", Some(signatures.validity_default)),
        ("Denial", Some(signatures.validity_denial)),
        ("Keyset", keyset),
    ];
    for (what, validity) in validities {
        let Some(Seconds(validity)) = validity else { continue };
        let (name, least) = (&policy.name, refresh.saturating_add(resign));
        // What is not even greater than Refresh is an error of its own, but for the keyset.
        let has_own_error = validity <= refresh && what != "Keyset";
        if !has_own_error && validity.saturating_sub(jitter) < least {
            report.warning(format_args!(
                "In policy {name}, Validity/{what} ({validity} seconds) less Jitter ({jitter} \
                 seconds) is smaller than Refresh plus Resign ({least} seconds) in {file}: some \
                 signatures are made anew in every run"
            ));
        }
    }
}
