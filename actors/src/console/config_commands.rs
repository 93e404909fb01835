//! `config list|get|put`: the files of the configuration, for administrators who have no other way
//! to them, as on the appliance. In: names of files beside conf.xml, new texts. Out: the files;
//! a new one only if the whole configuration with it has no fault that it did not have before.
//! Never: a new conf.xml, which says which programs are run, or a file elsewhere; a PIN; a file
//! that is written and cannot be read at the next start.

use super::catalogue::Catalogue;
use super::dispatch::{Handler, Handlers};
use super::listing::{Cell, Listing};
use super::output::Output;
use super::site::Site;
use super::support_bundle::without_secrets;
use crate::io::config_files;
use crate::io::environment::SystemEnvironment;
use crate::runtime::{JobError, SubmitError};
use appliance_config::{
    Environment, FILE_BYTES_MAX, FileKind, Inputs, Line, Severity, check, read_addns,
};
use console_protocol::parse::Invocation;
use dnssec::Timestamp;
use futures_util::FutureExt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::{FileMode, ReplaceError, replace_file};

pub(super) const HANDLERS: Handlers = &[
    ("config list", Handler::Later(|site, words| list(site, words).boxed_local())),
    ("config get", Handler::Later(|site, words| get(site, words).boxed_local())),
    ("config put", Handler::Later(|site, words| put(site, words).boxed_local())),
];

/// Mode of a file that was not there: an addns.xml has secrets.
const MODE_NEW: FileMode = FileMode::PreservedOr(0o640);
/// Longest name of a file.
const NAME_OCTETS_MAX: usize = 64;

