//! The table of conf.xml: OpenDNSSEC 1.1 to 2.1, and our own elements. Ours: `<BuiltIn/>`,
//! `<KeyFile>` and `<Directory>` of a repository (the built-in token), its `<TokenSerial>` and
//! `<ModuleParameters>`, `<RepositoryGroup>`, `<CatalogList>` (RFC 9432),
//! `<AllowDeprecatedAlgorithms/>` of the enforcer (RFC 9905), `<Limits>` of the signer, and
//! `<TLS>` of its interfaces.

use dnssec::zone::load::RRSET_RECORD_COUNT_MAX;

use super::zonelist::ADAPTERS;
use super::{AttributeRule, Content, Rule, text_attribute};

const TO_1_3: &str = "of OpenDNSSEC 1.1 to 1.3 and has no effect";
const POSITIVE: Content = Content::Number { min: 1, max: u64::MAX };
const NUMBER: Content = Content::Number { min: 0, max: u64::MAX };
const PORT: Content = Content::Number { min: 1, max: 65_535 };

/// `<Configuration>`.
pub(crate) const CONFIGURATION: Rule = Rule::one(
    "Configuration",
    Content::Free(&[
        Rule::one(
            "RepositoryList",
            Content::Free(&[
                Rule::any("Repository", Content::Free(REPOSITORY)).with(&[text_attribute("name")]),
                Rule::any("RepositoryGroup", Content::Free(REPOSITORY_GROUP))
                    .with(&[text_attribute("name")]),
            ]),
        ),
        Rule::one("Common", Content::Free(COMMON)),
        Rule::one("Enforcer", Content::Free(ENFORCER)),
        Rule::optional("Signer", Content::Free(SIGNER)),
        Rule::optional("CatalogList", Content::Free(CATALOG_LIST)),
        Rule::optional(
            "Auditor",
            Content::Free(&[
                Rule::optional("Privileges", PRIVILEGES),
                Rule::optional("WorkingDirectory", Content::Text),
            ]),
        )
        .old("of OpenDNSSEC 1.1 to 1.3; the auditor here is always on and needs no settings"),
    ]),
);

const REPOSITORY: &[Rule] = &[
    Rule::choice(1, "Module", Content::Text),
    Rule::choice(1, "BuiltIn", Content::Flag),
    // Mandatory with <Module>; that is checked with the values.
    Rule::optional("TokenLabel", Content::Text),
    Rule::optional("PIN", Content::Text),
    Rule::optional("KeyFile", Content::Text),
    Rule::optional("Directory", Content::Text),
    Rule::optional("Capacity", POSITIVE),
    Rule::optional("RequireBackup", Content::Flag),
    Rule::optional("SkipPublicKey", Content::Flag),
    Rule::optional("AllowExtraction", Content::Flag),
    // Elements of our own.
    Rule::optional("TokenSerial", Content::Text),
    Rule::optional("ModuleParameters", Content::Text),
    Rule::optional("Network", Content::Word(&["allow", "deny"])),
];

const REPOSITORY_GROUP: &[Rule] = &[
    Rule::any("Member", Content::Text),
    // A key that one member has alone is what a group is there to prevent.
    Rule::optional("Quorum", Content::Number { min: 2, max: u64::MAX }),
];

const COMMON: &[Rule] = &[
    Rule::optional(
        "Logging",
        Content::Free(&[
            // 1.1 had no Verbosity.
            Rule::optional("Verbosity", NUMBER),
            Rule::optional(
                "Syslog",
                Content::Free(&[Rule::one("Facility", Content::Word(FACILITIES))]),
            ),
        ]),
    ),
    Rule::one("PolicyFile", Content::Text),
    Rule::one("ZoneListFile", Content::Text),
    Rule::optional("ZoneFetchFile", Content::Text).old(
        "of OpenDNSSEC 1.1 to 1.3: every zone has its masters as input; addns.xml took its place",
    ),
];

/// Facilities of syslog that the schema knows.
pub(crate) const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "lpr", "news", "uucp", "cron", "local0", "local1",
    "local2", "local3", "local4", "local5", "local6", "local7",
];

const PRIVILEGES: Content = Content::Free(&[
    Rule::optional("User", Content::Text),
    Rule::optional("Group", Content::Text),
    Rule::optional("Directory", Content::Text),
]);

