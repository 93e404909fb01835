//! What somebody who helps wants to see, as one tar archive (POSIX ustar): versions, configuration,
//! states, the end of the log. In: files and states. Out: [`Bundle`].
//! Never: PINs, TSIG secrets, passwords, contents of zones. Comments of the configuration are left
//! out too, since people keep old secrets there.
//! Limits: [`FILE_OCTETS_MAX`] of each file, [`LOG_OCTETS_MAX`] of the log.

use super::alarms::alarms;
use super::catalogue::Catalogue;
use super::show_commands::box_name;
use super::site::Site;
use crate::io::config_files;
use crate::io::local_time::date_time;
use crate::runtime::{JobError, SubmitError};
use std::path::{Path, PathBuf};

/// Most of a file of the configuration.
const FILE_OCTETS_MAX: usize = 4 << 20;
/// Most of the log.
const LOG_OCTETS_MAX: usize = 256 << 10;
/// The log of the appliance image; elsewhere it is syslog's.
const LOG: &str = "/data/log/anchorite.log";
/// More of the log is not even looked at.
const LOG_READ_MAX: usize = 64 << 20;
/// Elements whose text is nobody's business.
const SECRET_ELEMENTS: &[&str] = &["PIN", "Secret", "Password"];
/// tar's unit.
const BLOCK_OCTETS: usize = 512;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub(super) enum BundleError {
    #[error(transparent)]
    Busy(#[from] SubmitError),
    #[error(transparent)]
    Crashed(#[from] JobError),
}

/// The files of an archive.
pub(super) struct Bundle {
    files: Vec<(String, String)>,
    made_at: u64,
}

/// Collects everything.
pub(super) async fn make(site: &Site) -> Result<Bundle, BundleError> {
    let now = site.staff.clock.now();
    let mut zones = String::new();
    for zone in site.staff.zones.all() {
        let status = zone.status.borrow();
        zones += &format!(
            "{}: {:?}, runs {}, serial in {:?}, out {:?}, records {}, signatures {}, expires {}, \
             failures {}: {}\n",
            zone.text(),
            status.phase,
            status.run_count,
            status.input_serial.map(|serial| serial.0),
            status.output_serial.map(|serial| serial.0),
            status.record_count,
            status.signature_count,
            status.earliest_expiration.map_or("-".to_owned(), date_time),
            status.failures,
            status.failure.as_deref().unwrap_or("-"),
        );
    }
    let alarms = alarms(site);
    let line = |alarm: &dnssec::health::Trouble| {
        format!("{} {}: {}\n", alarm.state.word(), alarm.what, alarm.text)
    };
    let alarms: String = alarms.iter().map(line).collect();
    let version = format!(
        "anchorite {}\nbox {}\ntime {}\narchitecture {}\n",
        env!("CARGO_PKG_VERSION"),
        box_name(),
        date_time(now),
        std::env::consts::ARCH
    );
    let (catalogue, conf) = (site.catalogue(), site.conf_file().to_owned());
    let files = site.staff.desk.run(move || configuration(&conf, &catalogue))?.await?;
    let own = [("version.txt", version), ("zones.txt", zones), ("alarms.txt", alarms)];
    let own = own.into_iter().map(|(name, text)| (name.to_owned(), text));
    Ok(Bundle { files: own.chain(files).collect(), made_at: now.0 })
}

/// The files of the configuration without secrets, and the log's end.
fn configuration(conf: &Path, catalogue: &Catalogue) -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> =
        vec![conf.to_owned(), catalogue.policy_file.clone(), catalogue.zone_list_file.clone()];
    paths.extend(catalogue.adapters.paths().map(Path::to_owned));
    paths.sort();
    paths.dedup();
    let mut files: Vec<(String, String)> = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let text = match config_files::read(path, FILE_OCTETS_MAX) {
            Ok(octets) => without_secrets(&String::from_utf8_lossy(&octets)),
            Err(error) => format!("{error}\n"),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Two files of one name in two folders are both wanted.
        files.push((format!("configuration/{number}-{name}"), text));
    }
    if let Ok(octets) = config_files::read(Path::new(LOG), LOG_READ_MAX) {
        let end = &octets[octets.len().saturating_sub(LOG_OCTETS_MAX)..];
        files.push(("log.txt".to_owned(), String::from_utf8_lossy(end).into_owned()));
    }
    files
}

/// XML without comments and without the text of secret elements. It need not be well-formed: what
/// has no end is left out up to the end of the file.
pub(super) fn without_secrets(xml: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(xml.len()), xml);
    while let Some((before, tag)) = rest.split_once('<') {
        kept.push_str(before);
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, behind)| behind);
            continue;
        }
        kept.push('<');
        let secret = SECRET_ELEMENTS.iter().find(|name| {
            let behind = tag.strip_prefix(**name).and_then(|behind| behind.chars().next());
            behind.is_some_and(|char| char == '>' || char == '/' || char.is_whitespace())
        });
        let Some(name) = secret else {
            rest = tag;
            continue;
        };
        let (open, behind) = tag.split_once('>').unwrap_or((name, ""));
        kept.push_str(name);
        if open.ends_with('/') {
            kept.push_str("/>");
            rest = behind;
            continue;
        }
        let end = format!("</{name}");
        let behind = behind.split_once(&end).map_or("", |(_, behind)| behind);
        kept.push_str(&format!(">(left out)</{name}"));
        rest = behind;
    }
    kept + rest
}

