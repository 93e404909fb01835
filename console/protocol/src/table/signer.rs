//! Commands of `ods-signer`, with the texts of OpenDNSSEC 2.1, in the order of its `help`, where
//! each line explains itself.

use super::Family::Signer;
use super::{Command, Effect, Operands, Parameter, Renderer, Role, START};

/// In the usage of 2.1 it is missing, too.
const SERIAL: Parameter = Parameter { long: "serial", short: 's', value: Some("number") };
const ALL: Parameter = Parameter { long: "all", short: 'a', value: None };

pub(super) const COMMANDS: &[Command] = &[
    Command {
        path: "zones",
        usage: "zones                       Show the currently known zones.\n",
        renderer: Renderer::Rows,
        ..SHOWING
    },
    Command {
        path: "sign",
        usage: "\
sign <zone> [--serial <nr>] Read zone and schedule for immediate (re-)sign.\n\
\x20                           If a serial is given, that serial is used in the output zone.\n\
sign --all                  Read all zones and schedule all for immediate (re-)sign.\n",
        parameters: &[ALL, SERIAL],
        operands: Operands::ANY,
        ..DAILY
    },
    Command {
        path: "clear",
        usage: "\
clear <zone>                Delete the internal storage of this zone.\n                            \
All signatures will be regenerated on the next re-sign.\n",
        operands: Operands::ONE_OR_NONE,
        ..DAILY
    },
    Command {
        path: "queue",
        usage: "queue                       Show the current task queue.\n",
        renderer: Renderer::Rows,
        ..SHOWING
    },
    Command {
        path: "flush",
        usage: "flush                       Execute all scheduled tasks immediately.\n",
        ..DAILY
    },
    Command {
        path: "update",
        usage: "\
update <zone>               Update this zone signer configurations.\n\
update [--all]              Update zone list and all signer configurations.\n",
        parameters: &[ALL],
        operands: Operands::ONE_OR_NONE,
        ..DAILY
    },
    Command {
        path: "retransfer",
        usage: "retransfer <zone>           Retransfer the zone from the master.\n",
        operands: Operands::ONE_OR_NONE,
        ..DAILY
    },
    Command {
        path: "start",
        usage: "start                       Start the engine.\n",
        parameters: START,
        ..CONTROL
    },
    Command {
        path: "running",
        usage: "running                     Check if the engine is running.\n",
        role: Role::Monitor,
        ..SHOWING
    },
    Command {
        path: "reload",
        usage: "reload                      Reload the engine.\n",
        ..CONTROL
    },
    Command { path: "stop", usage: "stop                        Stop the engine.\n", ..CONTROL },
    Command {
        path: "verbosity",
        usage: "verbosity <nr>              Set verbosity.\n",
        operands: Operands::ANY,
        ..CONTROL
    },
    // Not in the list that it prints.
    Command { path: "help", operands: Operands::ANY, role: Role::Monitor, ..SHOWING },
];

const SHOWING: Command = Command {
    family: Signer,
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

const DAILY: Command = Command { role: Role::Operator, effect: Effect::Change, ..SHOWING };

const CONTROL: Command = Command { role: Role::Admin, ..DAILY };