/// Why a file is not shown or not changed.
#[derive(Debug, thiserror::Error)]
enum ConfigError {
    #[error("{0}: expected the name of a file beside conf.xml, such as addns.xml")]
    Name(String),
    #[error(
        "conf.xml says which programs are run, and is changed where it lies; \
         kasp.xml, zonelist.xml and the addns.xml files may be put"
    )]
    Conf,
    #[error("the text of {0} is missing: give it as standard input, as in\n  {1}")]
    NoInput(String, String),
    #[error("{0}")]
    Faults(String),
    #[error(transparent)]
    File(#[from] config_files::ConfigFileError),
    #[error(transparent)]
    Write(#[from] ReplaceError),
    #[error(transparent)]
    Busy(#[from] SubmitError),
    #[error(transparent)]
    Crashed(#[from] JobError),
}

fn answer(output: Result<Output, ConfigError>) -> Output {
    output.unwrap_or_else(|error| Output::refused(format!("{}\n", error.to_string().trim_end()), 1))
}

async fn list(site: Arc<Site>, invocation: Invocation) -> Output {
    let folder = folder(&site);
    let rows = async { Ok::<_, ConfigError>(site.staff.desk.run(move || files(&folder))?.await?) };
    let rows = match rows.await {
        Ok(rows) => rows,
        Err(error) => return answer(Err(error)),
    };
    let columns = &[("File", "file"), ("Octets", "octets"), ("Changed", "changed")];
    Listing { columns, rows }.output(&invocation, "There are no files.\n")
}

async fn get(site: Arc<Site>, invocation: Invocation) -> Output {
    let got = async {
        let path = path_of(&site, &invocation.operands[0])?;
        let catalogue = site.catalogue();
        let read = move || shown(&path, [&catalogue.policy_file, &catalogue.zone_list_file]);
        Ok(Output::done(site.staff.desk.run(read)?.await??))
    };
    answer(got.await)
}

async fn put(site: Arc<Site>, invocation: Invocation) -> Output {
    // Zones are not added meanwhile.
    let _one = site.updating.lock().await;
    let done = async {
        let name = invocation.operands[0].clone();
        let path = path_of(&site, &name)?;
        let Some(text) = invocation.input.clone().filter(|text| !text.trim().is_empty()) else {
            let example = format!("ssh BOX config put {name} < {name}");
            return Err(ConfigError::NoInput(name, example));
        };
        let (conf, catalogue) = (site.conf_file().to_owned(), site.catalogue());
        let write = move || replace(&conf, &catalogue, &path, &text);
        let next = site.staff.desk.run(write)?.await??;
        Ok(Output::done(format!("{name} was changed; it is in force after: {next}\n")))
    };
    answer(done.await)
}

/// A file as it may be put back, or, of any other one, what is not secret. Blocks.
fn shown(path: &Path, whole: [&PathBuf; 2]) -> Result<String, ConfigError> {
    let octets = config_files::read(path, FILE_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&octets).into_owned();
    let is_whole = whole.into_iter().any(|one| is_same(one, path))
        || read_addns(&path.to_string_lossy(), &octets).is_ok();
    Ok(if is_whole { text } else { without_secrets(&text) })
}

/// The folder of conf.xml.
fn folder(site: &Site) -> PathBuf {
    site.conf_file().parent().unwrap_or(Path::new("/")).to_owned()
}

/// A file beside conf.xml, by its name.
fn path_of(site: &Site, name: &str) -> Result<PathBuf, ConfigError> {
    if !is_name(name) {
        return Err(ConfigError::Name(name.chars().take(NAME_OCTETS_MAX).collect()));
    }
    Ok(folder(site).join(name))
}

/// Whether two paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || config_files::resolved(one) == config_files::resolved(other)
}

fn is_name(name: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"._-".contains(&octet);
    name.len() <= NAME_OCTETS_MAX
        && name.ends_with(".xml")
        && name.bytes().next().is_some_and(|octet| octet.is_ascii_alphanumeric())
        && name.bytes().all(is_plain)
}

/// The files of a folder that may be asked for. Blocks.
fn files(folder: &Path) -> Vec<Vec<Cell>> {
    let listed = config_files::list(folder).into_iter().filter(|file| is_name(&file.name));
    let row = |file: config_files::Listed| {
        let changed = file.changed.map(Timestamp);
        vec![Cell::text(file.name), Cell::Number(file.octets), Cell::moment(changed)]
    };
    listed.map(row).collect()
}

/// Writes a file, if the configuration has no fault by it. Gives the command that takes it. Blocks.
fn replace(
    conf: &Path,
    catalogue: &Catalogue,
    path: &Path,
    text: &str,
) -> Result<&'static str, ConfigError> {
    let next = match path {
        path if is_same(path, conf) => return Err(ConfigError::Conf),
        path if is_same(path, &catalogue.policy_file) => "policy import",
        path if is_same(path, &catalogue.zone_list_file) => "zonelist import",
        path => {
            // It may be one that no zone names yet.
            read_addns(&path.to_string_lossy(), text.as_bytes())
                .map_err(|faults| ConfigError::Faults(faults.to_string()))?;
            "reload"
        }
    };
    let conf = conf.to_string_lossy();
    let inputs = Inputs { conf: &conf, kasp: None, zonelist: None };
    let before = check(&inputs, &SystemEnvironment);
    let after = check(&inputs, &With { path, text });
    if after.error_count() > before.error_count() {
        let is_new = |line: &&Line| {
            !matches!(line.severity, Severity::Info | Severity::Warning)
                && !before.lines.contains(line)
        };
        let lines: Vec<&str> =
            after.lines.iter().filter(is_new).map(|line| line.text.as_str()).collect();
        return Err(ConfigError::Faults(format!("{}\nnothing was changed", lines.join("\n"))));
    }
    let place = config_files::resolved(path);
    replace_file(&place, MODE_NEW, |out| out.write_all(text.as_bytes()))?;
    Ok(next)
}

/// The world with another text in one file.
struct With<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Environment for With<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        match is_same(Path::new(path), self.path) {
            true => Some(self.text.as_bytes().to_vec()),
            false => SystemEnvironment.read(path),
        }
    }

    fn kind(&self, path: &str) -> FileKind {
        match is_same(Path::new(path), self.path) {
            true => FileKind::File,
            false => SystemEnvironment.kind(path),
        }
    }

    fn datastore_kind(&self, path: &str) -> FileKind {
        SystemEnvironment.datastore_kind(path)
    }

    fn user_exists(&self, name: &str) -> bool {
        SystemEnvironment.user_exists(name)
    }

    fn group_exists(&self, name: &str) -> bool {
        SystemEnvironment.group_exists(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for name in ["addns.xml", "kasp.xml", "addns-2.xml"] {
            assert!(is_name(name), "{name}");
        }
        for name in
            ["../kasp.xml", "/etc/passwd", ".xml", "kasp.xml ", "a/b.xml", "kasp", "x\n.xml"]
        {
            assert!(!is_name(name), "{name}");
        }
    }
}
