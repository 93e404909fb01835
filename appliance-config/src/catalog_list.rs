//! `<CatalogList>` of conf.xml, ours: catalog zones (RFC 9432) that this machine goes by
//! (`<Consumer>`) and that it makes (`<Producer>`).
//! In: the elements. Out: [`CatalogList`], or what is wrong with them at its place.
//! `<Adapter>` names an addns.xml: of a consumer its `<Inbound>` says who has the catalog zone, of
//! a producer its `<Outbound>` who gets it. `<Adapters>` are those of each member, as in
//! zonelist.xml; a path of a file has `%zone` in it, which becomes the zone's name.
//! Never: whether policies exist; they may change while the daemon runs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dnssec::Name;
use dnssec::name::NAME_LENGTH_MAX;

use crate::conf::path;
use crate::diagnostics::Findings;
use crate::fault::Fault;
use crate::kasp::number;
use crate::tree::Element;
use crate::zonelist::{Adapter, adapter, text_of, zone_name};

/// What stands for the zone's name in the paths of members' files.
pub const ZONE_PLACEHOLDER: &str = "%zone";
/// Most members of a catalog when nothing is said.
const MEMBERS_DEFAULT: u64 = 100_000;
/// Most of a catalog's zones that go at once, in percent, when nothing is said.
const REMOVALS_DEFAULT: u8 = 20;
/// So many may always go when nothing is said.
const SMALL_REMOVAL_DEFAULT: u64 = 3;

/// A `<CatalogList>`: every name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogList {
    /// `<Consumer>`: catalogs that zones come and go with.
    pub consumers: Vec<CatalogConsumer>,
    /// `<Producer>`: catalogs that list zones of this machine.
    pub producers: Vec<CatalogProducer>,
}

/// `<Consumer>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogConsumer {
    /// `@name`: the catalog zone.
    pub name: Name,
    /// `<Adapter>`: the addns.xml with its masters.
    pub adapter: PathBuf,
    /// `<Policy>`: that of members of no group which is listed here.
    pub policy: String,
    /// `<Group>`: of the groups of a member the first one here counts; its policy.
    pub groups: Vec<(String, String)>,
    /// `<Input>` of each member.
    pub input: Adapter,
    /// `<Output>` of each member.
    pub output: Adapter,
    /// `<MostMembers>`: a catalog with more is held.
    pub members_max: u64,
    /// `<MostRemovals>`: a catalog that takes away more percent of its zones at once is held.
    pub removal_percent_max: u8,
    /// `<SmallRemoval>`: so many may always go.
    pub removal_count_free: u64,
    /// `<RemoveDelegated/>`: zones go even if the DS of their keys may still be at their parents.
    pub removes_delegated: bool,
}

/// `<Producer>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogProducer {
    /// `@name`: the catalog zone.
    pub name: Name,
    /// `<Adapter>`: the addns.xml that says who gets it.
    pub adapter: PathBuf,
    /// `<Policy>`: only zones of these are listed; none: all.
    pub policies: Vec<String>,
}

/// The list of a conf.xml of the right form.
pub(crate) fn catalog_list(root: &Element<'_>, findings: &mut Findings) -> CatalogList {
    let mut list = CatalogList::default();
    let Some(element) = root.child("CatalogList") else { return list };
    let mut seen = BTreeMap::new();
    for consumer in element.all("Consumer") {
        if let Some(name) = own_name(consumer, &mut seen, findings) {
            list.consumers.push(self::consumer(consumer, name, findings));
        }
    }
    for producer in element.all("Producer") {
        if let Some(name) = own_name(producer, &mut seen, findings) {
            list.producers.push(self::producer(producer, name, findings));
        }
    }
    list
}

/// The name of a catalog, which no other has.
fn own_name(
    element: &Element<'_>,
    seen: &mut BTreeMap<Name, ()>,
    findings: &mut Findings,
) -> Option<Name> {
    let text = element.attribute("name").unwrap_or_default();
    match zone_name(text) {
        Ok(name) => {
            if seen.insert(name.clone(), ()).is_some() {
                let fault = Fault::DuplicateName { what: "catalog", name: name.to_string() };
                findings.push(element.tag.clone(), fault);
            }
            Some(name)
        }
        Err(cause) => {
            let name = text.chars().take(NAME_LENGTH_MAX).collect();
            findings.push(element.tag.clone(), Fault::ZoneName { name, cause });
            None
        }
    }
}

fn consumer(element: &Element<'_>, name: Name, findings: &mut Findings) -> CatalogConsumer {
    let mut groups: Vec<(String, String)> = Vec::new();
    for group in element.all("Group") {
        let own = group.attribute("name").unwrap_or_default().to_owned();
        if own.is_empty() {
            let fault = Fault::EmptyValue { element: "Group name".to_owned() };
            findings.push(group.tag.clone(), fault);
        }
        if groups.iter().any(|(known, _)| *known == own) {
            let fault = Fault::DuplicateName { what: "group", name: own.clone() };
            findings.push(group.tag.clone(), fault);
        }
        groups.push((own, text_of(group, "Policy", findings)));
    }
    let [input, output] = ["Input", "Output"].map(|side| member_adapter(element, side, findings));
    let given = |name: &str, default: u64| match element.has(name) {
        true => number(element, &[name]),
        false => default,
    };
    CatalogConsumer {
        name,
        adapter: path(element, &["Adapter"], findings).unwrap_or_default(),
        policy: text_of(element, "Policy", findings),
        groups,
        input,
        output,
        members_max: given("MostMembers", MEMBERS_DEFAULT),
        // The table has it up to 100.
        removal_percent_max: given("MostRemovals", u64::from(REMOVALS_DEFAULT)).min(100) as u8,
        removal_count_free: given("SmallRemoval", SMALL_REMOVAL_DEFAULT),
        removes_delegated: element.has("RemoveDelegated"),
    }
}

