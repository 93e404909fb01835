//! `key ds-submit`, `ds-seen`, `ds-retract`, `ds-gone`: what operators say of a DS at the parent
//! (catalogue 1.5, 4.3). In: which keys. Out: changes of their zones; without words, the table of
//! keys that the command is for. Exit code 11: no key matches, nothing changed.
//! Other than 2.1: a key tag that several waiting keys of the zone have changes none of them, and
//! standard error says why a key is not one that the command is for.

use super::dispatch::wrong_arguments;
use super::key_change::change;
use super::key_view::{KeyView, Row, failed, known_id};
use super::output::Output;
use super::site::Site;
use super::text::columns;
use crate::enforcer::LifeEdit;
use console_protocol::parse::Invocation;
use dnssec::enforcer::{
    CommandError, DsAtParent, ZoneLife, ds_gone, ds_retract, ds_seen, ds_submit, is_waiting,
};
use dnssec::key::KeyId;
use dnssec::{KeyTag, Name, Timestamp};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

/// OpenDNSSEC's exit code when no key matches.
const NOTHING_MATCHED: u8 = 11;

/// What a command says of a key.
type Saying = fn(&ZoneLife, &KeyId, Timestamp) -> Result<ZoneLife, CommandError>;

/// The commands, by the state of the DSs that they are for.
const SAYINGS: [(&str, DsAtParent, Saying); 4] = [
    ("key ds-submit", DsAtParent::Submit, ds_submit),
    ("key ds-seen", DsAtParent::Submitted, ds_seen),
    ("key ds-retract", DsAtParent::Retract, ds_retract),
    ("key ds-gone", DsAtParent::Retracted, ds_gone),
];

/// All four commands.
pub(super) fn ds_command(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let saying = SAYINGS.iter().find(|(path, ..)| *path == invocation.command.path);
        let Some((_, state, say)) = saying else { return failed("no such command") };
        let view = match KeyView::look(&site).await {
            Ok(view) => view,
            Err(error) => return failed(error),
        };
        match Meant::of(&view, &invocation) {
            Ok(Meant::List) => table(&view, *state),
            Ok(meant) => carry_out(&site, &view, &invocation, &meant, *state, *say).await,
            Err(Wrong::Usage(complaint)) => {
                let (command, rest) = (invocation.command, &invocation.rest);
                wrong_arguments(command, rest, String::new(), complaint)
            }
            Err(Wrong::KeyTag(typed)) => {
                Output::refused(format!("value \"{typed}\" for --keytag is invalid\n"), 1)
            }
        }
    }
    .boxed_local()
}

/// Which keys are meant.
enum Meant {
    /// The table is wanted.
    List,
    /// Every key that waits for the command.
    All,
    /// Keys of a zone with this tag.
    Tag(Name, KeyTag),
    /// A key of a zone.
    Id(Name, KeyId),
}

enum Wrong {
    Usage(String),
    KeyTag(String),
}

impl Meant {
    fn of(view: &KeyView, invocation: &Invocation) -> Result<Meant, Wrong> {
        let usage = |text: &str| Err(Wrong::Usage(text.to_owned()));
        let (tag, id) = (invocation.value("keytag"), invocation.value("cka_id"));
        let zone = match (invocation.value("zone"), invocation.has("all")) {
            (None, _) if tag.is_some() || id.is_some() => {
                return usage("Error: expected --zone <zone>\n");
            }
            (None, false) => return Ok(Meant::List),
            (None, true) => return Ok(Meant::All),
            (Some(_), true) => return usage("Error: Unable to use --zone and --all together\n"),
            (Some(typed), false) => match view.zone(typed) {
                Some(zone) => zone.name.clone(),
                None => {
                    let text =
                        format!("Error: Unable to find a zone named \"{typed}\" in database\n");
                    return Err(Wrong::Usage(text));
                }
            },
        };
        match (tag, id) {
            (Some(_), Some(_)) => usage("too many arguments\n"),
            (None, None) => {
                usage("expected --zone and either --cka_id or --keytag option or expected --all.\n")
            }
            (Some(typed), None) => match typed.parse() {
                Ok(tag) => Ok(Meant::Tag(zone, KeyTag(tag))),
                Err(_) => Err(Wrong::KeyTag(typed.to_owned())),
            },
            (None, Some(typed)) => match known_id(view, typed) {
                Some(id) => Ok(Meant::Id(zone, id)),
                None => Err(Wrong::Usage(format!("CKA_ID {typed} can not be found!\n"))),
            },
        }
    }

    fn takes(&self, row: &Row<'_>) -> bool {
        match self {
            Meant::List => false,
            Meant::All => true,
            Meant::Tag(zone, tag) => row.zone.name == *zone && row.key.key_tag == *tag,
            Meant::Id(zone, id) => row.zone.name == *zone && row.key.id == *id,
        }
    }
}

fn table(view: &KeyView, state: DsAtParent) -> Output {
    let line = |zone: &str, role: &str, tag: &str, id: &str| {
        columns(&[(zone, 31), (role, 13), (tag, 13), (id, 40)])
    };
    let mut text = line("Zone:", "Key role:", "Keytag:", "Id:");
    for row in view.by_age().into_iter().filter(|row| is_waiting(row.key, state)) {
        let (role, tag) = (row.key.role.to_string(), row.key.key_tag.to_string());
        text += &line(&row.zone.text(), &role, &tag, &row.key.id.to_string());
    }
    Output::done(text)
}

async fn carry_out(
    site: &Site,
    view: &KeyView,
    invocation: &Invocation,
    meant: &Meant,
    state: DsAtParent,
    say: Saying,
) -> Output {
    let named: Vec<Row<'_>> = view.by_age().into_iter().filter(|row| meant.takes(row)).collect();
    let waiting = || named.iter().filter(|row| is_waiting(row.key, state));
    let count = waiting().count();
    let mut output = Output::said(format!("{count} KSK matches found.\n"), NOTHING_MATCHED);
    if let (Meant::Tag(_, tag), true) = (meant, count > 1) {
        let ids: Vec<String> = waiting().map(|row| row.key.id.to_string()).collect();
        output.stderr = format!(
            "Keytag {tag} is that of {count} keys: {}; say which with --cka_id\n",
            ids.join(", ")
        );
        output.stdout += "0 KSKs changed.\n";
        return output;
    }
    if count == 0 && !matches!(meant, Meant::All) {
        output.stderr = why_not(&named, state);
    }
    let mut changed = 0;
    for row in waiting() {
        let id = row.key.id.clone();
        let edit: LifeEdit = Box::new(move |life, now| Ok(say(life, &id, now)?));
        match change(site, &row.zone.name, invocation, edit).await {
            Ok(()) => changed += 1,
            Err(error) => output.stderr += &format!("{}: {error}\n", row.zone.text()),
        }
    }
    output.stdout += &format!("{changed} KSKs changed.\n");
    if changed > 0 {
        output.exit_code = 0;
    }
    output
}

/// Why the keys that were named do not match.
fn why_not(named: &[Row<'_>], state: DsAtParent) -> String {
    if named.is_empty() {
        return "The zone has no such key.\n".to_owned();
    }
    let line = |row: &Row<'_>| match row.key.ds {
        None => format!("Key {} is a {}, which has no DS.\n", row.key.id, row.key.role),
        Some(_) => format!(
            "The DS of key {} is \"{}\"; the command is for one that is \"{state}\".\n",
            row.key.id, row.key.ds_at_parent
        ),
    };
    named.iter().map(line).collect()
}
