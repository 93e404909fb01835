//! A scripted master: the first version of a zone by AXFR, the newest change by IXFR, the SOA by
//! UDP and TCP. In: versions. Out: answers, and how long the last AXFR took.
//! Limits: whoever lags behind by more than a change gets nothing; as many threads as connections.

use crate::zone::{Zone, apex};
use anchorite_tests::peers::free_address;
use dnssec::transfer::Rcode;
use dnssec::transfer::ixfr::Ixfr;
use dnssec::transfer::message::{AXFR, Answer, IXFR, RecordData, Request, notify};
use dnssec::transfer::packing::writer::Heading;
use dnssec::transfer::packing::{Axfr, Transfer};
use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::Difference;
use dnssec::{RrType, Serial, Ttl};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What it has.
struct State {
    version: Arc<ZoneVersion>,
    soa: Vec<u8>,
    /// The serial before the newest, and what changed since.
    change: Option<(Serial, Arc<Difference>)>,
    axfr_time: Option<Duration>,
}

/// A running master.
#[derive(Clone)]
pub(crate) struct Master {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Master {
    /// Serves the zone, for as long as the program runs.
    pub(crate) fn start(zone: &Zone) -> Master {
        let state = State {
            version: zone.version.clone(),
            soa: zone.soa().to_vec(),
            change: None,
            axfr_time: None,
        };
        let address = free_address();
        let master = Master { address, state: Arc::new(Mutex::new(state)) };
        let listener = TcpListener::bind(address).expect("the port was free");
        let socket = UdpSocket::bind(address).expect("the port was free");
        let by_tcp = master.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = by_tcp.clone();
                // A client that goes away has its reasons.
                std::thread::spawn(move || own.serve(stream));
            }
        });
        let by_udp = master.clone();
        std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut octets) {
                let Ok(request) = Request::decode(&octets[..length]) else { continue };
                // Lost answers are asked for again.
                let _ = socket.send_to(&by_udp.soa_answer(&request), from);
            }
        });
        master
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The zone has changed.
    pub(crate) fn offer(&self, zone: &Zone, from: Serial, change: Difference) {
        let mut state = self.lock();
        state.soa = zone.soa().to_vec();
        state.change = Some((from, Arc::new(change)));
    }

    /// The message that says so.
    pub(crate) fn notice(&self, id: u16) -> Vec<u8> {
        let (state, zone) = (self.lock(), apex());
        notify(id, &zone, Some(soa_record(&zone, &state.soa))).octets
    }

    /// How long the last AXFR took, from the question to the last octet's acceptance.
    pub(crate) fn axfr_time(&self) -> Duration {
        self.lock().axfr_time.expect("it was asked for the whole zone")
    }

    fn soa_answer(&self, request: &Request) -> Vec<u8> {
        let (state, zone) = (self.lock(), apex());
        let answer = Answer::new(request, Rcode::NOERROR).authoritative();
        answer.answer(soa_record(&zone, &state.soa)).finish(usize::from(u16::MAX))
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question)?;
            let began = Instant::now();
            let Ok(request) = Request::decode(&question) else { return Ok(()) };
            let Some(transfer) = self.transfer(&request) else {
                let answer = self.soa_answer(&request);
                let length = (answer.len() as u16).to_be_bytes();
                stream.write_all(&[&length[..], &answer].concat())?;
                continue;
            };
            let heading = Heading::of(&request);
            for unit in 0..transfer.unit_count() {
                let octets = transfer.render(unit, &heading).expect("short records");
                stream.write_all(&octets)?;
            }
            if let Transfer::Axfr(_) = transfer {
                self.lock().axfr_time = Some(began.elapsed());
            }
        }
    }

    /// What is to be sent; `None`: the SOA alone.
    fn transfer(&self, request: &Request) -> Option<Transfer> {
        let state = self.lock();
        if request.question.rtype != IXFR && request.question.rtype != AXFR {
            return None;
        }
        match (&state.change, request.serial) {
            (Some((from, change)), Some(serial)) if *from == serial => {
                let ixfr = Ixfr::new(&apex(), std::slice::from_ref(change), usize::MAX);
                Some(Transfer::Ixfr(ixfr.expect("a difference with its SOAs")))
            }
            (None, serial) if serial != state.version.serial() => {
                Axfr::new(state.version.clone()).map(Transfer::Axfr)
            }
            (Some(_), _) if request.question.rtype == AXFR => panic!("AXFR of a later version"),
            _ => None,
        }
    }
}

fn soa_record<'a>(zone: &'a dnssec::Name, rdata: &'a [u8]) -> RecordData<'a> {
    RecordData { owner: zone, rtype: RrType::SOA, ttl: Ttl(3600), rdata }
}
