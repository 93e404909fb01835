//! One audit host as its parent sees it: the process, the socket, the tickets in flight.
//! A connection never comes back; [`Judge`](crate::Judge) makes another.

use crate::TICKETS_MAX;
use crate::frames::{self, FrameFault, Kind, Part, Progress};
use crate::judge::{Fault, HostProgram};
use crate::messages::{Answer, Question};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A running host.
pub(crate) struct Connection {
    /// Which of the processes that there were.
    pub(crate) number: u64,
    silence: Duration,
    /// Locked for each frame, so that frames of several tickets mix.
    socket: Mutex<UnixStream>,
    shared: Arc<Shared>,
    /// Numbers of copies that nobody wants any more.
    unwanted: (Sender<u64>, Mutex<Receiver<u64>>),
}

/// What the reading thread and the callers share.
#[derive(Default)]
struct Shared {
    flight: Mutex<Flight>,
    process: Mutex<Option<Child>>,
    /// Frames that came.
    heard_count: AtomicU64,
    verdict_count: AtomicU64,
}

/// Tickets without a verdict.
#[derive(Default)]
struct Flight {
    last: u64,
    waiting: BTreeMap<u64, Sender<Event>>,
    end: Option<End>,
}

enum Event {
    Progress(Progress),
    Answer(Box<Answer>),
    Ended(End),
}

/// Why a host is no more.
#[derive(Clone)]
enum End {
    Ended(String),
    Silent(Duration),
}

impl End {
    fn fault(self) -> Fault {
        match self {
            End::Ended(cause) => Fault::Ended { cause },
            End::Silent(waited) => Fault::Silent { waited },
        }
    }
}

/// A ticket on its way.
pub(crate) struct Way<'c> {
    connection: &'c Connection,
    pub(crate) ticket: u64,
    events: Receiver<Event>,
}

impl Connection {
    /// Starts a process.
    pub(crate) fn start(program: &HostProgram, number: u64) -> io::Result<Connection> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_write_timeout(Some(program.silence))?;
        let shared = Arc::new(Shared::default());
        let keeper = Keeper { socket: ours.try_clone()?, shared: shared.clone() };
        keeper.start(command(program, theirs))?;
        let (sender, receiver) = mpsc::channel();
        let unwanted = (sender, Mutex::new(receiver));
        let silence = program.silence;
        Ok(Connection { number, silence, socket: Mutex::new(ours), shared, unwanted })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.shared.flight().end.is_none()
    }

    pub(crate) fn process_id(&self) -> Option<u32> {
        self.shared.process().as_ref().map(Child::id)
    }

    /// Verdicts of this process.
    pub(crate) fn verdict_count(&self) -> u64 {
        self.shared.verdict_count.load(Ordering::Relaxed)
    }

    pub(crate) fn waiting_count(&self) -> usize {
        self.shared.flight().waiting.len()
    }

    /// Where a copy's number goes when nobody wants it any more.
    pub(crate) fn unwanted(&self) -> Sender<u64> {
        self.unwanted.0.clone()
    }

    /// Begins a ticket.
    pub(crate) fn ask(&self, question: &Question) -> Result<Way<'_>, Fault> {
        self.release();
        let (sender, events) = mpsc::channel();
        let ticket = {
            let mut flight = self.shared.flight();
            if let Some(end) = &flight.end {
                return Err(end.clone().fault());
            }
            if flight.waiting.len() >= TICKETS_MAX {
                return Err(Fault::Busy);
            }
            flight.last += 1;
            let ticket = flight.last;
            flight.waiting.insert(ticket, sender);
            ticket
        };
        let way = Way { connection: self, ticket, events };
        way.write(|socket| frames::write_message(socket, Kind::Ask, ticket, question))?;
        Ok(way)
    }

    /// Tells the host which copies it may forget.
    fn release(&self) {
        let unwanted = self.unwanted.1.lock().unwrap_or_else(PoisonError::into_inner);
        for number in unwanted.try_iter() {
            // A host that is gone has forgotten all.
            let _ = frames::write(&mut *self.lock_socket(), Kind::Release, number, &[]);
        }
    }

    fn lock_socket(&self) -> MutexGuard<'_, UnixStream> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, end: End) {
        self.shared.fail_all(end);
        self.shared.kill();
    }
}

impl Drop for Connection {
    /// Ends the host; the reading thread buries it.
    fn drop(&mut self) {
        // A socket that is closed already needs nothing.
        let _ = self.lock_socket().shutdown(std::net::Shutdown::Both);
        self.shared.kill();
    }
}

