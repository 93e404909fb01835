//! NOTIFY in: whatever comes, a zone hears of the newest, and not more often than it can do
//! anything with it. RFC 1996 §3.11, guard R15.
//! In: NOTIFYs that were found good. Out: one word to the zone for all that came in [`PAUSE`].
//! The first is handed on at once. Limit: one that waits for each zone.

use crate::runtime::Clock;
use dnssec::{Name, Serial};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Between two words to zones.
const PAUSE: Duration = Duration::from_millis(5);

/// Tells a zone: which, who sent it, the serial that he speaks of.
pub type Forward = Arc<dyn Fn(&Name, IpAddr, Option<Serial>) + Send + Sync>;

/// What was heard and not yet handed on.
pub struct Heard {
    forward: Forward,
    news: Mutex<BTreeMap<Name, (IpAddr, Option<Serial>)>>,
    wake: Notify,
}

impl Heard {
    /// Nothing yet; it is handed on by `forward`.
    pub fn new(forward: Forward) -> Heard {
        Heard { forward, news: Mutex::default(), wake: Notify::new() }
    }

    /// Takes a NOTIFY; of several of a zone the last one counts.
    pub fn take(&self, zone: &Name, from: IpAddr, serial: Option<Serial>) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        news.insert(zone.clone(), (from, serial));
        drop(news);
        self.wake.notify_one();
    }

    /// Hands on until it is dropped.
    pub async fn run(&self, clock: &Clock) {
        loop {
            self.wake.notified().await;
            let news =
                std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner));
            for (zone, (from, serial)) in news {
                (self.forward)(&zone, from, serial);
            }
            clock.sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnssec::Timestamp;
    use std::net::Ipv4Addr;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_a_word_every_five_milliseconds() {
        let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
        let heard = Arc::new(Heard::new(Arc::new(move |_: &Name, _, serial| {
            sender.send(serial).unwrap();
        })));
        let clock = Clock::virtual_at(Timestamp(0));
        let (own, timer) = (heard.clone(), clock.clone());
        tokio::spawn(async move { own.run(&timer).await });
        let (zone, from) = (Name::root(), IpAddr::from(Ipv4Addr::LOCALHOST));
        for number in 0..1000 {
            heard.take(&zone, from, Some(Serial(number)));
            if number % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(told.recv().await, Some(Some(Serial(0))), "the first at once");
        assert_eq!(told.recv().await, Some(Some(Serial(999))), "the last of the others");
        clock.sleep(Duration::from_secs(1)).await;
        assert!(told.try_recv().is_err());
    }
}
