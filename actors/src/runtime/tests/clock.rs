//! The clock: virtual time, leaps forward, deadlines.

use std::time::Duration;

use dnssec::{Seconds, Timestamp};

use crate::runtime::testing::{TEST_EPOCH, test_system};
use crate::runtime::{Clock, LeapError};

#[test]
fn years_pass_in_no_time() {
    test_system(|clock| async move {
        assert_eq!(clock.now(), TEST_EPOCH);
        let two_years = Seconds(2 * 365 * 86_400);
        clock.sleep_until(TEST_EPOCH.plus(two_years)).await;
        assert_eq!(clock.now(), TEST_EPOCH.plus(two_years));
        let elsewhere = clock.clone();
        let seen = std::thread::spawn(move || elsewhere.now()).join().unwrap();
        assert_eq!(seen, clock.now(), "other threads see virtual time, too");
    });
}

#[test]
fn leap_goes_forward_only_and_wakes_sleepers_but_moves_no_deadline() {
    test_system(|clock| async move {
        let deadline = clock.deadline(Duration::from_secs(10));
        let sleeper = clock.clone();
        let at = TEST_EPOCH.plus(Seconds(86_400));
        let woken = tokio::task::spawn_local(async move {
            sleeper.sleep_until(at).await;
            sleeper.uptime()
        });
        clock.sleep(Duration::from_secs(4)).await;
        assert_eq!(clock.leap_to(at), Ok(()));
        assert_eq!(woken.await.unwrap(), Duration::from_secs(4));
        assert_eq!((clock.now(), clock.leapt()), (at, Seconds(86_396)));
        assert_eq!(clock.left(deadline), Duration::from_secs(6));
        let back = LeapError::Backwards { now: at, to: TEST_EPOCH };
        assert_eq!(clock.leap_to(TEST_EPOCH), Err(back));
        assert_eq!(clock.now(), at);
    });
}

#[test]
fn system_clock_shows_this_century_and_leaps() {
    let clock = Clock::system();
    assert!(clock.now() > Timestamp(1_700_000_000));
    let before = clock.now();
    clock.leap_by(Seconds(1_000_000));
    assert!(clock.now().since(before) >= Seconds(1_000_000));
}
