//! One slot host as its parent sees it: the process, the socket, and the requests in flight.
//!
//! The thread that starts the process reads its answers and lives exactly as long, since a child's
//! death signal comes when the *thread* that started it ends. Deadlines are kept by those who wait:
//! whoever has seen nothing happen for too long kills the process, and then everything in flight
//! ends with an error. A host never comes back; [`super::HostedSlot`] starts another.
//! Limits: see the constants.

use super::HostProgram;
use crate::error::{Cause, Place, SlotError};
use crate::pin::Pin;
use crate::protocol::{
    Answer, FrameBuffer, FrameFault, OpenRequest, Opened, Request, SecretIn, TokenIn, read_message,
    write_frame,
};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use zeroize::Zeroizing;

/// How often the reading thread looks whether nobody wants the host any more, or whether it has
/// ended unnoticed; a host that has been told to close has as long to do so.
const CLOSING_TIME_MAX: Duration = Duration::from_secs(2);
/// How much is written to the socket at once, in bytes.
const WRITE_LENGTH: usize = 256 << 10;
/// Room for the first frame besides its strings, in bytes.
const OPEN_FRAME_ROOM: usize = 256;

/// A running host, its token open.
pub(super) struct Host {
    place: Place,
    opened: Opened,
    /// Locked while a call's requests are written: their ids rise in the order of the bytes.
    socket: Mutex<UnixStream>,
    shared: Arc<Shared>,
}

/// What the reading thread and the callers share.
struct Shared {
    flight: Mutex<Flight>,
    process: Mutex<Option<Child>>,
    is_closing: AtomicBool,
}

/// Requests without an answer yet.
#[derive(Default)]
struct Flight {
    next_id: u64,
    pending: BTreeMap<u64, Pending>,
    end: Option<End>,
}

struct Pending {
    operation: &'static str,
    deadline: Duration,
    part: usize,
    reply: Sender<(usize, Result<Answer, SlotError>)>,
}

/// Why a host is no more.
#[derive(Clone)]
enum End {
    /// It ended, or sent something that is no answer.
    Ended(Cause),
    /// It was killed since it did not answer.
    Silent(Duration),
}

/// Requests that were made before another one and are not answered yet.
#[derive(Clone, Copy)]
struct Older {
    count: usize,
    /// One of them may take longer than the other one; then its asker keeps the deadline.
    has_slow: bool,
}

impl Older {
    /// Whether the other one has reason to wait on. The first time there is nothing to compare
    /// with, unless there are no older ones.
    fn is_progress_since(self, last: Option<Older>) -> bool {
        self.has_slow || (self.count > 0 && last.is_none_or(|last| self.count < last.count))
    }
}

/// Requests of one caller that are under way.
pub(super) struct Call {
    operation: &'static str,
    deadline: Duration,
    ids: Vec<u64>,
    replies: Receiver<(usize, Result<Answer, SlotError>)>,
}

impl Host {
    /// Starts the process and has it open the token.
    pub(super) fn start(
        place: &Place,
        program: &HostProgram,
        request: &OpenRequest<'_>,
        deadline: Duration,
    ) -> Result<Host, SlotError> {
        let unavailable = |error: io::Error| SlotError::HostUnavailable {
            place: place.clone(),
            program: program.path.display().to_string(),
            cause: Cause::of(error),
        };
        let (ours, theirs) = UnixStream::pair().map_err(unavailable)?;
        ours.set_read_timeout(Some(CLOSING_TIME_MAX)).map_err(unavailable)?;
        ours.set_write_timeout(Some(deadline)).map_err(unavailable)?;
        let shared = Arc::new(Shared {
            flight: Mutex::default(),
            process: Mutex::new(None),
            is_closing: AtomicBool::new(false),
        });
        let keeper = Keeper {
            place: place.clone(),
            socket: ours.try_clone().map_err(unavailable)?,
            shared: Arc::clone(&shared),
        };
        keeper.start(command(program, theirs)).map_err(unavailable)?;
        let opened = Opened { label: String::new(), whole_messages: Vec::new() };
        let socket = Mutex::new(ours);
        let mut host = Host { place: place.clone(), opened, socket, shared };
        match host.open(request, deadline)? {
            Answer::Opened(opened) => host.opened = opened,
            Answer::Failed(error) => return Err(error),
            _ => return Err(host.garbled("opening", &FrameFault::WrongKind)),
        }
        host.place.token.clone_from(&host.opened.label);
        Ok(host)
    }

