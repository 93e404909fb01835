//! Benchmarks: criterion benches of the inner loops are in `benches/`; whole programs are
//! compared by `cargo xtask bench-peers`, with the programs in `src/bin/`. This library has what
//! they share. Never: a part of the product.
#![forbid(unsafe_code)]

pub mod one_zone;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dnssec::Algorithm;
use dnssec::key::KeyRole;
use dnssec::signing::ZoneKey;
use hsm::builtin::{BuiltinToken, Unlock};
use hsm::{GenerateRequest, Slot, random_key_id};

/// A token, and the keys of a zone in it.
pub type TokenWithKeys = (Arc<dyn Slot>, Vec<ZoneKey>);

/// A new built-in token in `folder` with an ECDSA P-256 KSK and ZSK, in this order.
///
/// # Errors
/// What the token says.
pub fn token_with_keys(folder: &Path) -> Result<TokenWithKeys, Box<dyn Error>> {
    let key_file = folder.join("key");
    hsm::builtin::create_key_file("bench", &key_file)?;
    let unlock = Unlock::KeyFile(key_file);
    let token = BuiltinToken::create("bench", &folder.join("token"), "bench", &unlock)?;
    let mut keys = Vec::new();
    for role in [KeyRole::Ksk, KeyRole::Zsk] {
        let id = random_key_id().ok_or("no randomness")?;
        let request = GenerateRequest::new(id.clone(), Algorithm::EcdsaP256Sha256);
        let public_key = token.generate(&request)?;
        let repository = "bench".to_owned();
        keys.push(ZoneKey {
            id,
            repository,
            role,
            public_key,
            is_published: true,
            signs: Some(role),
            is_revoked: false,
        });
    }
    Ok((Arc::new(token), keys))
}

/// Does each job on one of `thread_count` threads; the results are in the order of the jobs. A
/// panic of a job passes on.
pub fn on_threads<J: Sync, R: Send>(
    thread_count: usize,
    jobs: &[J],
    work: impl Fn(&J) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { return done };
            done.push((number, work(job)));
        }
    };
    let mut results = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..thread_count).map(|_| scope.spawn(worker)).collect();
        let mut results = worker();
        for helper in helpers {
            match helper.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}
