//! Our own commands. What both of OpenDNSSEC's daemons have under one name stands here too, so
//! that `anchorite NAME` is never a matter of luck.

use super::Family::Appliance;
use super::{Command, Effect, Operands, Parameter, Role, START};

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
        path: "queue",
        usage: "queue\n",
        help: "List what is going to be done about keys and signatures, and when.\n",
        ..LOOK
    },
    Command {
        path: "flush",
        usage: "flush\n",
        help: "Look at all keys and sign all zones now.\n",
        role: Role::Operator,
        ..STEER
    },
    Command {
        path: "key history",
        usage: "key history ZONE [--cka_id ID]\n",
        help: "Show everything that ever happened to a zone's keys.\n",
        parameters: &[ZONE, CKA_ID],
        operands: Operands::ONE_OR_NONE,
        ..LOOK
    },
    Command {
        path: "key trash",
        usage: "key trash\n",
        help: "List keys that are going to be destroyed.\n",
        ..LOOK
    },
    Command {
        path: "key restore",
        usage: "key restore CKA_ID [--repository R]\n",
        help: "Keep a key that is in the trash.\n",
        parameters: &[CKA_ID, REPOSITORY],
        operands: Operands::ONE_OR_NONE,
        role: Role::Operator,
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

const ZONE: Parameter = Parameter { long: "zone", short: 'z', value: Some("zone") };
const CKA_ID: Parameter = Parameter { long: "cka_id", short: 'k', value: Some("CKA_ID") };
const REPOSITORY: Parameter =
    Parameter { long: "repository", short: 'r', value: Some("repository") };

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
