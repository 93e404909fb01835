//! Writes messages: headers, counts, and names compressed where that is cheap. RFC 1035 §4.1,
//! §4.1.4; RFC 3597 §4 (RDATA of RFC 1035's types alone is compressed); RFC 6891 §6.1 (OPT).
//! In: names and records in wire form. Out: messages, each behind its length as TCP has it.
//! A name is written with a pointer to the owner before, to the first owner of which others are
//! descendants (glue below its cut), or to the apex; in a zone's own order that is nearly all there
//! is to gain, and costs no table. Names are shared only where they are equal octet for octet, so
//! case is kept.
//! Never: a pointer to an offset above 16,383. Limit: a record is at most [`RECORD_OCTETS_MAX`].

use crate::rrtype::CLASS_IN;
use crate::signing::tbs::{SignatureFields, push_rrsig_head};
use crate::transfer::message::{EDNS_OCTETS, EXPIRE, OPT, Question, Request};
use crate::transfer::wire::HEADER_OCTETS;
use crate::{Name, RrType, Seconds, Ttl};

/// A message is closed before it gets longer: pointers reach no further.
pub const PACKED_OCTETS: usize = 16_383;
/// Longest message with one record only. The rest of 65,535 is left to a TSIG.
pub const RECORD_OCTETS_MAX: usize = 65_535 - 1024;
/// Length of the OPT record in answers: root, type, size, extended RCODE and flags, no option.
const OPT_OCTETS: usize = 11;
/// Length of the option EXPIRE in it.
const EXPIRE_OCTETS: u16 = 8;
/// Offsets that a pointer cannot reach.
const POINTER_LIMIT: usize = 0x4000;

/// What the messages of a transfer have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Id of the request.
    pub id: u16,
    /// Whether RD was set in the request.
    pub recursion_desired: bool,
    /// The question, repeated in the first message.
    pub question: Question,
    /// Whether the request had an OPT record: then the first message has one (RFC 6891 §6.1.1).
    pub has_edns: bool,
    /// In how long the zone is too old to be served, where the request wants to know: an option of
    /// that OPT record (RFC 7314 §3.2).
    pub expire: Option<Seconds>,
}

impl Heading {
    /// The heading of the answer to a request.
    pub fn of(request: &Request) -> Heading {
        Heading {
            id: request.id,
            recursion_desired: request.recursion_desired,
            question: request.question.clone(),
            has_edns: request.edns.is_some(),
            expire: None,
        }
    }

    /// The same for a zone that is too old after so long.
    pub fn expiring_in(self, expire: Option<Seconds>) -> Heading {
        Heading { expire, ..self }
    }
}

/// A record that no message can carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {rtype} record at {owner} is too long for a message")]
pub struct RecordTooLong {
    /// Its owner.
    pub owner: Name,
    /// Its type.
    pub rtype: RrType,
}

/// Writes messages behind one another into one buffer.
pub struct Writer<'a> {
    heading: &'a Heading,
    /// The apex in lower case, as nearly all owners end.
    apex: &'a [u8],
    out: Vec<u8>,
    /// Where the open message's header begins.
    start: usize,
    /// Records in it.
    count: u16,
    /// It is closed before it is longer.
    limit: usize,
    /// Whether the next message is the first of the answer.
    is_first: bool,
    /// Whether the open message has the OPT record.
    has_opt: bool,
    /// Where in the message the apex is; 0: nowhere.
    apex_at: usize,
    owner: Known,
    /// The first owner after which its descendants come.
    base: Known,
}

/// A name that is in the open message; offset 0: it is not.
#[derive(Default)]
struct Known {
    name: Vec<u8>,
    at: usize,
}

impl Known {
    fn set(&mut self, name: &[u8], at: usize) {
        self.name.clear();
        self.name.extend(name);
        self.at = at;
    }
}

