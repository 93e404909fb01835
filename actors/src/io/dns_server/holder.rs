//! Who holds a port: what an operator has to know whose listener cannot be bound.
//! In: `/proc/net` and `/proc/*/fd`. Out: a process, as far as this process may look.
//! Never: anything but reading. Limits: those of `/proc`; of processes of other users only root
//! sees the sockets, so that there may be no answer.

use std::fmt;
use std::fs;
use std::path::Path;

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Datagrams.
    Udp,
    /// Connections.
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Udp => "UDP",
            Protocol::Tcp => "TCP",
        })
    }
}

/// A process that has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub process: u32,
    /// What it calls itself.
    pub name: String,
}

/// State of a TCP socket that listens, as `/proc/net/tcp` writes it.
const LISTENING: &str = "0A";

/// Who has this port; `None`: nobody, or nobody whom this process may see.
pub fn holder_of(protocol: Protocol, port: u16) -> Option<Holder> {
    let tables = match protocol {
        Protocol::Udp => ["/proc/net/udp", "/proc/net/udp6"],
        Protocol::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
    };
    let texts = tables.iter().filter_map(|path| fs::read_to_string(path).ok());
    let sockets: Vec<String> = texts.flat_map(|text| sockets_of(&text, protocol, port)).collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|process| has_one(*process, &sockets))
        .map(|process| Holder { process, name: name_of(process) })
}

/// What the links to the sockets of this port read like, from a table of `/proc/net`.
fn sockets_of(table: &str, protocol: Protocol, port: u16) -> Vec<String> {
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let (_, own) = local.rsplit_once(':')?;
        let is_open = protocol == Protocol::Udp || *state == LISTENING;
        let is_it = u16::from_str_radix(own, 16).is_ok_and(|own| own == port);
        (is_open && is_it).then(|| format!("socket:[{inode}]"))
    };
    table.lines().skip(1).filter_map(socket).collect()
}

fn has_one(process: u32, sockets: &[String]) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    open.flatten().any(|entry| {
        let target = fs::read_link(entry.path());
        target.is_ok_and(|target| sockets.iter().any(|socket| target == Path::new(socket)))
    })
}

fn name_of(process: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    // A process may call itself anything: nothing of it may reach a terminal as a command.
    name.trim_end().chars().filter(|one| !one.is_control()).take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn this_process_holds_its_ports() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("[::1]:0").or_else(|_| UdpSocket::bind("127.0.0.1:0")).unwrap();
        let own = std::process::id();
        let found = |protocol, port| holder_of(protocol, port).map(|holder| holder.process);
        assert_eq!(found(Protocol::Tcp, tcp.local_addr().unwrap().port()), Some(own));
        assert_eq!(found(Protocol::Udp, udp.local_addr().unwrap().port()), Some(own));
    }

    #[test]
    fn lines_of_the_tables() {
        // The fields between the state and the number of the socket, and one after it.
        let line = |local: &str, state: &str, inode: u32| {
            format!("0: {local} 00000000:0000 {state} 0:0 00:0 0 101 0 {inode} 1\n")
        };
        let table = [
            "sl local_address rem_address st tx_queue tr retrnsmt uid timeout inode\n",
            &line("0100007F:0035", "0A", 1234),
            &line("0100007F:0035", "01", 999),
            "2: torn\n",
        ];
        let table = &table.concat();
        assert_eq!(sockets_of(table, Protocol::Tcp, 53), ["socket:[1234]"]);
        assert_eq!(sockets_of(table, Protocol::Udp, 53).len(), 2);
        assert!(sockets_of(table, Protocol::Tcp, 54).is_empty());
    }
}
