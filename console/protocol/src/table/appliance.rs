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
        path: "key timeline",
        usage: "key timeline ZONE [--svg FILE] [--years N]\n",
        help: "\n    Draw where each record of a zone's keys was and will be, as text or as a\n    \
               picture (SVG; \"-\" is standard output).\n",
        parameters: &[SVG, YEARS, PARENT_DELAY],
        operands: Operands { least: 1, most: 1 },
        ..LOOK
    },
    Command {
        path: "parent status",
        usage: "parent status [--zone ZONE]\n",
        help: "\n    Say what parents show of a DS that is on its way, why they are\n    \
               not believed, and whether a parent was told of a change.\n",
        parameters: &[ZONE],
        ..LOOK
    },
    Command {
        path: "plan",
        usage: "plan --zone ZONE | --all [--years N] [--kasp FILE] [--policy NAME]\n    \
                [--parent-delay DURATION] [--config FILE] [--json | --ics]\n",
        help: "\n    Say what will happen to keys in the next years (1, unless told), and who\n    \
               acts: with the policies that are, or with those of FILE; with each zone's\n    \
               policy, or with NAME. A DS is at the parent DURATION (P1D) after it was handed\n    \
               over. With --kasp and without a zone: for a new zone, and no daemon is asked;\n    \
               conf.xml is then the FILE of --config, or the one beside kasp.xml.\n",
        parameters: &[ZONE, ALL, YEARS, KASP, POLICY, PARENT_DELAY, CONFIG, JSON, ICS],
        ..LOOK
    },
    Command {
        path: "explain key",
        usage: "explain key KEYTAG | CKA_ID [--zone ZONE]\n",
        help: "\n    Say why a key is where it is, what has to be true before it goes on, and\n    \
               who acts.\n",
        parameters: &[ZONE],
        operands: Operands { least: 1, most: 1 },
        ..LOOK
    },
    Command {
        path: "explain zone",
        usage: "explain zone ZONE\n",
        help: "    Say the same of all keys of a zone.\n",
        operands: Operands { least: 1, most: 1 },
        ..LOOK
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

const ALL: Parameter = Parameter { long: "all", short: 'a', value: None };
const CONFIG: Parameter = Parameter { long: "config", short: 'c', value: Some("file") };
const YEARS: Parameter = Parameter { long: "years", short: 'y', value: Some("number") };
const KASP: Parameter = Parameter { long: "kasp", short: 'k', value: Some("file") };
const POLICY: Parameter = Parameter { long: "policy", short: 'p', value: Some("policy") };
const JSON: Parameter = Parameter { long: "json", short: 'j', value: None };
const ICS: Parameter = Parameter { long: "ics", short: 'i', value: None };
const SVG: Parameter = Parameter { long: "svg", short: 'g', value: Some("file") };
const PARENT_DELAY: Parameter =
    Parameter { long: "parent-delay", short: 'd', value: Some("duration") };

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
