//! Commands of `ods-enforcer` about zones, policies and the configuration (catalogue 1.5), with
//! the texts of OpenDNSSEC 2.1. Their handlers are in `actors/src/console/zone_commands.rs` and
//! `policy_commands.rs`. As there, words that are too many are overlooked.

use super::Family::Enforcer;
use super::{Command, Effect, Operands, Parameter, Renderer, Role};

const fn flag(long: &'static str, short: char) -> Parameter {
    Parameter { long, short, value: None }
}

const fn value(long: &'static str, short: char, value: &'static str) -> Parameter {
    Parameter { long, short, value: Some(value) }
}

const ZONE: Parameter = value("zone", 'z', "zone");
const POLICY: Parameter = value("policy", 'p', "policy");
const ALL: Parameter = flag("all", 'a');
const XML: Parameter = flag("xml", 'u');
/// Ours: what would be done.
const DRY_RUN: Parameter = flag("dry-run", 'n');

const CHANGE: Command = Command {
    family: Enforcer,
    path: "",
    usage: "",
    help: "",
    parameters: &[],
    operands: Operands::ANY,
    role: Role::Operator,
    effect: Effect::Change,
    renderer: Renderer::Words,
    takes_input: false,
};

pub(super) const UPDATE_CONF: Command = Command {
    path: "update conf",
    usage: "update conf\n",
    help: "Update the configuration from conf.xml and reload the Enforcer.\n",
    role: Role::Admin,
    ..CHANGE
};

pub(super) const UPDATE_REPOSITORYLIST: Command = Command {
    path: "update repositorylist",
    usage: "update repositorylist\n",
    help: "Import repositories from conf.xml into the enforcer.\n",
    role: Role::Admin,
    ..CHANGE
};

pub(super) const UPDATE_ALL: Command = Command {
    path: "update all",
    usage: "update all\n",
    help: "Perform policy import, update zonelist, and update repositorylist.\n",
    role: Role::Admin,
    ..CHANGE
};

/// 1.x: `policy import`.
pub(super) const UPDATE_KASP: Command = Command {
    path: "update kasp",
    usage: "",
    help: "As policy import, in the words of OpenDNSSEC 1.x.\n",
    role: Role::Admin,
    ..CHANGE
};

/// 1.x: `zonelist import`.
pub(super) const UPDATE_ZONELIST: Command = Command {
    path: "update zonelist",
    usage: "",
    help: "As zonelist import, in the words of OpenDNSSEC 1.x.\n",
    ..CHANGE
};

pub(super) const POLICY_EXPORT: Command = Command {
    path: "policy export",
    usage: "policy export\n\t--policy <policy> | --all\t\taka -p | -a \n",
    help: "Export a specified policy or all of them from the database.\n\nOptions:\n\
           policy|all\tlimit the operation to a specified policy or all of them\n",
    parameters: &[POLICY, ALL],
    role: Role::Auditor,
    effect: Effect::Read,
    ..CHANGE
};

pub(super) const POLICY_IMPORT: Command = Command {
    path: "policy import",
    usage: "policy import\n\t[--remove-missing-policies]\t\taka -r\n",
    help: "Import policies from kasp.xml into the enforcer database.\n\nOptions:\n\
           remove-missing-policies\tRemove any policies from database that do not exist in the \
           KASP file\n",
    parameters: &[flag("remove-missing-policies", 'r'), DRY_RUN],
    role: Role::Admin,
    ..CHANGE
};

pub(super) const POLICY_PURGE: Command = Command {
    path: "policy purge",
    usage: "policy purge\n",
    help: "This command will remove any policies from the database which have no\n\
           associated zones. Use with caution.\n",
    role: Role::Admin,
    ..CHANGE
};

pub(super) const POLICY_RESALT: Command = Command {
    path: "policy resalt",
    usage: "policy resalt\n",
    help: "Generate new NSEC3 salts for policies that have salts older than the resalt duration.\n",
    parameters: &[POLICY, ALL],
    ..CHANGE
};

