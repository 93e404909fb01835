//! zonelist.xml as values: which zones there are, with which policy, from where and to where.
//! In: bytes. Out: [`ZoneList`], zones in the order of the file, names without a final dot read
//! as fully qualified. Never: whether the policies exist; that is kaspcheck's.

use std::collections::HashSet;
use std::path::PathBuf;

use dnssec::Name;
use dnssec::name::{NAME_LENGTH_MAX, NameError};

use crate::diagnostics::{FileFaults, Findings, Read};
use crate::fault::Fault;
use crate::schema::{self, validate};
use crate::tree::{Element, ZONELIST_BYTES_MAX, read_tree};

/// Where a zone comes from or goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// A zone file.
    File(PathBuf),
    /// Zone transfers, as this addns.xml says.
    Dns(PathBuf),
}

/// One `<Zone>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneEntry {
    /// `@name`.
    pub name: Name,
    /// `<Policy>`: the name of a policy in kasp.xml.
    pub policy: String,
    /// `<SignerConfiguration>`: where the zone's signconf.xml goes.
    pub signer_configuration: PathBuf,
    /// `<Input>`.
    pub input: Adapter,
    /// `<Output>`.
    pub output: Adapter,
    /// `<Catalog>`, ours; `None`: an operator added the zone.
    pub catalog: Option<CatalogMark>,
}

/// `<Catalog>`: the catalog zone (RFC 9432) that a zone came with, and goes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogMark {
    /// `@name`: the catalog zone.
    pub name: Name,
    /// `@member`: the zone's unique label there, as a name of one label.
    pub member: Name,
    /// `@since`: when it came, in seconds since 1970.
    pub since: u64,
}

/// The zones of a zonelist.xml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneList {
    /// In the order of the file; every name once.
    pub zones: Vec<ZoneEntry>,
}

/// Reads zonelist.xml; `file` is its name in messages.
pub fn read_zonelist(file: &str, bytes: &[u8]) -> Result<Read<ZoneList>, FileFaults> {
    let mut findings = Findings::default();
    let root = zonelist_tree(bytes, &mut findings);
    let value = root.filter(|_| findings.form_is_right()).map(|root| zones(&root, &mut findings));
    findings.finish(file, bytes, value)
}

/// The tree of a zonelist.xml, checked against the table.
pub(crate) fn zonelist_tree<'a>(bytes: &'a [u8], findings: &mut Findings) -> Option<Element<'a>> {
    let root = read_tree(bytes, ZONELIST_BYTES_MAX, "ZoneList", findings)?;
    validate(&root, &schema::zonelist::ZONE_LIST, findings);
    Some(root)
}

/// The zones of a tree of the right form.
pub(crate) fn zones(root: &Element<'_>, findings: &mut Findings) -> ZoneList {
    let mut list = ZoneList::default();
    let mut names = HashSet::new();
    for zone in root.all("Zone") {
        let text = zone.attribute("name").unwrap_or_default();
        let name = match zone_name(text) {
            Ok(name) => name,
            Err(cause) => {
                let name = text.chars().take(NAME_LENGTH_MAX).collect();
                findings.push(zone.tag.clone(), Fault::ZoneName { name, cause });
                continue;
            }
        };
        if !names.insert(name.as_wire().to_ascii_lowercase()) {
            let fault = Fault::DuplicateName { what: "zone", name: name.to_string() };
            findings.push(zone.tag.clone(), fault);
        }
        let input = adapter(zone, "Input", findings);
        let output = adapter(zone, "Output", findings);
        list.zones.push(ZoneEntry {
            name,
            policy: text_of(zone, "Policy", findings),
            signer_configuration: text_of(zone, "SignerConfiguration", findings).into(),
            input,
            output,
            catalog: zone.child("Catalog").and_then(|mark| catalog_mark(mark, findings)),
        });
    }
    list
}

/// A zone's name as the file has it: the final dot may be missing.
pub(crate) fn zone_name(text: &str) -> Result<Name, NameError> {
    match text.trim_ascii() {
        // No short form of an origin here, but a label.
        "@" => Name::parse(b"@.", None),
        text => Name::parse(text.as_bytes(), Some(&Name::root())),
    }
}

/// `None`: it has a fault.
fn catalog_mark(element: &Element<'_>, findings: &mut Findings) -> Option<CatalogMark> {
    let mut name = |attribute: &str| {
        let text = element.attribute(attribute).unwrap_or_default();
        let read = zone_name(text);
        if let Err(cause) = &read {
            let (name, cause) = (text.chars().take(NAME_LENGTH_MAX).collect(), *cause);
            findings.push(element.tag.clone(), Fault::ZoneName { name, cause });
        }
        read.ok()
    };
    let (catalog, member) = (name("name")?, name("member")?);
    // The table has it as a number.
    let since = element.attribute("since").unwrap_or_default().trim_ascii().parse().ok()?;
    Some(CatalogMark { name: catalog, member, since })
}

pub(crate) fn text_of(zone: &Element<'_>, name: &str, findings: &mut Findings) -> String {
    let Some(element) = zone.child(name) else { return String::new() };
    if element.trimmed().is_empty() {
        findings.push(element.tag.clone(), Fault::EmptyValue { element: name.to_owned() });
    }
    element.trimmed().to_owned()
}

pub(crate) fn adapter(zone: &Element<'_>, direction: &str, findings: &mut Findings) -> Adapter {
    let side = zone.path(&["Adapters", direction]);
    // The form was checked: there is one element in it.
    let Some(element) = side.and_then(|side| side.children.first()) else {
        return Adapter::File(PathBuf::new());
    };
    let path = PathBuf::from(element.trimmed());
    if path.as_os_str().is_empty() {
        let fault = Fault::EmptyValue { element: element.name.to_owned() };
        findings.push(element.tag.clone(), fault);
    }
    match element.attribute("type").map(str::trim_ascii) {
        None => Adapter::File(path),
        Some(kind) if kind.eq_ignore_ascii_case("File") => Adapter::File(path),
        Some(kind) if kind.eq_ignore_ascii_case("DNS") => Adapter::Dns(path),
        Some(kind) => {
            let found = kind.chars().take(80).collect();
            findings.push(element.tag.clone(), Fault::AdapterType { found });
            Adapter::File(path)
        }
    }
}
