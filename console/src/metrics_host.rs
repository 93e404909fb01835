//! `anchorite metrics-host`: the daemon's `metrics` by HTTP, for Prometheus. A process of its own,
//! so that whatever comes over the network reaches no key and holds up no zone.
//! In: an address, the control socket, requests. Out: `GET /metrics` and nothing else (RFC 9112
//! section 3): OpenMetrics to whoever accepts it, else Prometheus' older text; 503 when the daemon
//! is away. No TLS and no user: keep it on loopback or behind a proxy.
//! Limits: [`REQUEST_OCTETS_MAX`], [`READS_MAX`] reads of [`READ_TIME_MAX`],
//! [`CONNECTIONS_MAX`]; one answer to a connection.

use crate::Terminal;
use crate::client::Connection;
use crate::tool::ENFORCER_SOCKET;
use console_protocol::messages::FrontEnd;
use console_protocol::options::{Given, Known, Place, take_apart};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// Longest request, in octets.
const REQUEST_OCTETS_MAX: usize = 8 << 10;
/// A request comes in so many pieces at most.
const READS_MAX: usize = 8;
/// Longest wait for a piece.
const READ_TIME_MAX: Duration = Duration::from_secs(1);
/// Longest wait for a client that does not take its answer.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);
/// Connections at a time; one more is closed.
const CONNECTIONS_MAX: usize = 8;
/// Pause after a connection that could not be taken.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
const WRONG: u8 = 2;
const FAILED: u8 = 1;
const USAGE: &str = "Usage: anchorite metrics-host --listen ADDRESS:PORT [--socket FILE]\n";
const OPTIONS: &[Known] = &[
    Known { short: 'l', long: "listen", takes_value: true },
    Known { short: 's', long: "socket", takes_value: true },
];
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Runs until it is ended; comes back only when it could not begin.
pub fn main(arguments: &[String], terminal: &mut Terminal<'_>) -> u8 {
    let apart = take_apart(arguments, OPTIONS, Place::Anywhere);
    let (mut address, mut socket) = (None, ENFORCER_SOCKET.to_owned());
    for given in apart.given {
        match given {
            Given::Option('l', Some(typed)) => address = Some(typed),
            Given::Option('s', Some(typed)) => socket = typed,
            Given::Option(..) => {}
            Given::Wrong(complaint) => {
                terminal.complain(&format!("metrics-host: {complaint}\n{USAGE}"));
                return WRONG;
            }
        }
    }
    let Some(address) = address.filter(|_| apart.operands.is_empty()) else {
        terminal.complain(USAGE);
        return WRONG;
    };
    match TcpListener::bind(&address) {
        Ok(listener) => {
            let bound = listener.local_addr().map_or(address, |bound| bound.to_string());
            terminal.say(&format!("metrics at http://{bound}/metrics\n"));
            serve(&listener, &socket)
        }
        Err(error) => {
            terminal.complain(&format!("metrics-host: cannot listen at {address}: {error}\n"));
            FAILED
        }
    }
}

fn serve(listener: &TcpListener, socket: &str) -> ! {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Usually too many open files: a moment later there may be fewer.
            std::thread::park_timeout(ACCEPT_PAUSE);
            continue;
        };
        if open.fetch_add(1, SeqCst) >= CONNECTIONS_MAX {
            open.fetch_sub(1, SeqCst);
            continue;
        }
        let (open, socket) = (Taken(open.clone()), socket.to_owned());
        // Without a thread the connection is closed, and asked for again.
        let _ = std::thread::Builder::new().spawn(move || {
            let _open = open;
            // A client that is gone does not mind.
            let _ = converse(stream, &socket);
        });
    }
}

/// A place among the connections, given back at the end.
struct Taken(Arc<AtomicUsize>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn converse(mut stream: TcpStream, socket: &str) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_TIME_MAX))?;
    stream.set_read_timeout(Some(READ_TIME_MAX))?;
    let answer = match read_head(&mut stream)? {
        None => answer("431 Request Header Fields Too Large", PROMETHEUS, "too long\n"),
        Some(head) => reply(&head, |words| ask(socket, words)),
    };
    stream.write_all(answer.as_bytes())
}