impl<'a> Writer<'a> {
    /// A writer with its first message open. `is_first`: that is the first of the answer. `limit`
    /// is the length at which messages are closed, at most [`PACKED_OCTETS`] where there is more
    /// than one; `apex` in lower case.
    pub fn new(heading: &'a Heading, apex: &'a Name, is_first: bool, limit: usize) -> Writer<'a> {
        Writer::with_buffer(heading, apex, is_first, limit, Vec::new())
    }

    /// [`Writer::new`] that writes into a buffer which is there already and empty.
    pub fn with_buffer(
        heading: &'a Heading,
        apex: &'a Name,
        is_first: bool,
        limit: usize,
        out: Vec<u8>,
    ) -> Writer<'a> {
        let mut writer = Writer {
            heading,
            apex: apex.as_wire(),
            out,
            start: 0,
            count: 0,
            limit,
            is_first,
            has_opt: false,
            apex_at: 0,
            owner: Known::default(),
            base: Known::default(),
        };
        writer.begin();
        writer
    }

    fn begin(&mut self) {
        self.out.extend([0, 0]);
        self.start = self.out.len();
        let heading = self.heading;
        self.out.extend(heading.id.to_be_bytes());
        // QR and AA, and RD as it was; no error.
        let flags = 0x84 | u8::from(heading.recursion_desired);
        let is_first = std::mem::take(&mut self.is_first);
        self.out.extend([flags, 0, 0, u8::from(is_first), 0, 0, 0, 0, 0, 0]);
        self.count = 0;
        (self.apex_at, self.owner.at, self.base.at) = (0, 0, 0);
        self.has_opt = is_first && heading.has_edns;
        if is_first {
            let Question { name, rtype } = &heading.question;
            if name.as_wire() == self.apex && self.apex.len() > 1 {
                self.apex_at = HEADER_OCTETS;
            }
            self.out.extend(name.as_wire());
            self.out.extend(rtype.0.to_be_bytes());
            self.out.extend(CLASS_IN.to_be_bytes());
        }
    }

    fn end(&mut self) {
        if self.has_opt {
            self.out.push(0);
            self.out.extend(OPT.0.to_be_bytes());
            self.out.extend(EDNS_OCTETS.to_be_bytes());
            self.out.extend([0; 4]);
            let options = self.heading.expire.map_or(0, |_| EXPIRE_OCTETS);
            self.out.extend(options.to_be_bytes());
            if let Some(Seconds(length)) = self.heading.expire {
                let length = u32::try_from(length).unwrap_or(u32::MAX);
                self.out.extend(EXPIRE.to_be_bytes());
                self.out.extend(4u16.to_be_bytes());
                self.out.extend(length.to_be_bytes());
            }
            self.out[self.start + 11] = 1;
        }
        let count_at = self.start + 6;
        self.out[count_at..count_at + 2].copy_from_slice(&self.count.to_be_bytes());
        // Checked with each record: at most RECORD_OCTETS_MAX.
        let length = (self.out.len() - self.start) as u16;
        self.out[self.start - 2..self.start].copy_from_slice(&length.to_be_bytes());
    }

    /// The messages, the last one ended.
    pub fn finish(mut self) -> Vec<u8> {
        self.end();
        self.out
    }

    /// Octets in the open message, with what is still to come at its end.
    pub fn message_octets(&self) -> usize {
        let options = self.heading.expire.map_or(0, |_| usize::from(EXPIRE_OCTETS));
        self.out.len() - self.start + if self.has_opt { OPT_OCTETS + options } else { 0 }
    }

    /// Adds a record; `owner` in wire form.
    pub fn record(
        &mut self,
        owner: &[u8],
        rtype: RrType,
        ttl: Ttl,
        rdata: &[u8],
    ) -> Result<(), RecordTooLong> {
        self.add(owner, rtype, ttl, |writer| match rtype {
            RrType::NS | RrType::CNAME | RrType::PTR => writer.names(rdata, 0, 1),
            RrType::SOA => writer.names(rdata, 0, 2),
            RrType::MX => writer.names(rdata, 2, 1),
            _ => writer.out.extend(rdata),
        })
    }

    /// Adds an RRSIG whose implied fields are given apart; nothing of it is compressed
    /// (RFC 4034 §3.1.7).
    pub fn signature(
        &mut self,
        owner: &[u8],
        covered: (RrType, Ttl, u8),
        fields: &SignatureFields,
        signature: &[u8],
    ) -> Result<(), RecordTooLong> {
        let (rtype, ttl, labels) = covered;
        self.add(owner, RrType::RRSIG, ttl, |writer| {
            push_rrsig_head(rtype, ttl, labels, fields, writer.apex, &mut writer.out);
            writer.out.extend(signature);
        })
    }

    fn add(
        &mut self,
        owner: &[u8],
        rtype: RrType,
        ttl: Ttl,
        rdata: impl Fn(&mut Writer<'a>),
    ) -> Result<(), RecordTooLong> {
        let before = self.out.len();
        self.write(owner, rtype, ttl, &rdata);
        if self.message_octets() > self.limit {
            if self.count > 0 {
                self.out.truncate(before);
                self.end();
                self.begin();
                self.write(owner, rtype, ttl, &rdata);
            }
            if self.message_octets() > RECORD_OCTETS_MAX {
                // Owners come from versions, whose names are sound.
                let owner = Name::from_wire(owner).map_or(Name::root(), |(name, _)| name);
                return Err(RecordTooLong { owner, rtype });
            }
        }
        self.count += 1;
        Ok(())
    }

    fn write(&mut self, owner: &[u8], rtype: RrType, ttl: Ttl, rdata: &impl Fn(&mut Writer<'a>)) {
        self.owner(owner);
        let mut fixed = [0; 10];
        fixed[..2].copy_from_slice(&rtype.0.to_be_bytes());
        fixed[2..4].copy_from_slice(&CLASS_IN.to_be_bytes());
        fixed[4..8].copy_from_slice(&ttl.0.to_be_bytes());
        self.out.extend(fixed);
        let rdata_at = self.out.len();
        rdata(self);
        // RDATA of versions is shorter than 65,536 octets, and does not grow.
        let length = (self.out.len() - rdata_at) as u16;
        self.out[rdata_at - 2..rdata_at].copy_from_slice(&length.to_be_bytes());
    }

    fn owner(&mut self, owner: &[u8]) {
        if self.owner.at != 0 && self.owner.name == owner {
            return self.out.extend(pointer(self.owner.at));
        }
        let at = self.out.len() - self.start;
        if owner == self.apex && self.apex_at != 0 {
            self.out.extend(pointer(self.apex_at));
            return self.owner.set(owner, self.apex_at);
        }
        self.name(owner);
        if at < POINTER_LIMIT {
            self.owner.set(owner, at);
            // Of the apex everything is a descendant; it has its own place.
            let is_below = self.base.at != 0 && prefix_length(owner, &self.base.name).is_some();
            if !is_below && owner != self.apex && owner.len() > 1 {
                self.base.set(owner, at);
            }
        }
    }

    /// Writes a name with a pointer for as much of its end as is known.
    fn name(&mut self, name: &[u8]) {
        for known in [&self.owner, &self.base] {
            if known.at != 0
                && known.name.len() > 1
                && let Some(prefix) = prefix_length(name, &known.name)
            {
                self.out.extend(&name[..prefix]);
                self.out.extend(pointer(known.at));
                return;
            }
        }
        match prefix_length(name, self.apex) {
            Some(prefix) if self.apex_at != 0 => {
                self.out.extend(&name[..prefix]);
                self.out.extend(pointer(self.apex_at));
            }
            Some(prefix) if self.apex.len() > 1 => {
                let at = self.out.len() - self.start + prefix;
                if at < POINTER_LIMIT {
                    self.apex_at = at;
                }
                self.out.extend(name);
            }
            _ => self.out.extend(name),
        }
    }

    /// Writes RDATA with `count` names after `skip` octets. RDATA that is not so stays as it is.
    fn names(&mut self, rdata: &[u8], skip: usize, count: usize) {
        let mut at = skip;
        for _ in 0..count {
            match rdata.get(at..).and_then(name_length) {
                Some(length) => at += length,
                None => return self.out.extend(rdata),
            }
        }
        self.out.extend(&rdata[..skip]);
        let mut rest = &rdata[skip..];
        for _ in 0..count {
            let (name, after) = rest.split_at(name_length(rest).unwrap_or(0));
            self.name(name);
            rest = after;
        }
        self.out.extend(rest);
    }
}

fn pointer(at: usize) -> [u8; 2] {
    (0xC000 | at as u16).to_be_bytes()
}

/// Length of what is before `suffix` in `name`, when that is its end, octet for octet, and begins
/// at a label.
fn prefix_length(name: &[u8], suffix: &[u8]) -> Option<usize> {
    let split = name.len().checked_sub(suffix.len())?;
    if name[split..] != *suffix {
        return None;
    }
    let mut at = 0;
    while at < split {
        at += 1 + usize::from(name[at]);
    }
    (at == split).then_some(split)
}

/// Length of the name at the start of `bytes`.
fn name_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            label @ 1..=63 => at += 1 + usize::from(label),
            _ => return None,
        }
    }
}
