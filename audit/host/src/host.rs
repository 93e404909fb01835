//! The process: reads tickets from its socket, judges them on all cores, answers.
//!
//! Started by [`Judge`](crate::Judge) with one end of a socket pair as standard input. It ends when
//! the socket ends, when its parent dies, when what comes is no frame, and when one of its threads
//! panics: a judge that has stumbled says nothing more, and silence is no approval.

use crate::frames::{self, Frame, FrameFault, Kind, Part};
use crate::messages::Answer;
use crate::service::{Job, Service};
use crate::{TICKETS_MAX, process, sandbox};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

/// Why a host cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum HostFault {
    /// Standard input is no socket.
    #[error(
        "an audit host is started by anchorite itself, with a socket as its standard input: {0}"
    )]
    NoSocket(#[source] io::Error),
    /// Rights could not be given up.
    #[error("cannot give up the rights that it does not need: {0}")]
    Rights(#[source] io::Error),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    /// The parent sent something that is no frame.
    #[error("the parent sent {0}")]
    Frame(#[from] FrameFault),
}

/// Runs a host in this process, until the parent is gone.
///
/// # Errors
/// Why it cannot go on.
pub fn run() -> Result<ExitCode, HostFault> {
    let socket = process::take_socket().map_err(HostFault::NoSocket)?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    process::harden().and_then(|()| sandbox::enter()).map_err(HostFault::Rights)?;
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        std::process::abort();
    }));
    serve(socket, threads)?;
    Ok(ExitCode::SUCCESS)
}

fn serve(mut socket: UnixStream, threads: usize) -> Result<(), HostFault> {
    let service = Arc::new(Service::new(threads));
    let writer = socket.try_clone().map_err(HostFault::NoSocket)?;
    let writer = Arc::new(Mutex::new(writer));
    let (jobs, waiting) = mpsc::channel::<(u64, Job)>();
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..threads {
        let (service, writer, waiting) = (service.clone(), writer.clone(), waiting.clone());
        let worker = thread::Builder::new().name("judge".to_owned());
        worker.spawn(move || work(&service, &writer, &waiting)).map_err(HostFault::Thread)?;
    }
    let mut desk = Desk { open: BTreeMap::new() };
    while let Some(frame) = frames::read(&mut socket)? {
        match frame.kind {
            Kind::Release => service.forget(frame.ticket),
            _ => {
                if let Some(job) = desk.take(&service, frame)? {
                    // The workers live as long as this process.
                    let _ = jobs.send(job);
                }
            }
        }
    }
    Ok(())
}

/// Judges what waits, and answers.
fn work(
    service: &Service,
    writer: &Mutex<UnixStream>,
    waiting: &Mutex<mpsc::Receiver<(u64, Job)>>,
) {
    let writer = || writer.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((ticket, job)) = job else { return };
        let answer: Answer = service.judge(job, &|progress| {
            // A parent that is gone ends the process by the end of the socket; here and below.
            let _ = frames::write_message(&mut *writer(), Kind::Progress, ticket, &progress);
        });
        let _ = frames::write_message(&mut *writer(), Kind::Answer, ticket, &answer);
    }
}

/// Tickets whose records are still coming.
struct Desk {
    open: BTreeMap<u64, Job>,
}

impl Desk {
    /// Takes a frame of a ticket; gives the job when it is complete.
    fn take(&mut self, service: &Service, frame: Frame) -> Result<Option<(u64, Job)>, FrameFault> {
        let ticket = frame.ticket;
        match frame.kind {
            Kind::Ask if self.open.len() == TICKETS_MAX => {
                Err(FrameFault::Unasked("too many tickets at once"))
            }
            Kind::Ask => {
                let job = service.begin(ticket, frame.message()?);
                match self.open.insert(ticket, job) {
                    None => Ok(None),
                    Some(_) => Err(FrameFault::Unasked("a ticket that is open already")),
                }
            }
            Kind::Records(part) => {
                self.records(ticket, part, frame.payload)?;
                Ok(None)
            }
            Kind::End => match self.open.remove(&ticket) {
                Some(job) => Ok(Some((ticket, job))),
                None => Err(FrameFault::Unasked("the end of no ticket")),
            },
            Kind::Release | Kind::Progress | Kind::Answer => {
                Err(FrameFault::Unasked("what only a host says"))
            }
        }
    }

    fn records(&mut self, ticket: u64, part: Part, block: Vec<u8>) -> Result<(), FrameFault> {
        let job = self.open.get_mut(&ticket);
        job.ok_or(FrameFault::Unasked("records of no ticket"))?.take(part, block);
        Ok(())
    }
}
