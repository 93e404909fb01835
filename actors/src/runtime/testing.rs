//! Helpers for tests of anything that runs on the runtime. Public, since other crates' tests and
//! benches use them. Never: real waiting; time is paused and jumps when everything is idle.
//! Limits: one arbiter in such a test, since each has its own time; no blocking pool under it.

use std::future::Future;
use std::time::Duration;

use actix_rt::System;
use dnssec::Timestamp;

use super::clock::{self, Clock};

/// 2026-01-01T00:00:00Z: where virtual time begins.
pub const TEST_EPOCH: Timestamp = Timestamp(1_767_225_600);

/// Runs `test` in an actix system with paused time, and a clock that shows [`TEST_EPOCH`].
pub fn test_system<T, F: Future<Output = T>>(test: impl FnOnce(Clock) -> F) -> T {
    let system = System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime without threads needs only an epoll descriptor")
    });
    system.block_on(async { test(Clock::virtual_at(TEST_EPOCH)).await })
}

/// Lets everything that can run now do so, and a millisecond of virtual time pass.
pub async fn settle() {
    clock::pause(Duration::from_millis(1)).await;
}

/// The environment variable `SEED`, or else `seed`. Random tests print what they used.
pub fn seed_or(seed: u64) -> u64 {
    std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(seed)
}

/// Random numbers that a seed repeats exactly (xorshift64*; Vigna 2016).
#[derive(Clone, Debug)]
pub struct SeededRandom {
    state: u64,
}

impl SeededRandom {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> SeededRandom {
        // Spread small seeds; zero is the one state it cannot leave.
        SeededRandom { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1) }
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % bound
    }
}
