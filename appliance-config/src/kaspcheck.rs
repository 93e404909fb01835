//! kaspcheck: whether conf.xml, kasp.xml and zonelist.xml are right, each and together; and the
//! addns.xml and zonefetch.xml that they name, which OpenDNSSEC's does not look at; and whether
//! `<CatalogList>` names policies that there are.
//! In: the names of the files, and an [`Environment`] that answers for the world.
//! Out: a [`Report`] with OpenDNSSEC 2.1's lines, and warnings of our own (RFC 9276, RFC 9905,
//! Refresh against TTLs) in the same form. The exit status is the number of errors.
//! A file that fails does not keep the others from being checked.

mod adapters;
mod catalogs;
mod conf;
mod policy;
mod rolls;

use crate::conf::{Conf, conf, conf_tree};
use crate::diagnostics::{Diagnostic, Findings};
use crate::fault::Fault;
use crate::kasp::{kasp_tree, policies};
use crate::tree::Element;
use crate::zonelist::{ZoneList, zonelist_tree, zones};
use std::path::PathBuf;

/// The facts about the world that kaspcheck asks for.
pub trait Environment {
    /// The bytes of a file; `None` when it cannot be read.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// What is at a path, links followed.
    fn kind(&self, path: &str) -> FileKind;
    /// What is there for `<Datastore><SQLite>` with this path: the store that goes with it
    /// counts as a file.
    fn datastore_kind(&self, path: &str) -> FileKind;
    /// Whether a user of this name exists.
    fn user_exists(&self, name: &str) -> bool;
    /// Whether a group of this name exists.
    fn group_exists(&self, name: &str) -> bool;
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, a socket, a pipe.
    Other,
    /// Nothing.
    Missing,
    /// The system would not say.
    Unknown {
        /// The system's reason.
        reason: String,
    },
}

/// The files to check.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// conf.xml.
    pub conf: &'a str,
    /// kasp.xml; `None`: what conf.xml says.
    pub kasp: Option<&'a str>,
    /// zonelist.xml; `None`: what conf.xml says.
    pub zonelist: Option<&'a str>,
}

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Where exactly a file is wrong; for the standard error output.
    Detail,
    /// `INFO:`.
    Info,
    /// `WARNING:`.
    Warning,
    /// `ERROR:`, counted in the exit status.
    Error,
    /// `ERROR:` that explains the one before it and is not counted again.
    ErrorDetail,
}

/// One line of output (a detail may have several).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How grave it is.
    pub severity: Severity,
    /// The text with its prefix, without a line end.
    pub text: String,
}

/// Everything that kaspcheck has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In order.
    pub lines: Vec<Line>,
}

impl Report {
    /// The number of errors: the exit status (of which the system keeps eight bits).
    pub fn error_count(&self) -> usize {
        self.lines.iter().filter(|line| line.severity == Severity::Error).count()
    }

    fn push(&mut self, severity: Severity, prefix: &str, text: std::fmt::Arguments<'_>) {
        self.lines.push(Line { severity, text: format!("{prefix}{text}") });
    }
    fn error(&mut self, text: std::fmt::Arguments<'_>) {
        self.push(Severity::Error, "ERROR: ", text);
    }
    fn warning(&mut self, text: std::fmt::Arguments<'_>) {
        self.push(Severity::Warning, "WARNING: ", text);
    }
    fn valid(&mut self, file: &str) {
        self.push(Severity::Info, "INFO: ", format_args!("The XML in {file} is valid"));
    }

    /// Values that the schema accepts and we cannot, less those that have a check of their own.
    fn values(&mut self, faults: &[Diagnostic]) {
        for fault in faults {
            let has_own_check = match &fault.fault {
                Fault::Duration { .. } | Fault::Nsec3Hash { .. } => true,
                Fault::DuplicateName { what, .. } => matches!(*what, "repository" | "policy"),
                Fault::EmptyValue { element } => {
                    element == "PolicyFile" || element == "ZoneListFile"
                }
                _ => false,
            };
            if !has_own_check {
                self.error(format_args!("{}", fault.summary()));
            }
        }
    }

    /// Notes on old forms.
    fn notices(&mut self, notices: &[Diagnostic]) {
        for notice in notices {
            self.warning(format_args!("{}", notice.summary()));
        }
    }