impl Way<'_> {
    /// Sends records.
    pub(crate) fn records(&self, part: Part, records: &[u8]) -> Result<(), Fault> {
        for block in records.chunks(frames::PAYLOAD_MAX) {
            self.write(|socket| frames::write(socket, Kind::Records(part), self.ticket, block))?;
        }
        Ok(())
    }

    /// Has it judged, and waits for what comes of it.
    pub(crate) fn answer(self, tell: &(dyn Fn(u64, u64) + Sync)) -> Result<Answer, Fault> {
        self.write(|socket| frames::write(socket, Kind::End, self.ticket, &[]))?;
        let shared = &self.connection.shared;
        loop {
            let heard = shared.heard_count.load(Ordering::Relaxed);
            match self.events.recv_timeout(self.connection.silence) {
                Ok(Event::Progress(progress)) => tell(progress.done, progress.total),
                Ok(Event::Answer(answer)) => return Ok(*answer),
                Ok(Event::Ended(end)) => return Err(end.fault()),
                // It may be busy with tickets that came before.
                Err(RecvTimeoutError::Timeout)
                    if shared.heard_count.load(Ordering::Relaxed) != heard => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.connection.end(End::Silent(self.connection.silence));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let cause = "its answers were lost".to_owned();
                    return Err(Fault::Ended { cause });
                }
            }
        }
    }

    fn write(
        &self,
        write: impl FnOnce(&mut UnixStream) -> Result<(), FrameFault>,
    ) -> Result<(), Fault> {
        let written = write(&mut self.connection.lock_socket());
        let end = match written {
            Ok(()) => return Ok(()),
            Err(FrameFault::Connection(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                End::Silent(self.connection.silence)
            }
            Err(fault) => End::Ended(fault.to_string()),
        };
        self.connection.end(end);
        // The first end is the one that is told; the reading thread may know more.
        let flight = self.connection.shared.flight();
        Err(flight.end.clone().unwrap_or(End::Silent(self.connection.silence)).fault())
    }
}

impl Drop for Way<'_> {
    fn drop(&mut self) {
        self.connection.shared.flight().waiting.remove(&self.ticket);
    }
}

impl Shared {
    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kill(&self) {
        if let Some(child) = self.process().as_mut() {
            // An error means that it has ended already.
            let _ = child.kill();
        }
    }

    /// Ends everything in flight, and what comes after.
    fn fail_all(&self, end: End) {
        let mut flight = self.flight();
        let end = flight.end.get_or_insert(end).clone();
        for waiting in std::mem::take(&mut flight.waiting).into_values() {
            // One who has given up does not listen.
            let _ = waiting.send(Event::Ended(end.clone()));
        }
    }

    /// Hands a frame to the one who waits for it.
    fn hand_out(&self, frame: &frames::Frame) -> Result<(), FrameFault> {
        self.heard_count.fetch_add(1, Ordering::Relaxed);
        let mut flight = self.flight();
        let event = match frame.kind {
            Kind::Progress => Event::Progress(frame.message()?),
            Kind::Answer => {
                self.verdict_count.fetch_add(1, Ordering::Relaxed);
                Event::Answer(Box::new(frame.message()?))
            }
            _ => return Err(FrameFault::Unasked("what only a parent says")),
        };
        let is_last = matches!(event, Event::Answer(_));
        let waiting = match is_last {
            true => flight.waiting.remove(&frame.ticket),
            false => flight.waiting.get(&frame.ticket).cloned(),
        };
        if let Some(waiting) = waiting {
            let _ = waiting.send(event);
        }
        Ok(())
    }
}

/// The thread that starts the process, reads its answers and buries it.
struct Keeper {
    socket: UnixStream,
    shared: Arc<Shared>,
}

impl Keeper {
    fn start(mut self, mut command: Command) -> io::Result<()> {
        let (started, is_started) = mpsc::channel();
        let thread = thread::Builder::new().name("audit-host".to_owned());
        thread.spawn(move || {
            let result = command.spawn();
            // The other end of the socket pair is the child's alone from here on: else its end
            // would not be seen.
            drop(command);
            match result {
                Ok(child) => {
                    *self.shared.process() = Some(child);
                    let _ = started.send(Ok(()));
                    self.keep();
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        })?;
        is_started.recv().unwrap_or_else(|_| Err(io::Error::other("its thread died")))
    }

    fn keep(&mut self) {
        let fault = self.read_answers().err();
        let process = self.shared.process().take();
        let Some(mut process) = process else { return };
        let process_id = process.id();
        // A process that has ended by itself does not notice, and keeps its own status.
        let _ = process.kill();
        let cause = match (fault, process.wait()) {
            (Some(fault), _) => format!("it sent {fault}"),
            (None, Ok(status)) => status.to_string(),
            (None, Err(error)) => error.to_string(),
        };
        tracing::debug!(target: "audit", process_id, %cause, "audit host ended");
        self.shared.fail_all(End::Ended(cause));
    }

    fn read_answers(&mut self) -> Result<(), FrameFault> {
        loop {
            match frames::read(&mut self.socket) {
                Ok(Some(frame)) => self.shared.hand_out(&frame)?,
                Ok(None) => return Ok(()),
                // How the process ended says more.
                Err(FrameFault::Connection(_)) => return Ok(()),
                Err(fault) => return Err(fault),
            }
        }
    }
}

fn command(program: &HostProgram, socket: UnixStream) -> Command {
    let mut command = Command::new(&program.path);
    command
        .arg0("anchorite-audit-host")
        .args(&program.arguments)
        .env_clear()
        // Blocks of a zone live long, and are replaced by others of about their size, one by one
        // and on other threads. Freed in one arena and allocated in another, they would leave the
        // first one full of holes; large tables of a whole audit go back to the system at once.
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_MMAP_THRESHOLD_", "131072")
        .env("MALLOC_TRIM_THRESHOLD_", "1048576")
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        // A terminal's interrupt is for the parent, which then ends its hosts in order.
        .process_group(0);
    command
}
