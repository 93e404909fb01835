//! Commands of `ods-enforcer` about keys and the enforcer's schedule (catalogue 1.5), with the
//! options of OpenDNSSEC 2.1. Their texts are in `key_texts.rs`, their handlers in
//! `actors/src/console/key_*.rs`. As there, words that are too many are overlooked.

use super::Family::Enforcer;
use super::key_texts as texts;
use super::{Command, Effect, Operands, Parameter, Renderer, Role};

const ALL: Parameter = flag("all", 'a');
const ALGORITHM: Parameter = value("algorithm", 'g', "number");
const ATTACH: Parameter = flag("attach", 'a');
const BITS: Parameter = value("bits", 'b', "size");
const CKA_ID: Parameter = value("cka_id", 'k', "CKA_ID");
const DEBUG: Parameter = flag("debug", 'd');
const DELETE: Parameter = flag("delete", 'd');
const DS: Parameter = flag("ds", 'd');
const DURATION: Parameter = value("duration", 'd', "duration");
const FULL: Parameter = flag("full", 'f');
const INCEPTION: Parameter = value("inception_time", 'w', "time");
const KEY_STATE: Parameter = value("keystate", 'e', "state");
const KEY_TAG: Parameter = value("keytag", 'x', "keytag");
const KEY_TYPE: Parameter = value("keytype", 't', "type");
const PARSABLE: Parameter = flag("parsable", 'p');
const POLICY: Parameter = value("policy", 'p', "policy");
const REPOSITORY: Parameter = value("repository", 'r', "repository");
const SHA1: Parameter = flag("sha1", 's');
const STEPS: Parameter = value("steps", 's', "n");
const TIME: Parameter = value("time", 't', "time");
const VERBOSE: Parameter = flag("verbose", 'v');
const ZONE: Parameter = value("zone", 'z', "zone");

