//! conf.xml as values, with OpenDNSSEC's and Debian's defaults filled in.
//! In: bytes. Out: [`Conf`]. Never: looking whether paths exist; that is kaspcheck's.
//!
//! Our own elements:
//! - a `<Repository>` with `<BuiltIn/>` in place of `<Module>` is the built-in token. Then
//!   `<TokenLabel>` may be missing (the repository's name), `<KeyFile>` names a file that holds
//!   the secret in place of `<PIN>`, and `<Directory>` says where its keys lie
//!   (`/var/lib/opendnssec/tokens/` and the repository's name);
//! - `<TokenSerial>` in `<Repository>` names the token's serial number, `<ModuleParameters>` what
//!   the library is given when it begins;
//! - `<RepositoryGroup>` in `<RepositoryList>` makes one repository of several; see `groups`;
//! - `<AllowDeprecatedAlgorithms/>` in `<Enforcer>` lets new keys have algorithms 5 and 7, which
//!   RFC 9905 deprecates. Default: off;
//! - `<Limits>` in `<Signer>` says how large an unsigned zone may be: `<Records>`, `<Bytes>` and
//!   `<RecordsPerRRset>`. Defaults: those of [`Limits`];
//! - `<CatalogList>` says which catalog zones bring zones, and which are made; see `catalog_list`;
//! - `<TLS>` in `<Interface>` makes it one for TLS alone (RFC 9103), with the PEM files
//!   `<CertificateFile>` and `<KeyFile>`.

use std::fmt;
use std::path::PathBuf;

use dnssec::Seconds;
use dnssec::zone::load::Limits;
use zeroize::Zeroizing;

use crate::catalog_list::{CatalogList, catalog_list};
use crate::diagnostics::{FileFaults, Findings, Read};
use crate::duration::YEAR_SECONDS;
use crate::fault::Fault;
use crate::groups::{RepositoryGroup, groups};
use crate::kasp::{number, optional_duration};
use crate::listener::{Interface, interfaces};
use crate::schema::{self, validate};
use crate::tree::{Element, FILE_BYTES_MAX, read_tree};

/// Where OpenDNSSEC keeps its state.
pub(crate) const STATE_DIRECTORY: &str = "/var/lib/opendnssec";
const RUN_DIRECTORY: &str = "/run/opendnssec";
/// Log level when none is given.
const VERBOSITY_DEFAULT: u64 = 3;
const WORKER_THREADS_DEFAULT: usize = 4;
const MYSQL_PORT_DEFAULT: u16 = 3306;
/// Octets of a PKCS#11 token label.
const TOKEN_LABEL_OCTETS_MAX: usize = 32;

/// A conf.xml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conf {
    /// `<RepositoryList>`; every name once.
    pub repositories: Vec<Repository>,
    /// `<RepositoryGroup>`: their names are those of no repository.
    pub groups: Vec<RepositoryGroup>,
    /// `<Logging>`.
    pub logging: Logging,
    /// `<PolicyFile>`: kasp.xml.
    pub policy_file: PathBuf,
    /// `<ZoneListFile>`: zonelist.xml.
    pub zone_list_file: PathBuf,
    /// `<ZoneFetchFile>` of 1.x.
    pub zone_fetch_file: Option<PathBuf>,
    /// `<Enforcer>`.
    pub enforcer: Enforcer,
    /// `<Signer>`, or its defaults.
    pub signer: Signer,
    /// `<CatalogList>`, ours: catalog zones.
    pub catalogs: CatalogList,
}

/// `<Repository>`: one token that holds keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// `@name`, as kasp.xml refers to it.
    pub name: String,
    /// Which kind of token.
    pub kind: RepositoryKind,
    /// `<TokenLabel>`: at most 32 octets.
    pub token_label: String,
    /// `<TokenSerial>`: the serial number that the token has to have; `None`: the one that it had
    /// when it was used for the first time.
    pub token_serial: Option<String>,
    /// `<ModuleParameters>`: text for the PKCS#11 library when it begins.
    pub module_parameters: Option<String>,
    /// What opens it.
    pub secret: TokenSecret,
    /// `<Capacity>`: most keys in it; `None`: no limit.
    pub capacity: Option<u64>,
    /// `<RequireBackup/>`: keys are used only after a backup.
    pub require_backup: bool,
    /// `<SkipPublicKey/>`: no public key objects.
    pub skip_public_key: bool,
    /// `<AllowExtraction/>`: new keys may leave the token.
    pub allow_extraction: bool,
    /// `<Network>`: whether the process that holds the token may use the network. Allowed by
    /// default for a PKCS#11 library, which may be the client of an HSM elsewhere; never for the
    /// built-in token.
    pub network: Network,
}

