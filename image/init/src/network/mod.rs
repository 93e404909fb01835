//! The network of the box, in a process of its own: `init network`. A fixed address is set once; an
//! address by DHCP is asked for, kept and renewed. In: the settings on the data partition.
//! Out: address, route, /run/resolv.conf. PID 1 starts it again when it ends; it ends whenever it
//! does not know how to go on. Limits: one interface, IPv4.

mod dhcp;
mod interface;

use crate::kernel_log::{error, notice};
use crate::settings::{NAMESERVERS_MAX, Network, Settings};
use dhcp::{Answer, Duty, Lease, Question};
use interface::Interface;
use nix::sys::socket::{setsockopt, sockopt};
use std::ffi::OsString;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

const CLIENT_PORT: u16 = 68;
const SERVER_PORT: u16 = 67;
/// How long an answer is waited for: first, and at most.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(32);
/// How often a machine without interface is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const RESOLVER_FILE: &str = "/run/resolv.conf";
const MESSAGE_OCTETS_MAX: usize = 1500;

/// Why the network ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkError {
    #[error("{interface}: {doing}: {cause}")]
    Interface {
        interface: String,
        doing: &'static str,
        #[source]
        cause: io::Error,
    },
    #[error("{doing}: {cause}")]
    System {
        doing: &'static str,
        #[source]
        cause: io::Error,
    },
}

/// Switches the loopback interface on.
pub(crate) fn loopback() -> io::Result<()> {
    Ok(Interface::named("lo")?.up()?)
}

/// Sets the network up and keeps it up. Comes back only with a fault.
pub(crate) fn run(settings: &Settings) -> Result<(), NetworkError> {
    let name = present_interface(settings);
    let system = |doing| move |cause| NetworkError::System { doing, cause };
    let interface = Interface::named(&name).map_err(system("make a socket"))?;
    change(&interface, "switch it on", Interface::up)?;
    match settings.network {
        Network::Static(fixed) => {
            change(&interface, "set the address", |i| i.set_address(fixed.address, fixed.mask()))?;
            if let Some(gateway) = fixed.gateway {
                change(&interface, "set the route", |i| i.set_gateway(gateway))?;
            }
            write_resolver(settings, &[])?;
            notice(&format!("{name} has {}/{}", fixed.address, fixed.prefix_bits));
            // The address stays without us; staying as well keeps supervision simple.
            loop {
                nix::unistd::pause();
            }
        }
        Network::Dhcp => Client::new(interface)?.run(settings),
    }
}

/// The interface of the settings, or else the first; waits until the machine has it.
fn present_interface(settings: &Settings) -> String {
    let find = || match &settings.interface {
        Some(name) => interface::is_there(name).then(|| name.clone()),
        None => interface::devices().into_iter().next(),
    };
    if let Some(name) = find() {
        return name;
    }
    // Once: the box works all the same, and somebody may be typing.
    let wanted = settings.interface.as_deref().unwrap_or("that the kernel knows");
    error(&format!("this machine has no network interface {wanted}; still looking"));
    loop {
        std::thread::sleep(LOOK_AGAIN);
        if let Some(name) = find() {
            return name;
        }
    }
}

fn change<T>(
    interface: &Interface,
    doing: &'static str,
    act: impl FnOnce(&Interface) -> Result<T, nix::errno::Errno>,
) -> Result<T, NetworkError> {
    act(interface).map_err(|cause| NetworkError::Interface {
        interface: interface.name.clone(),
        doing,
        cause: cause.into(),
    })
}

/// Writes resolv.conf(5): the nameservers of the settings, then those of the lease.
fn write_resolver(settings: &Settings, leased: &[IpAddr]) -> Result<(), NetworkError> {
    let servers = settings.nameservers.iter().chain(leased).take(NAMESERVERS_MAX);
    let text: String = servers.map(|server| format!("nameserver {server}\n")).collect();
    let new = format!("{RESOLVER_FILE}.new");
    let written = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, RESOLVER_FILE));
    written.map_err(|cause| NetworkError::System { doing: "write resolv.conf", cause })
}

/// A client of DHCP.
struct Client {
    interface: Interface,
    socket: UdpSocket,
    hardware: [u8; 6],
    transaction: u32,
}

