//! Writing to somebody who may read slowly, or not at all.
//! In: octets. Out: the same, or an error once it takes too long: no octet taken for [`STALL_MAX`],
//! or, after [`GRACE`], fewer than [`RATE_LEAST`] in a second on average.
//! Never: octets in a buffer of its own.

use crate::runtime::Clock;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// A reader that takes nothing for so long is gone.
pub const STALL_MAX: Duration = Duration::from_secs(30);
/// So long a reader may be slow.
const GRACE: Duration = Duration::from_secs(60);
/// Octets in a second: a million names would take three hours.
const RATE_LEAST: u64 = 8 * 1024;

/// A stream with a reader who has to keep up.
pub struct Paced<W> {
    stream: W,
    clock: Clock,
    /// Octets taken, and how long that took.
    taken: u64,
    spent: Duration,
}

impl<W: AsyncWrite + Unpin> Paced<W> {
    /// Writes to `stream`.
    pub fn new(stream: W, clock: Clock) -> Paced<W> {
        Paced { stream, clock, taken: 0, spent: Duration::ZERO }
    }

    /// Writes all of `octets`.
    pub async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        let mut rest = octets;
        while !rest.is_empty() {
            let began = self.clock.uptime();
            let Ok(written) = timeout(STALL_MAX, self.stream.write(rest)).await else {
                return Err(too_slow("has taken nothing for half a minute"));
            };
            let count = written?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = &rest[count..];
            self.taken += count as u64;
            self.spent += self.clock.uptime().saturating_sub(began);
            if self.spent > GRACE && self.taken < RATE_LEAST * self.spent.as_secs() {
                return Err(too_slow("takes less than 8 KiB a second"));
            }
        }
        Ok(())
    }

    /// What is still under way in layers below goes out.
    pub async fn flush(&mut self) -> io::Result<()> {
        match timeout(STALL_MAX, self.stream.flush()).await {
            Ok(flushed) => flushed,
            Err(_) => Err(too_slow("has taken nothing for half a minute")),
        }
    }
}

fn too_slow(how: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, how)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnssec::Timestamp;
    use tokio::io::AsyncReadExt;

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_reads_nothing_is_left() {
        let (near, _far) = tokio::io::duplex(64);
        let mut paced = Paced::new(near, Clock::virtual_at(Timestamp(0)));
        let error = paced.write(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_drips_is_left_and_one_who_keeps_up_is_not() {
        let clock = Clock::virtual_at(Timestamp(0));
        for (pause_seconds, keeps_up) in [(20, false), (0, true)] {
            let (near, mut far) = tokio::io::duplex(16);
            let sleeper = clock.clone();
            let reader = tokio::spawn(async move {
                let mut octets = [0; 16];
                while far.read_exact(&mut octets).await.is_ok() {
                    sleeper.sleep(Duration::from_secs(pause_seconds)).await;
                }
            });
            let mut paced = Paced::new(near, clock.clone());
            assert_eq!(paced.write(&[0; 1600]).await.is_ok(), keeps_up);
            drop(paced);
            reader.await.unwrap();
        }
    }
}
