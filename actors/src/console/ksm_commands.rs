//! The function table of `ods-ksmutil`'s commands (catalogue 1.10), the short ones among them, and
//! what they have in common. In: paths of the one table. Out: handlers, which are in `ksm_*.rs`.
//! What OpenDNSSEC 1.4 says on standard output is said there too, complaints included; what it
//! never said is on standard error. Exit code 1: refused; 255: there, -1.

use super::dispatch::{Handler, Handlers};
use super::key_view::{KeyView, Row, ZoneView, failed};
use super::output::{Output, Wish};
use super::site::Site;
use super::{
    ksm_backup, ksm_change, ksm_database, ksm_ds, ksm_export, ksm_generate, ksm_import, ksm_keys,
    ksm_lists, ksm_policies, ksm_update, ksm_zones,
};
use crate::enforcer::EnforcerMessage;
use console_protocol::help;
use console_protocol::parse::Invocation;
use dnssec::enforcer::{CompatibilityState, KeyLife, state_word_1x};
use dnssec::key::KeyRole;
use futures_util::FutureExt;

pub(super) const HANDLERS: Handlers = &[
    ("setup", Handler::Later(|site, words| ksm_update::setup(site, words).boxed_local())),
    ("start", Handler::Now(start)),
    ("stop", Handler::Now(stop)),
    ("notify", Handler::Now(notify)),
    ("update kasp", Handler::Later(|site, words| ksm_update::kasp(site, words).boxed_local())),
    (
        "update zonelist",
        Handler::Later(|site, words| ksm_update::zonelist(site, words).boxed_local()),
    ),
    ("update conf", Handler::Later(|site, _| ksm_update::conf(site).boxed_local())),
    ("update all", Handler::Later(|site, words| ksm_update::all(site, words).boxed_local())),
    ("zone add", Handler::Later(|site, words| ksm_zones::add(site, words).boxed_local())),
    ("zone delete", Handler::Later(|site, words| ksm_zones::delete(site, words).boxed_local())),
    ("zone list", Handler::Later(|site, _| ksm_lists::zones(site).boxed_local())),
    ("repository list", Handler::Now(ksm_lists::repositories)),
    ("policy export", Handler::Now(ksm_policies::export)),
    ("policy import", Handler::Later(|site, words| ksm_update::kasp(site, words).boxed_local())),
    ("policy list", Handler::Now(ksm_policies::list)),
    ("policy purge", Handler::Later(|site, words| ksm_policies::purge(site, words).boxed_local())),
    ("key list", Handler::Later(|site, words| ksm_keys::list(site, words).boxed_local())),
    ("key export", Handler::Later(|site, words| ksm_export::keys(site, words).boxed_local())),
    ("key import", Handler::Later(|site, words| ksm_import::import(site, words).boxed_local())),
    ("key rollover", Handler::Later(|site, words| ksm_change::rollover(site, words).boxed_local())),
    ("key purge", Handler::Later(|site, words| ksm_change::purge(site, words).boxed_local())),
    ("key delete", Handler::Later(|site, words| ksm_change::delete(site, words).boxed_local())),
    (
        "key generate",
        Handler::Later(|site, words| ksm_generate::generate(site, words).boxed_local()),
    ),
    ("key ksk-retire", Handler::Later(|site, words| ksm_ds::retire(site, words).boxed_local())),
    ("key ksk-revoke", Handler::Later(|site, words| ksm_ds::revoke(site, words).boxed_local())),
    ("key ds-seen", Handler::Later(|site, words| ksm_ds::seen(site, words).boxed_local())),
    ("key ds-gone", Handler::Later(|site, words| ksm_ds::gone(site, words).boxed_local())),
    ("backup prepare", Handler::Later(|site, words| ksm_backup::mark(site, words).boxed_local())),
    ("backup commit", Handler::Later(|site, words| ksm_backup::mark(site, words).boxed_local())),
    ("backup rollback", Handler::Later(|site, words| ksm_backup::mark(site, words).boxed_local())),
    ("backup list", Handler::Later(|site, words| ksm_backup::list(site, words).boxed_local())),
    ("backup done", Handler::Later(|site, words| ksm_backup::mark(site, words).boxed_local())),
    ("rollover list", Handler::Later(|site, words| ksm_lists::rolls(site, words).boxed_local())),
    (
        "database backup",
        Handler::Later(|site, words| ksm_database::backup(site, words).boxed_local()),
    ),
    ("zonelist export", Handler::Now(ksm_export::zonelist)),
    (
        "zonelist import",
        Handler::Later(|site, words| ksm_update::zonelist(site, words).boxed_local()),
    ),
];

fn start(_: &Site, _: &Invocation) -> Output {
    Output::said("Engine already running.\n", 1)
}

fn stop(_: &Site, _: &Invocation) -> Output {
    Output::done("Stopping enforcer...\n").then(Wish::Stop)
}

