//! A policy in one line of `name=value` words, and kasp.xml made of it. In: words, or changes to a
//! policy as words. Out: the elements of catalogue 2.2 that the enforcer looks at; the others are
//! constant. Never: checks; a policy that makes no sense is a scenario too.

use std::fmt::Write;

/// One policy; all durations in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyText {
    /// `@name`.
    pub(crate) name: String,
    /// `name=value` of each duration and flag, in the order of [`DEFAULTS`].
    values: Vec<(&'static str, Option<u64>)>,
    /// Its keys.
    pub(crate) keys: Vec<KeyText>,
}

/// A `<KSK>`, `<ZSK>` or `<CSK>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyText {
    /// `ksk`, `zsk` or `csk`.
    pub(crate) role: String,
    /// Algorithm number.
    pub(crate) algorithm: u8,
    /// Length in bits.
    pub(crate) bits: u16,
    /// Lifetime, in seconds.
    pub(crate) lifetime: u64,
    /// Repository.
    pub(crate) repository: String,
    /// `<KskRollType>` and so on; empty for none.
    pub(crate) roll_type: String,
    /// `<ManualRollover/>`.
    pub(crate) manual: bool,
}

/// Every word with the value it has when it is not given; `None`: the element is left out.
const DEFAULTS: &[(&str, Option<u64>)] = &[
    ("resign", Some(7200)),
    ("refresh", Some(259_200)),
    ("validity", Some(1_209_600)),
    ("denial", Some(1_209_600)),
    ("jitter", Some(43_200)),
    ("maxttl", Some(86_400)),
    ("nsec3", None),
    ("keyttl", Some(3600)),
    ("retire", Some(3600)),
    ("publish", Some(3600)),
    ("share", None),
    ("purge", None),
    ("zonedelay", Some(43_200)),
    ("soattl", Some(3600)),
    ("soamin", Some(3600)),
    ("parentdelay", Some(9999)),
    ("dsttl", Some(3600)),
    ("regdelay", None),
    ("passthrough", None),
];

impl PolicyText {
    /// A policy with default values and without keys.
    pub(crate) fn new(name: &str) -> PolicyText {
        PolicyText { name: name.to_owned(), values: DEFAULTS.to_vec(), keys: Vec::new() }
    }

    /// Reads `NAME word...`.
    ///
    /// # Panics
    /// When a word is unknown: scenario files are ours.
    pub(crate) fn read(line: &str) -> PolicyText {
        let (name, words) = line.split_once(' ').unwrap_or((line, ""));
        let mut policy = PolicyText::new(name);
        policy.change(words);
        policy
    }

    /// Applies words to it. Words with keys replace all keys; `nokeys` removes them.
    ///
    /// # Panics
    /// When a word is unknown.
    pub(crate) fn change(&mut self, words: &str) {
        let mut keys = Vec::new();
        let mut drops_keys = false;
        for word in words.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name {
                "nokeys" => drops_keys = true,
                "ksk" | "zsk" | "csk" => keys.push(KeyText::read(name, value)),
                _ => self.set(name, value),
            }
        }
        if drops_keys || !keys.is_empty() {
            self.keys = keys;
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        let found = self.values.iter_mut().find(|(known, _)| *known == name);
        let (_, slot) = found.unwrap_or_else(|| panic!("{name}: no such word of a policy"));
        *slot = match value {
            "-" => None,
            number => Some(number.parse().unwrap_or_else(|_| panic!("{name}={value}"))),
        };
    }