/// What a repository may use of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Connections to anywhere.
    Allow,
    /// Nothing beyond this machine.
    Deny,
}

/// What is behind a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryKind {
    /// `<Module>`: a PKCS#11 library.
    Module(PathBuf),
    /// `<BuiltIn/>`: our own token, with its keys in this folder.
    BuiltIn {
        /// `<Directory>`.
        directory: PathBuf,
    },
}

/// What opens a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSecret {
    /// `<PIN>`.
    Pin(Secret),
    /// `<KeyFile>`: the secret is in this file (built-in token only).
    KeyFile(PathBuf),
    /// Neither: an operator gives it with `ods-hsmutil login`.
    Login,
}

/// A text that is wiped from memory and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Secret {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `<Logging>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// `<Verbosity>`: 0 to 7 differ.
    pub verbosity: u64,
    /// `<Syslog>`'s `<Facility>`: syslog's name of it, such as `local0`. `None`: there is no
    /// `<Syslog>`.
    pub facility: Option<String>,
}

/// `<Privileges>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// `<User>`.
    pub user: Option<String>,
    /// `<Group>`.
    pub group: Option<String>,
    /// `<Directory>`: the new root.
    pub directory: Option<PathBuf>,
}

/// `<Datastore>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datastore {
    /// `<SQLite>`: beside this path our own store goes.
    Sqlite(PathBuf),
    /// `<MySQL>`: not supported; the daemon says so when it starts.
    MySql {
        /// `<Host>`.
        host: String,
        /// `<Host Port="…">`.
        port: u16,
        /// `<Database>`.
        database: String,
        /// `<Username>`.
        username: String,
        /// `<Password>`.
        password: Secret,
    },
}

/// `<Enforcer>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforcer {
    /// `<Privileges>`.
    pub privileges: Privileges,
    /// `<PidFile>`.
    pub pid_file: PathBuf,
    /// `<SocketFile>`: where commands come in.
    pub socket_file: PathBuf,
    /// `<WorkingDirectory>`.
    pub working_directory: PathBuf,
    /// `<WorkerThreads>`; zero is 2.1's test mode.
    pub worker_threads: usize,
    /// `<Datastore>`.
    pub datastore: Datastore,
    /// `<Interval>` of 1.x and 2.0.
    pub interval: Option<Seconds>,
    /// `<ManualKeyGeneration/>`.
    pub manual_key_generation: bool,
    /// `<AutomaticKeyGenerationPeriod>`: how far ahead keys are made.
    pub automatic_key_generation_period: Seconds,
    /// `<RolloverNotification>`: how long before a KSK rolls this is logged.
    pub rollover_notification: Option<Seconds>,
    /// `<DelegationSignerSubmitCommand>`.
    pub delegation_signer_submit_command: Option<String>,
    /// `<DelegationSignerRetractCommand>`.
    pub delegation_signer_retract_command: Option<String>,
    /// `<AllowDeprecatedAlgorithms/>`, ours: new keys may have algorithms 5 and 7 (RFC 9905).
    pub allow_deprecated_algorithms: bool,
}

/// `<Signer>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// `<Privileges>`.
    pub privileges: Privileges,
    /// `<PidFile>` of 1.x.
    pub pid_file: PathBuf,
    /// `<SocketFile>` of 1.x.
    pub socket_file: PathBuf,
    /// `<WorkingDirectory>`.
    pub working_directory: PathBuf,
    /// `<WorkerThreads>`: zones at a time.
    pub worker_threads: usize,
    /// `<SignerThreads>`; as many as workers when absent.
    pub signer_threads: usize,
    /// `<Listener>`; `None`: there is none.
    pub listener: Option<Vec<Interface>>,
    /// `<NotifyCommand>`.
    pub notify_command: Option<String>,
    /// `<Checker>`, ours: programs that look at each signed version before it is published.
    pub checkers: Vec<Checker>,
    /// `<AuditLogKept>`, ours: how long the auditor's verdicts are kept.
    pub audit_log_kept: Seconds,
    /// `<Limits>`, ours: what one unsigned zone may have at most.
    pub limits: Limits,
}

/// `<Checker>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checker {
    /// `<Command>`.
    pub command: String,
    /// `<Timeout>`; a checker that takes longer gives no verdict.
    pub timeout: Seconds,
}

/// Reads conf.xml; `file` is its name in messages.
pub fn read_conf(file: &str, bytes: &[u8]) -> Result<Read<Conf>, FileFaults> {
    let mut findings = Findings::default();
    let root = conf_tree(bytes, &mut findings);
    let value = root.filter(|_| findings.form_is_right()).map(|root| conf(&root, &mut findings));
    findings.finish(file, bytes, value)
}

