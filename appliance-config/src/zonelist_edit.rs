//! Adds zones to, removes zones from and changes zones in a zonelist.xml, keeping every other byte
//! as it is: comments, tabs, line ends, elements we do not know.
//! In: the bytes of the file. Out: the bytes of the new file; the caller writes them.
//! Adding and then removing a zone gives the first bytes back, unless the list was `<ZoneList/>`.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use dnssec::Name;

use crate::diagnostics::{FileFaults, Findings};
use crate::tree::{Element, ZONELIST_BYTES_MAX, read_tree};
use crate::zonelist::{Adapter, ZoneEntry, zone_name, zonelist_tree, zones};

/// Why a zonelist.xml was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file is not XML, or not a zone list.
    #[error("{0}")]
    Faults(FileFaults),
    /// The zone to add is already there.
    #[error("zone {name} is already in the zone list")]
    ZoneExists {
        /// The zone.
        name: Box<Name>,
    },
    /// The zone to remove is not there.
    #[error("zone {name} is not in the zone list")]
    NoSuchZone {
        /// The zone.
        name: Box<Name>,
    },
    /// A path that is not UTF-8 text cannot be written into the file.
    #[error("zone {name}: a path is not UTF-8 text")]
    PathNotText {
        /// The zone.
        name: Box<Name>,
    },
}

/// The file with `entry` as its last zone.
pub fn add_zone(bytes: &[u8], entry: &ZoneEntry) -> Result<Vec<u8>, EditError> {
    if find(&root(bytes)?, &entry.name).is_some() {
        return Err(EditError::ZoneExists { name: Box::new(entry.name.clone()) });
    }
    add_zones(bytes, std::iter::once(entry))
}

/// The file with zones that it does not have yet.
fn add_zones<'e>(
    bytes: &[u8],
    entries: impl Iterator<Item = &'e ZoneEntry>,
) -> Result<Vec<u8>, EditError> {
    let root = root(bytes)?;
    let line_end = line_end(bytes);
    let mut zones = String::new();
    for entry in entries {
        let zone = render(entry, line_end)
            .ok_or_else(|| EditError::PathNotText { name: Box::new(entry.name.clone()) })?;
        zones.push_str(&format!("{line_end}\t{zone}"));
    }
    if zones.is_empty() {
        return Ok(bytes.to_vec());
    }
    if root.tag == root.span {
        // `<ZoneList/>` has no place to insert at: its "/>" becomes ">…</ZoneList>".
        let tag = &bytes[root.span.clone()];
        let kept = tag.strip_suffix(b"/>").unwrap_or(tag).trim_ascii_end().len();
        let place = root.span.start + kept..root.span.end;
        let list = format!(">{zones}{line_end}</ZoneList>");
        return Ok(splice(bytes, place, list.as_bytes()));
    }
    let content = &bytes[root.content.clone()];
    let at = root.content.start + content.trim_ascii_end().len();
    Ok(splice(bytes, at..at, zones.as_bytes()))
}

/// The file without the zone `name`, its line break and its indentation.
pub fn remove_zone(bytes: &[u8], name: &Name) -> Result<Vec<u8>, EditError> {
    let root = root(bytes)?;
    let Some(zone) = find(&root, name) else {
        return Err(EditError::NoSuchZone { name: Box::new(name.clone()) });
    };
    Ok(splice(bytes, whole_line(bytes, &root, zone), b""))
}

