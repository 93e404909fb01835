//! `policy list`, `policy export` and `policy purge` of `ods-ksmutil` (catalogue 1.10), in
//! OpenDNSSEC 1.4's words. In: the policies that are gone by, kasp.xml. Out: lists; kasp.xml
//! without the policies that no zone has, its comments kept, and a copy of it as it was.
//! Other than there: keys that were made ahead for such a policy stay (`key delete`).

use super::catalogue::Catalogue;
use super::key_view::failed;
use super::ksm_commands::complaint;
use super::output::Output;
use super::site::Site;
use crate::io::config_files::{self, ConfigFileError};
use appliance_config::{FILE_BYTES_MAX, FileFaults, parse_duration, read_kasp, write_kasp};
use console_protocol::parse::Invocation;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::{FileMode, ReplaceError, replace_file};

/// `policy list`, by name.
pub(super) fn list(site: &Site, _: &Invocation) -> Output {
    let mut text = "Policies:\nName:                            Description:\n".to_owned();
    let catalogue = site.catalogue();
    let mut policies: Vec<_> = catalogue.policies.iter().collect();
    policies.sort_by_key(|policy| &policy.name);
    for policy in policies {
        let description = match policy.description.as_str() {
            "" => "unset",
            description => description,
        };
        // Writing to a string never fails.
        let _ = writeln!(text, "{:<32} {description}", policy.name);
    }
    Output::done(text + "\n")
}

/// `policy export`: durations are in seconds, as 1.x has them.
pub(super) fn export(site: &Site, invocation: &Invocation) -> Output {
    let catalogue = site.catalogue();
    let policies = catalogue.policies.iter().map(Arc::as_ref);
    let text = match (invocation.has("all"), invocation.value("policy")) {
        (true, Some(_)) => return complaint("can not use --all with --policy"),
        (false, None) => return complaint("please specify either --policy <policy> or --all"),
        (true, None) => write_kasp(policies),
        (false, Some(name)) => match catalogue.policy(name) {
            Some(policy) => write_kasp([policy.as_ref()]),
            None => {
                let text = format!("Error: unable to find a policy named \"{name}\" in database");
                return complaint(text);
            }
        },
    };
    Output::done(text.lines().map(in_seconds).collect::<String>())
}

/// A line of a kasp.xml, its duration in seconds.
fn in_seconds(line: &str) -> String {
    let parts = line.split_once('>').and_then(|(tag, rest)| {
        let (value, end) = rest.split_once("</")?;
        let is_text = tag.trim_start() == "<Description";
        let seconds = parse_duration(value).ok().filter(|_| !is_text)?;
        Some(format!("{tag}>PT{}S</{end}\n", seconds.0))
    });
    parts.unwrap_or_else(|| format!("{line}\n"))
}

/// `policy purge`.
pub(super) async fn purge(site: Arc<Site>, invocation: Invocation) -> Output {
    if !invocation.is_confirmed {
        return Output::ask(
            "",
            "*WARNING* This feature is experimental and has not been fully tested; are you sure? \
             [y/N] ",
        );
    }
    let _alone = site.updating.lock().await;
    let mut catalogue = Catalogue::clone(&site.catalogue());
    let has_zones = |name: &str| catalogue.zones.iter().any(|zone| zone.policy == name);
    let names = catalogue.policies.iter().map(|policy| policy.name.clone());
    let gone: Vec<String> = names.filter(|name| !has_zones(name)).collect();
    let said = |name: &String| format!("No zones on policy {name}; purging...\n");
    let text: String = gone.iter().map(said).collect();
    if gone.is_empty() {
        return Output::done(text);
    }
    let (file, names) = (catalogue.policy_file.clone(), gone.clone());
    let written = match site.staff.desk.run(move || cut_out(&file, &names)) {
        Ok(writing) => writing.await,
        Err(error) => return failed(error),
    };
    match written {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return failed(error),
        Err(error) => return failed(error),
    }
    catalogue.policies.retain(|policy| !gone.contains(&policy.name));
    site.set_catalogue(catalogue);
    Output::done(text)
}

