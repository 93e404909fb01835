//! Usage and help of the commands about keys, as OpenDNSSEC 2.1.12 prints them.
//! In and out: text only; the commands themselves are in `keys.rs`.

pub(super) const KEY_LIST_USAGE: &str = "\
key list\n\
\t[--verbose]\t\t\t\taka -v\n\
\t[--debug]\t\t\t\taka -d\n\
\t[--full]\t\t\t\taka -f\n\
\t[--parsable]\t\t\t\taka -p\n\
\t[--zone]\t\t\t\taka -z  \n\
\t[--keystate | --all]\t\t\t\taka -k | -a  \n\
";
pub(super) const KEY_LIST_HELP: &str = "\
List the keys in the enforcer database.\n\
\n\
Options:\n\
verbose\t\talso show additional key parameters\n\
debug\t\tprint information about the keystate\n\
full\t\tprint information about the keystate and keytags\n\
parsable\toutput machine parsable list\n\
zone\t\tlimit the output to the specific zone\n\
keytype\tlimit the output to the given type, can be ZSK, KSK, or CSK\n\
keystate\tlimit the output to the given state\n\
all\t\tprint keys in all states (including generate) \n\
";

pub(super) const KEY_EXPORT_USAGE: &str = "\
key export\n\
\t--zone <zone> | --all\t\t\taka -z | -a \n\
\t--keystate <state>\t\t\taka -e\n\
\t--keytype <type>\t\t\taka -t \n\
\t--cka_id <CKA_ID>\t\t\taka -k \n\
\t[--ds [--sha1]]\t\t\t\taka -d [-s]\n\
";
pub(super) const KEY_EXPORT_HELP: &str = "\
Export DNSKEY(s) for a given zone or all of them from the database.\n\
If keytype and keystate are not specified, KSKs which are waiting for command ds-submit, \
ds-seen, ds-retract and ds-gone are shown. Otherwise both keystate and keytype must be \
given.\n\
If cka_id is specified then that key is output for the specified zones.\n\
\n\
Options:\n\
zone|all\tspecify a zone or all of them\n\
keystate\tlimit the output to a given state\n\
keytype\t\tlimit the output to a given type, can be ZSK, KSK, or CSK\n\
cka_id\t\tlimit the output to the given key locator\n\
ds\t\texport DS in BIND format which can be used for upload to a registry\n\
sha1\t\tWhen outputting DS print sha1 instead of sha256\n\
";

pub(super) const KEY_IMPORT_USAGE: &str = "\
key import\n\
\t--cka_id <CKA_ID>\t\t\taka -k\n\
\t--repository <repository>\t\taka -r\n\
\t--zone <zone>\t\t\t\taka -z\n\
\t--bits <size>\t\t\t\taka -b\n\
\t--algorithm <algorithm>\t\t\taka -g\n\
\t--keystate <state>\t\t\taka -e\n\
\t--keytype <type>\t\t\taka -t\n\
\t--inception_time <time>\t\t\taka -w\n\
";
pub(super) const KEY_IMPORT_HELP: &str = "\
Add a key which was created outside of the OpenDNSSEC into the enforcer database.\n\
\n\
Options:\n\
cka_id\t\tspecify the locator of the key\n\
repository\tname of the repository which the key must be stored\n\
zone\t\tname of the zone for which this key is to be used\n\
bits\t\tkey size in bits\n\
algorithm\talgorithm number \n\
keystate\tstate of the key in which the key will be after import\n\
keytype\t\ttype of the key, KSK, ZSK or CSK\n\
inception_time\ttime of inception\n\
";

pub(super) const DS_SUBMIT_USAGE: &str = "\
key ds-submit\n\
\t--zone <zone>\t\t\t\taka -z\n\
\t--keytag <keytag> | --cka_id <CKA_ID>\taka -x | -k\n\
";
pub(super) const DS_SUBMIT_HELP: &str = "\
Issue a ds-submit to the enforcer for a KSK.\n\
(This command with no parameters lists eligible keys.)\n\
\n\
Options:\n\
zone\t\tname of the zone\n\
keytag|cka_id\tspecify the key tag or the locator of the key\n\
";

