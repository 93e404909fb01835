//! A secondary that is told, answers, and transfers. In: the address of a server. Out: when it was
//! told and of which serial; octets of transfers, and whether they are of changes.

use crate::zone::apex;
use dnssec::Serial;
use dnssec::transfer::Rcode;
use dnssec::transfer::message::{AXFR, Answer, IXFR, Request, query};
use dnssec::transfer::wire::{HEADER_OCTETS, read_name};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Longest wait for anything; signing the whole zone for the first time is in it.
const WAIT: Duration = Duration::from_secs(600);

/// An OPT record without options.
const OPT_OCTETS: usize = 11;

/// The port where it is told.
pub(crate) struct Secondary {
    socket: UdpSocket,
}

/// A transfer that came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Transferred {
    /// With the lengths of messages.
    pub(crate) octets: usize,
    /// Records in all answers.
    pub(crate) records: usize,
}

impl Secondary {
    pub(crate) fn new() -> Secondary {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        socket.set_read_timeout(Some(WAIT)).expect("it is a socket");
        Secondary { socket }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("it is bound")
    }

    /// Waits until it is told of another serial than `known`, and acknowledges.
    pub(crate) fn told(&self, known: Option<Serial>) -> (Instant, Serial) {
        let mut octets = [0; 4096];
        loop {
            let (length, from) = self.socket.recv_from(&mut octets).expect("it is told in time");
            let at = Instant::now();
            let request = Request::decode(&octets[..length]).expect("a NOTIFY");
            let answer = Answer::new(&request, Rcode::NOERROR).authoritative().finish(512);
            self.socket.send_to(&answer, from).expect("loopback takes it");
            // The daemon also asks what is served here, for its watch; this answer has no SOA.
            let Some(serial) = request.serial else { continue };
            if Some(serial) != known {
                return (at, serial);
            }
        }
    }
}

/// The whole zone, or what changed since a serial, by TCP, to its second SOA.
pub(crate) fn transfer(server: SocketAddr, since: Option<Serial>) -> Transferred {
    let mut stream = TcpStream::connect(server).expect("it listens");
    let rtype = if since.is_some() { IXFR } else { AXFR };
    let question = query(7, &apex(), rtype, since).octets;
    let framed = [&(question.len() as u16).to_be_bytes()[..], &question].concat();
    stream.write_all(&framed).expect("it reads");
    let mut got = Transferred::default();
    let mut soa = None;
    let mut length = [0; 2];
    let mut message = Vec::new();
    loop {
        stream.read_exact(&mut length).expect("it writes to the end of the zone");
        message.resize(usize::from(u16::from_be_bytes(length)), 0);
        stream.read_exact(&mut message).expect("it writes whole messages");
        got.octets += 2 + message.len();
        let counts = [4, 6].map(|at| u16::from_be_bytes([message[at], message[at + 1]]));
        assert_eq!(message[3] & 0x0F, 0, "an error");
        got.records += usize::from(counts[1]);
        let soa = soa.get_or_insert_with(|| first_soa(&message, counts[0]));
        // OPT is all that may follow the answers, in the first message.
        let opt = usize::from(message[11]) * OPT_OCTETS;
        // The last record is the SOA that was the first one. A change has it in its middle, too,
        // where messages of these sizes do not end.
        if got.records > 1 && message[..message.len() - opt].ends_with(soa) {
            return got;
        }
    }
}

/// The numbers of the SOA that is the first record of an answer: what it ends with.
fn first_soa(message: &[u8], questions: u16) -> Vec<u8> {
    let mut at = HEADER_OCTETS;
    for _ in 0..questions {
        at = read_name(message, at).expect("a question").1 + 4;
    }
    let (_, after) = read_name(message, at).expect("a record");
    let length = usize::from(u16::from_be_bytes([message[after + 8], message[after + 9]]));
    message[after + 10 + length - 20..after + 10 + length].to_vec()
}