impl Bundle {
    /// What is in it.
    pub(super) fn contents(&self) -> String {
        let line = |(name, octets)| format!("{octets:>9}  {name}\n");
        let lines: String = self.sizes().map(line).collect();
        format!(
            "{lines}PINs, TSIG secrets, passwords, comments and contents of zones are not in it.\n\
             To get it: anchorite request support-bundle --tar > bundle.tar\n"
        )
    }

    /// Its files and how long they are.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&str, usize)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text.len()))
    }

    /// The archive. All of it is text, so that it is UTF-8 as a whole.
    pub(super) fn tar(&self) -> String {
        let mut tar = String::new();
        for (name, text) in &self.files {
            tar.push_str(&header(name, text.len(), self.made_at));
            tar.push_str(text);
            let padding = text.len().next_multiple_of(BLOCK_OCTETS) - text.len();
            tar.extend(std::iter::repeat_n('\0', padding));
        }
        tar.extend(std::iter::repeat_n('\0', 2 * BLOCK_OCTETS));
        tar
    }
}

/// A file's header (POSIX.1-1988 ustar).
fn header(name: &str, octets: usize, made_at: u64) -> String {
    let name: String = name.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect();
    let name: String = name.chars().take(99).collect();
    let fields = |checksum: &str| {
        let head = format!(
            "{name:\0<100}{:07o}\0{:07o}\0{:07o}\0{octets:011o}\0{made_at:011o}\0{checksum}0",
            0o600, 0, 0
        );
        let head = format!("{head:\0<257}ustar\x0000anchorite");
        format!("{head:\0<512}")
    };
    let sum: u64 = fields("        ").bytes().map(u64::from).sum();
    fields(&format!("{sum:06o}\0 "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn secrets_are_left_out_however_they_are_written() {
        let xml = "<R><PIN>12<34</PIN><!-- old <PIN>99</PIN> --><PINFile>p</PINFile>\
                   <Secret\n a='b'><![CDATA[s3cr3t]]></Secret ><PIN/><Password>pw</Password></R>";
        let safe = without_secrets(xml);
        assert_eq!(
            safe,
            "<R><PIN>(left out)</PIN><PINFile>p</PINFile><Secret>(left out)</Secret ><PIN/>\
             <Password>(left out)</Password></R>"
        );
        assert_eq!(without_secrets("<R><PIN>1234"), "<R><PIN>(left out)</PIN");
        assert_eq!(without_secrets("<R><!-- 1234"), "<R>");
    }

    #[test]
    fn the_archive_is_one_that_tar_reads() {
        let files = vec![
            ("a.txt".to_owned(), "one\n".to_owned()),
            ("configuration/1-conf.xml".to_owned(), "x".repeat(1000)),
            ("empty".to_owned(), String::new()),
        ];
        let bundle = Bundle { files, made_at: 1_700_000_000 };
        let mut tar = Command::new("tar")
            .args(["-tvf", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(bundle.tar().as_bytes()).unwrap();
        let output = tar.wait_with_output().unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{listed}");
        let names: Vec<&str> =
            listed.lines().filter_map(|line| line.split(' ').next_back()).collect();
        assert_eq!(names, ["a.txt", "configuration/1-conf.xml", "empty"]);
        assert!(listed.contains(" 1000 "), "{listed}");
    }
}
