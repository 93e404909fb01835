//! DHCP for IPv4 (RFC 2131, RFC 2132): the messages of a client, and when a lease has to be asked
//! for again. Pure: in: bytes, times; out: bytes, leases, what to do. Own code, because the crates
//! for it bring a name library or an async runtime into PID 1's binary, for six options.
//! Limits: no other option than those; no overload of `sname` and `file` (RFC 2131 section 4.1).

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The magic cookie before the options.
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const FIXED_OCTETS: usize = 236;
/// Old relays want a message as long as a BOOTP one.
const MESSAGE_OCTETS_MIN: usize = 300;
/// The answer is to be broadcast: a client without address hears nothing else.
const FLAG_BROADCAST: [u8; 2] = [0x80, 0];
/// Shortest lease that is believed; else a server could keep us busy.
const LEASE_MIN: Duration = Duration::from_secs(60);

const OPTION_MASK: u8 = 1;
const OPTION_ROUTER: u8 = 3;
const OPTION_NAMESERVERS: u8 = 6;
const OPTION_ADDRESS: u8 = 50;
const OPTION_LEASE: u8 = 51;
const OPTION_TYPE: u8 = 53;
const OPTION_SERVER: u8 = 54;
const OPTION_WANTED: u8 = 55;
const OPTION_RENEWAL: u8 = 58;
const OPTION_REBINDING: u8 = 59;
const OPTION_END: u8 = 255;

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question<'o> {
    /// Who has an address?
    Discover,
    /// That one, please.
    Request(&'o Lease),
    /// The same address for longer.
    Renew(&'o Lease),
}

/// Which answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Offer(Lease),
    Acknowledged(Lease),
    /// The address is not ours any more.
    Refused,
}

/// An address for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) address: Ipv4Addr,
    pub(crate) mask: Ipv4Addr,
    pub(crate) router: Option<Ipv4Addr>,
    pub(crate) nameservers: Vec<IpAddr>,
    pub(crate) server: Ipv4Addr,
    /// From when on its own server is asked for more time.
    pub(crate) renewal: Duration,
    /// From when on any server is asked.
    pub(crate) rebinding: Duration,
    /// When the address has to go.
    pub(crate) end: Duration,
}

/// What to do with a lease of some age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Nothing for so long.
    Rest(Duration),
    /// Ask its server; if there is no answer, again after so long.
    Renew(Duration),
    /// Ask all servers.
    Rebind(Duration),
    /// Give the address back, and begin anew.
    End,
}

impl Lease {
    /// RFC 2131 section 4.4.5: waits half of what is left, at least a minute, between two tries.
    pub(crate) fn duty(&self, age: Duration) -> Duty {
        let again = |until: Duration| (until.saturating_sub(age) / 2).max(Duration::from_secs(60));
        if age < self.renewal {
            Duty::Rest(self.renewal - age)
        } else if age < self.rebinding {
            Duty::Renew(again(self.rebinding))
        } else if age < self.end {
            Duty::Rebind(again(self.end).min(self.end - age))
        } else {
            Duty::End
        }
    }
}

/// A message of ours. `transaction`: its number; `hardware`: the interface's address.
pub(crate) fn encode(question: Question<'_>, transaction: u32, hardware: [u8; 6]) -> Vec<u8> {
    let mut message = vec![0; FIXED_OCTETS];
    // A request over Ethernet.
    message[..3].copy_from_slice(&[1, 1, 6]);
    message[4..8].copy_from_slice(&transaction.to_be_bytes());
    message[28..34].copy_from_slice(&hardware);
    message.extend_from_slice(&COOKIE);
    let kind = if question == Question::Discover { 1 } else { 3 };
    message.extend_from_slice(&[OPTION_TYPE, 1, kind]);
    match question {
        Question::Renew(lease) => message[12..16].copy_from_slice(&lease.address.octets()),
        Question::Discover => message[10..12].copy_from_slice(&FLAG_BROADCAST),
        Question::Request(lease) => {
            message[10..12].copy_from_slice(&FLAG_BROADCAST);
            message.extend_from_slice(&[OPTION_ADDRESS, 4]);
            message.extend_from_slice(&lease.address.octets());
            message.extend_from_slice(&[OPTION_SERVER, 4]);
            message.extend_from_slice(&lease.server.octets());
        }
    }
    let wanted = [
        OPTION_MASK,
        OPTION_ROUTER,
        OPTION_NAMESERVERS,
        OPTION_LEASE,
        OPTION_RENEWAL,
        OPTION_REBINDING,
    ];
    message.extend_from_slice(&[OPTION_WANTED, wanted.len() as u8]);
    message.extend_from_slice(&wanted);
    message.push(OPTION_END);
    message.resize(message.len().max(MESSAGE_OCTETS_MIN), 0);
    message
}

