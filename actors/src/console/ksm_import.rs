//! `key import` of `ods-ksmutil` (catalogue 1.10), in OpenDNSSEC 1.4's words and order.
//! In: words. Out: a key that joins a zone in the middle of its life.
//! Other than there: the key has to be in its repository, with or without `--check-repository`,
//! and the policy has to want such keys; `--retire` is refused.

use super::key_change::cause;
use super::key_import::{Wanted, adopt};
use super::key_view::{parse_zone, policy_of};
use super::ksm_commands::{complaint, not_kept, optional_role, zone_unknown};
use super::ksm_dates::parse_date;
use super::output::Output;
use super::site::Site;
use crate::slot::SlotFailure;
use console_protocol::parse::Invocation;
use console_protocol::table::DATE_HELP;
use dnssec::enforcer::ImportState;
use dnssec::key::KeyId;
use dnssec::{Algorithm, Timestamp};
use hsm::SlotError;
use std::sync::Arc;

/// The options that have to be there, and what 1.4 says when one is not.
const NEEDED: [(&str, &str); 8] = [
    ("cka_id", "a CKA_ID with the --cka_id <CKA_ID>"),
    ("repository", "a repository with the --repository <repository>"),
    ("zone", "a zone with the --zone <zone>"),
    ("bits", "the number of bits with the --bits <size>"),
    ("algorithm", "the algorithm with the --algorithm <algorithm>"),
    ("keystate", "the state with the --keystate <state>"),
    ("keytype", "a keytype, KSK or ZSK, with the --keytype <type>"),
    ("time", "the time of when the key entered the given state with the --time <time>"),
];

/// `key import`.
pub(super) async fn import(site: Arc<Site>, invocation: Invocation) -> Output {
    let wanted = match wanted(&site, &invocation).await {
        Ok(wanted) => wanted,
        Err(output) => return output,
    };
    match adopt(&site, wanted, cause(&invocation)).await {
        Ok(_) => Output::done("Key imported into zone(s)\n"),
        Err(error) => {
            let stderr = format!("{error}\n");
            Output { stderr, ..complaint("Error: couldn't import key") }
        }
    }
}

/// Looks at the words, in 1.4's order.
async fn wanted(site: &Site, invocation: &Invocation) -> Result<Wanted, Output> {
    for (name, what) in NEEDED {
        if invocation.value(name).is_none() {
            return Err(complaint(format!("Error: please specify {what}")));
        }
    }
    if invocation.has("retire") {
        let why = "a key leaves when its lifetime is over, or with \"key rollover\".";
        return Err(not_kept("--retire", why));
    }
    let value = |name| invocation.value(name).unwrap_or_default();
    let repository = value("repository").to_owned();
    if !site.catalogue().repositories.iter().any(|known| known.name == repository) {
        let text = format!("Error: unable to find a repository named \"{repository}\" in database");
        return Err(complaint(text));
    }
    let typed_zone = value("zone").to_owned();
    let found = parse_zone(&typed_zone).and_then(|zone| Some((policy_of(site, &zone)?, zone)));
    let (policy, zone) = found.ok_or_else(|| zone_unknown(&typed_zone))?;
    if policy.keys.share_keys {
        return Err(Output::refused(
            format!(
                "Zone {typed_zone} shares keys with the other zones of policy {}, and a key is \
                 imported into one zone. Nothing was changed.\n",
                policy.name
            ),
            1,
        ));
    }
    let role = optional_role(invocation)?.ok_or_else(|| complaint("Error: no keytype"))?;
    let bits = bits(value("bits"))?;
    let algorithm = algorithm(value("algorithm"))?;
    let state = state(value("keystate"))?;
    let inception = moment(site, value("time"))?;
    let typed = value("cka_id");
    let id = KeyId::from_hex(typed).ok_or_else(|| missing(typed, &repository))?;
    let records = site.staff.zones.store().keys().await.map_err(super::key_view::failed)?;
    if records.iter().any(|record| record.id == id && record.repository == repository) {
        let text = format!("Error: key with CKA_ID \"{typed}\" already exists in database");
        return Err(complaint(text));
    }
    if let Some(slot) = site.staff.zones.slot(&repository)
        && let Err(SlotFailure::Slot(SlotError::NotFound { .. })) =
            slot.public_key(&id, algorithm).await
    {
        return Err(missing(typed, &repository));
    }
    Ok(Wanted { zone, typed_zone, policy, repository, id, role, algorithm, bits, state, inception })
}

fn missing(typed: &str, repository: &str) -> Output {
    Output::refused(
        format!(
            "Error: No key with the CKA_ID {typed} exists in the repository {repository}. The key \
             MUST exist in the repository to be imported, with or without --check-repository.\n"
        ),
        1,
    )
}

fn bits(typed: &str) -> Result<u16, Output> {
    if typed.is_empty() || !typed.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(complaint(format!("Error: Bits \"{typed}\"; should be numeric only")));
    }
    let text = || format!("Error: Unable to convert bits \"{typed}\"; to an integer");
    typed.parse().map_err(|_| complaint(text()))
}

/// An algorithm by its number or its name, in any case.
fn algorithm(typed: &str) -> Result<Algorithm, Output> {
    let named = |algorithm: &Algorithm| algorithm.mnemonic().eq_ignore_ascii_case(typed);
    let found = match typed.parse() {
        Ok(number) => Algorithm::from_number(number),
        Err(_) => Algorithm::ALL.into_iter().find(named),
    };
    found.ok_or_else(|| {
        complaint(format!(
            "Error: Key algorithm {typed} not supported; try one of RSASHA1, RSASHA1-NSEC3-SHA1 \
             or RSASHA256"
        ))
    })
}

/// A state by its name or number.
fn state(typed: &str) -> Result<ImportState, Output> {
    let numbered = || typed.parse::<usize>().ok()?.checked_sub(1);
    let found = ImportState::parse(typed).or_else(|| ImportState::ALL.get(numbered()?).copied());
    found.ok_or_else(|| {
        complaint(format!(
            "Error: Unrecognised state {typed}; should be one of GENERATE, PUBLISH, READY, ACTIVE \
             or RETIRE"
        ))
    })
}

fn moment(site: &Site, typed: &str) -> Result<Timestamp, Output> {
    let found = parse_date(typed).ok_or_else(|| Output {
        stderr: DATE_HELP.to_owned(),
        ..complaint(format!("Error: unable to convert \"{typed}\" into a date"))
    })?;
    if found > site.staff.clock.now() {
        return Err(Output::refused(format!("Error: {typed} is in the future\n"), 1));
    }
    Ok(found)
}
