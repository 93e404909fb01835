//! Many updates at once are few versions, and each is answered when it is durable.

use crate::lab::{Lab, ask, request};
use dnssec::RrType;
use dnssec::transfer::Rcode;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Connections, and updates in each.
const SENDERS: usize = 20;
const EACH: usize = 50;

#[test]
fn a_thousand_updates_are_a_few_versions() {
    let mut lab = Lab::new();
    let began = Instant::now();
    let address = lab.address;
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                for number in 0..EACH {
                    // All of them hosts that come and go: the zone does not grow.
                    let name = format!("h{}", (sender * EACH + number) % 300);
                    let data = [192, 0, (sender + 3) as u8, number as u8];
                    let records = [
                        (name.as_str(), RrType::A, 255, 0, &[][..]),
                        (name.as_str(), RrType::A, 1, 60, &data[..]),
                    ];
                    let rcode = ask(&mut stream, &request(number as u16, &records, Duration::ZERO));
                    assert_eq!(rcode, Some(Rcode::NOERROR));
                }
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    let length = began.elapsed();
    let add = ("last", RrType::A, 1, 60, &[192, 0, 2, 8][..]);
    let mut stream = TcpStream::connect(address).unwrap();
    assert_eq!(ask(&mut stream, &request(1, &[add], Duration::ZERO)), Some(Rcode::NOERROR));
    lab.wait_until(true, ("last", "A", "192.0.2.8"));
    lab.verify();
    let log = lab.daemon.stop();
    let versions = log.matches("[STATS]").count();
    let done = log.matches("update of zone").count();
    println!("{done} updates, {} versions, answered within {length:?}", versions - 1);
    assert_eq!(done, SENDERS * EACH + 1);
    assert!(versions < 300, "{versions}");
}