/// The file with these zones: those that are in it as they shall be keep every byte, of one with
/// another policy only that is changed, others are written anew, and new ones come last.
/// `file` is its name in messages.
pub fn replace_zones(file: &str, bytes: &[u8], wanted: &[ZoneEntry]) -> Result<Vec<u8>, EditError> {
    let mut findings = Findings::default();
    let root = zonelist_tree(bytes, &mut findings);
    let list = root.as_ref().filter(|_| findings.form_is_right()).map(|root| {
        let list = zones(root, &mut findings);
        (root, root.all("Zone").zip(list.zones).collect::<Vec<_>>())
    });
    let (root, listed) = findings.finish(file, bytes, list).map_err(EditError::Faults)?.value;
    let by_name: HashMap<Vec<u8>, &ZoneEntry> =
        wanted.iter().map(|entry| (key(&entry.name), entry)).collect();
    let line_end = line_end(bytes);
    let (mut new, mut at, mut known) = (Vec::with_capacity(bytes.len()), 0, HashSet::new());
    for (zone, entry) in &listed {
        known.insert(key(&entry.name));
        let (place, text) = match by_name.get(&key(&entry.name)) {
            Some(wanted) if *wanted == entry => continue,
            Some(wanted) => change(zone, entry, wanted, line_end)?,
            None => (whole_line(bytes, root, zone), String::new()),
        };
        new.extend_from_slice(&bytes[at..place.start]);
        new.extend_from_slice(text.as_bytes());
        at = place.end;
    }
    new.extend_from_slice(&bytes[at..]);
    add_zones(&new, wanted.iter().filter(|entry| !known.contains(&key(&entry.name))))
}

/// What is one name in any case.
fn key(name: &Name) -> Vec<u8> {
    name.as_wire().to_ascii_lowercase()
}

/// Where and how a zone of the file becomes another.
fn change(
    zone: &Element<'_>,
    old: &ZoneEntry,
    new: &ZoneEntry,
    line_end: &str,
) -> Result<(Range<usize>, String), EditError> {
    let with_policy = ZoneEntry { policy: new.policy.clone(), ..old.clone() };
    if with_policy == *new
        && let Some(policy) = zone.child("Policy")
    {
        return Ok((policy.content.clone(), escape(&new.policy)));
    }
    let text = render(new, line_end)
        .ok_or_else(|| EditError::PathNotText { name: Box::new(new.name.clone()) })?;
    Ok((zone.span.clone(), text))
}

/// A zone with its line break and its indentation.
fn whole_line(bytes: &[u8], root: &Element<'_>, zone: &Element<'_>) -> Range<usize> {
    let mut start = zone.span.start;
    while start > root.content.start && matches!(bytes[start - 1], b' ' | b'\t') {
        start -= 1;
    }
    for octet in [b'\n', b'\r'] {
        if start > root.content.start && bytes[start - 1] == octet {
            start -= 1;
        }
    }
    start..zone.span.end
}

fn line_end(bytes: &[u8]) -> &'static str {
    if bytes.windows(2).any(|pair| pair == b"\r\n") { "\r\n" } else { "\n" }
}

fn root(bytes: &[u8]) -> Result<Element<'_>, EditError> {
    let mut findings = Findings::default();
    match read_tree(bytes, ZONELIST_BYTES_MAX, "ZoneList", &mut findings) {
        Some(root) => Ok(root),
        None => {
            let (faults, notices) = findings.render("zonelist.xml", bytes);
            Err(EditError::Faults(FileFaults { faults, notices }))
        }
    }
}

fn find<'r, 'a>(root: &'r Element<'a>, name: &Name) -> Option<&'r Element<'a>> {
    let is_it = |zone: &&Element<'_>| {
        zone.name == "Zone"
            && zone.attribute("name").and_then(|text| zone_name(text).ok()).as_ref() == Some(name)
    };
    root.children.iter().find(is_it)
}

fn splice(bytes: &[u8], place: Range<usize>, new: &[u8]) -> Vec<u8> {
    [&bytes[..place.start], new, &bytes[place.end..]].concat()
}