/// Reads an answer to the message of that number and interface. None for everything else.
pub(crate) fn decode(message: &[u8], transaction: u32, hardware: [u8; 6]) -> Option<Answer> {
    let is_ours = *message.first()? == 2
        && message.get(4..8)? == transaction.to_be_bytes()
        && message.get(28..34)? == hardware
        && message.get(FIXED_OCTETS..FIXED_OCTETS + 4)? == COOKIE;
    if !is_ours {
        return None;
    }
    let options = &message[FIXED_OCTETS + 4..];
    match option(options, OPTION_TYPE)? {
        [2] => Some(Answer::Offer(lease(message, options)?)),
        [5] => Some(Answer::Acknowledged(lease(message, options)?)),
        [6] => Some(Answer::Refused),
        _ => None,
    }
}

fn lease(message: &[u8], options: &[u8]) -> Option<Lease> {
    let address = Ipv4Addr::from(*message.get(16..20)?.first_chunk()?);
    let end = seconds(options, OPTION_LEASE)?.max(LEASE_MIN);
    let nameservers = option(options, OPTION_NAMESERVERS).unwrap_or_default();
    let (nameservers, _) = nameservers.as_chunks::<4>();
    Some(Lease {
        address,
        mask: ipv4(options, OPTION_MASK).unwrap_or_else(|| mask_by_class(address)),
        router: ipv4(options, OPTION_ROUTER),
        nameservers: nameservers.iter().map(|octets| IpAddr::from(*octets)).collect(),
        server: ipv4(options, OPTION_SERVER)?,
        renewal: seconds(options, OPTION_RENEWAL).filter(|t| *t < end).unwrap_or(end / 2),
        rebinding: seconds(options, OPTION_REBINDING).filter(|t| *t < end).unwrap_or(end / 8 * 7),
        end,
    })
}

/// For a server that says no mask: the classes of RFC 791.
fn mask_by_class(address: Ipv4Addr) -> Ipv4Addr {
    match address.octets()[0] {
        0..=127 => Ipv4Addr::new(255, 0, 0, 0),
        128..=191 => Ipv4Addr::new(255, 255, 0, 0),
        _ => Ipv4Addr::new(255, 255, 255, 0),
    }
}

fn ipv4(options: &[u8], code: u8) -> Option<Ipv4Addr> {
    option(options, code)?.first_chunk().map(|octets: &[u8; 4]| Ipv4Addr::from(*octets))
}

fn seconds(options: &[u8], code: u8) -> Option<Duration> {
    let octets = option(options, code)?.first_chunk()?;
    Some(Duration::from_secs(u64::from(u32::from_be_bytes(*octets))))
}