    /// The faults of form of a file, and the line that OpenDNSSEC has for them.
    fn fails(&mut self, file: &str, bytes: &[u8], is_xml: bool, findings: Findings) {
        let (faults, notices) = findings.render(file, bytes);
        self.notices(&notices);
        for fault in &faults {
            self.push(Severity::Detail, "", format_args!("{fault}"));
        }
        let wrong_root = faults.iter().any(|one| matches!(one.fault, Fault::WrongRoot { .. }));
        if is_xml || wrong_root {
            self.error(format_args!("{file} fails to validate"));
        } else {
            self.error(format_args!("unable to parse file \"{file}\""));
        }
    }
}

/// Checks the three files.
pub fn check(inputs: &Inputs<'_>, environment: &dyn Environment) -> Report {
    let mut report = Report::default();
    let conf = check_conf(inputs.conf, environment, &mut report);
    let kasp = inputs.kasp.map(str::to_owned).or(conf.kasp);
    let policy_names = match kasp.as_deref() {
        Some(kasp) if !kasp.is_empty() => {
            check_kasp(kasp, conf.repositories.as_ref(), environment, &mut report)
        }
        _ => {
            report.error(format_args!("No location for kasp.xml set"));
            None
        }
    };
    match inputs.zonelist.map(str::to_owned).or(conf.zonelist).as_deref() {
        Some(zonelist) if !zonelist.is_empty() => {
            let list = check_zonelist(zonelist, policy_names.as_deref(), environment, &mut report);
            let folder = conf.signer_folder.unwrap_or_default();
            let of_catalogs = conf.catalogs.as_ref().map_or(&[][..], |named| &named.adapters);
            let list = list.unwrap_or_default();
            adapters::check(&folder, &list, of_catalogs, environment, &mut report);
        }
        _ => report.error(format_args!("No location for zonelist.xml set")),
    }
    if let (Some(named), Some(known)) = (conf.catalogs, policy_names) {
        named.check_policies(&known, &mut report);
    }
    report
}

/// What the other files need to know of conf.xml.
#[derive(Default)]
struct FromConf {
    kasp: Option<String>,
    zonelist: Option<String>,
    repositories: Option<Repositories>,
    /// `<WorkingDirectory>` of the signer, below which relative paths of zones are.
    signer_folder: Option<PathBuf>,
    /// What `<CatalogList>` names.
    catalogs: Option<catalogs::Named>,
}

/// The repositories of conf.xml.
#[derive(Default)]
struct Repositories {
    /// Those that a policy may name: groups, too.
    names: Vec<String>,
    /// Those that belong to a group, with its name.
    members: Vec<(String, String)>,
    /// How many keys they take, where that is limited.
    capacities: Vec<(String, u64)>,
}

impl Repositories {
    fn of(conf: Conf) -> Repositories {
        let mut found = Repositories::default();
        for group in conf.groups {
            let members = group.members.into_iter();
            found.members.extend(members.map(|member| (member, group.name.clone())));
            found.names.push(group.name);
        }
        let capacity = |one: &crate::conf::Repository| Some((one.name.clone(), one.capacity?));
        found.capacities = conf.repositories.iter().filter_map(capacity).collect();
        found.names.extend(conf.repositories.into_iter().map(|repository| repository.name));
        found
    }

    /// The group that a repository belongs to.
    fn group_of(&self, name: &str) -> Option<&str> {
        let found = self.members.iter().find(|(member, _)| member == name);
        found.map(|(_, group)| group.as_str())
    }
}