pub(super) const DS_SEEN_USAGE: &str = "\
key ds-seen\n\
\t--zone <zone>\t\t\t\taka -z \n\
\t--keytag <keytag> | --cka_id <CKA_ID>\taka -x | -k\n\
key ds-seen\n\
\t--all\t\t\t\t\taka -a \n\
";
pub(super) const DS_SEEN_HELP: &str = "\
Issue a ds-seen to the enforcer for a KSK/ or all 'ready for ds-seen' KSKs. This command \
indicates to OpenDNSSEC that a submitted DS record has appreared in the parent zone, and \
thereby trigger the completion of KSK rollover.\n\
(This command with no parameters lists eligible keys.)\n\
\n\
Options:\n\
zone\t\tname of the zone\n\
keytag|cka_id\tspecify the keytag or the locator of the key\n\
\n\
all\t\tfor all 'ready for ds-seen' KSKs\n\
";

pub(super) const DS_RETRACT_USAGE: &str = "\
key ds-retract\n\
\t--zone <zone>\t\t\t\taka -z\n\
\t--keytag <keytag> | --cka_id <CKA_ID>\taka -x | -k\n\
";
pub(super) const DS_RETRACT_HELP: &str = "\
Issue a ds-retract to the enforcer for a KSK.\n\
(This command with no parameters lists eligible keys.)\n\
\n\
Options:\n\
zone\t\tname of the zone\n\
keytag|cka_id\tspecify the keytag or the locator of the key\n\
";

pub(super) const DS_GONE_USAGE: &str = "\
key ds-gone\n\
\t--zone <zone>\t\t\t\taka -z\n\
\t--keytag <keytag> | --cka_id <CKA_ID>\taka -x | -k\n\
";
pub(super) const DS_GONE_HELP: &str = "\
Issue a ds-gone to the enforcer for a KSK. \n\
(This command with no parameters lists eligible keys.)\n\
\n\
Options:\n\
zone\t\tname of the zone\n\
keytag|cka_id\tspecify the keytag or the locator of the key\n\
";

pub(super) const KEY_GENERATE_USAGE: &str = "\
key generate\n\
\t--duration <duration>\t\t\taka -d\n\
\t--policy <policy>\t\t\taka -p \n\
\t--all\t\t\t\t\taka -a\n\
";
pub(super) const KEY_GENERATE_HELP: &str = "\
Pre-generate keys for all or a given policy, the duration to pre-generate for\n\
can be specified or otherwise its taken from the conf.xml.\n\
\n\
Options:\n\
duration\tduration to generate keys for\n\
policy|all\tgenerate keys for a specified policy or for all of them \n\
";

pub(super) const KEY_PURGE_USAGE: &str = "\
key purge\n\
\t--policy <policy> | --zone <zone>\taka -p | -z\n\
\x20      --delete or -d\n\
";
pub(super) const KEY_PURGE_HELP: &str = "\
This command will remove keys from the database (and HSM) that are dead. Use with caution.\n\
\n\
Options:\n\
policy\t\tlimit the purge to the given policy\n\
zone\t\tlimit the purge to the given zone\n\
the -d flag will cause the keys to be deleted from the HSM\n\
";

pub(super) const KEY_ROLLOVER_USAGE: &str = "\
key rollover\n\
\t--zone <zone> | --policy <policy>\taka -z | -p \n\
\t[--keytype <keytype>]\t\t\taka -t\n\
";
pub(super) const KEY_ROLLOVER_HELP: &str = "\
Start a key rollover of the desired type *now*. The process is the same\n\
as for the scheduled automated rollovers however it does not wait for\n\
the keys lifetime to expire before rolling. The next rollover is due\n\
after the newest key aged passed its lifetime.\n\
\n\
Options:\n\
zone\t\tlimit the output to the given the zone\n\
policy\t\tlimit the output to the given the policy\n\
keytype\t\tlimit the output to the given type, can be KSK, ZSK or CSK (default is all)\n\
";