pub(super) const KEY_LIST: Command = Command {
    path: "key list",
    usage: texts::KEY_LIST_USAGE,
    help: texts::KEY_LIST_HELP,
    parameters: &[VERBOSE, DEBUG, FULL, PARSABLE, ZONE, KEY_TYPE, KEY_STATE, ALL],
    renderer: Renderer::Rows,
    ..LOOK
};
pub(super) const KEY_EXPORT: Command = Command {
    path: "key export",
    usage: texts::KEY_EXPORT_USAGE,
    help: texts::KEY_EXPORT_HELP,
    parameters: &[ZONE, ALL, KEY_STATE, KEY_TYPE, CKA_ID, DS, SHA1],
    ..LOOK
};
pub(super) const KEY_IMPORT: Command = Command {
    path: "key import",
    usage: texts::KEY_IMPORT_USAGE,
    help: texts::KEY_IMPORT_HELP,
    parameters: &[CKA_ID, REPOSITORY, ZONE, BITS, ALGORITHM, KEY_STATE, KEY_TYPE, INCEPTION],
    ..OFFICE
};
pub(super) const DS_SUBMIT: Command = Command {
    path: "key ds-submit",
    usage: texts::DS_SUBMIT_USAGE,
    help: texts::DS_SUBMIT_HELP,
    parameters: &[ZONE, KEY_TAG, CKA_ID, ALL],
    ..CHANGE
};
pub(super) const DS_SEEN: Command = Command {
    path: "key ds-seen",
    usage: texts::DS_SEEN_USAGE,
    help: texts::DS_SEEN_HELP,
    parameters: &[ZONE, KEY_TAG, CKA_ID, ALL],
    ..CHANGE
};
pub(super) const DS_RETRACT: Command = Command {
    path: "key ds-retract",
    usage: texts::DS_RETRACT_USAGE,
    help: texts::DS_RETRACT_HELP,
    parameters: &[ZONE, KEY_TAG, CKA_ID, ALL],
    ..CHANGE
};
pub(super) const DS_GONE: Command = Command {
    path: "key ds-gone",
    usage: texts::DS_GONE_USAGE,
    help: texts::DS_GONE_HELP,
    parameters: &[ZONE, KEY_TAG, CKA_ID, ALL],
    ..CHANGE
};
pub(super) const KEY_GENERATE: Command = Command {
    path: "key generate",
    usage: texts::KEY_GENERATE_USAGE,
    help: texts::KEY_GENERATE_HELP,
    parameters: &[DURATION, POLICY, ALL],
    ..CHANGE
};
pub(super) const KEY_PURGE: Command = Command {
    path: "key purge",
    usage: texts::KEY_PURGE_USAGE,
    help: texts::KEY_PURGE_HELP,
    parameters: &[POLICY, ZONE, DELETE],
    ..OFFICE
};
pub(super) const KEY_ROLLOVER: Command = Command {
    path: "key rollover",
    usage: texts::KEY_ROLLOVER_USAGE,
    help: texts::KEY_ROLLOVER_HELP,
    parameters: &[ZONE, POLICY, KEY_TYPE],
    ..CHANGE
};
pub(super) const ROLLOVER_LIST: Command = Command {
    path: "rollover list",
    usage: texts::ROLLOVER_LIST_USAGE,
    help: texts::ROLLOVER_LIST_HELP,
    parameters: &[ZONE],
    renderer: Renderer::Rows,
    ..LOOK
};
/// Without its second word: says what could be meant.
pub(super) const BACKUP: Command = Command {
    path: "backup",
    usage: texts::BACKUP_USAGE,
    help: texts::BACKUP_HELP,
    operands: Operands::ANY,
    ..LOOK
};
pub(super) const BACKUP_LIST: Command = Command {
    path: "backup list",
    usage: texts::BACKUP_USAGE,
    help: texts::BACKUP_HELP,
    parameters: &[REPOSITORY],
    renderer: Renderer::Rows,
    ..LOOK
};
pub(super) const BACKUP_PREPARE: Command = Command {
    path: "backup prepare",
    usage: texts::BACKUP_USAGE,
    help: texts::BACKUP_HELP,
    parameters: &[REPOSITORY],
    ..OFFICE
};
pub(super) const BACKUP_COMMIT: Command = Command {
    path: "backup commit",
    usage: texts::BACKUP_USAGE,
    help: texts::BACKUP_HELP,
    parameters: &[REPOSITORY],
    ..OFFICE
};
pub(super) const BACKUP_ROLLBACK: Command = Command {
    path: "backup rollback",
    usage: texts::BACKUP_USAGE,
    help: texts::BACKUP_HELP,
    parameters: &[REPOSITORY],
    ..OFFICE
};
pub(super) const BACKUP_DONE: Command = Command {
    path: "backup done",
    usage: texts::BACKUP_USAGE,
    help: texts::BACKUP_HELP,
    parameters: &[REPOSITORY],
    ..OFFICE
};
pub(super) const ENFORCE: Command = Command {
    path: "enforce",
    usage: texts::ENFORCE_USAGE,
    help: texts::ENFORCE_HELP,
    parameters: &[ZONE],
    ..CHANGE
};
pub(super) const SIGNCONF: Command = Command {
    path: "signconf",
    usage: texts::SIGNCONF_USAGE,
    help: texts::SIGNCONF_HELP,
    ..CHANGE
};
pub(super) const QUEUE: Command = Command {
    path: "queue",
    usage: texts::QUEUE_USAGE,
    help: texts::QUEUE_HELP,
    renderer: Renderer::Rows,
    ..LOOK
};
pub(super) const FLUSH: Command =
    Command { path: "flush", usage: texts::FLUSH_USAGE, help: texts::FLUSH_HELP, ..CHANGE };
/// Of the development line.
pub(super) const LOOK_AHEAD: Command = Command {
    path: "look-ahead",
    usage: texts::LOOK_AHEAD_USAGE,
    help: texts::LOOK_AHEAD_HELP,
    parameters: &[ZONE, STEPS],
    ..LOOK
};
pub(super) const TIME_LEAP: Command = Command {
    path: "time leap",
    usage: texts::TIME_LEAP_USAGE,
    help: texts::TIME_LEAP_HELP,
    parameters: &[TIME, ATTACH],
    ..CHANGE
};

const LOOK: Command = Command {
    family: Enforcer,
    path: "",
    usage: "",
    help: "",
    parameters: &[],
    operands: Operands::ANY,
    role: Role::Auditor,
    effect: Effect::Read,
    renderer: Renderer::Words,
    takes_input: false,
};

/// Keys themselves.
const OFFICE: Command = Command { role: Role::Officer, ..CHANGE };

const CHANGE: Command = Command { role: Role::Operator, effect: Effect::Change, ..LOOK };

const fn flag(long: &'static str, short: char) -> Parameter {
    Parameter { long, short, value: None }
}

const fn value(long: &'static str, short: char, value: &'static str) -> Parameter {
    Parameter { long, short, value: Some(value) }
}
