//! The inner loops of the zone engine on one thread, in records a second: parse, pack, sort,
//! assemble, NSEC3 hash, denial chains, signing plan, rendering. In: the made zone of 100,000
//! delegations (276,497 records; of 1,000 when criterion only tests, as in CI). Out: criterion's
//! rates. Limits: no files, no threads, no signatures; whole programs are compared by
//! `cargo xtask bench-peers`.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anchorite_tests::zonegen;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dnssec::denial::nsec::with_nsec;
use dnssec::denial::nsec3::{Nsec3Parameters, hash, hash_chunk, link};
use dnssec::key::{KeyId, KeyRole};
use dnssec::policy::Policy;
use dnssec::signing::plan::{SigningRun, plan_chunk};
use dnssec::signing::reuse::Renewal;
use dnssec::signing::{Presence, Signer, SigningTimes};
use dnssec::zone::chunk::Chunk;
use dnssec::zone::key::key_to_wire;
use dnssec::zone::load::Packer;
use dnssec::zone::render;
use dnssec::zonefile::{IncludeRequest, Included, Position, RecordRef, Sink, Warning};
use dnssec::{Algorithm, KeyTag, Name, Timestamp, Ttl};
use made::{ORIGIN, assemble, pack, packer, read};

mod made;

const DENIAL_TTL: Ttl = Ttl(3600);

/// Takes records and forgets them.
struct Nothing;

impl Sink for Nothing {
    type Error = Infallible;

    fn record(&mut self, record: RecordRef<'_>, _: Position) -> Result<(), Infallible> {
        black_box(record);
        Ok(())
    }

    fn warning(&mut self, _: Warning, _: Position) -> Result<(), Infallible> {
        Ok(())
    }

    fn include(&mut self, request: IncludeRequest<'_>) -> Result<Included, Infallible> {
        Ok(Included { source: request.including, bytes: Vec::new() })
    }
}

fn signer() -> Signer {
    Signer {
        id: KeyId::new(&[1; 16]).expect("16 octets are an identifier"),
        repository: "bench".to_owned(),
        role: KeyRole::Csk,
        algorithm: Algorithm::EcdsaP256Sha256,
        key_tag: KeyTag(4711),
        is_revoked: false,
        presence: Presence::Here,
    }
}

fn engine(criterion: &mut Criterion) {
    let apex = made::apex();
    let mut text = Vec::new();
    let records =
        zonegen::tld(made::zone_size(), ORIGIN, zonegen::SEED, &mut text).expect("memory is there");
    let version = assemble(&apex, pack(&apex, &text));
    let parameters = Nsec3Parameters { iterations: 0, salt: Vec::new(), opt_out: false };

    let mut group = criterion.benchmark_group("engine");
    group.sample_size(10).warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(2)).throughput(Throughput::Elements(records));
    group.bench_function("parse", |bencher| bencher.iter(|| read(&apex, &text, &mut Nothing)));
    group.bench_function("parse and pack", |bencher| bencher.iter(|| pack(&apex, &text)));
    let size = criterion::BatchSize::LargeInput;
    group.bench_function("sort", |bencher| {
        bencher.iter_batched(|| packer(&apex, &text), Packer::finish, size);
    });
    group.bench_function("assemble", |bencher| {
        bencher.iter_batched(|| pack(&apex, &text), |packed| assemble(&apex, packed), size);
    });
    group.bench_function("NSEC chain", |bencher| {
        bencher.iter(|| {
            for index in 0..version.names.len() {
                black_box(with_nsec(&apex, &version.names, index, DENIAL_TTL));
            }
        });
    });
    group.bench_function("NSEC3 chain", |bencher| {
        bencher.iter(|| {
            let chunks = 0..version.names.len();
            let parts: Vec<_> =
                chunks.map(|at| hash_chunk(&apex, &version.names, at, &parameters)).collect();
            link(&parts, &parameters, DENIAL_TTL)
        });
    });
    let nsec = (0..version.names.len())
        .map(|index| Arc::new(with_nsec(&apex, &version.names, index, DENIAL_TTL)));
    let nsec: Vec<Arc<Chunk>> = nsec.collect();
    chunk_by_chunk(&mut group, &apex, &nsec);
    group.finish();

    let mut group = criterion.benchmark_group("NSEC3 hash");
    let first = version.names[0].owner(1);
    let mut wire = Vec::new();
    assert!(key_to_wire(&apex, first.key(), &mut wire));
    group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(2));
    group.bench_function("no salt, 0 iterations", |bencher| {
        bencher.iter(|| hash(black_box(&wire), &parameters));
    });
    group.finish();
}

/// What is done to each chunk of a zone with its NSEC chain.
fn chunk_by_chunk(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    apex: &Name,
    chunks: &[Arc<Chunk>],
) {
    let signers = [signer()];
    let policy = Policy::anchorite_default("bench").signatures;
    let times = SigningTimes { now: Timestamp(1_700_000_000), policy, seed: 1 };
    let run = SigningRun {
        apex,
        signers: &signers,
        published: &[],
        renewal: Renewal::Due,
        times: &times,
        previous: None,
    };
    group.bench_function("signing plan", |bencher| {
        bencher.iter(|| {
            for chunk in chunks {
                black_box(plan_chunk(&run, chunk).made_count());
            }
        });
    });
    let mut out = Vec::new();
    for (name, form) in [
        ("render text", render::text as fn(&Name, &Chunk, &mut Vec<u8>)),
        ("render wire", render::wire),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for chunk in chunks {
                    out.clear();
                    form(apex, chunk, &mut out);
                    black_box(&out);
                }
            });
        });
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
