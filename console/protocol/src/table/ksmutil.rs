//! Commands of `ods-ksmutil` (catalogue 1.10), with the options and the usage lines of
//! OpenDNSSEC 1.4, in the order of its usage. Their handlers are in `actors/src/console/ksm_*.rs`.
//! `help` of a row says where it is other than 1.4. Other than there, an option that a command
//! does not know is refused; `--verbose` is known to all.

use super::Family::Ksmutil;
use super::{Command, Effect, Operands, Parameter, Renderer, Role};

const fn flag(long: &'static str, short: char) -> Parameter {
    Parameter { long, short, value: None }
}

const fn value(long: &'static str, short: char, value: &'static str) -> Parameter {
    Parameter { long, short, value: Some(value) }
}

const ALL: Parameter = flag("all", 'a');
const CKA_ID: Parameter = value("cka_id", 'k', "CKA_ID");
const FORCE: Parameter = flag("force", 'F');
const KEY_STATE: Parameter = value("keystate", 'e', "state");
const KEY_TAG: Parameter = value("keytag", 'x', "keytag");
const KEY_TYPE: Parameter = value("keytype", 't', "type");
const NO_XML: Parameter = flag("no-xml", 'm');
const OUTPUT: Parameter = value("output", 'o', "output");
const POLICY: Parameter = value("policy", 'p', "policy");
const REPOSITORY: Parameter = value("repository", 'r', "repository");
const VERBOSE: Parameter = flag("verbose", 'v');
const ZONE: Parameter = value("zone", 'z', "zone");

const LOOK: Command = Command {
    family: Ksmutil,
    path: "",
    usage: "",
    help: "",
    parameters: &[VERBOSE],
    operands: Operands::NONE,
    role: Role::Auditor,
    effect: Effect::Read,
    renderer: Renderer::Words,
    takes_input: false,
};
const CHANGE: Command = Command { role: Role::Operator, effect: Effect::Change, ..LOOK };
const STEER: Command = Command { role: Role::Admin, ..CHANGE };

const CONTROL_USAGE: &str = "  start|stop|notify\n\tStart, stop or SIGHUP the ods-enforcerd\n";
const UPDATE_USAGE: &str = "  update kasp\n  update zonelist\n  update conf\n  update all\n\
                            \tUpdate database from config\n";
const BACKUP_USAGE: &str = "  backup prepare\n\
    \t--repository <repository>                aka -r\n  backup commit\n\
    \t--repository <repository>                aka -r\n  backup rollback\n\
    \t--repository <repository>                aka -r\n  backup list\n\
    \t--repository <repository>                aka -r\n  backup done\n\
    \t--repository <repository>                aka -r\n\t--force\n\
    \t[NOTE: backup done is deprecated]\n";

/// How dates are written, as OpenDNSSEC 1.4 says it.
pub const DATE_HELP: &str = "\n\tAllowed date/time strings are of the form:\n\
    \tYYYYMMDD[HH[MM[SS]]]                (all numeric)\n\n\
    \tor  D-MMM-YYYY[:| ]HH[:MM[:SS]]     (alphabetic  month)\n\
    \tor  DD-MMM-YYYY[:| ]HH[:MM[:SS]]    (alphabetic  month)\n\
    \tor  YYYY-MMM-DD[:| ]HH[:MM[:SS]]    (alphabetic month)\n\n\
    \tD-MM-YYYY[:| ]HH[:MM[:SS]]          (numeric month)\n\
    \tDD-MM-YYYY[:| ]HH[:MM[:SS]]         (numeric month)\n\
    \tor  YYYY-MM-DD[:| ]HH[:MM[:SS]]     (numeric month)\n\n\
    \t... and the distinction between them is given by the location of the\n\thyphens.\n";

