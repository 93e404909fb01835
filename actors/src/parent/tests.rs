//! The watcher in virtual time, with servers that are a table.

use super::*;
use crate::runtime::testing::{TEST_EPOCH, settle, test_system};
use crate::runtime::{ChildRef, Outbox, Strategy, SupervisorSpec, start_root};
use crate::tree;
use dnssec::enforcer::DsShown::{self, Everywhere, Nowhere, Somewhere};
use dnssec::key::{DigestType, KeyId, ds_rdata};
use dnssec::parent::{ParentalAgents, ShownDs, WatchedKey};
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
        Arc::new(move |server, _| {
            let shown = servers.0.lock().unwrap().get(&server).cloned().flatten();
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
        agents: ParentalAgents { addresses: addresses(), interval: Seconds(600) },
        keys,
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

struct Scene {
    clock: Clock,
    servers: Servers,
    watcher: ChildRef<ParentActor>,
    outbox: Outbox<ParentMessage>,
    heard: Arc<Mutex<Vec<ParentEvent>>>,
    to: Recipient<ParentEvent>,
}

impl Scene {
    fn new(clock: Clock) -> Scene {
        let servers = Servers::default();
        let parts = ParentParts { clock: clock.clone(), ask: servers.ask() };
        let root = SupervisorSpec::new("root", Strategy::OneForOne);
        let root = start_root(root, |failure| panic!("{failure}"));
        let watcher = root.add(&tree::parent(), move || ParentActor::new(parts.clone())).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let to = Listener(heard.clone()).start().recipient();
        let outbox = watcher.outbox();
        Scene { clock, servers, watcher, outbox, heard, to }
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
        assert_eq!(observed, ParentObserved { zones: 1, disagreeing: 0, rounds: 4 });
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
