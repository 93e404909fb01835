//! A change of ten names in a large zone, on one thread: finding it, making it, undoing it, writing
//! it to the journal. In: the made zone of 100,000 delegations (of 1,000 when criterion only tests,
//! as in CI), and the same zone with ten more names, read anew. Out: criterion's times.
//! Limits: the unsigned zone; the way of a change through the whole system is another program's.

use std::hint::black_box;
use std::time::Duration;

use anchorite_tests::zonegen;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use dnssec::zone::diff::{Difference, difference};
use dnssec::zone::edit::{apply_edits, edits_between};
use dnssec::zone::{ZoneVersion, patch};
use dnssec::{Name, Serial, Timestamp};
use storage::journal::{Journal, JournalEntry, Records};

mod made;

const CHANGED_NAME_COUNT: usize = 10;

fn differences(criterion: &mut Criterion) {
    let apex = made::apex();
    let mut text = Vec::new();
    zonegen::tld(made::zone_size(), made::ORIGIN, zonegen::SEED, &mut text)
        .expect("memory is there");
    let old = made::assemble(&apex, made::pack(&apex, &text));
    for number in 0..CHANGED_NAME_COUNT {
        // Spread over the zone; no made name has a digit in front.
        let name = format!("{number}-{}", number * 7919 % 1000);
        text.extend(format!("{name}.{} 3600 IN NS ns1.nic.bench.\n", made::ORIGIN).into_bytes());
    }
    let read_anew = made::assemble(&apex, made::pack(&apex, &text));
    let edits = edits_between(&old, &read_anew);
    assert_eq!(edits.len(), CHANGED_NAME_COUNT);
    let (new, _) = apply_edits(&old, &edits);
    let found = difference(&old, &new);

    let mut group = criterion.benchmark_group("change of 10 names");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2));
    group.bench_function("edits between versions that share no chunk", |bencher| {
        bencher.iter(|| edits_between(&old, &read_anew));
    });
    group.bench_function("apply edits", |bencher| bencher.iter(|| apply_edits(&old, &edits)));
    group.bench_function("difference", |bencher| bencher.iter(|| difference(&old, &new)));
    group.bench_function("difference of versions that share no chunk", |bencher| {
        bencher.iter(|| difference(&old, &read_anew));
    });
    apply(&mut group, &old, &found);
    journal(&mut group, &apex, &found);
    group.finish();
}

fn apply(group: &mut BenchmarkGroup<'_, WallTime>, old: &ZoneVersion, found: &Difference) {
    group.bench_function("apply difference", |bencher| {
        bencher.iter(|| patch::apply(black_box(old), found).expect("it was made from this version"))
    });
}

/// Each entry is on the disk before the next one begins, so this is the disk's time.
fn journal(group: &mut BenchmarkGroup<'_, WallTime>, apex: &Name, found: &Difference) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut journal =
        Journal::create(folder.path(), apex, 1, Serial(1)).expect("the folder is new");
    let records = Records { removed: found.removed.clone(), added: found.added.clone() };
    group.bench_function("journal entry", |bencher| {
        bencher.iter(|| {
            let from = journal.serial();
            let entry = JournalEntry {
                from,
                to: Serial(from.0.wrapping_add(1)),
                input_serial: None,
                signed_at: Timestamp(1_700_000_000),
                signed: records.clone(),
                source: Records::default(),
            };
            journal.append(&entry).expect("the disk has room");
        });
    });
}

criterion_group!(benches, differences);
criterion_main!(benches);
