//! Those who feel the enforcer's effects: zones that are told their keys, and the parent, whom
//! commands tell of DSs. In: events, lines of commands. Out: notes, each held against what was
//! durable when it came.

use crate::checks::signers;
use crate::trace::{Happened, Trace, lock};
use actors::enforcer::{KeysEvent, ZoneKeys};
use actors::runtime::{Actor, Context, Handler};
use dnssec::Name;
use dnssec::enforcer::{DsAtParent, KeyLife, RecordKind, RecordState, ZoneLife};
use dnssec::key::KeyId;
use nix::sys::stat::Mode;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use storage::StateStore;

/// What a zone was told last.
pub(crate) type Ear = Arc<Mutex<Option<ZoneKeys>>>;

/// In the place of a zone's actor.
pub(crate) struct ZoneEar {
    pub(crate) zone: Name,
    pub(crate) policy: String,
    pub(crate) trace: Arc<Trace>,
    pub(crate) ear: Ear,
}

impl Actor for ZoneEar {
    type Context = Context<ZoneEar>;
}

impl Handler<KeysEvent> for ZoneEar {
    type Result = ();

    fn handle(&mut self, event: KeysEvent, _: &mut Context<ZoneEar>) {
        let KeysEvent::Ready(keys) = event else { return };
        self.trace.note(Happened::Told, |store| {
            let salt = store.policy(&self.policy).unwrap().unwrap().salt;
            salt == keys.salt && was_decided(store, &self.zone, &keys)
        });
        *lock(&self.ear) = Some(keys);
    }
}

/// Whether some durable moment of the zone's history had just these keys in this use.
fn was_decided(store: &StateStore, zone: &Name, keys: &ZoneKeys) -> bool {
    let used = keys.keys.iter().map(|(key, _)| {
        let signs = key.signs;
        let keyset = signs.is_some_and(|role| role.signs_keyset());
        let rest = signs.is_some_and(|role| role.signs_zone());
        (key.id.clone(), [key.is_published, keyset, rest])
    });
    let used = used.collect();
    signers(&store.history(zone).unwrap()).any(|moment| moment == used)
}

/// The parent: its commands wait until it has noted what they say.
pub(crate) struct Parent {
    folder: tempfile::TempDir,
    asked: File,
    thread: JoinHandle<()>,
}

impl Parent {
    pub(crate) fn new(trace: Arc<Trace>) -> Parent {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        nix::unistd::mkfifo(&path.join("asked"), Mode::S_IRWXU).unwrap();
        let asked = open_pipe(&path.join("asked"));
        // Each command has a pipe of its own for the answer: two may run at once.
        let script = format!(
            "cd {}\nread -r line\nmkfifo answer$$\necho \"$1 $$ $line\" > asked\n\
             read -r answer < answer$$\nexit 0\n",
            path.display()
        );
        std::fs::write(path.join("script"), script).unwrap();
        let lines = BufReader::new(asked.try_clone().unwrap()).lines();
        let thread = std::thread::spawn(move || {
            let mut answers = Vec::new();
            for line in lines.map(Result::unwrap).take_while(|line| line != "quit") {
                hear(&trace, &line);
                let process = line.split(' ').nth(1).unwrap();
                let mut answer = open_pipe(&path.join(format!("answer{process}")));
                answer.write_all(b"ok\n").unwrap();
                // What is in a pipe is there as long as somebody has it open.
                answers.push(answer);
            }
        });
        Parent { folder, asked, thread }
    }

    /// `<DelegationSignerSubmitCommand>` or the other one.
    pub(crate) fn command(&self, verb: &str) -> String {
        format!("/bin/sh {} {verb} --cka_id", self.folder.path().join("script").display())
    }

    pub(crate) fn end(mut self) {
        self.asked.write_all(b"quit\n").unwrap();
        self.thread.join().unwrap();
    }
}

/// Opens a pipe for both directions: neither this nor reading depends on commands then.
fn open_pipe(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// `submit 4711 example. 660 IN DNSKEY .. ; {cka_id = 00ff..}`
fn hear(trace: &Trace, line: &str) {
    let comes = line.starts_with("submit ");
    let id = line.rsplit("cka_id = ").next().and_then(|end| end.strip_suffix('}'));
    let id = KeyId::from_hex(id.unwrap()).unwrap();
    let stands_in = if comes { DsAtParent::Submit } else { DsAtParent::Retract };
    trace.note(Happened::Parent(id.clone(), comes), |store| {
        let lives = store.lives().unwrap();
        let mut lives = lives.iter().map(|(_, life)| life);
        let is_it = |key: &KeyLife| key.id == id && key.ds_at_parent == stands_in;
        let life = lives.find(|life| life.keys.iter().any(is_it));
        life.is_some_and(|life| comes || may_lose_one(life))
    });
}

/// Whether the parent is known to have another DS than those that leave, or is to have none.
fn may_lose_one(life: &ZoneLife) -> bool {
    let is_known = |key: &KeyLife| match key.state(RecordKind::Ds) {
        Some(RecordState::Omnipresent) => true,
        Some(RecordState::Rumoured) => key.ds_at_parent == DsAtParent::Seen,
        _ => false,
    };
    life.keys.iter().any(is_known) || life.keys.iter().all(|key| !key.introducing)
}