fn check_conf(file: &str, environment: &dyn Environment, report: &mut Report) -> FromConf {
    let Some(bytes) = load(file, environment, report) else { return FromConf::default() };
    let mut findings = Findings::default();
    let tree = conf_tree(&bytes, &mut findings);
    let mut from_conf = FromConf::default();
    if let Some(root) = &tree {
        // A file of the wrong form may still say where the others are.
        let location =
            |name: &str| root.path(&["Common", name]).map(|element| element.trimmed().to_owned());
        (from_conf.kasp, from_conf.zonelist) = (location("PolicyFile"), location("ZoneListFile"));
    }
    match tree {
        Some(root) if findings.form_is_right() => {
            let values: Conf = conf(&root, &mut findings);
            report.valid(file);
            let (faults, notices) = findings.render(file, &bytes);
            report.notices(&notices);
            report.values(&faults);
            conf::check(file, &root, &values, environment, report);
            if let Some(path) = &values.zone_fetch_file {
                adapters::check_zonefetch(&path.to_string_lossy(), environment, report);
            }
            from_conf.catalogs = Some(catalogs::Named::of(file, &bytes, &root));
            from_conf.signer_folder = Some(values.signer.working_directory.clone());
            from_conf.repositories = Some(Repositories::of(values));
        }
        tree => report.fails(file, &bytes, tree.is_some(), findings),
    }
    from_conf
}

/// The names of the policies, when the file has the right form.
fn check_kasp(
    file: &str,
    repositories: Option<&Repositories>,
    environment: &dyn Environment,
    report: &mut Report,
) -> Option<Vec<String>> {
    let bytes = load(file, environment, report)?;
    let mut findings = Findings::default();
    let tree = kasp_tree(&bytes, &mut findings);
    let root = match tree {
        Some(root) if findings.form_is_right() => root,
        tree => {
            report.fails(file, &bytes, tree.is_some(), findings);
            return None;
        }
    };
    let policies = policies(&root, &mut findings);
    report.valid(file);
    let (faults, notices) = findings.render(file, &bytes);
    report.notices(&notices);
    report.values(&faults);
    let names: Vec<String> = policies.iter().map(|policy| policy.name.clone()).collect();
    // K11, K12.
    for (index, name) in names.iter().enumerate() {
        for _ in names[index + 1..].iter().filter(|other| *other == name) {
            report.error(format_args!("Two policies exist with the same name ({name})"));
        }
    }
    if !names.iter().any(|name| name == "default") {
        report.warning(format_args!(
            "No policy named 'default' in {file}. This means you will need to refer explicitly \
             to the policy for each zone"
        ));
    }
    for (element, policy) in root.all("Policy").zip(&policies) {
        policy::check(file, element, policy, repositories, report);
        rolls::check(file, policy, repositories, report);
    }
    Some(names)
}

fn check_zonelist(
    file: &str,
    policy_names: Option<&[String]>,
    environment: &dyn Environment,
    report: &mut Report,
) -> Option<ZoneList> {
    let bytes = load(file, environment, report)?;
    let mut findings = Findings::default();
    let tree = zonelist_tree(&bytes, &mut findings);
    let root = match tree {
        Some(root) if findings.form_is_right() => root,
        tree => {
            report.fails(file, &bytes, tree.is_some(), findings);
            return None;
        }
    };
    let list = zones(&root, &mut findings);
    let errors_before = report.error_count();
    let (faults, notices) = findings.render(file, &bytes);
    report.notices(&notices);
    report.values(&faults);
    // K31.
    let used = root.all("Zone").filter_map(|zone| zone.child("Policy")).map(Element::trimmed);
    for policy in used {
        if policy_names.is_some_and(|names| !names.iter().any(|name| name == policy)) {
            report.error(format_args!("Policy {policy} in zonelist does not exist!"));
        }
    }
    if report.error_count() == errors_before {
        report.valid(file);
    }
    Some(list)
}

fn load(file: &str, environment: &dyn Environment, report: &mut Report) -> Option<Vec<u8>> {
    let bytes = environment.read(file);
    if bytes.is_none() {
        report.error(format_args!("unable to parse file \"{file}\""));
        if let Some(text) = missing_file("Configuration file", file, environment) {
            report.push(Severity::ErrorDetail, "ERROR: ", format_args!("{text}"));
        }
    }
    bytes
}

/// K2: the error when `path` is no file.
fn missing_file(what: &str, path: &str, environment: &dyn Environment) -> Option<String> {
    missing_kind(what, path, environment.kind(path))
}

fn missing_kind(what: &str, path: &str, kind: FileKind) -> Option<String> {
    match kind {
        FileKind::File => None,
        FileKind::Unknown { reason } => Some(format!("cannot stat file {path}: {reason}")),
        _ => Some(format!("{what} ({path}) does not exist")),
    }
}

#[cfg(test)]
mod tests;
