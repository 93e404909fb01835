//! kaspcheck of `<CatalogList>`: whether the policies that it names are in kasp.xml.
//! In: what was found in conf.xml, the names of the policies. Out: lines of the report, each with
//! its place. Never: the running daemon's answer, which takes the zones of such a policy up as soon
//! as it is there.

use std::ops::Range;
use std::path::PathBuf;

use super::Report;
use crate::diagnostics::Findings;
use crate::fault::Fault;
use crate::tree::Element;

/// What the `<CatalogList>` of a conf.xml names.
pub(super) struct Named {
    /// The file, and what is in it.
    file: (String, Vec<u8>),
    /// Every `<Policy>`, and where it stands.
    policies: Vec<(Range<usize>, String)>,
    /// Every addns.xml, as it stands there.
    pub(super) adapters: Vec<PathBuf>,
}

impl Named {
    pub(super) fn of(file: &str, bytes: &[u8], root: &Element<'_>) -> Named {
        let mut named = Named {
            file: (file.to_owned(), bytes.to_vec()),
            policies: Vec::new(),
            adapters: Vec::new(),
        };
        let catalogs = root.child("CatalogList").into_iter().flat_map(|list| &list.children);
        for catalog in catalogs {
            let groups = catalog.all("Group").flat_map(|group| group.all("Policy"));
            // An empty one has been told of already.
            let given = |policy: &&Element<'_>| !policy.trimmed().is_empty();
            let place = |policy: &Element<'_>| (policy.text_place(), policy.trimmed().to_owned());
            named.policies.extend(catalog.all("Policy").chain(groups).filter(given).map(place));
            let of_members = ["Input", "Output"]
                .into_iter()
                .filter_map(|side| catalog.path(&["Adapters", side, "Adapter"]))
                .filter(|adapter| adapter.attribute("type") == Some("DNS"));
            let adapters = catalog.all("Adapter").chain(of_members);
            named.adapters.extend(adapters.map(|adapter| adapter.trimmed().into()));
        }
        named
    }

    /// Tells of each policy that kasp.xml does not have.
    pub(super) fn check_policies(self, known: &[String], report: &mut Report) {
        let mut findings = Findings::default();
        for (place, name) in self.policies {
            if !known.contains(&name) {
                findings.push(place, Fault::UnknownPolicy { name, known: known.join(", ") });
            }
        }
        let (file, bytes) = self.file;
        let (faults, _) = findings.render(&file, &bytes);
        report.values(&faults);
    }
}
