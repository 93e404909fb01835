//! What can be wrong with a configuration file: as bytes, as XML, by its schema, in its values.
//! Out: messages that say what is wrong and what is allowed. Never: the place; that is
//! `diagnostics`'.

use dnssec::Seconds;
use dnssec::name::NameError;
use dnssec::transfer::peers::PrefixError;
use dnssec::transfer::tsig::TsigAlgorithm;

use crate::duration::DurationError;

/// What is wrong with a place in a file, or (see [`Fault::is_notice`]) merely old.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    // The file as bytes and as XML.
    /// More bytes than are read.
    #[error("the file has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Bytes in the file.
        bytes: usize,
        /// Most that is allowed.
        limit: usize,
    },
    /// Bytes that are no UTF-8.
    #[error("not UTF-8 text")]
    NotUtf8,
    /// An XML declaration with another encoding.
    #[error("encoding {label} is not supported; write the file in UTF-8")]
    Encoding {
        /// The encoding.
        label: String,
    },
    /// A character that XML 1.0 forbids.
    #[error("control character {code:#04x} is not allowed in XML")]
    ControlCharacter {
        /// The character.
        code: u32,
    },
    /// A document type declaration.
    #[error("a DOCTYPE is not accepted; remove it")]
    Doctype,
    /// An entity that is not predefined.
    #[error("entity &{name}; is not accepted; allowed: &lt; &gt; &amp; &apos; &quot; and &#…;")]
    Entity {
        /// The name.
        name: String,
    },
    /// A reference to no character.
    #[error("&{reference}; is not a character of XML")]
    CharacterReference {
        /// What stands between `&` and `;`.
        reference: String,
    },
    /// XML that is not well-formed.
    #[error("{detail}")]
    Syntax {
        /// The reader's words.
        detail: String,
    },
    /// Too deep nesting.
    #[error("elements nested deeper than {limit}")]
    TooDeep {
        /// Most that is allowed.
        limit: usize,
    },
    /// Too many attributes.
    #[error("more than {limit} attributes in one element")]
    TooManyAttributes {
        /// Most that is allowed.
        limit: usize,
    },
    /// Too many elements.
    #[error("more than {limit} elements in one file")]
    TooManyElements {
        /// Most that is allowed.
        limit: usize,
    },
    /// A file without an element.
    #[error("no element in the file; expected <{expected}>")]
    NoRoot {
        /// What should be there.
        expected: &'static str,
    },
    /// A second top element.
    #[error("only one element may stand at the top of the file; second is <{element}>")]
    SecondRoot {
        /// The element.
        element: String,
    },
    /// Text before or after the top element.
    #[error("text outside of the top element")]
    TextOutsideRoot,
    // The file against its schema.
    /// Another kind of file.
    #[error("the top element is <{found}>; expected <{expected}>")]
    WrongRoot {
        /// What is there.
        found: String,
        /// What should be there.
        expected: &'static str,
    },
    /// An element that no version knows at this place.
    #[error("unknown element <{element}> in <{parent}>; allowed here: {allowed}")]
    UnknownElement {
        /// The element.
        element: String,
        /// What the element stands in.
        parent: String,
        /// What may stand there.
        allowed: String,
    },
    /// An attribute that no version knows.
    #[error("unknown attribute {attribute} in <{element}>; allowed here: {allowed}")]
    UnknownAttribute {
        /// The attribute.
        attribute: String,
        /// The element.
        element: String,
        /// What may stand there.
        allowed: String,
    },
    /// A mandatory element that is not there.
    #[error("missing element <{element}> in <{parent}>")]
    MissingElement {
        /// The element.
        element: String,
        /// What the element stands in.
        parent: String,
    },
    /// A mandatory attribute that is not there.
    #[error("missing attribute {attribute} in <{element}>")]
    MissingAttribute {
        /// The attribute.
        attribute: String,
        /// The element.
        element: String,
    },
    /// None of several elements of which one must be there.
    #[error("missing one of {choices} in <{parent}>")]
    MissingChoice {
        /// The elements to choose from.
        choices: String,
        /// What the element stands in.
        parent: String,
    },
    /// Several elements that exclude each other.
    #[error("only one of {choices} may stand in <{parent}>")]
    TooManyChoices {
        /// The elements to choose from.
        choices: String,
        /// What the element stands in.
        parent: String,
    },
    /// An element that stands there twice.
    #[error("element <{element}> may stand only once in <{parent}>")]
    Repeated {
        /// The element.
        element: String,
        /// What the element stands in.
        parent: String,
    },
    /// An element at the wrong place among its siblings.
    #[error("element <{element}> in <{parent}> must stand before <{before}>")]
    OutOfOrder {
        /// The element.
        element: String,
        /// What the element stands in.
        parent: String,
        /// The element that it must precede.
        before: String,
    },
    /// Text among elements.
    #[error("text is not allowed in <{element}>")]
    UnexpectedText {
        /// The element.
        element: String,
    },
    /// Text of the wrong form.
    #[error("'{value}' is not allowed in {place}; expected {expected}")]
    BadValue {
        /// The element, or its attribute.
        place: String,
        /// The text.
        value: String,
        /// What should be there.
        expected: String,
    },
    // Values that the schema cannot judge.
    /// A duration of the right form that is not possible.
    #[error("{field} ({text}): {cause}")]
    Duration {
        /// Path of the element.
        field: String,
        /// The text.
        text: String,
        /// What is wrong with it.
        cause: DurationError,
    },
    /// A key algorithm that does not sign zones.
    #[error("zones cannot be signed with algorithm {number}: {reason}")]
    Algorithm {
        /// The number.
        number: u8,
        /// Why not.
        reason: &'static str,
    },
    /// An RSA key without a length.
    #[error(
        "algorithm {number} needs a key length: <Algorithm length=\"2048\">{number}</Algorithm>"
    )]
    MissingKeyLength {
        /// The number.
        number: u8,
    },
    /// An NSEC3 hash algorithm that is not SHA-1.
    #[error("NSEC3 hash algorithm {number} does not exist; only 1 (SHA-1) does")]
    Nsec3Hash {
        /// The number.
        number: u64,
    },
    /// A name given twice.
    #[error("second {what} with the name {name}")]
    DuplicateName {
        /// Of what kind.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// An element without the text that it is for.
    #[error("<{element}> is empty")]
    EmptyValue {
        /// The element.
        element: String,
    },
    /// A zone name that is none.
    #[error("'{name}' is not a zone name: {cause}")]
    ZoneName {
        /// The name.
        name: String,
        /// What is wrong with it.
        cause: NameError,
    },
    /// An adapter that is neither File nor DNS.
    #[error("adapter type '{found}' is unknown; allowed: File, DNS")]
    AdapterType {
        /// What is there.
        found: String,
    },
    /// An element that belongs to another kind of repository.
    #[error("<{element}> goes only with {with}")]
    OnlyWith {
        /// The element.
        element: &'static str,
        /// What it goes with.
        with: &'static str,
    },
    /// Two secrets for one token.
    #[error("<PIN> and <KeyFile> exclude each other")]
    PinAndKeyFile,
    /// A checker that would never be waited for, or too long.
    #[error("a checker's <Timeout> is longer than nothing, and {} seconds at most", .max.0)]
    CheckerTimeout {
        /// Longest that is allowed.
        max: Seconds,
    },
    /// Too many checkers.
    #[error("more than {max} <Checker>s; each looks at each version of each zone")]
    TooManyCheckers {
        /// Most that is allowed.
        max: usize,
    },
    /// A token label longer than PKCS#11 has.
    #[error("a token label has at most 32 octets; this one has {octets}")]
    LabelTooLong {
        /// Octets in it.
        octets: usize,
    },
    /// A built-in token whose name makes no folder.
    #[error("repository name '{name}' cannot be a folder name; add <Directory> to the repository")]
    DirectoryNeeded {
        /// The name.
        name: String,
    },
    /// A group with a member that is no repository.
    #[error(
        "'{name}' is no <Repository> of this list, so it cannot be a member; there are: {known}"
    )]
    UnknownMember {
        /// The name.
        name: String,
        /// The repositories of the list.
        known: String,
    },
    /// A repository that is a member already.
    #[error("repository {name} is a member of the group {group} already; it can be one only once")]
    MemberTwice {
        /// The repository.
        name: String,
        /// The group that had it first.
        group: String,
    },
    /// A group of one, or of none.
    #[error("a repository group has at least 2 members; {name} has {count}")]
    GroupTooSmall {
        /// The group.
        name: String,
        /// Its members.
        count: usize,
    },
    /// A quorum that is never reached.
    #[error("a quorum of {quorum} is never reached by {count} members; expected at most {count}")]
    QuorumTooLarge {
        /// `<Quorum>`.
        quorum: usize,
        /// The members.
        count: usize,
    },
    /// A listener on no IP address.
    #[error("'{value}' is not an IP address")]
    Address {
        /// The text.
        value: String,
    },
    /// Too few or too many servers to ask.
    #[error("<{within}> has {count} <{element}>; it needs 1 to {most}")]
    ServerCount {
        /// What holds them.
        within: &'static str,
        /// What names one of them.
        element: &'static str,
        /// How many it has.
        count: usize,
        /// Most that are asked.
        most: usize,
    },
    /// Servers would be asked all the time.
    #[error("<Interval> is at least {least} second")]
    AgentInterval {
        /// Shortest interval.
        least: Seconds,
    },
    /// No comment, or a long one.
    #[error(
        "<EndMarker> has to be a comment: a line that begins with \";\", {limit} octets at most"
    )]
    EndMarker {
        /// Most octets.
        limit: usize,
    },
    /// No trust anchor.
    #[error("<TrustAnchor> is none: {problem}")]
    TrustAnchor {
        /// Why.
        #[source]
        problem: dnssec::parent::AnchorProblem,
    },
    /// A path that depends on where the daemon was started.
    #[error("the path in <{element}> is not absolute")]
    RelativePath {
        /// The element.
        element: &'static str,
    },
    /// A name that is none.
    #[error("'{name}' is not the name of a key: {cause}")]
    KeyName {
        /// The name.
        name: String,
        /// What is wrong with it.
        cause: NameError,
    },
    /// A `<Key>` without its `<TSIG>`.
    #[error("there is no <TSIG> with the <Name> {name} in this file; there are: {known}")]
    UnknownTsigKey {
        /// The name.
        name: String,
        /// The names of the file.
        known: String,
    },
    /// An algorithm that nobody has.
    #[error(
        "TSIG algorithm '{found}' is unknown; allowed: hmac-sha256, hmac-sha384, hmac-sha512, \
         hmac-sha224, and for old partners hmac-sha1, hmac-md5"
    )]
    TsigAlgorithm {
        /// What is there.
        found: String,
    },
    /// A text that is no base64. Never that text.
    #[error("<{element}> is not base64: {cause}, white space not counted")]
    Base64 {
        /// The element.
        element: &'static str,
        /// Where it goes wrong.
        cause: data_encoding::DecodeError,
    },
    /// A prefix in none of the four forms.
    #[error("{cause}")]
    Prefix {
        /// Why.
        cause: PrefixError,
    },
    /// Somebody may change the zone from an address alone, which can be forged.
    #[error("a <Peer> of <AllowUpdate> needs a <Key>: an address can be forged")]
    UpdateWithoutKey,
    /// A zone that is changed here and by its masters.
    #[error(
        "<AllowUpdate> does not go with <RequestTransfer>: updates of a zone that has masters are \
         for its primary; leave one of the two out"
    )]
    UpdateWithMasters,
    /// A policy that kasp.xml does not have.
    #[error("there is no policy {name} in kasp.xml; there are: {known}")]
    UnknownPolicy {
        /// The name.
        name: String,
        /// The policies of kasp.xml.
        known: String,
    },
    // Notices: accepted, but the operator should know.
    /// Notice: a MAC that is only for old partners.
    #[error("{algorithm} is only for partners that know no better; hmac-sha256 is the usual one")]
    WeakTsig {
        /// The algorithm.
        algorithm: TsigAlgorithm,
    },
    /// Notice: a secret that can be guessed.
    #[error("<Secret> has {octets} octets; fewer than {good} can be guessed")]
    ShortSecret {
        /// Its octets.
        octets: usize,
        /// Enough.
        good: usize,
    },
    /// Notice: a list that everybody is on.
    #[error("a <Peer> of <{within}> without <Prefix> and <Key> is everybody")]
    OpenPeer {
        /// The list.
        within: &'static str,
    },
    /// Notice: an element that 2.1 does not know.
    #[error("element <{element}> in <{parent}> is {note}")]
    OldElement {
        /// The element.
        element: String,
        /// What the element stands in.
        parent: String,
        /// Which versions, and what now.
        note: &'static str,
    },
    /// Notice: an attribute that 2.1 does not know.
    #[error("attribute {attribute} in <{element}> is {note}")]
    OldAttribute {
        /// The attribute.
        attribute: String,
        /// The element.
        element: String,
        /// Which versions, and what now.
        note: &'static str,
    },
    /// Notice: no length where 2.1 demands one that has no effect.
    #[error("missing attribute length in <Algorithm>: OpenDNSSEC 2.1 demands it even for {number}")]
    LengthOmitted {
        /// The number.
        number: u8,
    },
    /// Notice: a duration in weeks.
    #[error("{text}: weeks are understood here, but OpenDNSSEC's schema refuses them")]
    Weeks {
        /// The text.
        text: String,
    },
}

