//! The slot host: the process that holds one repository's PKCS#11 module or built-in token, so
//! that a crash, a hang or a leak there ends nothing else (rules HSM-1, HSM-7, HSM-12).
//!
//! Started by [`crate::hosted::HostedSlot`] with one end of a socket pair as standard input.
//! In: frames of [`crate::protocol`], the first of which opens the token. Out: answers, in the
//! order in which they are ready. It ends when the socket ends, when its parent's thread dies,
//! when what comes is no frame, and when one of its threads panics.
//! Never: zones, policy, deadlines (the parent has them, and kills), verifying what it signed
//! (a module may have written anywhere in this process; the parent verifies).

mod engine;
mod pace;
mod process;
mod queue;
mod sandbox;
mod width;

use crate::error::{Cause, Place, SlotError};
use crate::protocol::{
    Answer, FrameBuffer, FrameFault, OpenRequest, Request, TokenIn, payload_length, read_message,
    write_frame,
};
use crate::system;
use engine::Engine;
use pace::Pace;
use queue::{Claim, Queue};
use sandbox::Rights;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long the module has to close its sessions when the parent is gone.
const CLOSING_TIME_MAX: Duration = Duration::from_millis(500);
/// Most workers, however many sessions the settings and the token allow.
const WORKERS_MAX: usize = 512;
/// Exit code of a host whose parent has closed the connection.
const DONE: i32 = 0;

/// Why a host cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum HostFault {
    /// Standard input is no socket.
    #[error("a slot host is started by anchorite itself, with a socket as its standard input: {0}")]
    NoSocket(#[source] io::Error),
    /// The parent sent something that is no request.
    #[error("the parent sent {0}")]
    Garbled(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection broke.
    #[error("the connection to the parent broke: {0}")]
    Connection(#[source] io::Error),
}

impl From<FrameFault> for HostFault {
    fn from(fault: FrameFault) -> HostFault {
        HostFault::Garbled(Box::new(fault))
    }
}

/// Runs a host in this process, which must have no other threads yet. Returns only when it cannot
/// go on; the caller reports that and calls [`exit`].
pub fn run() -> HostFault {
    match serve() {
        Ok(()) => exit(DONE),
        Err(fault) => fault,
    }
}

/// Ends the process without running the exit handlers of a module.
pub fn exit(code: i32) -> ! {
    system::exit_now(code)
}

fn serve() -> Result<(), HostFault> {
    let mut socket = process::take_socket().map_err(HostFault::NoSocket)?;
    let hardened = process::harden();
    // Read without a buffer that would keep the PIN.
    let Some(frame) = read_first(&mut socket)? else { return Ok(()) };
    let request = read_message::<OpenRequest<'_>>(&frame)?;
    let (id, request) = (request.id, request.body);
    let place = place_of(&request);
    let engine = hardened
        .and_then(|()| request.user.map_or(Ok(()), process::take_on))
        .and_then(|()| sandbox::enter(&place, rights_of(&request)))
        .map_err(|failed| process::refusal(&place, failed))
        .and_then(|()| Engine::open(&request))
        .and_then(|engine| Ok((engine.opened()?, engine)));
    drop(frame);
    let writer = AnswerWriter {
        place: place.clone(),
        socket: Mutex::new((socket.try_clone().map_err(HostFault::Connection)?, Vec::new())),
    };
    let writer = Arc::new(writer);
    let (opened, engine) = match engine {
        Ok(opened) => opened,
        Err(error) => {
            writer.send(id, &Answer::Failed(error));
            return Ok(());
        }
    };
    writer.send(id, &Answer::Opened(opened));
    let engine = Arc::new(engine);
    let result = receive(&mut socket, &engine, &place, &writer);
    close(&engine);
    result
}

fn read_first(socket: &mut UnixStream) -> Result<Option<Zeroizing<Vec<u8>>>, HostFault> {
    let mut header = [0; 5];
    match socket.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result.map_err(HostFault::Connection)?,
    }
    let mut payload = Zeroizing::new(vec![0; payload_length(header)?]);
    socket.read_exact(&mut payload).map_err(HostFault::Connection)?;
    Ok(Some(payload))
}

fn place_of(request: &OpenRequest<'_>) -> Place {
    let token = match request.token {
        TokenIn::Pkcs11 { label, .. } => label,
        TokenIn::BuiltIn { folder, .. } => folder,
    };
    Place { repository: request.repository.to_owned(), token: token.to_owned() }
}

fn rights_of(request: &OpenRequest<'_>) -> Rights {
    match request.token {
        TokenIn::Pkcs11 { .. } => Rights::Module(request.network),
        TokenIn::BuiltIn { .. } => Rights::BuiltIn,
    }
}

/// Hands requests to the workers until the connection ends.
fn receive(
    socket: &mut UnixStream,
    engine: &Arc<Engine>,
    place: &Place,
    writer: &Arc<AnswerWriter>,
) -> Result<(), HostFault> {
    let core_count = thread::available_parallelism().map_or(1, usize::from);
    let worker_count = engine.session_count().min(WORKERS_MAX);
    let queue = Arc::new(Queue::new(core_count, worker_count));
    for number in 0..worker_count {
        let (engine, queue, writer) = (engine.clone(), queue.clone(), writer.clone());
        let place = place.clone();
        let name = format!("session-{number}");
        let worker = thread::Builder::new().name(name);
        let started = worker.spawn(move || work(&engine, &queue, &place, &writer));
        // Fewer workers than sessions still work; none do not.
        if let Err(error) = started {
            match number {
                0 => return Err(HostFault::Connection(error)),
                _ => break,
            }
        }
    }
    let mut buffer = FrameBuffer::default();
    loop {
        match buffer.fill(socket) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(HostFault::Connection(error)),
        }
        while let Some(payload) = buffer.next_payload()? {
            let request = read_message::<Request>(payload)?;
            match &request.body {
                Request::Sign { key, inputs, .. } if inputs.is_empty() => {
                    let (place, key) = (place.clone(), key.clone());
                    let cause = Cause::of("a request without messages");
                    let error = SlotError::SignFailed { place, key, cause };
                    writer.send(request.id, &Answer::Failed(error));
                }
                _ => queue.push(request.id, request.body),
            }
        }
    }
}

