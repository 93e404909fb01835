//! Clients that mean no good, before they have said who they are, and those that only take room.

use crate::front::{Front, Typist, said};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

#[test]
fn half_open_connections_and_noise_keep_nobody_out() {
    let front = Front::new(&[("ann", "role=\"admin\""), ("bo", "role=\"operator\"")]);
    let mut daemon = front.installation.start();
    daemon.wait_for(&["[STATS] a.example"]);
    let mut host = front.host();
    let connect = || TcpStream::connect(("127.0.0.1", host.port)).unwrap();
    let half_open: Vec<TcpStream> = (0..50).map(|_| connect()).collect();
    assert_eq!(front.run(&host, "ann", "running").0, 0);
    host.process.wait_for(&["no login yet, and others wait"]);
    drop(half_open);
    // Noise in place of a greeting, and behind one.
    let noise: Vec<u8> =
        (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let greeting = b"SSH-2.0-noise\r\n".to_vec();
    let kex_of_nothing = [0, 0, 0, 12, 10, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let endless_packet = [0xff, 0xff, 0xff, 0xff, 4, 20];
    let attempts = [
        Vec::new(),
        noise.clone(),
        vec![b'S'; 100_000],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"SSH-1.5-old\r\n".to_vec(),
        [greeting.clone(), noise].concat(),
        [&greeting[..], &kex_of_nothing].concat(),
        [&greeting[..], &endless_packet].concat(),
    ];
    for octets in attempts {
        let mut stream = TcpStream::connect(("127.0.0.1", host.port)).unwrap();
        // It may be closed before all of it is sent.
        let _ = stream.write_all(&octets);
        let _ = stream.shutdown(Shutdown::Write);
        // To its end, which says that it was dealt with.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(front.run(&host, "ann", "running").0, 0);
    assert!(!host.process.log().contains("panicked"), "{}", host.process.log());

    // One key cannot take all sessions.
    let shells: Vec<Typist> = (0..6)
        .map(|_| {
            let mut typist = Typist::new(front.client(&host, "ann", &["-tt", "127.0.0.1"]));
            typist.wait_for("> ");
            typist
        })
        .collect();
    assert_eq!(front.run(&host, "ann", "running").0, 255);
    host.process.wait_for(&["too many sessions"]);
    assert_eq!(front.run(&host, "bo", "running").0, 0);
    // One more waits a while for its place: a monitor's checks come all at once.
    let waiting = front.client(&host, "ann", &["127.0.0.1", "running"]).spawn().unwrap();
    host.process.wait_for(&["ann (admin) is in"]);
    let mut shells = shells.into_iter();
    let mut first = shells.next().unwrap();
    first.press("exit\r");
    assert_eq!(first.ended(), Some(0));
    assert_eq!(said(waiting.wait_with_output().unwrap()).0, 0);
    for mut typist in shells {
        typist.press("exit\r");
        assert_eq!(typist.ended(), Some(0));
    }
    assert_eq!(front.run(&host, "ann", "running").0, 0);
}
