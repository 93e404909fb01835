//! The watcher in virtual time, with servers that are a table.

use super::*;
use crate::runtime::testing::{TEST_EPOCH, settle, test_system};
use crate::runtime::{ChildRef, Outbox, Reply, Strategy, SupervisorSpec, start_root};
use crate::tree;
use dnssec::enforcer::DsShown::{self, Everywhere, Nowhere, Somewhere};
use dnssec::key::{DigestType, KeyId, ds_rdata};
use dnssec::parent::{NOTIFY_ATTEMPTS_MAX, NotifyPolicy, ParentalAgents, ShownDs, WatchedKey};
use dnssec::{Seconds, Ttl};
use std::sync::Mutex;
use std::time::Duration;

/// Two servers and what they say now; `None`: nothing.
#[derive(Clone, Default)]
struct Servers(Arc<Mutex<BTreeMap<SocketAddr, Option<ShownDs>>>>);

impl Servers {
    fn set(&self, server: usize, shown: Option<ShownDs>) {
        self.0.lock().unwrap().insert(addresses()[server], shown);
    }

    fn ask(&self) -> Ask {
        let servers = self.clone();
        Arc::new(move |question: Question| {
            let shown = servers.0.lock().unwrap().get(&question.server).cloned().flatten();
            let silent = || Heard::Silent("does not answer".to_owned());
            let heard = shown.map_or_else(silent, Heard::Shown);
            Box::pin(async move { heard })
        })
    }
}

fn addresses() -> Vec<SocketAddr> {
    ["192.0.2.1:53", "192.0.2.2:53"].map(|text| text.parse().unwrap()).to_vec()
}

fn zone() -> Name {
    Name::parse(b"example.com.", None).unwrap()
}

fn dnskey() -> Vec<u8> {
    [&[1, 1, 3, 13][..], &[5; 64]].concat()
}

fn there() -> Option<ShownDs> {
    let record = ds_rdata(&zone(), &dnskey(), DigestType::Sha256);
    Some(ShownDs { records: vec![record], ttl: Ttl(7200) })
}

fn order() -> Arc<WatchOrder> {
    let id = KeyId::new(&[1]).unwrap();
    let keys = vec![WatchedKey { id, dnskey: dnskey(), comes: true }];
    Arc::new(WatchOrder {
        agents: ParentalAgents {
            addresses: addresses(),
            interval: Seconds(600),
            anchors: Vec::new(),
            anchor_file: None,
        },
        keys,
        is_calm: false,
    })
}

/// Stands for the enforcer.
struct Listener(Arc<Mutex<Vec<ParentEvent>>>);

impl Actor for Listener {
    type Context = Context<Listener>;
}

impl Handler<ParentEvent> for Listener {
    type Result = ();
    fn handle(&mut self, event: ParentEvent, _: &mut Context<Listener>) {
        self.0.lock().unwrap().push(event);
    }
}

/// A parent who is told: what he answers, and how often he was told; what is durable of that.
#[derive(Clone, Default)]
struct Receiver {
    answers: Arc<Mutex<Option<Told>>>,
    told: Arc<Mutex<usize>>,
    durable: Arc<Mutex<Digest>>,
}

impl Receiver {
    fn tell(&self) -> Tell {
        let receiver = self.clone();
        Arc::new(move |_, _| {
            *receiver.told.lock().unwrap() += 1;
            let address = addresses()[0];
            let silent = || {
                let cause = crate::io::dns_query::QueryError::NoAnswer.into();
                TellError::Target { address, cause }
            };
            let answer = receiver.answers.lock().unwrap().clone().ok_or_else(silent);
            Box::pin(async move { answer })
        })
    }

    fn memory(&self) -> Memory {
        let (reader, writer) = (self.clone(), self.clone());
        Memory {
            recall: Arc::new(move |_| {
                let digest = *reader.durable.lock().unwrap();
                Box::pin(async move { Ok(digest) })
            }),
            note: Arc::new(move |_, digest| {
                *writer.durable.lock().unwrap() = digest;
                Box::pin(async { Ok(()) })
            }),
        }
    }

    fn acknowledge(&self) {
        let host = Box::new(Name::parse(b"scanner.example.", None).unwrap());
        let told = Told::Acknowledged { host, address: addresses()[0] };
        *self.answers.lock().unwrap() = Some(told);
    }