fn work(engine: &Engine, queue: &Queue, place: &Place, writer: &AnswerWriter) {
    let _whole_process = AbortOnPanic;
    let pace = queue.learns().then(Pace::of_this_thread);
    let mut claim = queue.first();
    loop {
        let spent = match claim {
            Claim::Whole(id, request) => {
                writer.send(id, &engine.answer(&request));
                None
            }
            Claim::Slice(job, range) => {
                let sign = || engine.sign(&job.key, job.algorithm, &job.inputs, range.clone());
                let (result, spent) = match &pace {
                    Some(pace) => {
                        let (result, spent) = pace.measure(range.len(), sign);
                        (result, Some(spent))
                    }
                    None => (sign(), None),
                };
                if let Some(answer) = job.finish(place, &range, result) {
                    writer.send(job.id, &answer);
                }
                spent
            }
        };
        claim = queue.next(spent);
    }
}

/// Gives the module its moment; a module that hangs does not get more.
fn close(engine: &Arc<Engine>) {
    let (closed, is_closed) = mpsc::channel();
    let engine = engine.clone();
    let closer = thread::Builder::new().spawn(move || {
        engine.close();
        // Nobody waits any more when this took too long.
        let _ = closed.send(());
    });
    if closer.is_ok() {
        // Either way the process ends now.
        let _ = is_closed.recv_timeout(CLOSING_TIME_MAX);
    }
}

/// The way back, shared by the workers.
struct AnswerWriter {
    place: Place,
    socket: Mutex<(UnixStream, Vec<u8>)>,
}

impl AnswerWriter {
    /// Sends an answer. A parent that does not take it is gone, and then the host is too.
    fn send(&self, id: u64, answer: &Answer) {
        let mut writer = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let (socket, buffer) = &mut *writer;
        buffer.clear();
        if let Err(fault) = write_frame(id, answer, buffer) {
            let (place, operation) = (self.place.clone(), "answering");
            let cause = Cause::of(fault);
            let failed = Answer::Failed(SlotError::ModuleFault { place, operation, cause });
            if write_frame(id, &failed, buffer).is_err() {
                exit(DONE);
            }
        }
        if socket.write_all(buffer).is_err() {
            exit(DONE);
        }
    }
}

/// A panic in one worker ends the process: half a host would leave requests without an answer.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}
