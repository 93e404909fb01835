//! `<RepositoryGroup>` of conf.xml, ours: several tokens that hold the same keys, used as one
//! repository. In: the elements, and the repositories of the list. Out: [`RepositoryGroup`]s, or
//! what is wrong with them at its place.
//! Never: whether the tokens hold the same keys; that is found out when they are used.

use crate::diagnostics::Findings;
use crate::fault::Fault;
use crate::kasp::number;
use crate::tree::Element;

/// Fewest members: fewer make no group.
pub(crate) const MEMBERS_MIN: usize = 2;

/// `<RepositoryGroup>`: repositories whose tokens hold the same keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryGroup {
    /// `@name`, as kasp.xml refers to it.
    pub name: String,
    /// `<Member>`: names of repositories, in the order of preference for making keys.
    pub members: Vec<String>,
    /// `<Quorum>`: how many members have to show a new key before it is published; all when it is
    /// not given.
    pub quorum: usize,
}

/// The groups of a `<RepositoryList>` that has repositories of these names.
pub(crate) fn groups(
    list: &Element<'_>,
    repositories: &[&str],
    findings: &mut Findings,
) -> Vec<RepositoryGroup> {
    let mut groups: Vec<RepositoryGroup> = Vec::new();
    for element in list.all("RepositoryGroup") {
        let name = element.attribute("name").unwrap_or_default().to_owned();
        if name.is_empty() {
            let fault = Fault::EmptyValue { element: "RepositoryGroup name".to_owned() };
            findings.push(element.tag.clone(), fault);
        }
        if repositories.contains(&name.as_str()) || groups.iter().any(|other| other.name == name) {
            let what = "repository or repository group";
            findings.push(element.tag.clone(), Fault::DuplicateName { what, name: name.clone() });
        }
        let mut group = RepositoryGroup { name, members: Vec::new(), quorum: 0 };
        for member in element.all("Member") {
            add_member(member, &mut group, &groups, repositories, findings);
        }
        let count = element.all("Member").count();
        if count < MEMBERS_MIN {
            let fault = Fault::GroupTooSmall { name: group.name.clone(), count };
            findings.push(element.tag.clone(), fault);
        }
        group.quorum = count;
        if let Some(quorum) = element.child("Quorum") {
            group.quorum = number(element, &["Quorum"]);
            if group.quorum > count {
                let fault = Fault::QuorumTooLarge { quorum: group.quorum, count };
                findings.push(quorum.text_place(), fault);
            }
        }
        groups.push(group);
    }
    groups
}

fn add_member(
    element: &Element<'_>,
    group: &mut RepositoryGroup,
    others: &[RepositoryGroup],
    repositories: &[&str],
    findings: &mut Findings,
) {
    let name = element.trimmed();
    if !repositories.contains(&name) {
        let known = repositories.join(", ");
        let fault = Fault::UnknownMember { name: name.chars().take(80).collect(), known };
        findings.push(element.text_place(), fault);
        return;
    }
    let mut all = others.iter().chain(std::iter::once(&*group));
    if let Some(first) = all.find(|other| other.members.iter().any(|member| member == name)) {
        let fault = Fault::MemberTwice { name: name.to_owned(), group: first.name.clone() };
        findings.push(element.text_place(), fault);
        return;
    }
    group.members.push(name.to_owned());
}