/// The value of the first option of that code.
fn option(mut options: &[u8], code: u8) -> Option<&[u8]> {
    loop {
        match options {
            [0, rest @ ..] => options = rest,
            [] | [OPTION_END, ..] => return None,
            [found, length, rest @ ..] => {
                let value = rest.get(..usize::from(*length))?;
                if *found == code {
                    return Some(value);
                }
                options = &rest[value.len()..];
            }
            [_] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARDWARE: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

    /// An answer of a server, with these options.
    fn answer(kind: u8, options: &[u8]) -> Vec<u8> {
        let mut message = vec![0; FIXED_OCTETS];
        message[0] = 2;
        message[4..8].copy_from_slice(&7_u32.to_be_bytes());
        message[16..20].copy_from_slice(&[10, 0, 2, 15]);
        message[28..34].copy_from_slice(&HARDWARE);
        message.extend_from_slice(&COOKIE);
        message.extend_from_slice(&[OPTION_TYPE, 1, kind, 0, 0]);
        message.extend_from_slice(options);
        message.push(OPTION_END);
        message
    }

    const FULL: &[u8] = &[
        OPTION_SERVER,
        4,
        10,
        0,
        2,
        2,
        OPTION_MASK,
        4,
        255,
        255,
        255,
        0,
        OPTION_ROUTER,
        4,
        10,
        0,
        2,
        2,
        OPTION_NAMESERVERS,
        8,
        10,
        0,
        2,
        3,
        10,
        0,
        2,
        4,
        OPTION_LEASE,
        4,
        0,
        0,
        0x0e,
        0x10,
    ];

    fn full_lease() -> Lease {
        let Some(Answer::Acknowledged(lease)) = decode(&answer(5, FULL), 7, HARDWARE) else {
            panic!("not understood")
        };
        lease
    }

    #[test]
    fn an_answer_with_all_options() {
        let lease = full_lease();
        assert_eq!(lease.address, Ipv4Addr::new(10, 0, 2, 15));
        assert_eq!(lease.mask, Ipv4Addr::new(255, 255, 255, 0));
        assert_eq!(lease.router, Some(Ipv4Addr::new(10, 0, 2, 2)));
        assert_eq!(lease.nameservers.len(), 2);
        let times = [lease.renewal, lease.rebinding, lease.end].map(|time| time.as_secs());
        assert_eq!(times, [1800, 3150, 3600], "the defaults of RFC 2131 section 4.4.5");
    }

    #[test]
    fn what_a_stranger_sends_is_no_answer() {
        let good = answer(2, FULL);
        assert!(matches!(decode(&good, 7, HARDWARE), Some(Answer::Offer(_))));
        assert_eq!(decode(&good, 8, HARDWARE), None, "another number");
        assert_eq!(decode(&good, 7, [0; 6]), None, "another interface");
        assert_eq!(decode(&answer(9, FULL), 7, HARDWARE), None, "another type");
        assert_eq!(decode(&answer(5, &[]), 7, HARDWARE), None, "no server, no lease");
        assert_eq!(decode(&answer(6, &[]), 7, HARDWARE), Some(Answer::Refused));
        for length in 0..good.len() - 1 {
            // Cut anywhere it is refused or understood, never a panic.
            decode(&good[..length], 7, HARDWARE);
        }
    }

    #[test]
    fn a_lease_of_no_time_is_kept_for_a_minute() {
        let mut options = FULL.to_vec();
        let length = options.len();
        options[length - 2..].fill(0);
        let Some(Answer::Acknowledged(lease)) = decode(&answer(5, &options), 7, HARDWARE) else {
            panic!("not understood")
        };
        assert_eq!(lease.end, LEASE_MIN);
    }

    #[test]
    fn duties_of_an_ageing_lease() {
        let lease = full_lease();
        let duty = |age| lease.duty(Duration::from_secs(age));
        let seconds = Duration::from_secs;
        assert_eq!(duty(0), Duty::Rest(seconds(1800)));
        assert_eq!(duty(1800), Duty::Renew(seconds(675)));
        assert_eq!(duty(3140), Duty::Renew(seconds(60)));
        assert_eq!(duty(3150), Duty::Rebind(seconds(225)));
        assert_eq!(duty(3590), Duty::Rebind(seconds(10)));
        assert_eq!(duty(3600), Duty::End);
    }

    #[test]
    fn our_messages() {
        let lease = full_lease();
        let discover = encode(Question::Discover, 7, HARDWARE);
        assert_eq!(discover.len(), MESSAGE_OCTETS_MIN);
        assert_eq!(option(&discover[240..], OPTION_TYPE), Some(&[1][..]));
        assert_eq!(discover[10], 0x80);
        let request = encode(Question::Request(&lease), 7, HARDWARE);
        assert_eq!(option(&request[240..], OPTION_ADDRESS), Some(&[10, 0, 2, 15][..]));
        let renew = encode(Question::Renew(&lease), 7, HARDWARE);
        assert_eq!((&renew[12..16], renew[10]), (&[10, 0, 2, 15][..], 0));
        assert_eq!(option(&renew[240..], OPTION_SERVER), None, "RFC 2131 section 4.3.2");
    }
}