/// The tree of a conf.xml, checked against the table.
pub(crate) fn conf_tree<'a>(bytes: &'a [u8], findings: &mut Findings) -> Option<Element<'a>> {
    let root = read_tree(bytes, FILE_BYTES_MAX, "Configuration", findings)?;
    validate(&root, &schema::conf::CONFIGURATION, findings);
    check_token_labels(&root, findings);
    Some(root)
}

/// `<TokenLabel>` is mandatory with `<Module>`, which the table cannot say.
fn check_token_labels(root: &Element<'_>, findings: &mut Findings) {
    let list = root.child("RepositoryList");
    for repository in list.into_iter().flat_map(|list| list.all("Repository")) {
        if repository.has("Module") && !repository.has("TokenLabel") {
            let fault = Fault::MissingElement {
                element: "TokenLabel".to_owned(),
                parent: "Repository".to_owned(),
            };
            findings.push(repository.tag.clone(), fault);
        }
    }
}

/// The values of a tree of the right form.
pub(crate) fn conf(root: &Element<'_>, findings: &mut Findings) -> Conf {
    let mut repositories: Vec<Repository> = Vec::new();
    let list = root.child("RepositoryList");
    for element in list.into_iter().flat_map(|list| list.all("Repository")) {
        let repository = repository(element, findings);
        if repositories.iter().any(|other| other.name == repository.name) {
            let fault = Fault::DuplicateName { what: "repository", name: repository.name.clone() };
            findings.push(element.tag.clone(), fault);
        }
        repositories.push(repository);
    }
    let names: Vec<&str> = repositories.iter().map(|one| one.name.as_str()).collect();
    let groups = list.map_or_else(Vec::new, |list| groups(list, &names, findings));
    let verbosity = root.path(&["Common", "Logging", "Verbosity"]);
    let facility = root.path(&["Common", "Logging", "Syslog", "Facility"]);
    Conf {
        repositories,
        groups,
        logging: Logging {
            verbosity: verbosity
                .map_or(VERBOSITY_DEFAULT, |_| number(root, &["Common", "Logging", "Verbosity"])),
            facility: facility.map(|facility| facility.trimmed().to_owned()),
        },
        policy_file: path(root, &["Common", "PolicyFile"], findings).unwrap_or_default(),
        zone_list_file: path(root, &["Common", "ZoneListFile"], findings).unwrap_or_default(),
        zone_fetch_file: path(root, &["Common", "ZoneFetchFile"], findings),
        enforcer: enforcer(root, findings),
        signer: signer(root, findings),
        catalogs: catalog_list(root, findings),
    }
}

/// The text at `names`, if the element is there; empty is a fault.
fn text(root: &Element<'_>, names: &[&str], findings: &mut Findings) -> Option<String> {
    let element = root.path(names)?;
    if element.trimmed().is_empty() {
        let fault = Fault::EmptyValue { element: element.name.to_owned() };
        findings.push(element.tag.clone(), fault);
    }
    Some(element.trimmed().to_owned())
}

/// [`text`] as a path.
pub(crate) fn path(root: &Element<'_>, names: &[&str], findings: &mut Findings) -> Option<PathBuf> {
    text(root, names, findings).map(PathBuf::from)
}

fn repository(element: &Element<'_>, findings: &mut Findings) -> Repository {
    let name = element.attribute("name").unwrap_or_default().to_owned();
    let directory = path(element, &["Directory"], findings);
    let kind = match path(element, &["Module"], findings) {
        Some(module) => {
            for only in ["KeyFile", "Directory"] {
                if let Some(wrong) = element.child(only) {
                    let fault = Fault::OnlyWith { element: known(only), with: "<BuiltIn/>" };
                    findings.push(wrong.tag.clone(), fault);
                }
            }
            RepositoryKind::Module(module)
        }
        None => RepositoryKind::BuiltIn {
            directory: directory.unwrap_or_else(|| token_directory(&name, element, findings)),
        },
    };
    let token_label = text(element, &["TokenLabel"], findings).unwrap_or_else(|| name.clone());
    if token_label.len() > TOKEN_LABEL_OCTETS_MAX {
        let place = element.child("TokenLabel").map_or(element.tag.clone(), Element::text_place);
        findings.push(place, Fault::LabelTooLong { octets: token_label.len() });
    }
    let token_serial = text(element, &["TokenSerial"], findings);
    let module_parameters = text(element, &["ModuleParameters"], findings);
    if let Some(wrong) = element.child("ModuleParameters").filter(|_| !element.has("Module")) {
        let fault = Fault::OnlyWith { element: "ModuleParameters", with: "<Module>" };
        findings.push(wrong.tag.clone(), fault);
    }
    let pin = element.child("PIN").map(secret);
    let key_file = path(element, &["KeyFile"], findings);
    if let (Some(_), Some(wrong)) = (&pin, element.child("KeyFile")) {
        findings.push(wrong.tag.clone(), Fault::PinAndKeyFile);
    }
    Repository {
        name,
        kind,
        token_label,
        token_serial,
        module_parameters,
        secret: match (pin, key_file) {
            (Some(pin), _) => TokenSecret::Pin(pin),
            (None, Some(key_file)) => TokenSecret::KeyFile(key_file),
            (None, None) => TokenSecret::Login,
        },
        capacity: element.has("Capacity").then(|| number(element, &["Capacity"])),
        require_backup: element.has("RequireBackup"),
        skip_public_key: element.has("SkipPublicKey"),
        allow_extraction: element.has("AllowExtraction"),
        network: network(element, findings),
    }
}

