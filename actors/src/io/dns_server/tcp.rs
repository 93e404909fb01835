//! Requests in connections (RFC 1035 §4.2.2, RFC 7766): as many as the peer sends, answered in
//! their order. RFC 9103 for those by TLS.
//! In: connections. Out: answers and transfers.
//! Limits: [`FIRST_MAX`] for the first request, [`IDLE_MAX`] between two, [`REQUEST_MAX`] for one
//! that has begun; readers as [`super::pace`] has it; places as [`super::quota`] has it.

use super::pace::Paced;
use super::quota::Place;
use super::{REFUSED_PAUSE, Server};
use crate::io::tls::{self, TlsServer};
use crate::settings::zone_text;
use crate::transfers::requests::{Content, Outgoing, Reply, Transport};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Whoever connects has to ask within this time.
const FIRST_MAX: Duration = Duration::from_secs(10);
/// Time between an answer and the next request (RFC 7766 §6.2.3 speaks of a few seconds).
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Time for a request from its first octet to its last.
const REQUEST_MAX: Duration = Duration::from_secs(10);

pub(super) async fn serve(listener: TcpListener, tls: Option<Arc<TlsServer>>, server: Arc<Server>) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Such as that there are no descriptors left: connections end, and there are.
            server.clock.sleep(REFUSED_PAUSE).await;
            continue;
        };
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let is_listed = server.desk.publications.lists(peer.ip());
        let Some(place) = server.quota.admit(peer.ip(), is_listed, server.clock.uptime()) else {
            server.counts.turned_away.fetch_add(1, Relaxed);
            tracing::debug!(target: "tcp", %peer, "no place for a connection of {peer}");
            continue;
        };
        server.counts.connections.fetch_add(1, Relaxed);
        tokio::spawn(connection(stream, peer, tls.clone(), place, server.clone()));
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<TlsServer>>,
    place: Place,
    server: Arc<Server>,
) {
    // Answers are written as a whole: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let ended = match tls {
        None => {
            let (reader, writer) = stream.into_split();
            conversation(reader, writer, peer, &place, &server).await
        }
        Some(tls) => match tls::accept(stream, &tls).await {
            Ok(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                conversation(reader, writer, peer, &place, &server).await
            }
            Err(cause) => Err(io::Error::other(cause)),
        },
    };
    if let Err(cause) = ended {
        tracing::debug!(target: "tcp", %peer, "connection of {peer}: {cause}");
    }
}

/// Answers until the peer ends it, or is too slow, or loses its place.
async fn conversation<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    mut reader: R,
    writer: W,
    peer: SocketAddr,
    place: &Place,
    server: &Server,
) -> io::Result<()> {
    let mut writer = Paced::new(writer, server.clock.clone());
    let mut octets = Vec::new();
    let mut patience = FIRST_MAX;
    loop {
        let began = timeout(patience, reader.read_u16());
        let length = tokio::select! {
            began = began => match began {
                Ok(Ok(length)) => usize::from(length),
                // The end of a conversation, or nothing more to be said.
                Ok(Err(_)) | Err(_) => return Ok(()),
            },
            () = place.lost() => return Ok(()),
        };
        place.begin();
        octets.resize(length, 0);
        match timeout(REQUEST_MAX, reader.read_exact(&mut octets)).await {
            Ok(read) => read?,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
        match server.desk.reply(&octets, peer, Transport::Tcp) {
            Reply::Silence => return Ok(()),
            Reply::Refusal(answer) | Reply::Message(answer) => {
                writer.write(&framed(&answer)).await?;
            }
            Reply::Update(pending) => writer.write(&framed(&pending.message().await)).await?,
            Reply::Transfer(outgoing) => transfer(*outgoing, &mut writer, server).await?,
        }
        writer.flush().await?;
        place.rest(server.clock.uptime());
        patience = IDLE_MAX;
    }
}

/// With the length before it (RFC 1035 §4.2.2); answers are made to be 65,535 octets at most.
fn framed(answer: &[u8]) -> Vec<u8> {
    [&(answer.len() as u16).to_be_bytes()[..], answer].concat()
}

async fn transfer<W: AsyncWrite + Unpin>(
    outgoing: Outgoing,
    writer: &mut Paced<W>,
    server: &Server,
) -> io::Result<()> {
    let (zone, serial, peer) = (zone_text(&outgoing.zone), outgoing.serial, outgoing.peer.ip());
    let kind = match outgoing.content {
        Content::Whole(_) => "axfr",
        Content::Steps { .. } => "ixfr",
    };
    let began = server.clock.uptime();
    match server.sender.send(outgoing, writer).await {
        Ok(sent) => {
            server.counts.transfers.fetch_add(1, Relaxed);
            let length = server.clock.uptime().saturating_sub(began).as_millis();
            tracing::info!(target: "axfr", zone = %zone,
                "zone {zone} transfer {kind} of serial {serial} to {peer} done: {} messages, {} \
                 octets, {length} ms", sent.messages, sent.octets);
            Ok(())
        }
        Err(error) => {
            tracing::warn!(target: "axfr", zone = %zone,
                "zone {zone} transfer {kind} of serial {serial} to {peer} failed: {error}");
            // In the middle of a transfer nothing else can be said.
            Err(io::ErrorKind::ConnectionAborted.into())
        }
    }
}