pub(super) const ZONE_ADD: Command = Command {
    path: "zone add",
    usage: "\
zone add\n\
\t--zone <zone>\t\t\t\taka -z\n\
\t[--policy <policy>]\t\t\taka -p\n\
\t[--signerconf <path>]\t\t\taka -s\n\
\t[--in-type <type>]\t\t\taka -j\n\
\t[--input <path>]\t\t\taka -i\n\
\t[--out-type <type>]\t\t\taka -q\n\
\t[--output <path>]\t\t\taka -o\n\
\t[--xml]\t\t\t\t\taka -u\n",
    help: "\
Add a new zone to the enforcer database.\n\
\n\
Options:\n\
zone\t\tname of the zone\n\
policy\t\tname of the policy, if not set the default policy is used\n\
signerconf\tspecify a location for signer configuration file, default is \
/var/lib/opendnssec/signconf/\n\
in-type\t\tspecify the type of input, should be DNS or File, default is File \n\
input\t\tspecify a location for the unsigned zone, this location is set in conf.xml, default for \
File Adapter is /var/lib/opendnssec/unsigned/ and for DNS Adapter is \
/etc/opendnssec/addns.xml \n\
out-type\tspecify the type of output, should be DNS or File, default is File\n\
output\t\tspecify a location for the signed zone, this location is set in conf.xml, default path \
for File Adapter is /var/lib/opendnssec/signed/ and for DNS Adapter is \
/etc/opendnssec/addns.xml \n\
xml\t\tupdate the zonelist.xml file\n",
    parameters: &[
        ZONE,
        POLICY,
        value("signerconf", 's', "path"),
        value("in-type", 'j', "type"),
        value("input", 'i', "path"),
        value("out-type", 'q', "type"),
        value("output", 'o', "path"),
        XML,
        flag("suspend", 'n'),
    ],
    ..CHANGE
};

pub(super) const ZONE_DELETE: Command = Command {
    path: "zone delete",
    usage: "zone delete\n   --zone <zone> | --all           aka -z | -a \n   \
            [--xml]                 aka -u \n",
    help: "\
Delete one zone or all of them from the enforcer database.\n\
\n\
Options:\n\
zone|all   name of the zone or all zones\n\
xml        update zonelist.xml and remove the contents for the deleted zone\n",
    parameters: &[ZONE, ALL, XML, flag("force", 'f')],
    ..CHANGE
};

pub(super) const ZONE_SET_POLICY: Command = Command {
    path: "zone set-policy",
    usage: "\
zone set-policy\n\
\t--zone <zone>\t\t\t\taka -z\n\
\t--policy <policy>\t\t\taka -p\n\
\t[--xml]\t\t\t\t\taka -u\n",
    help: "\
Change the policy of an existing zone in the enforcer database.\n\
\n\
Options:\n\
zone\t\tname of the zone\n\
policy\t\tname of the new policy\n\
xml\t\tupdate the zonelist.xml file\n",
    parameters: &[ZONE, POLICY, XML, DRY_RUN],
    ..CHANGE
};

pub(super) const ZONELIST_EXPORT: Command = Command {
    path: "zonelist export",
    usage: "zonelist export\n",
    help: "Export list of zones from the database to the zonelist.xml file.\n",
    ..CHANGE
};

pub(super) const ZONELIST_IMPORT: Command = Command {
    path: "zonelist import",
    usage: "zonelist import\n\t[--remove-missing-zones]\t\taka -r\n\t\
            [--file <absolute path>]\t\taka -f\n",
    help: "\
Import zones from zonelist.xml into enforcer database.\n\
\n\
Options:\n\
remove-missing-zones\tRemove any zones from database not existed in zonelist file\n\
file\t\t\tFile to import, instead of zonelist file configured in conf.xml\n",
    parameters: &[flag("remove-missing-zones", 'r'), value("file", 'f', "absolute path")],
    ..CHANGE
};
