//! kaspcheck's checks K2 to K9 of conf.xml against the world.
//! In: the tree, its values, the environment. Out: lines of the report.

use super::{Environment, FileKind, Report, missing_file, missing_kind, policy};
use crate::conf::{Conf, Datastore, Privileges, RepositoryKind, TokenSecret};
use crate::tree::Element;

pub(super) fn check(
    file: &str,
    root: &Element<'_>,
    conf: &Conf,
    environment: &dyn Environment,
    report: &mut Report,
) {
    repositories(file, conf, environment, report);
    privileges(&conf.enforcer.privileges, environment, report);
    match &conf.enforcer.datastore {
        Datastore::Sqlite(path) => {
            let path = path.to_string_lossy();
            let kind = environment.datastore_kind(&path);
            if let Some(text) = missing_kind("SQLite datastore", &path, kind) {
                report.error(format_args!("{text}"));
            }
        }
        Datastore::MySql { .. } => report
            .error(format_args!("compiled for sqlite3 but conf.xml configured for MySQL: {file}")),
    }
    if let Some(enforcer) = root.child("Enforcer") {
        for name in ["Interval", "RolloverNotification", "AutomaticKeyGenerationPeriod"] {
            if let Some(element) = enforcer.child(name) {
                let field = format!("Enforcer/{name}");
                policy::duration("Configuration", &field, element.trimmed(), file, report);
            }
        }
    }
    for (what, command) in [
        ("DelegationSignerSubmitCommand", &conf.enforcer.delegation_signer_submit_command),
        ("DelegationSignerRetractCommand", &conf.enforcer.delegation_signer_retract_command),
    ] {
        // Arguments follow the name of the program.
        let program = command.as_deref().and_then(|command| command.split(' ').next());
        if let Some(text) = program.and_then(|path| missing_file(what, path, environment)) {
            report.error(format_args!("{text}"));
        }
    }
    for checker in &conf.signer.checkers {
        let program = checker.command.split_whitespace().next();
        if let Some(text) = program.and_then(|path| missing_file("Checker", path, environment)) {
            report.error(format_args!("{text}"));
        }
    }
    let (enforcer, signer) = (&conf.enforcer.working_directory, &conf.signer.working_directory);
    let given = |section: &str| root.path(&[section, "WorkingDirectory"]).is_some();
    directory("Enforcer", given("Enforcer"), &enforcer.to_string_lossy(), environment, report);
    privileges(&conf.signer.privileges, environment, report);
    directory("Signer", given("Signer"), &signer.to_string_lossy(), environment, report);
    if enforcer == signer {
        report.error(format_args!("signer workingdirectory is the same as the one of enforcer"));
    }
}

/// K2, K3, K4.
fn repositories(file: &str, conf: &Conf, environment: &dyn Environment, report: &mut Report) {
    let all = &conf.repositories;
    for (index, repository) in all.iter().enumerate() {
        if let TokenSecret::KeyFile(path) = &repository.secret
            && let Some(text) = missing_file("KeyFile", &path.to_string_lossy(), environment)
        {
            report.error(format_args!("{text}"));
        }
        if let RepositoryKind::Module(module) = &repository.kind {
            let module_seen = all[..index].iter().any(|other| other.kind == repository.kind);
            let path = module.to_string_lossy();
            if let Some(text) = missing_file("Module", &path, environment).filter(|_| !module_seen)
            {
                report.error(format_args!("{text}"));
            }
        }
        for other in &all[index + 1..] {
            let is_told_apart = match (&repository.token_serial, &other.token_serial) {
                (Some(one), Some(another)) => one != another,
                _ => false,
            };
            if other.kind == repository.kind
                && other.token_label == repository.token_label
                && !is_told_apart
            {
                same_token(file, repository, other, report);
            }
            if other.name == repository.name {
                let name = &repository.name;
                report.error(format_args!("Two repositories exist with the same name ({name})"));
            }
        }
    }
}

fn same_token(
    file: &str,
    one: &crate::conf::Repository,
    other: &crate::conf::Repository,
    report: &mut Report,
) {
    let (what, path) = match &one.kind {
        RepositoryKind::Module(module) => ("Module", module),
        RepositoryKind::BuiltIn { directory } => ("Directory", directory),
    };
    report.error(format_args!(
        "Multiple Repositories ({} and {}) in {file} have the same {what} ({}) and TokenLabel ({})",
        one.name,
        other.name,
        path.to_string_lossy(),
        one.token_label
    ));
}

/// K5.
fn privileges(privileges: &Privileges, environment: &dyn Environment, report: &mut Report) {
    if let Some(group) = privileges.group.as_deref()
        && !environment.group_exists(group)
    {
        report.error(format_args!("Group '{group}' does not exist"));
    }
    if let Some(user) = privileges.user.as_deref()
        && !environment.user_exists(user)
    {
        report.error(format_args!("User '{user}' does not exist"));
    }
}

/// K9.
fn directory(
    section: &str,
    given: bool,
    path: &str,
    environment: &dyn Environment,
    report: &mut Report,
) {
    let default = if given { "" } else { "default " };
    let what = format!("{default}{section} WorkingDirectory");
    match environment.kind(path) {
        FileKind::Directory => {}
        FileKind::Missing => report.error(format_args!("{what} ({path}) does not exist")),
        FileKind::Unknown { reason } => {
            report.error(format_args!("cannot stat directory {path}: {reason}"));
        }
        FileKind::File | FileKind::Other => {
            report.error(format_args!("{what} ({path}) is not a directory"));
        }
    }
}