    /// A value by its word.
    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.values.iter().find(|(known, _)| *known == name).and_then(|(_, value)| *value)
    }

    /// The words that are not the defaults, as [`PolicyText::read`] takes them.
    pub(crate) fn words(&self) -> String {
        let mut words = vec![self.name.clone()];
        for ((name, value), (_, default)) in self.values.iter().zip(DEFAULTS) {
            match value {
                _ if value == default => (),
                Some(number) => words.push(format!("{name}={number}")),
                None => words.push(format!("{name}=-")),
            }
        }
        words.extend(self.keys.iter().map(KeyText::word));
        words.join(" ")
    }

    fn xml(&self) -> String {
        let seconds = |name: &str| format!("PT{}S", self.get(name).unwrap_or_default());
        let optional = |name: &str, element: &str| match self.get(name) {
            Some(value) => format!("<{element}>PT{value}S</{element}>"),
            None => String::new(),
        };
        let flag = |name: &str, element: &str| match self.get(name) {
            Some(_) => format!("<{element}/>"),
            None => String::new(),
        };
        let denial = match self.get("nsec3") {
            None => "<NSEC/>".to_owned(),
            Some(ttl) => format!(
                "<NSEC3><TTL>PT{ttl}S</TTL><Resalt>P100D</Resalt><Hash><Algorithm>1</Algorithm>\
                 <Iterations>0</Iterations><Salt length=\"8\"/></Hash></NSEC3>"
            ),
        };
        // The schema wants KSKs first, then ZSKs, then CSKs.
        let of = |role| self.keys.iter().filter(move |key| key.role == role);
        let keys: String =
            ["ksk", "zsk", "csk"].into_iter().flat_map(of).map(KeyText::xml).collect();
        let mut xml = format!("<Policy name=\"{}\">", self.name);
        // `write!` to a String does not fail.
        let _ = write!(xml, "{}<Description>d</Description>", flag("passthrough", "Passthrough"));
        let _ = write!(
            xml,
            "<Signatures><Resign>{}</Resign><Refresh>{}</Refresh><Validity><Default>{}</Default>\
             <Denial>{}</Denial></Validity><Jitter>{}</Jitter>\
             <InceptionOffset>PT3600S</InceptionOffset>{}</Signatures><Denial>{denial}</Denial>",
            seconds("resign"),
            seconds("refresh"),
            seconds("validity"),
            seconds("denial"),
            seconds("jitter"),
            optional("maxttl", "MaxZoneTTL"),
        );
        let _ = write!(
            xml,
            "<Keys><TTL>{}</TTL><RetireSafety>{}</RetireSafety><PublishSafety>{}</PublishSafety>\
             {}{}{keys}</Keys>",
            seconds("keyttl"),
            seconds("retire"),
            seconds("publish"),
            flag("share", "ShareKeys"),
            optional("purge", "Purge"),
        );
        let _ = write!(
            xml,
            "<Zone><PropagationDelay>{}</PropagationDelay><SOA><TTL>{}</TTL><Minimum>{}</Minimum>\
             <Serial>unixtime</Serial></SOA></Zone>",
            seconds("zonedelay"),
            seconds("soattl"),
            seconds("soamin"),
        );
        let _ = writeln!(
            xml,
            "<Parent><PropagationDelay>{}</PropagationDelay><DS><TTL>{}</TTL></DS>\
             <SOA><TTL>PT172800S</TTL><Minimum>PT10800S</Minimum></SOA>{}</Parent></Policy>",
            seconds("parentdelay"),
            seconds("dsttl"),
            optional("regdelay", "RegistrationDelay"),
        );
        xml
    }
}

impl KeyText {
    /// Reads `ALGORITHM/BITS:LIFETIME:REPOSITORY:ROLLTYPE[:manual]`.
    fn read(role: &str, value: &str) -> KeyText {
        let fields: Vec<&str> = value.split(':').collect();
        let [kind, lifetime, repository, roll_type, rest @ ..] = fields.as_slice() else {
            panic!("{role}={value}: fields are missing")
        };
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{role}={value}"));
        let (algorithm, bits) = kind.split_once('/').unwrap_or((kind, "0"));
        KeyText {
            role: role.to_owned(),
            algorithm: number(algorithm) as u8,
            bits: number(bits) as u16,
            lifetime: number(lifetime),
            repository: (*repository).to_owned(),
            roll_type: (*roll_type).to_owned(),
            manual: rest.contains(&"manual"),
        }
    }

    fn word(&self) -> String {
        let manual = if self.manual { ":manual" } else { "" };
        let KeyText { role, algorithm, bits, lifetime, repository, roll_type, .. } = self;
        format!("{role}={algorithm}/{bits}:{lifetime}:{repository}:{roll_type}{manual}")
    }

    fn xml(&self) -> String {
        let element = self.role.to_uppercase();
        let roll = match self.roll_type.as_str() {
            "" => String::new(),
            text => {
                let name = format!("{}{}RollType", &element[..1], &self.role[1..]);
                format!("<{name}>{text}</{name}>")
            }
        };
        let manual = if self.manual { "<ManualRollover/>" } else { "" };
        format!(
            "<{element}><Algorithm length=\"{}\">{}</Algorithm><Lifetime>PT{}S</Lifetime>\
             <Repository>{}</Repository>{manual}{roll}</{element}>",
            self.bits, self.algorithm, self.lifetime, self.repository
        )
    }
}

/// The file with these policies.
pub(crate) fn kasp_xml(policies: &[PolicyText]) -> String {
    let policies: String = policies.iter().map(PolicyText::xml).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<KASP>\n{policies}</KASP>\n")
}
