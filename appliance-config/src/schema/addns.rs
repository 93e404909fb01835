//! The tables of addns.xml (OpenDNSSEC 1.4 to 2.1) and zonefetch.xml (1.1 to 1.3).
//! Ours in addns.xml: `<AllowUpdate>` and `<InitialFile>` of `<Inbound>` (RFC 2136), `<Watch>` of
//! `<Outbound>`, and `<TLS>` of a `<Remote>` (RFC 9103). Order is fixed, as in OpenDNSSEC's
//! grammar. That a list is not empty is checked with the values, which know how long it may be.

use super::{Content, Rule};

const PORT: Content = Content::Number { min: 1, max: 65_535 };

/// `<Adapter>` of addns.xml.
pub(crate) const ADAPTER: Rule =
    Rule::one("Adapter", Content::Ordered(&[Rule::one("DNS", Content::Ordered(DNS))]));

const DNS: &[Rule] = &[
    Rule::any("TSIG", TSIG),
    Rule::optional(
        "Inbound",
        Content::Ordered(&[
            Rule::optional("RequestTransfer", REMOTES),
            Rule::optional("AllowNotify", PEERS),
            // Of our own.
            Rule::optional("AllowUpdate", PEERS),
            Rule::optional("InitialFile", Content::Text),
        ]),
    ),
    Rule::optional(
        "Outbound",
        Content::Ordered(&[
            Rule::optional("ProvideTransfer", PEERS),
            Rule::optional("Notify", REMOTES),
            // Of our own.
            Rule::optional("Watch", WATCH),
        ]),
    ),
];

const WATCH: Content = Content::Ordered(&[
    Rule::choice(1, "Alarm", Content::Duration),
    Rule::choice(1, "Off", Content::Flag),
]);

const TSIG: Content = Content::Ordered(&[
    Rule::one("Name", Content::Text),
    Rule::one("Algorithm", Content::Text),
    Rule::one("Secret", Content::Text),
]);

const REMOTES: Content = Content::Ordered(&[Rule::any(
    "Remote",
    Content::Ordered(&[
        Rule::one("Address", Content::Text),
        Rule::optional("Port", PORT),
        Rule::optional("Key", Content::Text),
        // Of our own.
        Rule::optional(
            "TLS",
            Content::Ordered(&[
                Rule::optional("Name", Content::Text),
                Rule::optional("CAFile", Content::Text),
                Rule::any("Pin", Content::Text),
            ]),
        ),
    ]),
)]);

const PEERS: Content = Content::Ordered(&[Rule::any(
    "Peer",
    Content::Ordered(&[
        Rule::optional("Prefix", Content::Text),
        Rule::optional("Key", Content::Text),
    ]),
)]);

/// `<ZoneFetch>` of zonefetch.xml.
pub(crate) const ZONE_FETCH: Rule = Rule::one(
    "ZoneFetch",
    Content::Ordered(&[
        Rule::optional(
            "NotifyListen",
            Content::Ordered(&[
                Rule::optional("IPv4", Content::Text),
                Rule::optional("IPv6", Content::Text),
                Rule::optional("Port", PORT),
            ]),
        ),
        Rule::one(
            "Default",
            Content::Ordered(&[
                Rule::optional("TSIG", TSIG),
                Rule::any(
                    "RequestTransfer",
                    Content::Ordered(&[
                        Rule::choice(1, "IPv4", Content::Text),
                        Rule::choice(1, "IPv6", Content::Text),
                        Rule::optional("Port", PORT),
                    ]),
                ),
            ]),
        ),
    ]),
);