    fn open(&self, request: &OpenRequest<'_>, deadline: Duration) -> Result<Answer, SlotError> {
        // Large enough from the start: growing would leave a copy of the PIN behind.
        let mut frame = Zeroizing::new(Vec::with_capacity(text_length(request) + OPEN_FRAME_ROOM));
        let (reply, replies) = mpsc::channel();
        let operation = "opening";
        let mut socket = self.lock_socket();
        let id = self.enlist(operation, deadline, 0, &reply)?;
        write_frame(id, request, &mut frame).map_err(|fault| self.garbled(operation, &fault))?;
        self.write(&mut socket, &frame, deadline);
        drop(socket);
        let call = Call { operation, deadline, ids: vec![id], replies };
        Ok(self.collect(call)?.swap_remove(0))
    }

    /// What the host says of its token.
    pub(super) fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Whether requests can be sent.
    pub(super) fn is_alive(&self) -> bool {
        self.shared.flight().end.is_none()
    }

    /// The process, while there is one.
    pub(super) fn process_id(&self) -> Option<u32> {
        self.shared.process().as_ref().map(Child::id)
    }

    /// Sends requests; their answers come in the order of `requests` from [`Host::collect`].
    pub(super) fn submit(
        &self,
        operation: &'static str,
        deadline: Duration,
        requests: impl Iterator<Item = Request>,
    ) -> Result<Call, SlotError> {
        let (reply, replies) = mpsc::channel();
        let mut ids = Vec::new();
        let mut buffer = Vec::new();
        let mut socket = self.lock_socket();
        for (part, request) in requests.enumerate() {
            let id = self.enlist(operation, deadline, part, &reply)?;
            ids.push(id);
            write_frame(id, &request, &mut buffer)
                .map_err(|fault| self.garbled(operation, &fault))?;
            if buffer.len() >= WRITE_LENGTH {
                self.write(&mut socket, &buffer, deadline);
                buffer.clear();
            }
        }
        self.write(&mut socket, &buffer, deadline);
        Ok(Call { operation, deadline, ids, replies })
    }

