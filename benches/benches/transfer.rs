//! Packing transfers out, on one thread: the whole of a large zone, and a change of ten names.
//! In: the made zone of 100,000 delegations (of 1,000 when criterion only tests, as in CI).
//! Out: criterion's times. Limits: the unsigned zone; sockets are another program's
//! (`cargo bench -p anchorite-tests --bench axfr_out`).

use std::sync::Arc;
use std::time::Duration;

use anchorite_tests::zonegen;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dnssec::transfer::ixfr::Ixfr;
use dnssec::transfer::message::{AXFR, Question};
use dnssec::transfer::packing::writer::Heading;
use dnssec::transfer::packing::{Axfr, Transfer};
use dnssec::zone::diff::difference;

mod made;

fn transfers(criterion: &mut Criterion) {
    let apex = made::apex();
    let mut text = Vec::new();
    zonegen::tld(made::zone_size(), made::ORIGIN, zonegen::SEED, &mut text)
        .expect("memory is there");
    let old = made::assemble(&apex, made::pack(&apex, &text));
    for number in 0..10 {
        text.extend(format!("{number}-new.{} 3600 IN NS ns1.nic.bench.\n", made::ORIGIN).bytes());
    }
    // A SOA of its own, as each version has.
    let text = String::from_utf8(text).expect("zone files are ASCII");
    let new = made::assemble(&apex, made::pack(&apex, next_serial(&text).as_bytes()));
    let question = Question { name: apex.clone(), rtype: AXFR };
    let heading =
        Heading { id: 7, recursion_desired: false, question, has_edns: false, expire: None };
    let steps = [Arc::new(difference(&old, &new))];
    let axfr = Transfer::Axfr(Axfr::new(Arc::new(old)).expect("it has a SOA"));
    let render = |transfer: &Transfer| {
        let units = (0..transfer.unit_count()).map(|unit| transfer.render(unit, &heading));
        units.map(|octets| octets.expect("its records are short").len()).sum::<usize>()
    };

    let mut group = criterion.benchmark_group("transfer out");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Bytes(render(&axfr) as u64));
    group.bench_function("AXFR packed", |bencher| bencher.iter(|| render(&axfr)));
    group.throughput(Throughput::Elements(1));
    group.bench_function("IXFR of 10 names condensed and packed", |bencher| {
        bencher.iter(|| {
            let ixfr = Ixfr::new(&apex, &steps, usize::MAX).expect("a difference with SOAs");
            render(&Transfer::Ixfr(ixfr))
        });
    });
    group.finish();
}

/// The zone with another serial: the first number of the SOA's five.
fn next_serial(text: &str) -> String {
    let (before, soa) = text.split_once(" SOA ").or(text.split_once("\tSOA\t")).expect("a SOA");
    let line = soa.lines().next().expect("it has a line");
    let serial = line.split_whitespace().nth(2).expect("a SOA on one line");
    let number: u32 = serial.parse().expect("a number");
    let next = line.replacen(serial, &(number + 1).to_string(), 1);
    let between = &text[before.len()..before.len() + 5];
    format!("{before}{between}{next}{}", &soa[line.len()..])
}

criterion_group!(benches, transfers);
criterion_main!(benches);