/// Where every member comes from or goes to: a file is another one for each.
fn member_adapter(element: &Element<'_>, side: &str, findings: &mut Findings) -> Adapter {
    let read = adapter(element, side, findings);
    if let Adapter::File(path) = &read
        && !path.to_string_lossy().contains(ZONE_PLACEHOLDER)
        && let Some(given) = element.path(&["Adapters", side]).and_then(|it| it.children.first())
    {
        let fault = Fault::BadValue {
            place: format!("<{}>", given.name),
            value: path.to_string_lossy().chars().take(80).collect(),
            expected: format!("a path with {ZONE_PLACEHOLDER} in it, one file for each zone"),
        };
        findings.push(given.text_place(), fault);
    }
    read
}

fn producer(element: &Element<'_>, name: Name, findings: &mut Findings) -> CatalogProducer {
    let mut policies = Vec::new();
    for policy in element.all("Policy") {
        if policy.trimmed().is_empty() {
            let fault = Fault::EmptyValue { element: "Policy".to_owned() };
            findings.push(policy.tag.clone(), fault);
        }
        policies.push(policy.trimmed().to_owned());
    }
    CatalogProducer {
        name,
        adapter: path(element, &["Adapter"], findings).unwrap_or_default(),
        policies,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_conf;

    const CONSUMER: &str = "<Consumer name='Catz.example'>\n<Adapter>/in.xml</Adapter>\n\
        <Policy>default</Policy>\n<Group name='gold'><Policy>gold</Policy></Group>\n\
        <Adapters><Input><Adapter type='DNS'>/addns.xml</Adapter></Input>\n\
        <Output><Adapter type='File'>/signed/%zone</Adapter></Output></Adapters>\n\
        <MostMembers>5</MostMembers><MostRemovals>50</MostRemovals>\
        <SmallRemoval>0</SmallRemoval><RemoveDelegated/></Consumer>";
    const PRODUCER: &str = "<Producer name='out.example'><Adapter>/out.xml</Adapter>\n\
        <Policy>gold</Policy><Policy>tin</Policy></Producer>";

    /// A conf.xml with this list in its third line.
    fn conf(list: &str) -> String {
        format!(
            "<Configuration><RepositoryList><Repository name='r'><Module>/m</Module>\
             <TokenLabel>t</TokenLabel></Repository></RepositoryList>\n<Common>\
             <PolicyFile>/kasp.xml</PolicyFile><ZoneListFile>/z</ZoneListFile></Common>\
             <Enforcer><Datastore><SQLite>/db</SQLite></Datastore></Enforcer>\n\
             <CatalogList>{list}</CatalogList></Configuration>"
        )
    }

    #[test]
    fn what_is_given_is_read_and_the_rest_has_defaults() {
        let text = conf(&format!("{CONSUMER}{PRODUCER}"));
        let list = read_conf("conf.xml", text.as_bytes()).unwrap().value.catalogs;
        let consumer = CatalogConsumer {
            name: zone_name("catz.example").unwrap(),
            adapter: "/in.xml".into(),
            policy: "default".to_owned(),
            groups: vec![("gold".to_owned(), "gold".to_owned())],
            input: Adapter::Dns("/addns.xml".into()),
            output: Adapter::File("/signed/%zone".into()),
            members_max: 5,
            removal_percent_max: 50,
            removal_count_free: 0,
            removes_delegated: true,
        };
        let producer = CatalogProducer {
            name: zone_name("out.example").unwrap(),
            adapter: "/out.xml".into(),
            policies: vec!["gold".to_owned(), "tin".to_owned()],
        };
        assert_eq!(list, CatalogList { consumers: vec![consumer], producers: vec![producer] });
        let limits = CONSUMER.split_once("<MostMembers>").unwrap().0;
        let short = conf(&format!("{limits}</Consumer>"));
        let list = read_conf("conf.xml", short.as_bytes()).unwrap().value.catalogs;
        let limits = &list.consumers[0];
        assert_eq!((limits.members_max, limits.removal_percent_max), (100_000, 20));
        assert_eq!((limits.removal_count_free, limits.removes_delegated), (3, false));
    }

    #[track_caller]
    fn check_fault(list: &str, from: &str, to: &str, place: &str, words: &str) {
        assert!(list.contains(from), "{from}");
        let faults = read_conf("conf.xml", conf(&list.replace(from, to)).as_bytes()).unwrap_err();
        let text = faults.to_string();
        assert!(text.contains(&format!("conf.xml:{place}")) && text.contains(words), "{text}");
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        let both = format!("{CONSUMER}{PRODUCER}");
        let double = "second catalog with the name CATZ.example";
        check_fault(&both, "out.example", "CATZ.example", "9:", double);
        check_fault(CONSUMER, "Catz.example", "a..b", "3:14", "'a..b' is not a zone name");
        check_fault(CONSUMER, "<Policy>default</Policy>", "", "3:14", "<Policy>");
        check_fault(CONSUMER, "<Policy>gold</Policy>", "<Policy/>", "6:20", "<Policy> is empty");
        check_fault(CONSUMER, "name='gold'", "name=''", "6:1", "Group name");
        check_fault(CONSUMER, "%zone", "zone", "8:", "a path with %zone in it");
        check_fault(CONSUMER, ">50<", ">101<", "9:", "a number from 0 to 100");
        check_fault(CONSUMER, "<RemoveDelegated/>", "<Remove/>", "9:", "<Remove>");
        check_fault(PRODUCER, "<Policy>tin", "<Policy> ", "4:", "<Policy> is empty");
    }
}