    /// Waits for the answers of a call. They may take as long as they like while the host gets
    /// anywhere with them or with older requests; when nothing happens for the call's deadline,
    /// the host is killed.
    pub(super) fn collect(&self, call: Call) -> Result<Vec<Answer>, SlotError> {
        let mut answers: Vec<Option<Answer>> = call.ids.iter().map(|_| None).collect();
        let mut missing_count = answers.len();
        let mut last = None;
        while missing_count > 0 {
            match call.replies.recv_timeout(call.deadline) {
                Ok((part, answer)) => {
                    if let Some(place) = answers.get_mut(part) {
                        *place = Some(answer?);
                        missing_count -= 1;
                    }
                    last = None;
                }
                Err(RecvTimeoutError::Timeout) => {
                    let first = answers.iter().position(Option::is_none).unwrap_or(0);
                    let older = self.older(call.ids[first], call.deadline);
                    if !older.is_progress_since(last) {
                        return Err(self.kill_silent(call.operation, call.deadline));
                    }
                    last = Some(older);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let cause = Cause::of("its answers were lost");
                    return Err(self.end_error(call.operation, &End::Ended(cause)));
                }
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// What is waited for before the request with this id has its turn.
    fn older(&self, id: u64, deadline: Duration) -> Older {
        let flight = self.shared.flight();
        let older = flight.pending.range(..id);
        let is_slow = |(_, pending): (&u64, &Pending)| pending.deadline > deadline;
        Older { count: older.clone().count(), has_slow: older.into_iter().any(is_slow) }
    }

    /// Ends a host whose module does not get well (the last step of rule HSM-6).
    pub(super) fn condemn(&self, cause: Cause) {
        self.end(End::Ended(cause));
    }

    /// Ends a host that sent something that is no answer.
    pub(super) fn garbled(&self, operation: &'static str, fault: &FrameFault) -> SlotError {
        let end = End::Ended(Cause::of(format_args!("it sent {fault}")));
        self.end(end.clone());
        self.end_error(operation, &end)
    }

    fn kill_silent(&self, operation: &'static str, waited: Duration) -> SlotError {
        let end = End::Silent(waited);
        self.end(end.clone());
        self.end_error(operation, &end)
    }

    fn end(&self, end: End) {
        self.shared.fail_all(&self.place, end);
        self.shared.kill();
    }

    fn end_error(&self, operation: &'static str, end: &End) -> SlotError {
        end.error(&self.place, operation)
    }

    /// Makes room for an answer.
    fn enlist(
        &self,
        operation: &'static str,
        deadline: Duration,
        part: usize,
        reply: &Sender<(usize, Result<Answer, SlotError>)>,
    ) -> Result<u64, SlotError> {
        let mut flight = self.shared.flight();
        if let Some(end) = &flight.end {
            return Err(self.end_error(operation, end));
        }
        let id = flight.next_id;
        flight.next_id += 1;
        flight.pending.insert(id, Pending { operation, deadline, part, reply: reply.clone() });
        Ok(id)
    }

    /// Writes, or ends the host: then everything in flight hears of it.
    fn write(&self, socket: &mut UnixStream, bytes: &[u8], deadline: Duration) {
        match socket.write_all(bytes) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.end(End::Silent(deadline));
            }
            // The reading thread knows more: how the process ended.
            Err(_) => self.shared.kill(),
        }
    }

    fn lock_socket(&self) -> MutexGuard<'_, UnixStream> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Host {
    /// Tells the host to close its sessions and end; the reading thread sees to it that it does.
    fn drop(&mut self) {
        self.shared.is_closing.store(true, Ordering::Release);
        // A socket that is closed already needs nothing.
        let _ = self.lock_socket().shutdown(std::net::Shutdown::Write);
    }
}

impl Shared {
    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody waits for anything from the host any more.
    fn is_unwanted(&self) -> bool {
        self.is_closing.load(Ordering::Acquire) || self.flight().end.is_some()
    }