impl Client {
    fn new(interface: Interface) -> Result<Client, NetworkError> {
        let system = |doing| move |cause: io::Error| NetworkError::System { doing, cause };
        let hardware = change(&interface, "ask for its address", Interface::hardware_address)?;
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, CLIENT_PORT))
            .map_err(system("listen at the port of DHCP clients"))?;
        socket.set_broadcast(true).map_err(system("allow broadcasts"))?;
        setsockopt(&socket, sockopt::BindToDevice, &OsString::from(&interface.name))
            .map_err(|cause| system("bind to the interface")(cause.into()))?;
        let mut octets = [0; 4];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut octets))
            .map_err(system("read /dev/urandom"))?;
        Ok(Client { interface, socket, hardware, transaction: u32::from_ne_bytes(octets) })
    }

    /// From one lease to the next.
    fn run(&mut self, settings: &Settings) -> Result<(), NetworkError> {
        loop {
            let lease = self.obtain()?;
            self.apply(&lease, settings)?;
            self.keep(lease, settings)?;
            error(&format!("{}: the lease is over and nobody gave a new one", self.interface.name));
            let none = Ipv4Addr::UNSPECIFIED;
            change(&self.interface, "take the address away", |i| i.set_address(none, none))?;
        }
    }

    /// Asks until somebody gives an address.
    fn obtain(&mut self) -> Result<Lease, NetworkError> {
        let mut wait = WAIT_FIRST;
        loop {
            let offer = self.ask(Question::Discover, Ipv4Addr::BROADCAST, wait)?;
            if let Some(Answer::Offer(offer)) = offer {
                let answer = self.ask(Question::Request(&offer), Ipv4Addr::BROADCAST, wait)?;
                if let Some(Answer::Acknowledged(lease)) = answer {
                    return Ok(lease);
                }
            }
            if wait == WAIT_MAX / 4 {
                error(&format!("{}: no DHCP server answers; still asking", self.interface.name));
            }
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    fn apply(&self, lease: &Lease, settings: &Settings) -> Result<(), NetworkError> {
        let (address, mask) = (lease.address, lease.mask);
        change(&self.interface, "set the address", |i| i.set_address(address, mask))?;
        if let Some(router) = lease.router {
            change(&self.interface, "set the route", |i| i.set_gateway(router))?;
        }
        write_resolver(settings, &lease.nameservers)?;
        let (name, time) = (&self.interface.name, lease.end.as_secs());
        notice(&format!("{name} has {address} by DHCP of {} for {time} s", lease.server));
        Ok(())
    }

    /// Renews the lease until it is over.
    fn keep(&mut self, mut lease: Lease, settings: &Settings) -> Result<(), NetworkError> {
        let mut since = Instant::now();
        loop {
            let asked = Instant::now();
            let (to, pause) = match lease.duty(since.elapsed()) {
                Duty::Rest(time) => {
                    std::thread::sleep(time);
                    continue;
                }
                Duty::Renew(pause) => (lease.server, pause),
                Duty::Rebind(pause) => (Ipv4Addr::BROADCAST, pause),
                Duty::End => return Ok(()),
            };
            match self.ask(Question::Renew(&lease), to, WAIT_FIRST * 4)? {
                Some(Answer::Acknowledged(renewed)) => {
                    if renewed != lease {
                        self.apply(&renewed, settings)?;
                    }
                    (lease, since) = (renewed, asked);
                }
                Some(Answer::Refused) => return Ok(()),
                Some(Answer::Offer(_)) | None => {
                    std::thread::sleep(pause.saturating_sub(asked.elapsed()));
                }
            }
        }
    }

    /// Sends a question, and waits for its answer. None: nobody answered.
    fn ask(
        &mut self,
        question: Question<'_>,
        to: Ipv4Addr,
        wait: Duration,
    ) -> Result<Option<Answer>, NetworkError> {
        // An exchange keeps its number from offer to acknowledgement; each new one has another.
        if question == Question::Discover {
            self.transaction = self.transaction.wrapping_add(1);
        }
        let system = |doing| move |cause: io::Error| NetworkError::System { doing, cause };
        let message = dhcp::encode(question, self.transaction, self.hardware);
        if let Err(cause) = self.socket.send_to(&message, (to, SERVER_PORT)) {
            // A cable that is not there yet is no reason to end.
            notice(&format!("{}: cannot send to {to}: {cause}", self.interface.name));
        }
        let deadline = Instant::now() + wait;
        let mut buffer = [0; MESSAGE_OCTETS_MAX];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left)).map_err(system("set a time limit"))?;
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(cause) if is_time_out(&cause) => continue,
                Err(cause) => return Err(system("wait for an answer")(cause)),
            };
            let answer = dhcp::decode(&buffer[..length], self.transaction, self.hardware);
            if answer.is_some() {
                return Ok(answer);
            }
        }
    }
}

fn is_time_out(cause: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(cause.kind(), WouldBlock | TimedOut | Interrupted)
}