/// `<Network>`, or the default for this kind of token.
fn network(element: &Element<'_>, findings: &mut Findings) -> Network {
    let given = element.child("Network");
    if element.has("Module") {
        let is_denied = given.is_some_and(|given| given.trimmed() == "deny");
        return if is_denied { Network::Deny } else { Network::Allow };
    }
    if let Some(wrong) = given {
        let fault = Fault::OnlyWith { element: "Network", with: "<Module>" };
        findings.push(wrong.tag.clone(), fault);
    }
    Network::Deny
}

/// The element names of a fault, which are static.
fn known(name: &str) -> &'static str {
    if name == "KeyFile" { "KeyFile" } else { "Directory" }
}

/// A PIN may begin or end with a space, so nothing is trimmed.
fn secret(element: &Element<'_>) -> Secret {
    Secret(Zeroizing::new(element.text.clone().into_owned()))
}

/// The default folder of a built-in token; its name must be usable as one.
fn token_directory(name: &str, element: &Element<'_>, findings: &mut Findings) -> PathBuf {
    let simple = |octet: u8| octet.is_ascii_alphanumeric() || b"._-".contains(&octet);
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(simple) {
        let fault = Fault::DirectoryNeeded { name: name.chars().take(80).collect() };
        findings.push(element.tag.clone(), fault);
    }
    PathBuf::from(STATE_DIRECTORY).join("tokens").join(name)
}

fn privileges(section: &Element<'_>, findings: &mut Findings) -> Privileges {
    Privileges {
        user: text(section, &["Privileges", "User"], findings),
        group: text(section, &["Privileges", "Group"], findings),
        directory: path(section, &["Privileges", "Directory"], findings),
    }
}

fn enforcer(root: &Element<'_>, findings: &mut Findings) -> Enforcer {
    // The table demands an <Enforcer>; the top element stands in where that failed.
    let section = root.child("Enforcer").unwrap_or(root);
    let mut path_or = |name: &str, default: String| {
        path(section, &[name], findings).unwrap_or_else(|| PathBuf::from(default))
    };
    let pid_file = path_or("PidFile", format!("{RUN_DIRECTORY}/enforcerd.pid"));
    let socket_file = path_or("SocketFile", format!("{RUN_DIRECTORY}/enforcer.sock"));
    let working_directory = path_or("WorkingDirectory", format!("{STATE_DIRECTORY}/enforcer"));
    Enforcer {
        privileges: privileges(section, findings),
        pid_file,
        socket_file,
        working_directory,
        worker_threads: threads(section, "WorkerThreads", WORKER_THREADS_DEFAULT),
        datastore: datastore(section, findings),
        interval: optional_duration(section, &["Interval"], findings),
        manual_key_generation: section.has("ManualKeyGeneration"),
        automatic_key_generation_period: optional_duration(
            section,
            &["AutomaticKeyGenerationPeriod"],
            findings,
        )
        .unwrap_or(Seconds(YEAR_SECONDS)),
        rollover_notification: optional_duration(section, &["RolloverNotification"], findings),
        delegation_signer_submit_command: text(
            section,
            &["DelegationSignerSubmitCommand"],
            findings,
        ),
        delegation_signer_retract_command: text(
            section,
            &["DelegationSignerRetractCommand"],
            findings,
        ),
        allow_deprecated_algorithms: section.has("AllowDeprecatedAlgorithms"),
    }
}

