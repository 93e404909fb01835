//! The table of kasp.xml: OpenDNSSEC 1.1 to 2.1. Order is fixed, as in every version.

use super::{AttributeRule, Content, Rule, text_attribute};

const OCTET: Content = Content::Number { min: 0, max: 255 };

/// `<KASP>`.
pub(crate) const KASP: Rule = Rule::one(
    "KASP",
    Content::Ordered(&[
        Rule::any("Policy", Content::Ordered(POLICY)).with(&[text_attribute("name")])
    ]),
);

/// What stands in `<Policy>`.
pub(crate) const POLICY: &[Rule] = &[
    Rule::optional("Passthrough", Content::Flag),
    Rule::one("Description", Content::Text),
    Rule::one("Signatures", Content::Ordered(SIGNATURES)),
    Rule::one(
        "Denial",
        Content::Ordered(&[
            Rule::choice(1, "NSEC", Content::Flag),
            Rule::choice(1, "NSEC3", Content::Ordered(NSEC3)),
        ]),
    ),
    Rule::one("Keys", Content::Ordered(KEYS)),
    Rule::one(
        "Zone",
        Content::Ordered(&[
            Rule::one("PropagationDelay", Content::Duration),
            Rule::one("SOA", Content::Ordered(ZONE_SOA)),
            // Ours: RFC 8976.
            Rule::optional("ZoneMD", Content::Flag),
        ]),
    ),
    Rule::one("Parent", Content::Ordered(PARENT)),
    Rule::any("Audit", Content::Ordered(&[Rule::optional("Partial", Content::Flag)]))
        .old("of OpenDNSSEC 1.1 to 1.3, and accepted here"),
    // Ours: what an input may change by.
    crate::input_limits::INPUT_LIMITS,
];

const SIGNATURES: &[Rule] = &[
    Rule::one("Resign", Content::Duration),
    Rule::one("Refresh", Content::Duration),
    Rule::one(
        "Validity",
        Content::Ordered(&[
            Rule::one("Default", Content::Duration),
            Rule::one("Denial", Content::Duration),
            Rule::optional("Keyset", Content::Duration),
        ]),
    ),
    Rule::one("Jitter", Content::Duration),
    Rule::one("InceptionOffset", Content::Duration),
    Rule::optional("MaxZoneTTL", Content::Duration),
];

const NSEC3: &[Rule] = &[
    Rule::optional("TTL", Content::Duration),
    Rule::optional("OptOut", Content::Flag),
    Rule::one("Resalt", Content::Duration),
    Rule::one(
        "Hash",
        Content::Ordered(&[
            Rule::one("Algorithm", OCTET),
            Rule::one("Iterations", Content::Number { min: 0, max: 65_535 }),
            Rule::one("Salt", Content::Text).with(&[AttributeRule {
                name: "length",
                required: true,
                content: OCTET,
                old: None,
            }]),
        ]),
    ),
];

const KEYS: &[Rule] = &[
    Rule::one("TTL", Content::Duration),
    Rule::one("RetireSafety", Content::Duration),
    Rule::one("PublishSafety", Content::Duration),
    Rule::optional("ShareKeys", Content::Flag),
    Rule::optional("Purge", Content::Duration),
    Rule::any("KSK", Content::Ordered(KSK)),
    Rule::any("ZSK", Content::Ordered(ZSK)),
    Rule::any("CSK", Content::Ordered(CSK)),
];

const ALGORITHM: Rule = Rule::one("Algorithm", OCTET).with(&[AttributeRule {
    name: "length",
    required: false,
    content: Content::Number { min: 1, max: 65_535 },
    old: None,
}]);
const LIFETIME: Rule = Rule::one("Lifetime", Content::Duration);
const REPOSITORY: Rule = Rule::one("Repository", Content::Text);
const STANDBY: Rule = Rule::optional("Standby", Content::Number { min: 0, max: u32::MAX as u64 });
const MANUAL_ROLLOVER: Rule = Rule::optional("ManualRollover", Content::Flag);
const RFC5011: Rule = Rule::optional("RFC5011", Content::Flag);

const KSK: &[Rule] = &[
    ALGORITHM,
    LIFETIME,
    REPOSITORY,
    STANDBY,
    MANUAL_ROLLOVER,
    Rule::optional(
        "KskRollType",
        Content::Word(&["KskDoubleRRset", "KskDoubleDS", "KskDoubleSignature"]),
    ),
    RFC5011,
];

const ZSK: &[Rule] = &[
    ALGORITHM,
    LIFETIME,
    REPOSITORY,
    STANDBY,
    MANUAL_ROLLOVER,
    Rule::optional(
        "ZskRollType",
        Content::Word(&["ZskDoubleSignature", "ZskPrePublication", "ZskDoubleRRsig"]),
    ),
];

const CSK: &[Rule] = &[
    ALGORITHM,
    LIFETIME,
    REPOSITORY,
    STANDBY,
    MANUAL_ROLLOVER,
    Rule::optional(
        "CskRollType",
        Content::Word(&[
            "CskDoubleRRset",
            "CskSingleSignature",
            "CskDoubleDS",
            "CskDoubleSignature",
            "CskPrePublication",
        ]),
    ),
    RFC5011,
];

const ZONE_SOA: &[Rule] = &[
    Rule::one("TTL", Content::Duration),
    Rule::one("Minimum", Content::Duration),
    Rule::one("Serial", Content::Word(&["counter", "datecounter", "unixtime", "keep"])),
];

const PARENT: &[Rule] = &[
    Rule::one("PropagationDelay", Content::Duration),
    Rule::one("DS", Content::Ordered(&[Rule::one("TTL", Content::Duration)])),
    Rule::one(
        "SOA",
        Content::Ordered(&[
            Rule::one("TTL", Content::Duration),
            Rule::one("Minimum", Content::Duration),
        ]),
    ),
    Rule::optional("RegistrationDelay", Content::Duration),
    // Ours: RFC 7344.
    Rule::optional("CDS", Content::Flag),
    // Ours: the parent's servers are asked.
    crate::agents::AGENTS,
    // Ours: the parent is told of changes (RFC 9859).
    crate::agents::NOTIFY,
];
