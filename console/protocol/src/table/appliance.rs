//! Our own commands. What both of OpenDNSSEC's daemons have under one name stands here too, so
//! that `anchorite NAME` is never a matter of luck.

use super::Family::Appliance;
use super::{Command, Effect, Operands, Parameter, Renderer, Role, START};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        path: "running",
        usage: "running\n",
        help: "Say whether the daemon runs.\n",
        role: Role::Monitor,
        ..LOOK
    },
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
        usage: "queue [--json]\n",
        help: "List what is going to be done about keys and signatures, and when.\n",
        renderer: Renderer::Rows,
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
        path: "show status",
        usage: "show status [--brief] [--json]\n",
        help: "\n    Say how the box is; with --brief in one line: name, your roles, alarms.\n",
        parameters: &[BRIEF],
        role: Role::Monitor,
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "show alarms",
        usage: "show alarms [--json]\n",
        help: "List what is wrong now, and what to type next.\n",
        role: Role::Monitor,
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "show zones",
        usage: "show zones [--json]\n",
        help: "As zone list: where each zone stands.\n",
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "show keys",
        usage: "show keys [--json]\n",
        help: "List all keys with their tags and places.\n",
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "show hsm",
        usage: "show hsm [--json]\n",
        help: "Say of each repository whether it is open, and how full.\n",
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "show tasks",
        usage: "show tasks [--json]\n",
        help: "List what is going to be done, and when.\n",
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "show version",
        usage: "show version [--json]\n",
        help: "Say which version runs.\n",
        role: Role::Monitor,
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "names",
        usage: "names KIND [PREFIX] [--json]\n",
        help: "\n    List zones, policies, repositories or keys (tags) that begin so, one a\n    \
               line; for completion. 200 at most.\n",
        operands: Operands { least: 1, most: 2 },
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "request reboot",
        usage: "request reboot [--yes]\n",
        help: "End everything in order and start the box again.\n",
        parameters: &[YES],
        ..STEER
    },
    Command {
        path: "request poweroff",
        usage: "request poweroff [--yes]\n",
        help: "End everything in order and switch the box off.\n",
        parameters: &[YES],
        ..STEER
    },
    Command {
        path: "config list",
        usage: "config list [--json]\n",
        help: "List the files of the configuration.\n",
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "config get",
        usage: "config get NAME\n",
        help: "\n    Print a file of the configuration, with TSIG secrets, without PINs.\n",
        operands: Operands { least: 1, most: 1 },
        role: Role::Admin,
        ..LOOK
    },
    Command {
        path: "config put",
        usage: "config put NAME < FILE\n",
        help: "\n    Take standard input as the new kasp.xml, zonelist.xml or addns.xml, if\n    \
               all together have no fault; conf.xml is not changed from afar.\n",
        operands: Operands { least: 1, most: 1 },
        takes_input: true,
        ..STEER
    },
    Command {
        path: "request support-bundle",
        usage: "request support-bundle [--tar | --json]\n",
        help: "\n    List what a bundle for those who help holds: versions, configuration\n    \
               without PINs and secrets, states, the end of the log; with --tar, give it.\n",
        parameters: &[TAR],
        role: Role::Admin,
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "key show",
        usage: "key show KEYTAG | CKA_ID [--zone ZONE] [--json]\n",
        help: "Show the facts of one key.\n",
        parameters: &[ZONE],
        operands: Operands { least: 1, most: 1 },
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "key explain",
        usage: "key explain KEYTAG | CKA_ID [--zone ZONE]\n",
        help: "As explain key.\n",
        parameters: &[ZONE],
        operands: Operands { least: 1, most: 1 },
        ..LOOK
    },
    Command {
        path: "key history",
        usage: "key history ZONE [--cka_id ID] [--json]\n",
        help: "Show everything that ever happened to a zone's keys.\n",
        parameters: &[ZONE, CKA_ID],
        operands: Operands::ONE_OR_NONE,
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "key trash",
        usage: "key trash [--json]\n",
        help: "List keys that are going to be destroyed.\n",
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "key restore",
        usage: "key restore CKA_ID [--repository R]\n",
        help: "Keep a key that is in the trash.\n",
        parameters: &[CKA_ID, REPOSITORY],
        operands: Operands::ONE_OR_NONE,
        role: Role::Officer,
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
        usage: "parent status [--zone ZONE] [--json]\n",
        help: "\n    Say what parents show of a DS that is on its way, why they are\n    \
               not believed, and whether a parent was told of a change.\n",
        parameters: &[ZONE],
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "catalog list",
        usage: "catalog list [--json]\n",
        help: "List the catalog zones that are consumed and produced.\n",
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "catalog show",
        usage: "catalog show CATALOG [--json]\n",
        help: "\n    Show a catalog zone: its serial, what is wrong with it, its members with\n    \
               their groups and policies, and since when they are members.\n",
        operands: Operands { least: 1, most: 1 },
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "catalog accept",
        usage: "catalog accept CATALOG [SERIAL]\n",
        help: "\n    Let a catalog through that is held since it goes beyond its limits; with\n    \
               SERIAL, only if it still has that.\n",
        operands: Operands { least: 1, most: 2 },
        role: Role::Operator,
        ..STEER
    },
    Command {
        path: "catalog retransfer",
        usage: "catalog retransfer CATALOG\n",
        help: "Fetch the whole catalog zone again.\n",
        operands: Operands { least: 1, most: 1 },
        role: Role::Operator,
        ..STEER
    },
    Command {
        path: "zone audit",
        usage: "zone audit ZONE [--now] [--json]\n",
        help: "\n    Say what the auditor and the checkers said of a zone last, and what is\n    \
               waived; with --now, have all of the published version audited first.\n",
        parameters: &[NOW],
        operands: Operands { least: 1, most: 1 },
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "zone list",
        usage: "zone list [--json]\n",
        help: "\n    List the zones: policy, state, serials, and what is wrong with masters\n    \
               and secondaries.\n",
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "zone show",
        usage: "zone show ZONE [--json]\n",
        help: "\n    Show where a zone stands, what each of its masters says and since when,\n    \
               and which version each of its secondaries has.\n",
        operands: Operands { least: 1, most: 1 },
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "zone diff",
        usage: "zone diff ZONE [--all] [--json]\n",
        help: "\n    Show how the version that was refused last differs from the published\n    \
               one, record by record; the first 200, or all.\n",
        parameters: &[ALL],
        operands: Operands { least: 1, most: 1 },
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "audit waive",
        usage: "audit waive ZONE FINDING --until DATE --reason TEXT\n",
        help: "\n    Let versions of a zone pass in spite of a finding (A603), before DATE\n    \
               (YYYY-MM-DD, or YYYY-MM-DD-HH:MM:SS), a year from now at most.\n",
        parameters: &[UNTIL, REASON],
        operands: Operands { least: 2, most: 2 },
        role: Role::Operator,
        ..STEER
    },
    Command {
        path: "audit waivers",
        usage: "audit waivers [--json]\n",
        help: "List what is waived, until when, by whom and why.\n",
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "audit unwaive",
        usage: "audit unwaive ZONE FINDING\n",
        help: "Take a waiver back.\n",
        operands: Operands { least: 2, most: 2 },
        role: Role::Operator,
        ..STEER
    },
    Command {
        path: "zone input",
        usage: "zone input ZONE [accept [DIGEST] | reject [DIGEST]] [--json]\n",
        help: "\n    Show the input of a zone that differs too much from the last one to be\n    \
               signed unasked; have that very input signed, or leave it.\n",
        operands: Operands { least: 1, most: 3 },
        role: Role::Operator,
        renderer: Renderer::Rows,
        ..STEER
    },
    Command {
        path: "audit log",
        usage: "audit log [ZONE] [--number N] [--json]\n",
        help: "Show the last verdicts of the auditor (20, unless told).\n",
        parameters: &[NUMBER],
        operands: Operands::ONE_OR_NONE,
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "audit log verify",
        usage: "audit log verify [--known NUMBER:HASH]\n",
        help: "\n    Prove that no verdict in the log was changed, removed or inserted; with\n    \
               the hash of an entry that was noted earlier, also that it was not made anew.\n",
        parameters: &[KNOWN],
        ..LOOK
    },
    Command {
        path: "audit log export",
        usage: "audit log export [--from NUMBER] [--number N]\n",
        help: "\n    Print verdicts from one on (the first, unless told), one JSON object a\n    \
               line; 10000 at most, unless told.\n",
        parameters: &[FROM, NUMBER],
        ..LOOK
    },
    Command {
        path: "audit status",
        usage: "audit status [--json]\n",
        help: "Say when the auditor last gave a verdict and was last tested.\n",
        renderer: Renderer::Rows,
        ..LOOK
    },
    Command {
        path: "audit selftest",
        usage: "audit selftest ZONE\n",
        help: "\n    Give the auditor the published version of a zone with one thing wrong,\n    \
               one after the other; it has to refuse each.\n",
        operands: Operands { least: 1, most: 1 },
        role: Role::Operator,
        ..STEER
    },
    Command {
        path: "audit trust",
        usage: "audit trust --reason TEXT\n",
        help: "\n    Publish again after the auditor approved a wrong zone in a test.\n",
        parameters: &[REASON],
        ..STEER
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
        parameters: &[ZONE, ALL, YEARS, KASP, POLICY, PARENT_DELAY, CONFIG, ICS],
        renderer: Renderer::Rows,
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
        path: "monitor",
        usage: "monitor CHECK [ZONE | REPOSITORY] [-w RANGE] [-c RANGE] [-v]...\n",
        help: "\n    Say how the appliance is, as a Nagios plugin does: health, signatures,\n    \
               publish, audit, keys, ds, hsm, input, output, queue or clock. Exit codes: 0\n    \
               OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. With -v, -vv, -vvv it says more.\n",
        parameters: &[WARNING, CRITICAL, VERBOSE],
        operands: Operands { least: 0, most: 2 },
        role: Role::Monitor,
        ..LOOK
    },
    Command {
        path: "metrics",
        usage: "metrics [--prometheus]\n",
        help: "Print the same state as OpenMetrics text, or as Prometheus' older text.\n",
        parameters: &[PROMETHEUS],
        role: Role::Monitor,
        ..LOOK
    },
    Command {
        path: "help",
        usage: "help [COMMAND]\n",
        help: "List the commands, or explain one.\n",
        operands: Operands::ANY,
        role: Role::Monitor,
        ..LOOK
    },
];