    /// Whether the process has ended. The socket tells that too, unless a module has left a child
    /// behind that holds it open.
    fn has_exited(&self) -> bool {
        self.process().as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Kills the process; the reading thread then buries it.
    fn kill(&self) {
        if let Some(child) = self.process().as_mut() {
            // An error means that it has ended already.
            let _ = child.kill();
        }
    }

    /// Ends everything in flight, and what comes after. The first end is the one that is told.
    fn fail_all(&self, place: &Place, end: End) {
        let mut flight = self.flight();
        let end = flight.end.get_or_insert(end).clone();
        let pending = std::mem::take(&mut flight.pending);
        drop(flight);
        for pending in pending.into_values() {
            // A caller that has given up does not listen.
            let _ = pending.reply.send((pending.part, Err(end.error(place, pending.operation))));
        }
    }
}

impl End {
    fn error(&self, place: &Place, operation: &'static str) -> SlotError {
        let place = place.clone();
        match self {
            End::Ended(cause) => SlotError::HostEnded { place, operation, cause: cause.clone() },
            End::Silent(waited) => SlotError::HostSilent { place, operation, waited: *waited },
        }
    }
}

/// The thread that starts the process, reads its answers and buries it.
struct Keeper {
    place: Place,
    socket: UnixStream,
    shared: Arc<Shared>,
}

impl Keeper {
    fn start(self, mut command: Command) -> io::Result<()> {
        let (started, is_started) = mpsc::channel();
        let thread = thread::Builder::new().name("slot-host".to_owned());
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

    fn keep(mut self) {
        let read = self.read_answers();
        let process = self.shared.process().take();
        let Some(mut process) = process else { return };
        let process_id = process.id();
        // A process that has ended by itself does not notice, and keeps its own status.
        let _ = process.kill();
        let status = process.wait();
        let is_closing = self.shared.is_closing.load(Ordering::Acquire);
        let cause = match (read, status) {
            (Err(fault), _) => Cause::of(format_args!("it sent {fault}")),
            (Ok(()), Ok(status)) => Cause::of(status),
            (Ok(()), Err(error)) => Cause::of(error),
        };
        if !is_closing {
            let Place { repository, token } = &self.place;
            tracing::warn!(target: "hsm", %repository, %token, process_id, %cause,
                "{}: slot host ended, pid {process_id} ({cause})", self.place);
        }
        self.shared.fail_all(&self.place, End::Ended(cause));
    }

    /// Hands answers out until the connection ends or the host has to.
    fn read_answers(&mut self) -> Result<(), FrameFault> {
        let mut buffer = FrameBuffer::default();
        let mut is_last_look = false;
        loop {
            match buffer.fill(&mut self.socket) {
                Ok(true) => {}
                Ok(false) if buffer.is_at_boundary() => return Ok(()),
                Ok(false) => return Err(FrameFault::CutOff),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if is_last_look {
                        return Ok(());
                    }
                    is_last_look = self.shared.is_unwanted() || self.shared.has_exited();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A host that dies with requests unread resets the connection.
                Err(_) if buffer.is_at_boundary() => return Ok(()),
                Err(_) => return Err(FrameFault::CutOff),
            }
            while let Some(payload) = buffer.next_payload()? {
                let answer = read_message::<Answer>(payload)?;
                let id = answer.id;
                let pending = self.shared.flight().pending.remove(&id);
                // After the end nothing is pending, and what was on its way still comes.
                let Some(pending) = pending else {
                    if self.shared.flight().end.is_some() {
                        return Ok(());
                    }
                    return Err(FrameFault::Unasked { id });
                };
                // A caller that has given up does not listen.
                let _ = pending.reply.send((pending.part, Ok(answer.body)));
            }
        }
    }
}

fn command(program: &HostProgram, socket: UnixStream) -> Command {
    let mut command = Command::new(&program.path);
    command
        .arg0("anchorite-slot-host")
        .args(&program.arguments)
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        // A terminal's interrupt is for the parent, which then ends its hosts in order.
        .process_group(0);
    if let Some(folder) = &program.working_directory {
        command.current_dir(folder);
    }
    command
}

/// Longest form of a mechanism's choice in a frame: two numbers.
const CHOICE_LENGTH_MAX: usize = 12;

fn text_length(request: &OpenRequest<'_>) -> usize {
    let token = match &request.token {
        TokenIn::Pkcs11 { module, label, serial, parameters, mechanisms, witnesses, .. } => {
            let ids: usize = witnesses.iter().map(|id| id.len() + 1).sum();
            let texts = serial.map_or(0, str::len) + parameters.map_or(0, str::len);
            module.len() + label.len() + texts + ids + mechanisms.len() * CHOICE_LENGTH_MAX
        }
        TokenIn::BuiltIn { folder, create } => folder.len() + create.map_or(0, str::len),
    };
    let secret = match &request.secret {
        SecretIn::None => 0,
        SecretIn::Pin(text) | SecretIn::KeyFile(text) => text.len(),
    };
    token + secret + request.repository.len() + request.user.map_or(0, str::len)
}

/// The PIN for a request.
pub(super) fn pin_text(pin: Option<&Pin>) -> SecretIn<'_> {
    pin.map_or(SecretIn::None, |pin| SecretIn::Pin(pin.expose()))
}
