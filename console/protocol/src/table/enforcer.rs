//! Commands of `ods-enforcer`, with the texts of OpenDNSSEC 2.1, in the order of its `help`.

use super::Family::Enforcer;
use super::{Command, Effect, Operands, Renderer, Role, START, keys, zones};

const CONTROL_USAGE: &str = "start \nrunning\nreload \nstop \n";
const CONTROL_HELP: &str = "\
start\t\tStarts the engine and the process. \n\
running\t\tReturns acknowledgment that the engine is running.\n\
reload\t\tReload the engine.\n\
stop\t\tStop the engine and terminate the process.\n";

pub(super) const COMMANDS: &[Command] = &[
    zones::UPDATE_CONF,
    zones::UPDATE_REPOSITORYLIST,
    Command {
        path: "repository list",
        usage: "repository list\n",
        help: "List repositories.\n",
        renderer: Renderer::Rows,
        ..LIST
    },
    zones::UPDATE_ALL,
    zones::UPDATE_KASP,
    zones::UPDATE_ZONELIST,
    Command {
        path: "policy list",
        usage: "policy list\n",
        help: "List all policies in the database.\n",
        renderer: Renderer::Rows,
        ..LIST
    },
    zones::POLICY_EXPORT,
    zones::POLICY_IMPORT,
    zones::POLICY_PURGE,
    zones::POLICY_RESALT,
    Command {
        path: "zone list",
        usage: "zone list\n",
        help: "List all zones currently in the database.\n",
        renderer: Renderer::Rows,
        ..LIST
    },
    zones::ZONE_ADD,
    zones::ZONE_DELETE,
    zones::ZONE_SET_POLICY,
    zones::ZONELIST_EXPORT,
    zones::ZONELIST_IMPORT,
    keys::KEY_LIST,
    keys::KEY_EXPORT,
    keys::KEY_IMPORT,
    keys::DS_SUBMIT,
    keys::DS_SEEN,
    keys::DS_RETRACT,
    keys::DS_GONE,
    keys::KEY_GENERATE,
    keys::KEY_PURGE,
    keys::KEY_ROLLOVER,
    keys::ROLLOVER_LIST,
    keys::BACKUP,
    keys::BACKUP_LIST,
    keys::BACKUP_PREPARE,
    keys::BACKUP_COMMIT,
    keys::BACKUP_ROLLBACK,
    keys::BACKUP_DONE,
    keys::ENFORCE,
    keys::SIGNCONF,
    keys::QUEUE,
    keys::FLUSH,
    keys::LOOK_AHEAD,
    keys::TIME_LEAP,
    Command { path: "start", parameters: START, ..CONTROL },
    Command { path: "running", role: Role::Monitor, effect: Effect::Read, ..CONTROL },
    Command { path: "reload", ..CONTROL },
    Command { path: "stop", ..CONTROL },
    Command {
        path: "verbosity",
        usage: "verbosity <nr>\n",
        help: "Set verbosity.\n",
        operands: Operands::ANY,
        ..CONTROL
    },
    Command {
        path: "help",
        usage: "help\n\t[command]\n",
        help: "\
Without arguments print an overview of available commands for the daemon\n\
and a short description of usage. With [command] set, print usage information\n\
of command and extended help if available.\n",
        operands: Operands::ANY,
        role: Role::Monitor,
        ..LIST
    },
];

const LIST: Command = Command {
    family: Enforcer,
    path: "",
    usage: "",
    help: "",
    parameters: &[],
    operands: Operands::NONE,
    role: Role::Auditor,
    effect: Effect::Read,
    renderer: Renderer::Words,
    takes_input: false,
};

const CONTROL: Command = Command {
    usage: CONTROL_USAGE,
    help: CONTROL_HELP,
    role: Role::Admin,
    effect: Effect::Change,
    ..LIST
};