/// Why kasp.xml stayed as it was.
#[derive(Debug, thiserror::Error)]
enum CutError {
    #[error(transparent)]
    File(#[from] ConfigFileError),
    #[error(transparent)]
    Faults(#[from] FileFaults),
    #[error(transparent)]
    Write(#[from] ReplaceError),
    #[error("{0} was left as it is: take the policies out of it by hand, and run \"update kasp\"")]
    Unclear(PathBuf),
}

/// Takes policies out of a kasp.xml, after a copy of it was made. The rest keeps every byte.
fn cut_out(path: &Path, names: &[String]) -> Result<(), CutError> {
    let bytes = config_files::read(path, FILE_BYTES_MAX)?;
    let name = path.to_string_lossy();
    let wanted: Vec<_> = read_kasp(&name, &bytes)?
        .value
        .into_iter()
        .filter(|policy| !names.contains(&policy.name))
        .collect();
    let unclear = || CutError::Unclear(path.to_owned());
    let text = std::str::from_utf8(&bytes).map_err(|_| unclear())?;
    let new = without(text, names);
    // Names can stand in comments and in many forms; what is written has to be what is meant. A
    // file without any policy is none, too.
    let is_right =
        |new: &String| read_kasp(&name, new.as_bytes()).is_ok_and(|read| read.value == wanted);
    let new = new.filter(is_right).ok_or_else(unclear)?;
    let mut copy = OsString::from(path);
    copy.push(".backup");
    let place = config_files::resolved(path);
    replace_file(Path::new(&copy), FileMode::PreservedOr(0o644), |out| out.write_all(&bytes))?;
    replace_file(&place, FileMode::PreservedOr(0o644), |out| out.write_all(new.as_bytes()))?;
    Ok(())
}

/// The text without the elements of these policies.
fn without(text: &str, names: &[String]) -> Option<String> {
    let (tag, end) = ("<Policy", "</Policy>");
    let mut new = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(tag) {
        let length = rest[at..].find(end)? + end.len();
        let element = &rest[at..at + length];
        let head = element.split_once('>')?.0;
        let is_gone = names.iter().any(|name| {
            head.contains(&format!("\"{name}\"")) || head.contains(&format!("'{name}'"))
        });
        new.push_str(&rest[..at]);
        match is_gone {
            true => new.truncate(new.trim_end_matches([' ', '\t']).len()),
            false => new.push_str(element),
        }
        rest = &rest[at + length..];
        if is_gone {
            // Its line goes with it.
            rest = rest.strip_prefix("\r\n").or(rest.strip_prefix('\n')).unwrap_or(rest);
        }
    }
    new.push_str(rest);
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_seconds() {
        assert_eq!(in_seconds("  <Lifetime>P4D</Lifetime>"), "  <Lifetime>PT345600S</Lifetime>\n");
        assert_eq!(
            in_seconds("<Description>P1D</Description>"),
            "<Description>P1D</Description>\n"
        );
        assert_eq!(in_seconds("    <KSK>"), "    <KSK>\n");
        assert_eq!(in_seconds("<Standby>0</Standby>"), "<Standby>0</Standby>\n");
    }

    #[test]
    fn a_policy_goes_with_its_line_and_the_rest_stays() {
        let names = ["b".to_owned()];
        let text = "<KASP>\n <!-- x -->\n <Policy name=\"a\">1</Policy>\n <Policy name='b'>2\n\
                    </Policy>\n <Policy name=\"bb\">3</Policy>\n</KASP>\n";
        let left = "<KASP>\n <!-- x -->\n <Policy name=\"a\">1</Policy>\n\
                    \x20<Policy name=\"bb\">3</Policy>\n</KASP>\n";
        assert_eq!(without(text, &names).as_deref(), Some(left));
        assert_eq!(without("<Policy name=\"b\">", &names), None);
        assert_eq!(without("<KASP/>", &names).as_deref(), Some("<KASP/>"));
    }

    #[test]
    fn a_file_that_is_not_clear_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kasp.xml");
        std::fs::write(&file, "<KASP><Policy/></KASP>").unwrap();
        assert!(matches!(cut_out(&file, &["b".to_owned()]), Err(CutError::Faults(_))));
        assert!(matches!(cut_out(&folder.path().join("none"), &[]), Err(CutError::File(_))));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "<KASP><Policy/></KASP>");
    }
}