const ENFORCER: &[Rule] = &[
    Rule::optional("Privileges", PRIVILEGES),
    Rule::one(
        "Datastore",
        Content::Free(&[
            Rule::choice(1, "SQLite", Content::Text),
            Rule::choice(1, "MySQL", Content::Free(MYSQL)),
        ]),
    ),
    Rule::optional("Interval", Content::Duration)
        .old("of OpenDNSSEC 1.1 to 2.0; the enforcer now wakes when something is due"),
    Rule::optional("ManualKeyGeneration", Content::Flag),
    Rule::optional("AutomaticKeyGenerationPeriod", Content::Duration),
    Rule::optional("RolloverNotification", Content::Duration),
    Rule::optional("DelegationSignerSubmitCommand", Content::Text),
    Rule::optional("DelegationSignerRetractCommand", Content::Text),
    Rule::optional("PidFile", Content::Text),
    Rule::optional("SocketFile", Content::Text),
    Rule::optional("WorkingDirectory", Content::Text),
    Rule::optional("WorkerThreads", NUMBER),
    Rule::optional("AllowDeprecatedAlgorithms", Content::Flag),
];

const MYSQL: &[Rule] = &[
    Rule::optional("Host", Content::Text).with(&[
        AttributeRule { name: "Port", required: false, content: PORT, old: None },
        AttributeRule {
            name: "port",
            required: false,
            content: PORT,
            old: Some("of OpenDNSSEC 1.x; now written Port"),
        },
    ]),
    Rule::one("Database", Content::Text),
    Rule::one("Username", Content::Text),
    Rule::one("Password", Content::Text),
];

const SIGNER: &[Rule] = &[
    Rule::optional("Privileges", PRIVILEGES),
    Rule::optional("PidFile", Content::Text).old("of OpenDNSSEC 1.3 and 1.4, and accepted here"),
    Rule::optional("SocketFile", Content::Text).old("of OpenDNSSEC 1.3 and 1.4, and accepted here"),
    Rule::optional("WorkingDirectory", Content::Text),
    Rule::optional("ToolsDirectory", Content::Text).old(TO_1_3),
    Rule::optional("WorkerThreads", POSITIVE),
    Rule::optional("SignerThreads", POSITIVE),
    Rule::optional(
        "Listener",
        Content::Free(&[Rule::any(
            "Interface",
            Content::Free(&[
                Rule::optional("Address", Content::Text),
                Rule::optional("Port", PORT),
                // Of our own.
                Rule::optional(
                    "TLS",
                    Content::Free(&[
                        Rule::one("CertificateFile", Content::Text),
                        Rule::one("KeyFile", Content::Text),
                    ]),
                ),
            ]),
        )]),
    ),
    Rule::optional("NotifyCommand", Content::Text),
    Rule::any(
        "Checker",
        Content::Free(&[
            Rule::one("Command", Content::Text),
            Rule::optional("Timeout", Content::Duration),
        ]),
    ),
    Rule::optional("AuditLogKept", Content::Duration),
    Rule::optional("Limits", Content::Free(LIMITS)),
];

/// Catalog zones (RFC 9432).
const CATALOG_LIST: &[Rule] = &[
    Rule::any(
        "Consumer",
        Content::Free(&[
            Rule::one("Adapter", Content::Text),
            Rule::one("Policy", Content::Text),
            Rule::any("Group", Content::Free(&[Rule::one("Policy", Content::Text)]))
                .with(&[text_attribute("name")]),
            Rule::one("Adapters", ADAPTERS),
            Rule::optional("MostMembers", Content::Number { min: 1, max: 1_000_000 }),
            Rule::optional("MostRemovals", Content::Number { min: 0, max: 100 }),
            Rule::optional("SmallRemoval", Content::Number { min: 0, max: 1_000_000 }),
            Rule::optional("RemoveDelegated", Content::Flag),
        ]),
    )
    .with(&[text_attribute("name")]),
    Rule::any(
        "Producer",
        Content::Free(&[Rule::one("Adapter", Content::Text), Rule::any("Policy", Content::Text)]),
    )
    .with(&[text_attribute("name")]),
];

/// What one unsigned zone may have. The largest zones that exist have some 400 million records;
/// ten times that is a slip of the finger.
const LIMITS: &[Rule] = &[
    Rule::optional("Records", Content::Number { min: 1, max: 4_000_000_000 }),
    // The smallest leaves room for the record that is being read (dnssec's `Packer`); the largest
    // is 1 TiB.
    Rule::optional("Bytes", Content::Number { min: 4096, max: 1 << 40 }),
    Rule::optional(
        "RecordsPerRRset",
        Content::Number { min: 1, max: RRSET_RECORD_COUNT_MAX as u64 },
    ),
];
