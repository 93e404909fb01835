//! Requests in datagrams (RFC 1035 §4.2.1).
//! In: datagrams. Out: answers of one datagram; to strangers few refusals.
//! Never: waits for anything but the socket; the answer to an update is sent when it is there.
//! Limit: [`UPDATES_MAX`] updates wait at a time.

use super::{REFUSED_PAUSE, Server};
use crate::transfers::requests::{Reply, Transport};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;

/// Longest datagram.
const DATAGRAM_OCTETS: usize = 65_535;
/// Most updates that came in datagrams and wait for their answer; one more is not done.
const UPDATES_MAX: usize = 256;

pub(super) async fn serve(socket: UdpSocket, server: Arc<Server>) {
    let mut octets = vec![0; DATAGRAM_OCTETS];
    let socket = Arc::new(socket);
    let places = Arc::new(Semaphore::new(UPDATES_MAX));
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut octets).await else {
            // Such as that an earlier answer reached nobody, which says nothing of the next.
            server.clock.sleep(REFUSED_PAUSE).await;
            continue;
        };
        server.counts.datagrams.fetch_add(1, Relaxed);
        // What crashes is one request; the desk holds nothing that it could leave half done.
        let reply = || server.desk.reply(&octets[..length], peer, Transport::Udp);
        let answer = match catch_unwind(AssertUnwindSafe(reply)) {
            Ok(Reply::Message(answer)) => answer,
            Ok(Reply::Refusal(answer)) if server.may_refuse() => answer,
            Ok(Reply::Refusal(_) | Reply::Silence | Reply::Transfer(_)) => continue,
            Ok(Reply::Update(pending)) => {
                // Without a place it is dropped before the zone begins it; the sender tries again.
                if let Ok(place) = places.clone().try_acquire_owned() {
                    let socket = socket.clone();
                    tokio::spawn(async move {
                        let answer = pending.message().await;
                        let _ = socket.send_to(&answer, peer).await;
                        drop(place);
                    });
                }
                continue;
            }
            Err(_) => {
                server.crashed(peer);
                continue;
            }
        };
        // A datagram may be lost on its way in any case.
        let _ = socket.send_to(&answer, peer).await;
    }
}