pub(super) const ROLLOVER_LIST_USAGE: &str = "\
rollover list\n\
\t[--zone <zone>]\t\t\t\taka -z\n\
";
pub(super) const ROLLOVER_LIST_HELP: &str = "\
List the expected dates and times of upcoming rollovers. This can be used to get an idea of \
upcoming works.\n\
\n\
Options:\n\
zone\tname of the zone\n\
";

pub(super) const BACKUP_USAGE: &str = "\
backup [list|prepare|commit|rollback]\n\
\x20  --repository <repository>                    aka -r\n\
";
pub(super) const BACKUP_HELP: &str = "\
If the <RequireBackup/> option is given for a <Repository> in conf.xml, OpenDNSSEC will not \
publish records using key material not marked as backed up. Backing up key material is be \
done repository wide and is a 2-step process. First the operator issues a 'prepare' and \
after backing up a 'commit'. This avoids race conditions where the operator and the \
enforcer disagree on which keys are actually backed up.\n\
\n\
NOTICE: OpenDNSSEC does not backup key material it self. It is the operators responsibility \
to do this. This merely keeps track of the state and acts as a safety net.\n\
\n\
backup list:\t Print backup status of keys.\n\
backup prepare:\t Flag the keys as 'to be backed up'.\n\
backup commit:\t Mark flagged keys as backed up.\n\
backup rollback: Cancel a 'backup prepare' action.\n\
\n\
Options:\n\
-r <repository>:\t Limit operations to this repository only.\n\
";

pub(super) const ENFORCE_USAGE: &str = "\
enforce\n\
\t--zone <zone>\taka -z\n\
";
pub(super) const ENFORCE_HELP: &str = "\
Force enforce task to run for a zone. Without arguments run enforce task for every zone.\n\
\n\
Options:\n\
zone\t\tSchedule enforce task for this zone for *now*\n\
";

pub(super) const SIGNCONF_USAGE: &str = "\
signconf\n\
";
pub(super) const SIGNCONF_HELP: &str = "\
Force write of signer configuration files for all zones.\n\
";

pub(super) const QUEUE_USAGE: &str = "\
queue\n\
";
pub(super) const QUEUE_HELP: &str = "\
queue shows all scheduled tasks with their time of earliest executions,\n\
as well as all tasks currently being processed.\n\
";

pub(super) const FLUSH_USAGE: &str = "\
flush\n\
";
pub(super) const FLUSH_HELP: &str = "\
Execute all scheduled tasks immediately.\n\
";

pub(super) const LOOK_AHEAD_USAGE: &str = "\
look-ahead\n\
\t--zone <zonename>\taka -z\n\
\t--steps <n>\t\taka -s\n\
";
pub(super) const LOOK_AHEAD_HELP: &str = "\
Shows the n next state changes for a zone.\n\
\n\
Options:\n\
zone\t\tZone to show the state for.\n\
steps\t\tNumber of steps to take in to the future.\n\
";

pub(super) const TIME_LEAP_USAGE: &str = "\
time leap\n\
\t--time <time>\t\t\t\taka -t \n\
\t--attach\t\t\t\taka -a\n\
";
pub(super) const TIME_LEAP_HELP: &str = "\
*WARNING* time leap is a debugging/testing tool, it should NEVER be used\n\
in production! Without arguments the daemon inspects the first task in the\n\
schedule and sets its internal time to the time of the task. This allows for\n\
a quick replay of a test scenario. With the --time or -t switch the daemon\n\
sets its time to the argument given as: \"YYYY-MM-DD-HH:MM:SS\".\n\
\n\
Options:\n\
time\t\tleap to this exact time\n\
attach\t\tPerform 1 task and stay attached, use only when workerthreads=0\n\
";