fn threads(section: &Element<'_>, name: &str, default: usize) -> usize {
    if section.has(name) { number(section, &[name]) } else { default }
}

fn datastore(section: &Element<'_>, findings: &mut Findings) -> Datastore {
    let Some(mysql) = section.path(&["Datastore", "MySQL"]) else {
        let file = path(section, &["Datastore", "SQLite"], findings);
        return Datastore::Sqlite(file.unwrap_or_default());
    };
    let host = mysql.child("Host");
    let port = host.and_then(|host| host.attribute("Port").or(host.attribute("port")));
    Datastore::MySql {
        host: host.map_or("localhost", Element::trimmed).to_owned(),
        port: port.and_then(|port| port.trim_ascii().parse().ok()).unwrap_or(MYSQL_PORT_DEFAULT),
        database: text(mysql, &["Database"], findings).unwrap_or_default(),
        username: text(mysql, &["Username"], findings).unwrap_or_default(),
        password: mysql.child("Password").map_or(Secret(Zeroizing::default()), secret),
    }
}

fn signer(root: &Element<'_>, findings: &mut Findings) -> Signer {
    let section = root.child("Signer");
    let mut path_or = |name: &str, default: String| {
        section
            .and_then(|section| path(section, &[name], findings))
            .unwrap_or_else(|| PathBuf::from(default))
    };
    let pid_file = path_or("PidFile", format!("{RUN_DIRECTORY}/signerd.pid"));
    let socket_file = path_or("SocketFile", format!("{RUN_DIRECTORY}/engine.sock"));
    let working_directory = path_or("WorkingDirectory", format!("{STATE_DIRECTORY}/signer"));
    let worker_threads = section.map_or(WORKER_THREADS_DEFAULT, |section| {
        threads(section, "WorkerThreads", WORKER_THREADS_DEFAULT)
    });
    Signer {
        privileges: section.map(|section| privileges(section, findings)).unwrap_or_default(),
        pid_file,
        socket_file,
        working_directory,
        worker_threads,
        signer_threads: section
            .map_or(worker_threads, |section| threads(section, "SignerThreads", worker_threads)),
        listener: section
            .and_then(|section| section.child("Listener"))
            .map(|listener| interfaces(listener, findings)),
        notify_command: section.and_then(|section| text(section, &["NotifyCommand"], findings)),
        checkers: section.map(|section| checkers(section, findings)).unwrap_or_default(),
        audit_log_kept: section
            .and_then(|section| optional_duration(section, &["AuditLogKept"], findings))
            .unwrap_or(AUDIT_LOG_KEPT_DEFAULT),
        limits: limits(root),
    }
}

/// `<AuditLogKept>` where there is none: more than a year, so that a year can be looked back on.
const AUDIT_LOG_KEPT_DEFAULT: Seconds = Seconds(400 * 86_400);

/// Checkers that conf.xml may name: each looks at every version of every zone.
const CHECKER_COUNT_MAX: usize = 8;
/// `<Timeout>` of a checker that names none.
const CHECKER_TIMEOUT_DEFAULT: Seconds = Seconds(60);
/// A `<Timeout>` is no longer: a zone waits for it.
const CHECKER_TIMEOUT_MAX: Seconds = Seconds(1800);

fn checkers(section: &Element<'_>, findings: &mut Findings) -> Vec<Checker> {
    let read = |element: &Element<'_>| {
        let timeout = optional_duration(element, &["Timeout"], findings);
        let timeout = timeout.unwrap_or(CHECKER_TIMEOUT_DEFAULT);
        if timeout.0 == 0 || timeout > CHECKER_TIMEOUT_MAX {
            let fault = Fault::CheckerTimeout { max: CHECKER_TIMEOUT_MAX };
            findings.push(element.tag.clone(), fault);
        }
        Checker { command: text(element, &["Command"], findings).unwrap_or_default(), timeout }
    };
    let checkers: Vec<Checker> = section.all("Checker").map(read).collect();
    if checkers.len() > CHECKER_COUNT_MAX {
        let fault = Fault::TooManyCheckers { max: CHECKER_COUNT_MAX };
        findings.push(section.tag.clone(), fault);
    }
    checkers
}

/// What is not given keeps its default.
fn limits(root: &Element<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(given) = root.path(&["Signer", "Limits"]) else { return limits };
    if given.has("Records") {
        limits.record_count_max = number(given, &["Records"]);
    }
    if given.has("Bytes") {
        limits.byte_count_max = number(given, &["Bytes"]);
    }
    if given.has("RecordsPerRRset") {
        limits.rrset_record_count_max = number(given, &["RecordsPerRRset"]);
    }
    limits
}
