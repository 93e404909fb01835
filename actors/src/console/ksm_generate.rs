//! `key generate` of `ods-ksmutil` (catalogue 1.10, 4.1), in OpenDNSSEC 1.4's words.
//! In: a policy, an interval, how many zones. Out: an order to the enforcer.
//! Keys are made for each zone as there: so many that none has to be made in the interval. Other
//! than there: the daemon makes them one by one, after the command has ended.

use super::key_view::{failed, zones_of};
use super::ksm_commands::complaint;
use super::output::Output;
use super::site::Site;
use crate::enforcer::{EnforcerMessage, Stock, stock_of};
use appliance_config::parse_duration;
use console_protocol::parse::Invocation;
use dnssec::first_keys::wanted_bits;
use dnssec::key::KeyRole;
use dnssec::policy::Policy;
use std::sync::Arc;

/// Most zones that keys are made for by one command.
const ZONES_MAX: usize = 1_000_000;

/// `key generate`.
pub(super) async fn generate(site: Arc<Site>, invocation: Invocation) -> Output {
    match generated(&site, &invocation).await {
        Ok(output) | Err(output) => output,
    }
}

async fn generated(site: &Site, invocation: &Invocation) -> Result<Output, Output> {
    let name = invocation
        .value("policy")
        .ok_or_else(|| complaint("Please provide a policy name with the --policy option"))?;
    let typed = invocation
        .value("interval")
        .ok_or_else(|| complaint("Please provide an interval with the --interval option"))?;
    let policy = site
        .catalogue()
        .policy(name)
        .cloned()
        .ok_or_else(|| complaint(format!("Error: policy {name} doesn't exist in database")))?;
    let shares = policy.keys.share_keys;
    let mut text = format!("Key sharing is {}\n", if shares { "On" } else { "Off" });
    let period = parse_duration(typed).map_err(|_| {
        complaint(format!(
            "{text}Error: unable to convert Interval {typed} to seconds, error: unable to \
             translate string."
        ))
    })?;
    if typed.contains('Y') || typed.split('T').next().is_some_and(|date| date.contains('M')) {
        text += &format!(
            "Info: converting {typed} to seconds; M interpreted as 31 days, Y interpreted as 365 \
             days\n"
        );
    }
    let found = zones_of(site, name).len();
    text += &format!("Info: {found} zone(s) found on policy \"{name}\"\n");
    let zones = match invocation.value("zonetotal") {
        None if found == 0 => {
            return Ok(Output::done(text + &format!("No zones on policy {name}, skipping...\n")));
        }
        None => found,
        Some(typed) => {
            let total = total(typed).map_err(|error| complaint(format!("{text}{error}")))?;
            text += &format!(
                "Info: Keys will actually be generated for a total of {total} zone(s) as \
                 specified by zone total parameter\n"
            );
            total
        }
    };
    let pools = if shares { 1 } else { zones };
    let store = site.staff.zones.store();
    let stock = stock_of(store, &policy, period, pools).await.map_err(failed)?;
    text += &stock.iter().map(|stock| needed(&policy, stock)).collect::<String>();
    let is_wanted = |stock: &Stock| stock.missing() > 0;
    if !stock.iter().any(is_wanted) {
        text += "No keys need to be created, quitting...\nall done!\n";
        return Ok(Output::done(text));
    }
    if !invocation.has("auto-accept") && !invocation.is_confirmed {
        return Ok(Output::ask(text, &question(&stock)));
    }
    let order = EnforcerMessage::Stock { policy: policy.clone(), period, pools };
    let told = site.staff.zones.enforcer().tell(order);
    told.map_err(|undelivered| failed(undelivered.error))?;
    // What stands before the question was read already.
    let text = if invocation.is_confirmed { String::new() } else { text };
    let notes = backup_notes(site, &stock);
    Ok(Output::done(format!("{text}{notes}Key generation task scheduled.\n")))
}

/// The number of `--zonetotal`.
fn total(typed: &str) -> Result<usize, String> {
    if typed.is_empty() || !typed.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(format!("Error: zonetotal \"{typed}\"; should be numeric only"));
    }
    match typed.parse() {
        Ok(0) => Err("Error: zonetotal parameter value of 0 is invalid - the value must be \
                      greater than 0"
            .to_owned()),
        Ok(total) if total <= ZONES_MAX => Ok(total),
        _ => Err(format!("Error: Unable to convert zonetotal \"{typed}\"; to an integer")),
    }
}

fn needed(policy: &Policy, stock: &Stock) -> String {
    let (missing, role, bits) = (stock.missing(), stock.key.role, wanted_bits(&stock.key));
    format!(
        "{missing} new {role}(s) ({bits} bits) need to be created for policy {}: \
         keys_to_generate({missing}) = keys_needed({}) - keys_available({}).\n",
        policy.name, stock.needed, stock.unused
    )
}

fn question(stock: &[Stock]) -> String {
    let parts: Vec<String> = [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk]
        .into_iter()
        .filter_map(|role| {
            let own = || stock.iter().filter(|stock| stock.key.role == role);
            let bits = wanted_bits(&own().next()?.key);
            let count: usize = own().map(Stock::missing).sum();
            Some(format!("{count} {role}s ({bits} bits)"))
        })
        .collect();
    format!("*WARNING* This will create {}\nAre you sure? [y/N] \n", parts.join(" and "))
}

fn backup_notes(site: &Site, stock: &[Stock]) -> String {
    let catalogue = site.catalogue();
    let needs = catalogue.repositories.iter().filter(|repository| {
        let is_used = |stock: &Stock| stock.key.repository == repository.name;
        repository.require_backup && stock.iter().any(|one| is_used(one) && one.missing() > 0)
    });
    needs
        .map(|repository| {
            format!(
                "NOTE: keys generated in repository {} will not become active until they have \
                 been backed up\n",
                repository.name
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_a_number_above_zero() {
        assert_eq!(total("17"), Ok(17));
        for (typed, complaint) in [
            ("x", "should be numeric only"),
            ("", "should be numeric only"),
            ("-1", "should be numeric only"),
            ("0", "must be greater than 0"),
            ("1000001", "Unable to convert"),
            ("99999999999999999999999", "Unable to convert"),
        ] {
            assert!(total(typed).unwrap_err().contains(complaint), "{typed}");
        }
    }
}
