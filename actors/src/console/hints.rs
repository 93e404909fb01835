//! What somebody may have meant who named a zone, a policy or a repository that is not there.
//! In: a command that failed. Out: one more line on standard error, for our own front end only:
//! OpenDNSSEC's say what they always said.

use super::key_past::printable;
use super::output::Output;
use super::show_commands::all_names;
use super::site::Site;
use console_protocol::messages::FrontEnd;
use console_protocol::nearest::nearest;
use console_protocol::parse::Invocation;

/// Names in a command: what an option's value or an operand may be.
fn named(invocation: &Invocation) -> Vec<(&'static str, String)> {
    let mut named = Vec::new();
    for (option, kind) in
        [("zone", "zones"), ("policy", "policies"), ("repository", "repositories")]
    {
        named.extend(invocation.value(option).map(|typed| (kind, typed.to_owned())));
    }
    let usage = invocation.command.usage.to_ascii_uppercase();
    let first = usage.lines().next().unwrap_or_default();
    let behind = first.get(invocation.command.path.len()..).unwrap_or_default();
    let is_zone = behind.trim_start().trim_start_matches(['<', '[']).starts_with("ZONE");
    if is_zone {
        named.extend(invocation.operands.first().map(|typed| ("zones", typed.clone())));
    }
    named
}

/// Adds the nearest name to the answer of a command that failed.
pub(super) async fn add(site: &Site, invocation: &Invocation, mut output: Output) -> Output {
    if invocation.front_end != FrontEnd::Appliance || output.exit_code == 0 {
        return output;
    }
    // A new zone has a name that is not there yet.
    if invocation.command.path == "zone add" && invocation.value("policy").is_none() {
        return output;
    }
    for (kind, typed) in named(invocation) {
        let Ok(Some(names)) = all_names(site, kind).await else { continue };
        let wanted = typed.trim_end_matches('.').to_ascii_lowercase();
        let is_there = names.iter().any(|name| name.trim_end_matches('.') == wanted);
        let is_new = invocation.command.path == "zone add" && kind == "zones";
        if is_there || is_new || names.contains(&typed) {
            continue;
        }
        if let Some(near) = nearest(&wanted, names.iter().map(String::as_str)) {
            output.stderr += &format!("Did you mean \"{}\"?\n", printable(near));
        }
    }
    output
}