/// What 1.x's SIGHUP does: a pass begins at once.
fn notify(site: &Site, _: &Invocation) -> Output {
    match site.staff.zones.enforcer().tell(EnforcerMessage::Enforce { zone: None }) {
        Ok(()) => Output::done("Performed a HUP ods-enforcerd\n"),
        Err(undelivered) => failed(undelivered.error),
    }
}

/// What 1.4 says first with `--verbose`.
pub(super) fn verbose(site: &Site, output: Output) -> Output {
    let datastore = &site.catalogue().datastore;
    let stdout = format!("SQLite database set to: {datastore}\n{}", output.stdout);
    Output { stdout, ..output }
}

/// A complaint of 1.4's on standard output.
pub(super) fn complaint(text: impl std::fmt::Display) -> Output {
    Output::said(format!("{text}\n"), 1)
}

/// A complaint and the command's usage.
pub(super) fn usage(invocation: &Invocation, text: &str) -> Output {
    let stderr = help::of(invocation.command);
    Output { stderr, ..Output::said(format!("{text}\n"), super::dispatch::SYNTAX) }
}

/// What an option that cannot be kept is answered with.
pub(super) fn not_kept(option: &str, why: &str) -> Output {
    Output::refused(format!("{option} cannot be kept: {why} Nothing was changed.\n"), 1)
}

/// A zone by the name that somebody typed, or 1.4's complaint.
pub(super) fn zone_of<'v>(view: &'v KeyView, typed: &str) -> Result<&'v ZoneView, Output> {
    view.zone(typed).ok_or_else(|| zone_unknown(typed))
}

pub(super) fn zone_unknown(typed: &str) -> Output {
    complaint(format!("Error: unable to find a zone named \"{typed}\" in database"))
}

/// The zone of `--zone`, where it is given.
pub(super) fn optional_zone<'v>(
    view: &'v KeyView,
    invocation: &Invocation,
) -> Result<Option<&'v ZoneView>, Output> {
    invocation.value("zone").map(|typed| zone_of(view, typed)).transpose()
}

/// The role of `--keytype`, where it is given.
pub(super) fn optional_role(invocation: &Invocation) -> Result<Option<KeyRole>, Output> {
    let Some(typed) = invocation.value("keytype") else { return Ok(None) };
    let role = match typed.to_ascii_uppercase().as_str() {
        "KSK" | "257" => KeyRole::Ksk,
        "ZSK" | "256" => KeyRole::Zsk,
        // Not in 1.x.
        "CSK" => KeyRole::Csk,
        _ => {
            let text = format!("Error: Unrecognised keytype {typed}; should be one of KSK or ZSK");
            return Err(complaint(text));
        }
    };
    Ok(Some(role))
}

/// The states of 1.x by the numbers that its database has.
pub(super) const STATES: [CompatibilityState; 10] = [
    CompatibilityState::Generate,
    CompatibilityState::Publish,
    CompatibilityState::Ready,
    CompatibilityState::Active,
    CompatibilityState::Retire,
    CompatibilityState::Dead,
    CompatibilityState::DsSub,
    CompatibilityState::DsPublish,
    CompatibilityState::DsReady,
    CompatibilityState::KeyPublish,
];

/// The state of `--keystate`, by name or number, where it is given.
pub(super) fn optional_state(
    invocation: &Invocation,
) -> Result<Option<CompatibilityState>, Output> {
    let Some(typed) = invocation.value("keystate") else { return Ok(None) };
    let is_meant = |(at, state): &(usize, &CompatibilityState)| {
        state.to_string().eq_ignore_ascii_case(typed) || (at + 1).to_string() == typed
    };
    let found = STATES.iter().enumerate().find(is_meant).map(|(_, state)| *state);
    found.map(Some).ok_or_else(|| {
        complaint(format!(
            "Error: Unrecognised state {typed}; should be one of GENERATE, PUBLISH, READY, \
             ACTIVE, RETIRE, DEAD, DSSUB, DSPUBLISH, DSREADY or KEYPUBLISH"
        ))
    })
}

/// Where a key stands among the states of 1.x: a revoked one retires, and one of two halves in
/// different states is published.
pub(super) fn state_of(key: &KeyLife) -> CompatibilityState {
    match state_word_1x(key) {
        CompatibilityState::Revoked => CompatibilityState::Retire,
        CompatibilityState::Mixed => CompatibilityState::Publish,
        state => state,
    }
}

/// Its word in lists.
pub(super) fn word_of(key: &KeyLife) -> String {
    match key.revoked {
        Some(_) if key.is_published() => "revoke".to_owned(),
        _ => state_of(key).to_string(),
    }
}

/// The keys of a view, zone by zone and in the order of their states.
pub(super) fn by_state(view: &KeyView) -> Vec<Row<'_>> {
    let place = |key: &KeyLife| STATES.iter().position(|state| *state == state_of(key));
    let mut rows: Vec<Row<'_>> = view.by_zone().collect();
    rows.sort_by(|one, other| {
        one.zone.name.cmp(&other.zone.name).then(place(one.key).cmp(&place(other.key)))
    });
    rows
}
