//! The worker pool: panics, bounds, parallel maps, stop. Threads meet by channels, never by time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crossbeam_channel::{bounded, unbounded};

use crate::runtime::testing::test_system;
use crate::runtime::{JobError, PoolObserved, PoolSpec, SubmitError, WorkerPool};

fn pool(workers: usize, queue_bound: usize) -> WorkerPool {
    WorkerPool::start(PoolSpec { name: "test", workers, queue_bound }).unwrap()
}

#[test]
fn panicking_job_is_reported_and_the_worker_lives_on() {
    let pool = pool(1, 4);
    test_system(|_| async move {
        for round in 0..3 {
            let broken = pool.run(move || -> u32 { panic!("job {round} broke") }).unwrap().await;
            let Err(JobError::Panicked(panicked)) = broken else { panic!("{broken:?}") };
            assert_eq!(&*panicked.text, format!("job {round} broke"));
            assert!(panicked.place.contains("tests/pool.rs:"), "{}", panicked.place);
            assert_eq!(pool.run(|| 7).unwrap().await, Ok(7));
        }
        // Also when it is the receiver of the result that panics.
        pool.submit(|| (), |_| panic!("receiver broke")).unwrap();
        assert_eq!(pool.run(|| 8).unwrap().await, Ok(8));
        let PoolObserved { done, panicked, workers, .. } = pool.observe();
        assert_eq!((done, panicked, workers), (8, 3, 1));
    });
}

#[test]
fn queue_is_bounded_and_observable() {
    let pool = pool(1, 2);
    let (begun, has_begun) = bounded(0);
    let (go_on, may_go_on) = bounded::<()>(0);
    pool.submit(
        move || {
            begun.send(()).unwrap();
            may_go_on.recv().unwrap();
        },
        |_| (),
    )
    .unwrap();
    has_begun.recv().unwrap();
    let (results, came) = unbounded();
    for n in 0..2 {
        let results = results.clone();
        pool.submit(move || n, move |result| results.send(result).unwrap()).unwrap();
    }
    let full = pool.submit(|| (), |_| ()).unwrap_err();
    assert_eq!(full, SubmitError::Overloaded { pool: "test", queue_bound: 2 });
    let PoolObserved { busy, queued, queue_bound, .. } = pool.observe();
    assert_eq!((busy, queued, queue_bound), (1, 2, 2));
    // Closing keeps what is queued.
    pool.close();
    let closed = pool.submit(|| (), |_| ()).unwrap_err();
    assert_eq!(closed, SubmitError::Closed { pool: "test" });
    go_on.send(()).unwrap();
    pool.join();
    assert_eq!(came.try_iter().collect::<Vec<_>>(), [Ok(0), Ok(1)]);
    assert_eq!(pool.observe().busy, 0);
}

#[test]
fn map_keeps_the_order_and_is_shared() {
    let pool = pool(3, 1);
    let items: Arc<[u64]> = (0..10_000).collect();
    let squares = pool.map(items.clone(), |index, item| (index as u64, item * item)).unwrap();
    assert!(squares.iter().enumerate().all(|(i, &(n, s))| n == i as u64 && s == n * n));
    // Two items that wait for each other end only if two threads work on them.
    let (to_b, from_a) = bounded(1);
    let (to_a, from_b) = bounded(1);
    let meet = move |index: usize, _: &u64| match index {
        0 => {
            to_b.send(()).unwrap();
            from_b.recv().unwrap();
        }
        _ => {
            to_a.send(()).unwrap();
            from_a.recv().unwrap();
        }
    };
    assert_eq!(pool.map([0, 1].into(), meet).unwrap().len(), 2);
    let none: Arc<[u64]> = [].into();
    assert_eq!(pool.map(none, |_, n| *n), Ok(Vec::new()));
}

#[test]
fn nested_maps_on_a_full_pool_end() {
    let pool = pool(2, 8);
    let (inner, innermost) = (pool.clone(), pool.clone());
    let work = move || {
        inner.clone().map((0..20).collect(), move |_, a: &u64| {
            let (deep, a) = (innermost.clone(), *a);
            let sums = inner.map((0..20).collect(), move |_, b: &u64| {
                let b = *b;
                deep.map((0..5).collect(), move |_, c: &u64| a * b + c).unwrap()
            });
            sums.unwrap().iter().flatten().sum::<u64>()
        })
    };
    let (results, came) = unbounded();
    for _ in 0..4 {
        let results = results.clone();
        pool.submit(work.clone(), move |result| results.send(result).unwrap()).unwrap();
    }
    let expected: Vec<u64> = (0..20).map(|a| 5 * a * 190 + 20 * 10).collect();
    for _ in 0..4 {
        assert_eq!(came.recv().unwrap(), Ok(Ok(expected.clone())));
    }
}

#[test]
fn panic_in_a_map_leaves_the_rest_out_and_the_pool_alive() {
    let pool = pool(2, 8);
    let begun = Arc::new(AtomicU32::new(0));
    let count = begun.clone();
    let broken = pool.map((0..100_000).collect(), move |_, n: &u32| {
        count.fetch_add(1, Relaxed);
        assert_ne!(*n, 10, "item broke");
        // The thread that panics gets its turn, however busy the machine is.
        std::thread::yield_now();
    });
    assert!(broken.unwrap_err().text.contains("item broke"));
    assert!(begun.load(Relaxed) < 100_000);
    assert_eq!(pool.map([1, 2, 3].into(), |_, n: &u32| n * 2), Ok(vec![2, 4, 6]));
    pool.join();
    assert_eq!(pool.map([1].into(), |_, n: &u32| n + 1), Ok(vec![2]), "alone when closed");
}

#[test]
fn worker_may_join_its_own_pool() {
    let pool = pool(2, 2);
    let (done, is_done) = bounded(1);
    let own = pool.clone();
    pool.submit(move || own.join(), move |_| done.send(()).unwrap()).unwrap();
    is_done.recv().unwrap();
}
