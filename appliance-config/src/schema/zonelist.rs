//! The table of zonelist.xml: OpenDNSSEC 1.1 to 2.1. Order is fixed, as in every version.

use super::{Content, Rule, text_attribute};

/// `<ZoneList>`.
pub(crate) const ZONE_LIST: Rule = Rule::one(
    "ZoneList",
    Content::Ordered(&[Rule::any(
        "Zone",
        Content::Ordered(&[
            Rule::one("Policy", Content::Text),
            Rule::one("SignerConfiguration", Content::Text),
            Rule::one(
                "Adapters",
                Content::Ordered(&[Rule::one("Input", ADAPTER), Rule::one("Output", ADAPTER)]),
            ),
        ]),
    )
    .with(&[text_attribute("name")])]),
);

const ADAPTER: Content = Content::Ordered(&[
    Rule::choice(1, "File", Content::Text),
    Rule::choice(1, "Adapter", Content::Text).with(&[text_attribute("type")]),
]);
