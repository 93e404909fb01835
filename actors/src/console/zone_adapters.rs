//! Where a new zone comes from and goes to: options of `zone add`, and its default places.
//! In: options. Out: an entry of zonelist.xml; what `zone add` says about the places.
//! Default places are OpenDNSSEC's: `unsigned`, `signed` and `signconf` beside the signer's
//! working folder, addns.xml beside conf.xml.

use super::catalogue::Catalogue;
use super::site::Site;
use crate::io::config_files::{Readable, readable};
use crate::settings::zone_text;
use appliance_config::{Adapter, ZoneEntry};
use console_protocol::parse::Invocation;
use dnssec::Name;
use std::path::{Path, PathBuf};

/// The entry of a zone to be added; an error is said to the operator.
pub(super) fn entry(
    site: &Site,
    catalogue: &Catalogue,
    invocation: &Invocation,
    name: &Name,
    policy: &str,
) -> Result<ZoneEntry, String> {
    let text = zone_text(name).replace('/', "_");
    let beside = catalogue.signer.working_directory.parent().unwrap_or(Path::new("/"));
    let configuration = site.conf_file().parent().unwrap_or(Path::new("/"));
    let adapter = |direction: &str, folder: &str| {
        let kind = format!("{direction}-type");
        let path = invocation.value(if direction == "in" { "input" } else { "output" });
        let file = || beside.join(folder).join(path.unwrap_or(&text));
        let transfers = || configuration.join(path.unwrap_or("addns.xml"));
        match invocation.value(&kind).unwrap_or("File") {
            kind if kind.eq_ignore_ascii_case("File") => Ok(Adapter::File(file())),
            kind if kind.eq_ignore_ascii_case("DNS") => Ok(Adapter::Dns(transfers())),
            kind => Err(format!(
                "Unable to add zone, {kind} is not a valid {direction}put type! {direction}_type \
                 must be File or DNS."
            )),
        }
    };
    let default = format!("{text}.xml");
    let signer_configuration = invocation.value("signerconf").unwrap_or(&default);
    let entry = ZoneEntry {
        name: name.clone(),
        policy: policy.to_owned(),
        signer_configuration: beside.join("signconf").join(signer_configuration),
        input: adapter("in", "unsigned")?,
        output: adapter("out", "signed")?,
        catalog: None,
    };
    match entry.input == entry.output && matches!(entry.input, Adapter::File(_)) {
        true => Err("Unable to add zone, input and output are the same file!".to_owned()),
        false => Ok(entry),
    }
}

fn path(adapter: &Adapter) -> (&PathBuf, bool) {
    match adapter {
        Adapter::File(path) => (path, false),
        Adapter::Dns(path) => (path, true),
    }
}

/// What `zone add` says of the places: on standard output, and what may be wrong with them.
pub(super) fn said(typed: &str, entry: &ZoneEntry) -> (String, String) {
    let ((input, _), (output, to_dns)) = (path(&entry.input), path(&entry.output));
    let stdout =
        format!("input is set to {}. \noutput is set to {}. \n", input.display(), output.display());
    let mut stderr = warning("input", typed, input);
    if to_dns {
        stderr += &warning("output", typed, output);
    }
    (stdout, stderr)
}

fn warning(what: &str, zone: &str, path: &Path) -> String {
    let shown = path.display();
    match readable(path) {
        Readable::Yes => String::new(),
        Readable::Missing => format!(
            "WARNING: The {what} file {shown} for zone {zone} does not currently exist. The zone \
             will be added to the database anyway. \n"
        ),
        Readable::No => {
            format!("WARNING: Read access to {what} file {shown} for zone {zone} denied! \n")
        }
    }
}
