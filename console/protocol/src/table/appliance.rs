//! Our own commands. What both of OpenDNSSEC's daemons have under one name stands here too, so
//! that `anchorite NAME` is never a matter of luck.

use super::Family::Appliance;
use super::{Command, Effect, Operands, Role, START};

pub(super) const COMMANDS: &[Command] = &[
    Command { path: "running", usage: "running\n", help: "Say whether the daemon runs.\n", ..LOOK },
    Command {
        path: "start",
        usage: "start [--config FILE]\n",
        help: "Start the daemon, unless it runs.\n",
        parameters: START,
        ..STEER
    },
    Command {
        path: "reload",
        usage: "reload\n",
        help: "Read the zone list and all zones again, and sign (as SIGHUP).\n",
        ..STEER
    },
    Command {
        path: "stop",
        usage: "stop\n",
        help: "Stop the daemon, and wait until it is gone.\n",
        ..STEER
    },
    Command {
        path: "verbosity",
        usage: "verbosity [NUMBER]\n",
        help: "Show or set the log level (0 to 7) until the next start.\n",
        operands: Operands::ANY,
        ..STEER
    },
    Command {
        path: "help",
        usage: "help [COMMAND]\n",
        help: "List the commands, or explain one.\n",
        operands: Operands::ANY,
        ..LOOK
    },
];

const LOOK: Command = Command {
    family: Appliance,
    path: "",
    usage: "",
    help: "",
    parameters: &[],
    operands: Operands::NONE,
    role: Role::Monitor,
    effect: Effect::Read,
};

const STEER: Command = Command { role: Role::Admin, effect: Effect::Change, ..LOOK };