/// The element as OpenDNSSEC 2.x exports it, one tab deep.
fn render(entry: &ZoneEntry, line_end: &str) -> Option<String> {
    let name = entry.name.to_string();
    // Only one dot: the one before it may be part of the last label, escaped.
    let name = name.strip_suffix('.').filter(|_| !entry.name.is_root()).unwrap_or(&name);
    let lines = [
        format!("<Zone name=\"{}\">", escape(name)),
        format!("\t\t<Policy>{}</Policy>", escape(&entry.policy)),
        format!(
            "\t\t<SignerConfiguration>{}</SignerConfiguration>",
            escape(entry.signer_configuration.to_str()?)
        ),
        "\t\t<Adapters>".to_owned(),
        "\t\t\t<Input>".to_owned(),
        format!("\t\t\t\t{}", render_adapter(&entry.input)?),
        "\t\t\t</Input>".to_owned(),
        "\t\t\t<Output>".to_owned(),
        format!("\t\t\t\t{}", render_adapter(&entry.output)?),
        "\t\t\t</Output>".to_owned(),
        "\t\t</Adapters>".to_owned(),
    ];
    let mark = entry.catalog.as_ref().map(|mark| {
        let [catalog, member] = [&mark.name, &mark.member].map(|name| escape(&name.to_string()));
        let since = mark.since;
        format!("\t\t<Catalog name=\"{catalog}\" member=\"{member}\" since=\"{since}\"/>")
    });
    let end = "\t</Zone>".to_owned();
    let lines: Vec<String> = lines.into_iter().chain(mark).chain([end]).collect();
    Some(lines.join(line_end))
}

fn render_adapter(adapter: &Adapter) -> Option<String> {
    let (kind, path): (_, &Path) = match adapter {
        Adapter::File(path) => ("File", path),
        Adapter::Dns(path) => ("DNS", path),
    };
    Some(format!("<Adapter type=\"{kind}\">{}</Adapter>", escape(path.to_str()?)))
}