pub(super) const COMMANDS: &[Command] = &[
    Command {
        path: "setup",
        usage: "  setup\n\tImport config into a database (deletes current contents)\n",
        help: "Policies and zones that the files do not have go. Keys of zones that stay are kept; \
               a\nzone whose DS may be at its parent is not deleted, and then nothing is done.\n",
        ..STEER
    },
    Command { path: "start", usage: CONTROL_USAGE, ..STEER },
    Command { path: "stop", usage: CONTROL_USAGE, ..STEER },
    Command { path: "notify", usage: CONTROL_USAGE, ..CHANGE },
    Command { path: "update kasp", usage: UPDATE_USAGE, ..STEER },
    Command { path: "update zonelist", usage: UPDATE_USAGE, ..CHANGE },
    Command { path: "update conf", usage: UPDATE_USAGE, ..STEER },
    Command { path: "update all", usage: UPDATE_USAGE, ..STEER },
    ZONE_ADD,
    ZONE_DELETE,
    Command { path: "zone list", usage: "  zone list\n", ..LOOK },
    Command { path: "repository list", usage: "  repository list\n", ..LOOK },
    Command {
        path: "policy export",
        usage: "  policy export\n\t--policy [policy_name] | --all           aka -p / -a\n",
        parameters: &[POLICY, ALL, VERBOSE],
        ..LOOK
    },
    Command { path: "policy import", usage: "  policy import\n", ..STEER },
    Command { path: "policy list", usage: "  policy list\n", ..LOOK },
    Command { path: "policy purge", usage: "  policy purge\n", ..STEER },
    KEY_LIST,
    KEY_EXPORT,
    KEY_IMPORT,
    KEY_ROLLOVER,
    Command {
        path: "key purge",
        usage: "  key purge\n\t--zone <zone>                            aka -z\n  key purge\n\
                \t--policy <policy>                        aka -p\n",
        parameters: &[ZONE, POLICY, VERBOSE],
        role: Role::Officer,
        ..CHANGE
    },
    Command {
        path: "key delete",
        usage: "  key delete\n\t--cka_id <CKA_ID>                        aka -k\n\t--no-hsm\n",
        help: "A key that is in use is not deleted, not even with --force.\n",
        parameters: &[CKA_ID, flag("no-hsm", 'M'), FORCE, VERBOSE],
        role: Role::Officer,
        ..CHANGE
    },
    KEY_GENERATE,
    Command {
        path: "key ksk-retire",
        usage: "  key ksk-retire\n\t--zone <zone>                            aka -z\n\
                \t--keytag <keytag> | --cka_id <CKA_ID>    aka -x / -k\n",
        parameters: &[ZONE, KEY_TAG, CKA_ID, VERBOSE],
        ..CHANGE
    },
    KSK_REVOKE,
    DS_SEEN,
    DS_GONE,
    Command { path: "backup prepare", ..BACKUP },
    Command { path: "backup commit", ..BACKUP },
    Command { path: "backup rollback", ..BACKUP },
    Command { path: "backup list", role: Role::Auditor, effect: Effect::Read, ..BACKUP },
    Command { path: "backup done", parameters: &[REPOSITORY, FORCE, VERBOSE], ..BACKUP },
    Command {
        path: "rollover list",
        usage: "  rollover list\n\t[--zone <zone>]\n",
        parameters: &[ZONE, VERBOSE],
        ..LOOK
    },
    Command {
        path: "database backup",
        usage: "  database backup\n\t[--output <output>]                      aka -o\n",
        help: "The daemon writes the file, as its own user.\n",
        parameters: &[OUTPUT, VERBOSE],
        ..STEER
    },
    Command { path: "zonelist export", usage: "  zonelist export\n  zonelist import\n", ..LOOK },
    Command { path: "zonelist import", usage: "  zonelist export\n  zonelist import\n", ..CHANGE },
];

const BACKUP: Command = Command {
    usage: BACKUP_USAGE,
    parameters: &[REPOSITORY, VERBOSE],
    role: Role::Officer,
    ..CHANGE
};

const ZONE_ADD: Command = Command {
    path: "zone add",
    usage: "  zone add\n\
            \t--zone <zone>                            aka -z\n\
            \t[--policy <policy>]                      aka -p\n\
            \t[--signerconf <signerconf.xml>]          aka -s\n\
            \t[--input <input>]                        aka -i\n\
            \t[--in-type <input type>]                 aka -j\n\
            \t[--output <output>]                      aka -o\n\
            \t[--out-type <output type>]               aka -q\n\
            \t[--no-xml]                               aka -m\n",
    help: "--no-xml is refused: zonelist.xml is the one place where zones are.\n",
    parameters: &[
        ZONE,
        POLICY,
        value("signerconf", 's', "signerconf.xml"),
        value("input", 'i', "input"),
        value("in-type", 'j', "type"),
        OUTPUT,
        value("out-type", 'q', "type"),
        NO_XML,
        VERBOSE,
    ],
    ..CHANGE
};

const ZONE_DELETE: Command = Command {
    path: "zone delete",
    usage: "  zone delete\n\t--zone <zone> | --all                    aka -z / -a\n\
            \t[--no-xml]                               aka -m\n",
    help: "--no-xml is refused: zonelist.xml is the one place where zones are.\n\
           A zone whose DS may be at its parent is deleted with --force only.\n",
    parameters: &[ZONE, ALL, NO_XML, FORCE, VERBOSE],
    ..CHANGE
};

const KEY_LIST: Command = Command {
    path: "key list",
    usage: "  key list\n\
            \t[--verbose]                              aka -v\n\
            \t[--zone <zone>]                          aka -z\n\
            \t[--keystate <state>| --all]              aka -e / -a\n\
            \t[--keytype <type>]                       aka -t\n",
    parameters: &[VERBOSE, ZONE, KEY_STATE, ALL, KEY_TYPE],
    ..LOOK
};

