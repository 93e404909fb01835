//! Who has connected and has not yet said who he is: at most so many, and of one address at most so
//! many; for one more, the one who has waited longest has to go. So nobody can keep others out by
//! connections that he leaves standing. Pure: in: connections as they come, log in and end; out:
//! whom to close.

use std::collections::VecDeque;
use std::net::IpAddr;

/// Connections before authentication, in all.
pub(super) const WAITING_MAX: usize = 64;
/// The same, of one address.
pub(super) const WAITING_OF_ADDRESS_MAX: usize = 16;

/// A connection, counted from the start of the process.
pub(super) type Number = u64;

/// The connections before authentication, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Entrance {
    waiting: VecDeque<(Number, IpAddr)>,
}

impl Entrance {
    /// One more. Gives the one that has to go for it.
    pub(super) fn enter(&mut self, number: Number, address: IpAddr) -> Option<Number> {
        // An IPv4 address is the same by whichever socket it comes.
        let address = address.to_canonical();
        let of_address = || self.waiting.iter().filter(|(_, other)| *other == address);
        let is_full = self.waiting.len() >= WAITING_MAX;
        let leaving = match of_address().count() >= WAITING_OF_ADDRESS_MAX {
            true => of_address().next().map(|(number, _)| *number),
            false => self.waiting.front().filter(|_| is_full).map(|(number, _)| *number),
        };
        if let Some(leaving) = leaving {
            self.leave(leaving);
        }
        self.waiting.push_back((number, address));
        leaving
    }

    /// It has ended, or is authenticated.
    pub(super) fn leave(&mut self, number: Number) {
        self.waiting.retain(|(other, _)| *other != number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: usize) -> IpAddr {
        IpAddr::from([192, 0, 2, u8::try_from(number).unwrap()])
    }

    #[test]
    fn of_one_address_the_oldest_goes() {
        let mut entrance = Entrance::default();
        entrance.enter(1, address(9));
        let first = 10;
        let count = WAITING_OF_ADDRESS_MAX as u64;
        for number in first..first + count {
            assert_eq!(entrance.enter(number, address(1)), None);
        }
        assert_eq!(entrance.enter(100, address(1)), Some(first));
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(entrance.enter(101, mapped), Some(first + 1));
        assert_eq!(entrance.enter(102, address(2)), None);
    }

    #[test]
    fn of_all_the_oldest_goes_and_who_is_in_does_not_count() {
        let mut entrance = Entrance::default();
        for number in 0..WAITING_MAX {
            assert_eq!(entrance.enter(number as u64, address(number)), None);
        }
        entrance.leave(0);
        assert_eq!(entrance.enter(1000, address(200)), None);
        assert_eq!(entrance.enter(1001, address(201)), Some(1));
        assert_eq!(entrance.enter(1002, address(202)), Some(2));
    }
}
