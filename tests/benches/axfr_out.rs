//! AXFR of a large signed zone side by side: `cargo build --release && cargo bench -p
//! anchorite-tests --bench axfr_out`. In: a made registry of NAMES (1,000,000) delegations, signed
//! by the daemon and served by it; the same records served by NSD, Knot DNS and BIND. Out: a table:
//! octets, and the time of a raw client on loopback that counts and throws away what it reads;
//! then 100 clients at once at the daemon, and its memory before and after.
//! All servers run at once, and are asked in turns. Never: an assertion about time.

use anchorite_tests::daemon::Installation;
use anchorite_tests::peers::{Setup, Software, dig, free_address};
use anchorite_tests::zonegen;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const NAME_COUNT: u64 = 1_000_000;
const ZONE: &str = "bench";
/// Turns; the median is printed.
const RUNS: usize = 7;
/// The registry's denial, in a policy whose keys are in the built-in token.
const OPT_OUT: &str = "<NSEC3><OptOut/><Resalt>P100D</Resalt><Hash><Algorithm>1</Algorithm>\
     <Iterations>0</Iterations><Salt length=\"0\"/></Hash></NSEC3>";
const CLIENT_COUNT: usize = 100;

fn main() {
    let count = std::env::var("NAMES").ok().and_then(|word| word.parse().ok());
    let count = count.unwrap_or(NAME_COUNT);
    let address = free_address();
    let installation = installation(address, count);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] bench "]);
    let text = zone_text(address);
    let others = [Software::Nsd, Software::Knot, Software::Named]
        .map(|software| (software, Setup::primary(software, ZONE, &text).start()));
    drop(text);
    let mut servers = vec![("anchorite".to_owned(), address)];
    servers.extend(others.iter().map(|(name, peer)| (format!("{name:?}"), peer.address())));
    let mut times = vec![Vec::new(); servers.len()];
    let mut octets = vec![0; servers.len()];
    for _ in 0..RUNS {
        for (index, (_, server)) in servers.iter().enumerate() {
            let (read, time) = transfer(*server);
            octets[index] = read;
            times[index].push(time);
        }
    }
    println!("{:<12} {:>12} {:>9} {:>9}", "", "octets", "median s", "least s");
    for (index, (name, _)) in servers.iter().enumerate() {
        times[index].sort_unstable();
        let (median, least) = (times[index][RUNS / 2], times[index][0]);
        println!(
            "{name:<12} {:>12} {:>9.3} {:>9.3}",
            octets[index],
            median.as_secs_f64(),
            least.as_secs_f64()
        );
    }
    let medians: Vec<f64> = times.iter().map(|times| times[RUNS / 2].as_secs_f64()).collect();
    let fastest = medians[1..].iter().copied().fold(f64::INFINITY, f64::min);
    println!("time-to-fastest {:.3}", medians[0] / fastest);
    let memory = || resident_megabytes(daemon.pid().as_raw());
    let before = memory();
    let began = Instant::now();
    std::thread::scope(|scope| {
        (0..CLIENT_COUNT).for_each(|_| drop(scope.spawn(move || transfer(address))));
    });
    println!(
        "{CLIENT_COUNT} clients at once: {:.1} s; resident {before} MB before, {} MB after",
        began.elapsed().as_secs_f64(),
        memory()
    );
}

fn installation(address: SocketAddr, count: u64) -> Installation {
    let installation = Installation::new("lab");
    installation.edit("kasp.xml", "<NSEC/>", OPT_OUT);
    let mut text = Vec::new();
    zonegen::tld(count, "bench.", zonegen::SEED, &mut text).expect("memory is there");
    installation.write_zone(ZONE, std::str::from_utf8(&text).expect("zone files are ASCII"));
    let listener = format!(
        "<Listener><Interface><Address>{}</Address><Port>{}</Port></Interface></Listener></Signer>",
        address.ip(),
        address.port()
    );
    installation.edit("conf.xml", "</Signer>", &listener);
    installation.write(
        "addns.xml",
        "<?xml version=\"1.0\"?>\n<Adapter><DNS><Outbound><ProvideTransfer>\
         <Peer><Prefix>127.0.0.1</Prefix></Peer></ProvideTransfer></Outbound></DNS></Adapter>\n",
    );
    installation.write_zonelist(&[(ZONE, "lab")]);
    let file = format!("<Adapter type=\"File\">{}", installation.signed(ZONE).display());
    let own = format!("<Adapter type=\"DNS\">{}", installation.path("addns.xml").display());
    installation.edit("zonelist.xml", &file, &own);
    installation
}

/// The signed zone as text, as dig prints it.
fn zone_text(address: SocketAddr) -> String {
    let mut command = dig(address, None);
    command.args(["+time=60", "+noall", "+answer", "+onesoa", ZONE, "AXFR"]);
    let output = command.output().expect("dig is there");
    assert!(output.status.success(), "{:?}", output.status);
    String::from_utf8(output.stdout).expect("dig prints ASCII")
}

/// Transfers the zone; octets with their lengths, and the time until the second SOA has come.
fn transfer(server: SocketAddr) -> (usize, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(server).expect("it listens");
    // Id 7, one question: the zone, AXFR, IN.
    let mut question = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ZONE.len() as u8];
    question.extend(ZONE.as_bytes());
    question.extend([0, 0, 252, 0, 1]);
    let framed = [&(question.len() as u16).to_be_bytes()[..], &question].concat();
    stream.write_all(&framed).expect("it reads");
    let mut buffer = vec![0; 1 << 18];
    let (mut total, mut held) = (0, 0);
    loop {
        let read = stream.read(&mut buffer[held..]).expect("it writes");
        assert!(read > 0, "the end of the stream before that of the zone, after {total} octets");
        total += read;
        held += read;
        let mut at = 0;
        while held - at >= 2 {
            let length = usize::from(u16::from_be_bytes([buffer[at], buffer[at + 1]]));
            if held - at < 2 + length {
                break;
            }
            if ends_with_soa(&buffer[at + 2..at + 2 + length]) && total > 2 * length {
                return (total, began.elapsed());
            }
            at += 2 + length;
        }
        buffer.copy_within(at..held, 0);
        held -= at;
    }
}

/// Whether the last record is the SOA: its RDATA has a length of its own, and twenty octets of
/// numbers at its end, the second of which is the zone's REFRESH.
fn ends_with_soa(message: &[u8]) -> bool {
    let soa = |at: usize| message[at..at + 4] == [0, 6, 0, 1];
    let length = message.len();
    (length.saturating_sub(90)..length.saturating_sub(32)).any(|at| {
        let rdata = usize::from(u16::from_be_bytes([message[at + 8], message[at + 9]]));
        soa(at) && at + 10 + rdata == length
    })
}

/// Resident memory of a process (proc(5)).
fn resident_megabytes(process: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