/// The request up to its empty line; `None`: it is too long.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut reads = 0;
    let mut head = Vec::new();
    let mut octets = [0; 1024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if reads == READS_MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
        reads += 1;
        match stream.read(&mut octets)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&octets[..count]),
        }
        if head.len() > REQUEST_OCTETS_MAX {
            return Ok(None);
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

/// The answer to a request; `ask` gives a command to the daemon.
fn reply(head: &str, ask: impl FnOnce(&[&str]) -> Option<String>) -> String {
    let mut lines = head.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let (method, target) = match words.as_slice() {
        [method, target, version] if version.starts_with("HTTP/1.") => (*method, *target),
        _ => return answer("400 Bad Request", PROMETHEUS, "this is no HTTP/1\n"),
    };
    if method != "GET" && method != "HEAD" {
        return answer("405 Method Not Allowed\r\nAllow: GET, HEAD", PROMETHEUS, "only GET\n");
    }
    if target.split('?').next() != Some("/metrics") {
        return answer("404 Not Found", PROMETHEUS, "only /metrics\n");
    }
    let accepts = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let is_accept = name.eq_ignore_ascii_case("accept");
        is_accept.then(|| value.contains("application/openmetrics-text"))
    };
    let is_open = lines.filter_map(accepts).any(|it| it);
    let (kind, command): (_, &[&str]) = match is_open {
        true => (OPEN_METRICS, &["metrics"]),
        false => (PROMETHEUS, &["metrics", "--prometheus"]),
    };
    match ask(command) {
        Some(text) => {
            let whole = answer("200 OK", kind, &text);
            if method == "HEAD" { whole.replacen(&text, "", 1) } else { whole }
        }
        None => answer("503 Service Unavailable", PROMETHEUS, "the daemon does not answer\n"),
    }
}

fn answer(status: &str, kind: &str, text: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{text}",
        text.len()
    )
}

fn ask(socket: &str, words: &[&str]) -> Option<String> {
    let mut stdout = Vec::new();
    let mut terminal = Terminal {
        stdin: &mut io::empty(),
        is_interactive: false,
        stdout: &mut stdout,
        stderr: &mut io::sink(),
        start: &mut |_| false,
    };
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let mut connection = Connection::open(socket).ok()?;
    let code = connection.command(FrontEnd::Appliance, words, &mut terminal).ok()?;
    (code == 0).then(|| String::from_utf8_lossy(&stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, status: &str, command: &[&str]) {
        let mut asked = Vec::new();
        let text = reply(head, |words| {
            asked = words.iter().map(|word| (*word).to_owned()).collect();
            Some("# EOF\n".to_owned())
        });
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
        assert_eq!(asked, command);
    }

    #[test]
    fn only_metrics_are_served() {
        let old: &[&str] = &["metrics", "--prometheus"];
        check("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", old);
        check("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200 OK", old);
        let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
        check(&format!("GET /metrics HTTP/1.1\r\n{accept}\r\n\r\n"), "200 OK", &["metrics"]);
        check("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK", old);
        check("POST /metrics HTTP/1.1\r\n\r\n", "405", &[]);
        check("GET / HTTP/1.1\r\n\r\n", "404", &[]);
        check("GET /../metrics HTTP/1.1\r\n\r\n", "404", &[]);
        check("nonsense\r\n\r\n", "400", &[]);
        check("GET  /metrics HTTP/1.1\r\n\r\n", "400", &[]);
        check("", "400", &[]);
        let away = reply("GET /metrics HTTP/1.1\r\n\r\n", |_| None);
        assert!(away.starts_with("HTTP/1.1 503"), "{away}");
        let head = reply("HEAD /metrics HTTP/1.1\r\n\r\n", |_| Some("text\n".to_owned()));
        assert!(head.ends_with("Content-Length: 5\r\nConnection: close\r\n\r\n"), "{head}");
    }
}
