//! Asking one server, and telling one (RFC 1035, RFC 6891, RFC 7766; RFC 1996 for NOTIFY): UDP with
//! a random id from a port of its own, TCP when the answer is cut short.
//! In: address, name, type. Out: the response, decoded; what it means is `dnssec::parent`'s to say.
//! Never: an answer to another question, from another address, or with another id.
//! Limits: [`UDP_TRIES`] of [`UDP_WAIT`], then [`TCP_WAIT`]; messages of 65,535 octets.

use dnssec::parent::{AnswerRecord, Response};
use dnssec::{Name, RrType, Ttl};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{DNSClass, Name as WireName, RData, Record, RecordType};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// How often a question is sent by UDP.
pub const UDP_TRIES: usize = 3;
/// How long each is waited for.
pub const UDP_WAIT: Duration = Duration::from_secs(2);
/// How long the whole exchange by TCP may take.
pub const TCP_WAIT: Duration = Duration::from_secs(5);
/// Largest answer by UDP that is asked for, which passes everywhere unfragmented.
const UDP_OCTETS: u16 = 1232;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The system refused, or the way there is closed.
    #[error("cannot be asked: {0}")]
    Io(#[from] io::Error),
    /// No random id.
    #[error("cannot be asked: no random numbers ({0})")]
    Random(#[source] getrandom::Error),
    /// Nothing in time that answers the question.
    #[error("does not answer")]
    NoAnswer,
    /// By TCP, something that is no answer to the question.
    #[error("answers with something else than was asked")]
    NotTheAnswer,
    /// The question could not be written.
    #[error("cannot be asked about this name: {0}")]
    Question(#[source] hickory_proto::ProtoError),
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A server that has the zone.
    Authority,
    /// A resolver, which looks for the answer.
    Resolver,
}

/// Asks `server` for the RRset of a name, with its signatures.
pub async fn ask(
    server: SocketAddr,
    asked: Asked,
    name: &Name,
    rtype: RrType,
) -> Result<Response, QueryError> {
    let mut message = Message::new(random_id()?, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = asked == Asked::Resolver;
    let mut edns = Edns::new();
    // With signatures, which tell whose answer it is.
    edns.set_max_payload(UDP_OCTETS).set_dnssec_ok(true);
    message.set_edns(edns);
    exchange(server, &Question::new(message, name, rtype)?).await
}

/// Tells `server` by NOTIFY that the RRset of a zone changed (RFC 1996 §3.7, RFC 9859 §4.2). The
/// response is an acknowledgement when its RCODE is 0.
pub async fn notify(
    server: SocketAddr,
    zone: &Name,
    rtype: RrType,
) -> Result<Response, QueryError> {
    let mut message = Message::new(random_id()?, MessageType::Query, OpCode::Notify);
    message.metadata.authoritative = true;
    exchange(server, &Question::new(message, zone, rtype)?).await
}

async fn exchange(server: SocketAddr, question: &Question) -> Result<Response, QueryError> {
    let message = by_udp(server, question).await?;
    let message = match message.metadata.truncation {
        true => timeout(TCP_WAIT, by_tcp(server, question))
            .await
            .unwrap_or(Err(QueryError::NoAnswer))?,
        false => message,
    };
    response(&message).ok_or(QueryError::NotTheAnswer)
}

fn random_id() -> Result<u16, QueryError> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(QueryError::Random)?;
    Ok(u16::from_be_bytes(id))
}

struct Question {
    id: u16,
    op_code: OpCode,
    name: Name,
    rtype: RecordType,
    octets: Vec<u8>,
}

impl Question {
    fn new(mut message: Message, name: &Name, rtype: RrType) -> Result<Question, QueryError> {
        let labels = name.labels().filter(|label| !label.is_empty());
        let mut wire_name = WireName::from_labels(labels).map_err(QueryError::Question)?;
        wire_name.set_fqdn(true);
        let rtype = RecordType::from(rtype.0);
        message.add_query(Query::query(wire_name, rtype));
        let octets = message.to_vec().map_err(QueryError::Question)?;
        let (id, op_code) = (message.metadata.id, message.metadata.op_code);
        Ok(Question { id, op_code, name: name.to_lowercase(), rtype, octets })
    }

    /// The message in `octets`, when it is the answer.
    fn answer(&self, octets: &[u8]) -> Option<Message> {
        let message = Message::from_vec(octets).ok()?;
        let [query] = message.queries.as_slice() else { return None };
        let is_answer = message.metadata.id == self.id
            && message.metadata.message_type == MessageType::Response
            && message.metadata.op_code == self.op_code
            && query.query_type() == self.rtype
            && query.query_class() == DNSClass::IN
            && name(query.name())?.to_lowercase() == self.name;
        is_answer.then_some(message)
    }
}

async fn by_udp(server: SocketAddr, question: &Question) -> Result<Message, QueryError> {
    let own: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    for _ in 0..UDP_TRIES {
        // A new port each time; connected, so that only the server is heard.
        let socket = UdpSocket::bind(own).await?;
        socket.connect(server).await?;
        socket.send(&question.octets).await?;
        if let Ok(message) = timeout(UDP_WAIT, first_answer(&socket, question)).await {
            return message;
        }
    }
    Err(QueryError::NoAnswer)
}

async fn first_answer(socket: &UdpSocket, question: &Question) -> Result<Message, QueryError> {
    let mut octets = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut octets).await?;
        if let Some(message) = question.answer(&octets[..length]) {
            return Ok(message);
        }
    }
}

async fn by_tcp(server: SocketAddr, question: &Question) -> Result<Message, QueryError> {
    let mut stream = TcpStream::connect(server).await?;
    // A question is far shorter than the length field reaches.
    let length = question.octets.len() as u16;
    let framed = [&length.to_be_bytes()[..], &question.octets].concat();
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut octets = vec![0; usize::from(length)];
    stream.read_exact(&mut octets).await?;
    question.answer(&octets).ok_or(QueryError::NotTheAnswer)
}

fn response(message: &Message) -> Option<Response> {
    let records = |section: &[Record]| -> Option<Vec<AnswerRecord>> {
        let ours = section.iter().filter(|record| record.dns_class == DNSClass::IN);
        ours.map(record).collect()
    };
    Some(Response {
        rcode: message.metadata.response_code.into(),
        is_authoritative: message.metadata.authoritative,
        answers: records(&message.answers)?,
        authorities: records(&message.authorities)?,
    })
}

fn record(record: &Record) -> Option<AnswerRecord> {
    // Types of DNSSEC are not taken apart without hickory's feature for them.
    let rdata = match &record.data {
        RData::Unknown { rdata, .. } => rdata.anything.clone(),
        RData::A(address) => address.octets().to_vec(),
        RData::AAAA(address) => address.octets().to_vec(),
        _ => Vec::new(),
    };
    let rtype = RrType(record.record_type().into());
    Some(AnswerRecord { owner: name(&record.name)?, rtype, ttl: Ttl(record.ttl), rdata })
}

fn name(name: &WireName) -> Option<Name> {
    let mut wire = Vec::new();
    for label in name.iter() {
        wire.push(u8::try_from(label.len()).ok()?);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    Name::from_wire(&wire).ok().map(|(name, _)| name)
}

#[cfg(test)]
mod tests;