    fn told(&self) -> usize {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

struct Scene {
    clock: Clock,
    servers: Servers,
    receiver: Receiver,
    watcher: ChildRef<ParentActor>,
    outbox: Outbox<ParentMessage>,
    heard: Arc<Mutex<Vec<ParentEvent>>>,
    to: Recipient<ParentEvent>,
}

impl Scene {
    fn new(clock: Clock) -> Scene {
        Scene::with(clock, Receiver::default())
    }

    fn with(clock: Clock, receiver: Receiver) -> Scene {
        let servers = Servers::default();
        let parts = ParentParts {
            clock: clock.clone(),
            ask: servers.ask(),
            tell: receiver.tell(),
            memory: receiver.memory(),
        };
        let root = SupervisorSpec::new("root", Strategy::OneForOne);
        let root = start_root(root, |failure| panic!("{failure}"));
        let watcher = root.add(&tree::parent(), move || ParentActor::new(parts.clone())).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let to = Listener(heard.clone()).start().recipient();
        let outbox = watcher.outbox();
        Scene { clock, servers, receiver, watcher, outbox, heard, to }
    }

    /// The zone publishes this, and its servers have it an hour later.
    fn publish(&self, number: u8) {
        let resolvers = addresses();
        let announcement = Announcement {
            digest: (number > 0).then_some([number; 32]),
            policy: Some(NotifyPolicy { resolvers, delay: None }),
            due: self.clock.now().plus(Seconds(3600)),
        };
        self.tell(ParentMessage::Announce { zone: zone(), announcement });
    }

    async fn announced(&self) -> Option<Announced> {
        let (reply, answer) = Reply::channel();
        self.tell(ParentMessage::Status { zone: Some(zone()), reply });
        let status = answer.within(&"parent".into(), Duration::from_secs(1)).await.unwrap();
        status.into_iter().next().and_then(|status| status.announced)
    }

    fn watch(&self, order: Arc<WatchOrder>) {
        let message = ParentMessage::Watch { zone: zone(), order, to: self.to.clone() };
        self.tell(message);
    }

    #[track_caller]
    fn tell(&self, message: ParentMessage) {
        self.outbox.tell(message).unwrap();
    }

    /// What was heard since the last call: what is shown, and since how many seconds into the test.
    fn heard(&self) -> Vec<(DsShown, u64)> {
        let events = std::mem::take(&mut *self.heard.lock().unwrap());
        let of = |event: ParentEvent| {
            let [one] = event.sightings.of_keys.as_slice() else { panic!("{event:?}") };
            (one.shown, one.since.since(TEST_EPOCH).0)
        };
        events.into_iter().map(of).collect()
    }

    async fn leap(&self, length: u64) {
        self.clock.leap_by(Seconds(length));
        settle().await;
    }

    async fn observed(&self) -> ParentObserved {
        self.watcher.observe(Duration::from_secs(1)).await.unwrap()
    }
}

#[test]
fn one_lags_and_nothing_is_everywhere_before_both_show_it() {
    test_system(|clock| async move {
        let scene = Scene::new(clock);
        let nothing = Some(ShownDs::default());
        scene.servers.set(0, nothing.clone());
        scene.servers.set(1, nothing);
        scene.watch(order());
        settle().await;
        assert_eq!(scene.heard(), [(Nowhere, 0)]);
        scene.servers.set(0, there());
        scene.leap(599).await;
        assert_eq!(scene.heard(), []);
        scene.leap(1).await;
        assert_eq!(scene.heard(), [(Somewhere, 600)]);
        assert_eq!(scene.observed().await.disagreeing, 1);
        scene.servers.set(1, there());
        scene.leap(600).await;
        scene.leap(600).await;
        assert_eq!(scene.heard(), [(Everywhere, 1200), (Everywhere, 1200)]);
        let observed = scene.observed().await;
        assert_eq!(observed, ParentObserved { zones: 1, disagreeing: 0, untold: 0, rounds: 4 });
    });
}

#[test]
fn a_server_that_is_away_stops_everything_and_a_liar_too() {
    test_system(|clock| async move {
        let scene = Scene::new(clock);
        scene.servers.set(0, there());
        scene.watch(order());
        settle().await;
        assert_eq!(scene.heard(), [(Somewhere, 0)]);
        let lie = ShownDs { records: vec![vec![0; 36]], ttl: Ttl(60) };
        scene.servers.set(1, Some(lie));
        scene.leap(600).await;
        assert_eq!(scene.heard(), [(Somewhere, 0)]);
        scene.servers.set(1, there());
        scene.leap(600).await;
        assert_eq!(scene.heard(), [(Everywhere, 1200)]);
    });
}

#[test]
fn a_new_order_is_asked_about_at_once_and_a_zone_that_is_gone_never() {
    test_system(|clock| async move {
        let scene = Scene::new(clock);
        scene.watch(order());
        scene.watch(order());
        settle().await;
        // The first round was overtaken.
        assert_eq!(scene.heard().len(), 1);
        scene.tell(ParentMessage::Forget { zone: zone() });
        settle().await;
        scene.leap(6000).await;
        assert_eq!(scene.heard(), []);
        assert_eq!(scene.observed().await.zones, 0);
    });
}

#[test]
fn a_change_is_told_once_when_every_server_has_it() {
    test_system(|clock| async move {
        let scene = Scene::new(clock);
        scene.receiver.acknowledge();
        scene.publish(1);
        scene.leap(3599).await;
        assert_eq!(scene.receiver.told(), 0);
        // Every later run of the zone says the same again.
        scene.publish(1);
        scene.leap(1).await;
        assert_eq!(scene.receiver.told(), 1);
        assert!(matches!(scene.announced().await, Some(Announced::Acknowledged(..))));
        scene.publish(1);
        scene.leap(7200).await;
        assert_eq!(scene.receiver.told(), 0);
        scene.publish(2);
        scene.leap(3600).await;
        assert_eq!(scene.receiver.told(), 1);
        // Nothing asked for is not told; the same as before that is told again.
        scene.publish(0);
        settle().await;
        assert_eq!(*scene.receiver.durable.lock().unwrap(), None);
        assert_eq!(scene.announced().await, None);
        scene.publish(2);
        scene.leap(3600).await;
        assert_eq!(scene.receiver.told(), 1);
    });
}

#[test]
fn a_change_that_is_overtaken_is_not_told() {
    test_system(|clock| async move {
        let scene = Scene::new(clock);
        scene.receiver.acknowledge();
        scene.publish(1);
        scene.leap(1800).await;
        scene.publish(2);
        scene.leap(1800).await;
        assert_eq!(scene.receiver.told(), 0);
        scene.leap(1800).await;
        assert_eq!(scene.receiver.told(), 1);
        assert_eq!(*scene.receiver.durable.lock().unwrap(), Some([2; 32]));
    });
}

#[test]
fn a_restart_tells_again_what_was_not_acknowledged() {
    test_system(|clock| async move {
        let receiver = Receiver::default();
        let before = Scene::with(clock.clone(), receiver.clone());
        before.publish(1);
        before.leap(3600).await;
        assert_eq!(receiver.told(), 1);
        assert!(matches!(before.announced().await, Some(Announced::Again(1, ..))));
        assert_eq!(before.observed().await.untold, 1);
        receiver.acknowledge();
        let after = Scene::with(clock.clone(), receiver.clone());
        after.publish(1);
        before.tell(ParentMessage::Leave { zone: zone() });
        settle().await;
        after.leap(3600).await;
        assert_eq!(receiver.told(), 1);
        // And once more: now it was acknowledged.
        let last = Scene::with(clock, receiver.clone());
        last.publish(1);
        last.leap(3600).await;
        assert_eq!(receiver.told(), 0);
        assert_eq!(last.announced().await, Some(Announced::Before));
    });
}

#[test]
fn a_parent_who_does_not_answer_is_told_only_so_often() {
    test_system(|clock| async move {
        let scene = Scene::new(clock);
        scene.publish(1);
        scene.leap(3600).await;
        for _ in 0..100 {
            scene.leap(21_600).await;
        }
        assert_eq!(scene.receiver.told(), NOTIFY_ATTEMPTS_MAX as usize);
        assert!(matches!(scene.announced().await, Some(Announced::GivenUp(_))));
        // The next change gets attempts of its own.
        scene.receiver.acknowledge();
        scene.publish(2);
        scene.leap(3600).await;
        assert_eq!(scene.receiver.told(), 1);
        assert_eq!(scene.observed().await.untold, 0);
    });
}

#[test]
fn a_policy_that_no_longer_tells_ends_it() {
    test_system(|clock| async move {
        let scene = Scene::new(clock);
        scene.publish(1);
        let due = scene.clock.now();
        let announcement = Announcement { digest: Some([1; 32]), policy: None, due };
        scene.tell(ParentMessage::Announce { zone: zone(), announcement });
        settle().await;
        scene.leap(7200).await;
        assert_eq!((scene.receiver.told(), scene.announced().await), (0, None));
    });
}
