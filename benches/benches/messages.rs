//! Messages a second: bare actix against the same actor under the runtime's guard.
//! In: nothing. Out: criterion's rates, one-way and round trip, on one thread.
//! Limits: the price of crossing threads is the channel's, not the guard's, and is not shown.

use std::time::Duration;

use actors::runtime::{
    Actor, Addr, Child, ChildSpec, Context, Handler, Message, Strategy, Supervised, SupervisorSpec,
    System, start_root,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Messages in a row before the sender lets the receiver run.
const ROW: u64 = 1000;

struct Add(u64);

impl Message for Add {
    type Result = u64;
}

struct Counter(u64);

impl Actor for Counter {
    type Context = Context<Counter>;
}

impl Supervised for Counter {}

impl Child for Counter {
    type Observed = u64;

    fn observe(&self) -> u64 {
        self.0
    }
}

impl Handler<Add> for Counter {
    type Result = u64;

    fn handle(&mut self, message: Add, _: &mut Context<Counter>) -> u64 {
        self.0 = self.0.wrapping_add(message.0);
        self.0
    }
}

async fn one_way(to: &Addr<Counter>) -> u64 {
    for _ in 1..ROW {
        to.do_send(Add(1));
    }
    to.send(Add(1)).await.unwrap_or_default()
}

async fn round_trips(to: &Addr<Counter>) -> u64 {
    let mut last = 0;
    for _ in 0..ROW {
        last = to.send(Add(1)).await.unwrap_or_default();
    }
    last
}

fn messages(criterion: &mut Criterion) {
    let system = System::new();
    let (bare, guarded, _root) = system.block_on(async {
        let root = start_root(SupervisorSpec::new("root", Strategy::OneForOne), |_| ());
        let spec = ChildSpec::new("counter");
        let guarded = root.add(&spec, || Counter(0)).expect("the root has just been started");
        (Counter(0).start(), guarded, root)
    });
    let mut group = criterion.benchmark_group("messages");
    group.throughput(Throughput::Elements(ROW)).measurement_time(Duration::from_secs(3));
    for (name, to) in [("actix", &bare), ("guarded", guarded.addr())] {
        group.bench_function(BenchmarkId::new("one-way", name), |bencher| {
            bencher.iter(|| system.block_on(one_way(to)));
        });
        group.bench_function(BenchmarkId::new("round-trip", name), |bencher| {
            bencher.iter(|| system.block_on(round_trips(to)));
        });
    }
    group.finish();
}

criterion_group!(benches, messages);
criterion_main!(benches);