impl Fault {
    /// Whether this is no error but a note on a form that only some version accepts.
    pub fn is_notice(&self) -> bool {
        matches!(
            self,
            Fault::OldElement { .. }
                | Fault::OldAttribute { .. }
                | Fault::LengthOmitted { .. }
                | Fault::Weeks { .. }
                | Fault::WeakTsig { .. }
                | Fault::ShortSecret { .. }
                | Fault::OpenPeer { .. }
        )
    }

    /// Whether the file has the right form and only this value is impossible.
    pub(crate) fn is_about_value(&self) -> bool {
        use Fault::*;
        matches!(
            self,
            Duration { .. }
                | Algorithm { .. }
                | MissingKeyLength { .. }
                | Nsec3Hash { .. }
                | DuplicateName { .. }
                | EmptyValue { .. }
                | ZoneName { .. }
                | AdapterType { .. }
                | OnlyWith { .. }
                | PinAndKeyFile
                | LabelTooLong { .. }
                | DirectoryNeeded { .. }
                | UnknownMember { .. }
                | MemberTwice { .. }
                | GroupTooSmall { .. }
                | QuorumTooLarge { .. }
                | Address { .. }
                | ServerCount { .. }
                | TrustAnchor { .. }
                | RelativePath { .. }
                | AgentInterval { .. }
                | EndMarker { .. }
                | CheckerTimeout { .. }
                | TooManyCheckers { .. }
                | KeyName { .. }
                | UnknownTsigKey { .. }
                | TsigAlgorithm { .. }
                | Base64 { .. }
                | Prefix { .. }
                | UpdateWithoutKey
                | UpdateWithMasters
                | UnknownPolicy { .. }
        )
    }
}
