//! What stands between a signer and whoever transfers from it: passes messages on, and garbles a
//! signature in each when it is told to. By UDP it only says that there is more by TCP.
//! Limits: as many threads as connections; all end with the test's process.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A relay at an address of its own.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    garbles: Arc<AtomicBool>,
}

impl Relay {
    pub(crate) fn start(to: SocketAddr) -> Relay {
        let address = anchorite_tests::peers::free_address();
        let (by_udp, by_tcp) =
            (UdpSocket::bind(address).unwrap(), TcpListener::bind(address).unwrap());
        std::thread::spawn(move || {
            let mut octets = [0; 2048];
            while let Ok((length, from)) = by_udp.recv_from(&mut octets) {
                // A response that is cut short (RFC 1035 §4.1.1).
                octets[2] |= 0x82;
                let _ = by_udp.send_to(&octets[..length], from);
            }
        });
        let garbles = Arc::new(AtomicBool::new(false));
        let own = garbles.clone();
        std::thread::spawn(move || {
            for client in by_tcp.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(to).unwrap());
                let ways = [
                    (client.try_clone().unwrap(), server.try_clone().unwrap(), None),
                    (server, client, Some(own.clone())),
                ];
                for (from, to, garbles) in ways {
                    // Either side may go at any time.
                    std::thread::spawn(move || pass(from, to, garbles.as_deref()));
                }
            }
        });
        Relay { address, garbles }
    }

    /// From now on a signature is wrong in each message, or none is.
    pub(crate) fn garble(&self, garbles: bool) {
        self.garbles.store(garbles, Ordering::SeqCst);
    }
}

/// Passes on message after message.
fn pass(mut from: TcpStream, mut to: TcpStream, garbles: Option<&AtomicBool>) -> Result<()> {
    loop {
        let mut length = [0; 2];
        if let Err(error) = from.read_exact(&mut length) {
            let _ = to.shutdown(std::net::Shutdown::Both);
            return Err(error);
        }
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        from.read_exact(&mut message)?;
        if garbles.is_some_and(|garbles| garbles.load(Ordering::SeqCst)) {
            garble(&mut message);
        }
        to.write_all(&[&length[..], &message].concat())?;
    }
}

/// Flips a bit of the last signature over addresses, P-256's 64 octets (RFC 6605 §4).
fn garble(message: &mut [u8]) {
    let is_signature = |window: &[u8]| {
        // Type RRSIG, class IN, TTL, length, type covered A, algorithm 13.
        window[..4] == [0, 46, 0, 1] && window[10..13] == [0, 1, 13]
    };
    if let Some(at) = message.windows(13).rposition(is_signature) {
        let length = usize::from(u16::from_be_bytes([message[at + 8], message[at + 9]]));
        message[at + 10 + length - 1] ^= 1;
    }
}