const BRIEF: Parameter = Parameter { long: "brief", short: 'b', value: None };
const YES: Parameter = Parameter { long: "yes", short: 'y', value: None };
const TAR: Parameter = Parameter { long: "tar", short: 't', value: None };
const WARNING: Parameter = Parameter { long: "warning", short: 'w', value: Some("range") };
const CRITICAL: Parameter = Parameter { long: "critical", short: 'c', value: Some("range") };
const VERBOSE: Parameter = Parameter { long: "verbose", short: 'v', value: None };
const PROMETHEUS: Parameter = Parameter { long: "prometheus", short: 'p', value: None };
const ZONE: Parameter = Parameter { long: "zone", short: 'z', value: Some("zone") };
const CKA_ID: Parameter = Parameter { long: "cka_id", short: 'k', value: Some("CKA_ID") };
const REPOSITORY: Parameter =
    Parameter { long: "repository", short: 'r', value: Some("repository") };

const NOW: Parameter = Parameter { long: "now", short: 'n', value: None };
const UNTIL: Parameter = Parameter { long: "until", short: 'u', value: Some("date") };
const REASON: Parameter = Parameter { long: "reason", short: 'r', value: Some("text") };
const NUMBER: Parameter = Parameter { long: "number", short: 'n', value: Some("number") };
const KNOWN: Parameter = Parameter { long: "known", short: 'k', value: Some("number:hash") };
const FROM: Parameter = Parameter { long: "from", short: 'f', value: Some("number") };
const ALL: Parameter = Parameter { long: "all", short: 'a', value: None };
const CONFIG: Parameter = Parameter { long: "config", short: 'c', value: Some("file") };
const YEARS: Parameter = Parameter { long: "years", short: 'y', value: Some("number") };
const KASP: Parameter = Parameter { long: "kasp", short: 'k', value: Some("file") };
const POLICY: Parameter = Parameter { long: "policy", short: 'p', value: Some("policy") };
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
    role: Role::Auditor,
    effect: Effect::Read,
    renderer: Renderer::Words,
    takes_input: false,
};

const STEER: Command = Command { role: Role::Admin, effect: Effect::Change, ..LOOK };