/// Text as it may stand in an element or an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push_str(&format!("&#{};", u32::from(char))),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_zonelist;
    use crate::zonelist::CatalogMark;
    use expect_test::expect;

    fn entry(name: &str) -> ZoneEntry {
        ZoneEntry {
            name: zone_name(name).unwrap(),
            policy: "a & b".to_owned(),
            signer_configuration: "/signconf/x.xml".into(),
            input: Adapter::File("/unsigned/x".into()),
            output: Adapter::Dns("/etc/opendnssec/addns.xml".into()),
            catalog: None,
        }
    }

    const LIST: &str = "<?xml version=\"1.0\"?>\n<!-- top -->\n<ZoneList>\n\t<!-- one -->\n\
        \t<Zone name=\"A.example.\" x='1'><Odd/></Zone>  \r\n\n \
        <Zone name='b.example'/><!-- end -->\n\n</ZoneList>\n<!-- tail -->";

    #[test]
    fn adding_changes_nothing_else_and_removing_gives_it_back() {
        let added = add_zone(LIST.as_bytes(), &entry("new.example")).unwrap();
        let text = String::from_utf8(added.clone()).unwrap();
        let (before, after) = LIST.split_at(LIST.find("\n\n</ZoneList>").unwrap());
        assert!(text.starts_with(before) && text.ends_with(after));
        let removed = remove_zone(&added, &zone_name("NEW.example.").unwrap()).unwrap();
        assert_eq!(String::from_utf8(removed).unwrap(), LIST);
    }

    #[test]
    fn removing_takes_the_line_with_it() {
        let removed = remove_zone(LIST.as_bytes(), &zone_name("a.example").unwrap()).unwrap();
        let expected = LIST.replace("\n\t<Zone name=\"A.example.\" x='1'><Odd/></Zone>", "");
        assert_eq!(String::from_utf8(removed).unwrap(), expected);
    }

    #[test]
    fn an_empty_list_is_opened() {
        let added = add_zone(b"<ZoneList />\n", &entry("new.example")).unwrap();
        expect![[r#"
            <ZoneList>
            	<Zone name="new.example">
            		<Policy>a &amp; b</Policy>
            		<SignerConfiguration>/signconf/x.xml</SignerConfiguration>
            		<Adapters>
            			<Input>
            				<Adapter type="File">/unsigned/x</Adapter>
            			</Input>
            			<Output>
            				<Adapter type="DNS">/etc/opendnssec/addns.xml</Adapter>
            			</Output>
            		</Adapters>
            	</Zone>
            </ZoneList>
        "#]]
        .assert_eq(&String::from_utf8(added.clone()).unwrap());
        let zones = read_zonelist("zonelist.xml", &added).unwrap().value.zones;
        assert_eq!(zones, [entry("new.example")]);
    }

    #[test]
    fn replacing_touches_only_what_is_other() {
        let mut first = entry("a.example");
        first.signer_configuration = "/signconf/a.xml".into();
        let (second, third) = (entry("b.example"), entry("c.example"));
        let list = "<ZoneList>\n <!-- 1 -->\n</ZoneList>\n";
        let all = [first.clone(), second.clone(), third.clone()];
        let bytes = replace_zones("z", list.as_bytes(), &all).unwrap();
        let read = |bytes: &[u8]| read_zonelist("z", bytes).unwrap().value.zones;
        assert_eq!(read(&bytes), all);
        assert_eq!(replace_zones("z", &bytes, &all).unwrap(), bytes);
        let text = String::from_utf8(bytes.clone()).unwrap();
        let text = text.replace("<Policy>", "<!-- why --><Policy>");
        let other = ZoneEntry { policy: "x < y".to_owned(), ..first.clone() };
        let wanted = [other.clone(), third.clone()];
        let changed = replace_zones("z", text.as_bytes(), &wanted).unwrap();
        assert_eq!(read(&changed), wanted);
        let changed = String::from_utf8(changed).unwrap();
        assert!(changed.contains("<!-- why --><Policy>x &lt; y</Policy>"), "{changed}");
        let moved = ZoneEntry { input: Adapter::File("/new/a".into()), ..other };
        let changed = replace_zones("z", changed.as_bytes(), std::slice::from_ref(&moved)).unwrap();
        assert_eq!(read(&changed), [moved]);
        let empty = replace_zones("z", &bytes, &[]).unwrap();
        assert_eq!(String::from_utf8(empty).unwrap(), list);
        let faulty = replace_zones("z", b"<ZoneList><Zone/></ZoneList>", &[]);
        assert!(matches!(faulty, Err(EditError::Faults(_))));
    }

    #[test]
    fn every_error_is_reached() {
        use std::os::unix::ffi::OsStringExt;
        let name = Box::new(zone_name("a.example").unwrap());
        let added = add_zone(LIST.as_bytes(), &entry("a.example"));
        assert_eq!(added, Err(EditError::ZoneExists { name: name.clone() }));
        let removed = remove_zone(b"<ZoneList/>", &name);
        assert_eq!(removed, Err(EditError::NoSuchZone { name: name.clone() }));
        assert!(matches!(remove_zone(b"<KASP/>", &name), Err(EditError::Faults(_))));
        let mut odd = entry("a.example");
        odd.input = Adapter::File(std::ffi::OsString::from_vec(vec![0xFF]).into());
        assert_eq!(add_zone(b"<ZoneList/>", &odd), Err(EditError::PathNotText { name }));
    }

    #[test]
    fn names_that_end_in_an_escaped_dot_come_back() {
        for text in [r"a\.", r"\.", "@", ".", r"\@"] {
            let name = zone_name(text).unwrap();
            let mut new = entry("x");
            new.name = name.clone();
            let added = add_zone(b"<ZoneList/>", &new).unwrap();
            assert_eq!(read_zonelist("z", &added).unwrap().value.zones, [new], "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn names_and_paths_of_any_kind_come_back(
            path in "[ -~\t\n\u{e9}]{1,40}",
            label in "[!-~]{1,20}",
        ) {
            let Ok(name) = zone_name(&label) else { return Ok(()) };
            let mut new = entry("x");
            new.name = name.clone();
            let (catalog, member) = (name.clone(), name.clone());
            new.catalog = Some(CatalogMark { name: catalog, member, since: 7 });
            new.input = Adapter::File(path.trim_ascii().into());
            if path.trim_ascii().is_empty() { return Ok(()) }
            let added = add_zone(b"<ZoneList>\n</ZoneList>\n", &new).unwrap();
            let zones = read_zonelist("z", &added).unwrap().value.zones;
            proptest::prop_assert_eq!(zones, vec![new]);
            let removed = remove_zone(&added, &name).unwrap();
            proptest::prop_assert_eq!(removed, b"<ZoneList>\n</ZoneList>\n");
        }
    }
}
