//! The table of zonelist.xml: OpenDNSSEC 1.1 to 2.1, and `<Catalog>`, ours: the catalog zone (RFC
//! 9432) that a zone came with. Order is fixed, as in every version.

use super::{AttributeRule, Content, Rule, text_attribute};

/// `<ZoneList>`.
pub(crate) const ZONE_LIST: Rule = Rule::one(
    "ZoneList",
    Content::Ordered(&[Rule::any(
        "Zone",
        Content::Ordered(&[
            Rule::one("Policy", Content::Text),
            Rule::one("SignerConfiguration", Content::Text),
            Rule::one("Adapters", ADAPTERS),
            // Of our own.
            Rule::optional("Catalog", Content::Flag).with(&[
                text_attribute("name"),
                text_attribute("member"),
                AttributeRule {
                    name: "since",
                    required: true,
                    content: Content::Number { min: 0, max: u64::MAX },
                    old: None,
                },
            ]),
        ]),
    )
    .with(&[text_attribute("name")])]),
);

pub(super) const ADAPTERS: Content =
    Content::Ordered(&[Rule::one("Input", ADAPTER), Rule::one("Output", ADAPTER)]);

const ADAPTER: Content = Content::Ordered(&[
    Rule::choice(1, "File", Content::Text),
    Rule::choice(1, "Adapter", Content::Text).with(&[text_attribute("type")]),
]);
