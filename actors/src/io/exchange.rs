//! A short question to a peer and its answer: NOTIFY and SOA queries to secondaries.
//! RFC 1035 §4.2, RFC 7766, RFC 8945 (TSIG), RFC 9103 (TLS).
//! In: whom, the question. Out: what the answer says, or why there is none.
//! Never: an answer from another address, with another id, or unsigned where we signed; clear text
//! where TLS is asked for. An error may come unsigned; it is no more than a word.
//! Limits: the caller's; messages of 65,535 octets.

use crate::io::tls::{TlsError, connect};
use crate::runtime::Clock;
use dnssec::transfer::Rcode;
use dnssec::transfer::message::{Asked, Response};
use dnssec::transfer::peers::Remote;
use dnssec::transfer::tsig::{TsigFault, Verifier, sign_request};
use dnssec::transfer::wire::Head;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

/// Why a peer did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Nothing came back.
    #[error("no answer")]
    NoAnswer,
    /// The system refused, or the way there is closed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No TLS as it was asked for.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It answered with an error.
    #[error("it answers {0}")]
    Refused(Rcode),
    /// It answered something else.
    #[error("it answers something else than was asked")]
    OtherAnswer,
    /// Its answer is not authentic, or it does not take ours for authentic.
    #[error(transparent)]
    Tsig(#[from] TsigFault),
    /// No random id.
    #[error("no random numbers ({0})")]
    Random(#[source] getrandom::Error),
}

/// A random id for a question.
pub(super) fn random_id() -> Result<u16, ExchangeError> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(ExchangeError::Random)?;
    Ok(u16::from_be_bytes(id))
}

/// A question on its way, and what proves the answer.
pub(super) struct Question<'a> {
    remote: &'a Remote,
    /// The address that it comes from; `None`: any.
    source: Option<IpAddr>,
    asked: Asked,
    verifier: Option<Verifier>,
    clock: &'a Clock,
}

impl<'a> Question<'a> {
    /// Signed now, where the peer has a key.
    pub(super) fn new(
        remote: &'a Remote,
        source: Option<IpAddr>,
        mut asked: Asked,
        clock: &'a Clock,
    ) -> Question<'a> {
        let key = remote.key.as_ref();
        let verifier = key.map(|key| sign_request(key, &mut asked.octets, clock.now()));
        let source = source.filter(|source| source.is_ipv4() == remote.address.is_ipv4());
        Question { remote, source, asked, verifier, clock }
    }

    fn own_address(&self) -> SocketAddr {
        let any: IpAddr = match self.remote.address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        SocketAddr::new(self.source.unwrap_or(any), 0)
    }

    /// Asks in one datagram, and waits for as long as the caller lets it.
    pub(super) async fn by_datagram(&self) -> Result<Response, ExchangeError> {
        // A port of its own each time; connected, so that only the peer is heard.
        let socket = UdpSocket::bind(self.own_address()).await?;
        socket.connect(self.remote.address).await?;
        socket.send(&self.asked.octets).await?;
        let mut octets = vec![0; usize::from(u16::MAX)];
        loop {
            let length = socket.recv(&mut octets).await?;
            // What answers something else may be anybody's.
            if let Some(answered) = self.answer(&octets[..length]) {
                return answered;
            }
        }
    }

    /// Asks in a connection: by TLS where the peer wants that.
    pub(super) async fn by_stream(&self) -> Result<Response, ExchangeError> {
        let socket = match self.remote.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.bind(self.own_address())?;
        let stream: TcpStream = socket.connect(self.remote.address).await?;
        stream.set_nodelay(true)?;
        match &self.remote.tls {
            None => self.converse(stream).await,
            Some(tls) => {
                let address = self.remote.address.ip();
                self.converse(connect(stream, tls, address).await?).await
            }
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
    ) -> Result<Response, ExchangeError> {
        // A question is far shorter than the length field reaches.
        let length = (self.asked.octets.len() as u16).to_be_bytes();
        stream.write_all(&[&length[..], &self.asked.octets].concat()).await?;
        stream.flush().await?;
        let length = stream.read_u16().await.map_err(closed)?;
        let mut octets = vec![0; usize::from(length)];
        stream.read_exact(&mut octets).await.map_err(closed)?;
        self.answer(&octets).unwrap_or(Err(ExchangeError::OtherAnswer))
    }

    /// What a message says; `None`: it is not the answer.
    fn answer(&self, message: &[u8]) -> Option<Result<Response, ExchangeError>> {
        let response = self.asked.response(message).ok()?;
        if let Some(verifier) = &self.verifier
            && let Err(fault) = verifier.clone().verify(message, self.clock.now())
        {
            let is_word = matches!(fault, TsigFault::Missing { .. })
                && Head::read(message).is_some_and(|head| head.rcode != 0);
            if !is_word {
                return Some(Err(fault.into()));
            }
        }
        Some(match response.rcode {
            Rcode::NOERROR => Ok(response),
            rcode => Err(ExchangeError::Refused(rcode)),
        })
    }
}

/// An end in the middle of nothing is no answer.
fn closed(error: io::Error) -> ExchangeError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ExchangeError::NoAnswer,
        _ => error.into(),
    }
}