const KEY_EXPORT: Command = Command {
    path: "key export",
    usage: "  key export\n\
            \t--zone <zone> | --all                    aka -z / -a\n\
            \t[--keystate <state>]                     aka -e\n\
            \t[--keytype <type>]                       aka -t\n\
            \t[--ds]                                   aka -d\n",
    parameters: &[ZONE, ALL, KEY_STATE, KEY_TYPE, flag("ds", 'd'), VERBOSE],
    ..LOOK
};

const KEY_IMPORT: Command = Command {
    path: "key import",
    usage: "  key import\n\
            \t--cka_id <CKA_ID>                        aka -k\n\
            \t--repository <repository>                aka -r\n\
            \t--zone <zone>                            aka -z\n\
            \t--bits <size>                            aka -b\n\
            \t--algorithm <algorithm>                  aka -g\n\
            \t--keystate <state>                       aka -e\n\
            \t--keytype <type>                         aka -t\n\
            \t--time <time>                            aka -w\n\
            \t[--check-repository]                     aka -C\n\
            \t[--retire <retire>]                      aka -y\n",
    help: "The key has to be in the repository, with or without --check-repository.\n\
           --retire is refused: a key leaves when its lifetime is over, or with key rollover.\n",
    parameters: &[
        CKA_ID,
        REPOSITORY,
        ZONE,
        value("bits", 'b', "size"),
        value("algorithm", 'g', "algorithm"),
        KEY_STATE,
        KEY_TYPE,
        value("time", 'w', "time"),
        flag("check-repository", 'C'),
        value("retire", 'y', "retire"),
        VERBOSE,
    ],
    role: Role::Officer,
    ..CHANGE
};

const KEY_ROLLOVER: Command = Command {
    path: "key rollover",
    usage: "  key rollover\n\
            \t--zone zone                              aka -z\n\
            \t--keytype <type> | --all                 aka -t / -a\n\
            \x20 key rollover\n\
            \t--policy policy                          aka -p\n\
            \t--keytype <type> | --all                 aka -t / -a\n",
    parameters: &[ZONE, POLICY, KEY_TYPE, ALL, VERBOSE],
    ..CHANGE
};

const KEY_GENERATE: Command = Command {
    path: "key generate",
    usage: "  key generate\n\
            \t--policy <policy>                        aka -p\n\
            \t--interval <interval>                    aka -n\n\
            \t[--zonetotal <total no. of zones>]       aka -Z\n\
            \t--auto-accept                            aka -A\n",
    help: "The daemon makes the keys one by one; key list --all shows them.\n",
    parameters: &[
        POLICY,
        value("interval", 'n', "interval"),
        value("zonetotal", 'Z', "total no. of zones"),
        flag("auto-accept", 'A'),
        VERBOSE,
    ],
    ..CHANGE
};

/// Not in the usage, as in 1.4.
const KSK_REVOKE: Command = Command {
    path: "key ksk-revoke",
    help: "key ksk-revoke --zone <zone> [--keytag <keytag> | --cka_id <CKA_ID>]\n\
           Revokes a KSK that retires (RFC 5011).\n\
           --tdead is refused: the key dies when no trust anchor depends on it any more.\n",
    parameters: &[ZONE, KEY_TAG, CKA_ID, value("tdead", 'Y', "Tdead"), VERBOSE],
    ..CHANGE
};

const DS_SEEN: Command = Command {
    path: "key ds-seen",
    usage: "  key ds-seen\n\
            \t--zone <zone>                            aka -z\n\
            \t--keytag <keytag> | --cka_id <CKA_ID>    aka -x / -k\n\
            \t[--no-notify|-l]                         aka -l\n\
            \t[--no-retire|-f]                         aka -f\n",
    help: "The enforcer sees it at once, with or without --no-notify.\n",
    parameters: &[ZONE, KEY_TAG, CKA_ID, flag("no-notify", 'l'), flag("no-retire", 'f'), VERBOSE],
    ..CHANGE
};

/// Ours: 1.x takes an old DS for gone after a while; we want to be told.
const DS_GONE: Command = Command {
    path: "key ds-gone",
    usage: "  key ds-gone\n\
            \t--zone <zone>                            aka -z\n\
            \t--keytag <keytag> | --cka_id <CKA_ID>    aka -x / -k\n",
    help: "Not in OpenDNSSEC 1.x: the DS of a KSK that retires is gone from the parent.\n",
    parameters: &[ZONE, KEY_TAG, CKA_ID, VERBOSE],
    ..CHANGE
};
