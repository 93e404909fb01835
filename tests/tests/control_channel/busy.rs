//! Commands that show something are answered while stages are at work: nothing that they read or
//! compute waits for a stage, for a token or for the pool in which zones are worked on.
//! No time is measured: what is waited for here does not end before the answers are there.

use crate::client::Clients;
use crate::walk::words;
use actors::console::ConsoleParts;
use actors::console::catalogue::Catalogue;
use actors::console::site::Site;
use actors::io::control_socket::ControlSocket;
use actors::runtime::{Clock, System};
use actors::settings::{Auditor, RepositorySettings, read_settings};
use actors::slot::{NewToken, OpenSlot, open_token};
use actors::system::{open_store, start_with};
use actors::zone::ZoneMessage;
use anchorite_tests::daemon::Installation;
use anchorite_tests::fault_module::FaultyToken;
use console_protocol::table::{self, Command, Effect};
use hsm::Slot;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};

/// What is not there: no version was refused, no catalog is configured; and half a command.
const LEFT_OUT: &[&str] = &["zone diff", "catalog show", "backup"];

/// All commands that show something.
fn shown(installation: &Installation, key_tag: &str) {
    let clients = Clients::of(installation);
    let shows =
        |command: &&Command| command.effect == Effect::Read && !LEFT_OUT.contains(&command.path);
    for command in table::all().filter(shows) {
        let line = words(command, key_tag);
        let said = clients.anchorite(&line);
        let may_warn = command.path == "monitor";
        assert!(said.code == Some(0) || may_warn, "{line}: {said:?}");
    }
}

fn key_tag(installation: &Installation) -> String {
    let keys = Clients::of(installation).anchorite("names keys").stdout;
    keys.lines().next().unwrap_or_default().to_owned()
}

/// Tokens in this process.
fn tokens() -> OpenSlot {
    let known = Mutex::new(BTreeMap::<String, Arc<dyn Slot>>::new());
    Arc::new(move |settings: &RepositorySettings, new: NewToken| {
        let mut known = known.lock().unwrap();
        if let Some(token) = known.get(&settings.name) {
            return Ok(Arc::clone(token));
        }
        let token = open_token(settings, new)?;
        known.insert(settings.name.clone(), token.clone());
        Ok(token)
    })
}

#[test]
fn every_worker_is_busy_and_every_question_is_answered() {
    let installation = Arc::new(Installation::new("default"));
    installation.write_small_zone("a.example", 1, "");
    installation.write_zonelist(&[("a.example", "default")]);
    let conf_file = installation.path("conf.xml");
    let (mut settings, _) = read_settings(&conf_file).unwrap();
    settings.auditor = Auditor::Here;
    let clock = Clock::system();
    let store = open_store(&settings, &clock).unwrap();
    let catalogue = Catalogue::read(&conf_file).unwrap();
    let listen = |path: &PathBuf| Arc::new(ControlSocket::listen(path, None).unwrap());
    let sockets: Vec<_> = catalogue.sockets.iter().map(listen).collect();
    System::new().block_on(async move {
        let failed = |failure| panic!("the root gave up: {failure}");
        let running = start_with(&settings, store, clock, tokens(), failed).unwrap();
        let again = conf_file.clone();
        let read = Box::new(move || read_settings(&again));
        let (site, _wishes) = Site::new(running.staff.clone(), conf_file, catalogue, read);
        running.add_console(ConsoleParts { sockets, site }).unwrap();
        let zone = running.staff.zones.all()[0].clone();
        let mut status = zone.status.clone();
        status.wait_for(|status| status.output_serial.is_some()).await.unwrap();
        // Each of the workers waits, and a stage for one of them.
        let pool = running.staff.pool.clone();
        let (release, gate) = sync_channel::<()>(0);
        let gate = Arc::new(Mutex::new(gate));
        for _ in 0..pool.workers() {
            let gate = gate.clone();
            let wait = move || {
                drop(gate.lock().map(|gate: std::sync::MutexGuard<'_, Receiver<()>>| gate.recv()))
            };
            pool.submit(wait, |_| {}).unwrap();
        }
        let before = status.borrow().run_count;
        zone.tell(ZoneMessage::SignNow);
        let own = installation.clone();
        let asking = move || shown(&own, &key_tag(&own));
        tokio::task::spawn_blocking(asking).await.unwrap();
        assert_eq!(status.borrow().run_count, before, "the stage waits all the while");
        drop(release);
        status.wait_for(|status| status.run_count > before).await.unwrap();
        running.stop().await;
    });
}

#[test]
fn a_token_stalls_and_every_question_is_answered() {
    let mut installation = Installation::new("tld-optout");
    let token = FaultyToken::installed(&mut installation);
    installation.write_small_zone("a.example", 1, "");
    installation.write_small_zone("b.example", 1, "");
    installation.write_zonelist(&[("a.example", "tld")]);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    token.rules("C_SignInit always stall\nC_GenerateKeyPair always stall");
    // One zone waits for signatures, another one for keys.
    let clients = Clients::of(&installation);
    assert_eq!(clients.signer("clear a.example").code, Some(0));
    token.wait_for("C_SignInit", "stalls", 1);
    installation.write_zonelist(&[("a.example", "tld"), ("b.example", "tld")]);
    assert_eq!(clients.signer("update --all").code, Some(0));
    shown(&installation, &key_tag(&installation));
    token.rules("");
    daemon.wait_for_all(&[&["[STATS] a.example "], &["[STATS] b.example "]]);
    daemon.stop();
}
