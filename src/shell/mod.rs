//! `anchorite shell`: the shell (console/src/shell) at this process's terminal, or with a script on
//! standard input. In: keys, the control socket. Out: text; exit code of the last command.
//! Files: [`terminal`] its settings and size, [`kept`] the user's history.
//! When the terminal is gone, also in the middle of an output, it ends with exit code 0.

mod kept;
pub(crate) mod terminal;

use console::shell::{Effect, Session, Settings, idle_text};
use console::tool::ENFORCER_SOCKET;
use console_protocol::frame::{ANSWER_OCTETS_MAX, FrameReader, REQUEST_OCTETS_MAX, encode};
use console_protocol::messages::{Answer, OnBehalf, Request};
use console_protocol::options::{Given, Known, Place, take_apart};
use console_protocol::table::Roles;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;
use terminal::RawMode;

const OPTIONS: &[Known] = &[
    Known { short: 's', long: "socket", takes_value: true },
    Known { short: 'n', long: "name", takes_value: true },
    Known { short: 'r', long: "roles", takes_value: true },
    Known { short: 'v', long: "via", takes_value: true },
    Known { short: 'i', long: "idle", takes_value: true },
    Known { short: 'h', long: "help", takes_value: false },
];
const USAGE: &str = "\
Usage: anchorite shell [-s SOCKET] [--idle SECONDS] [--name NAME --roles ROLES [--via TEXT]]
Commands for the running daemon with history, completion (TAB), help (?) and filters (|).
Without a terminal, commands are read line by line from standard input.
  -s, --socket FILE    where the daemon listens
  -i, --idle SECONDS   end when nothing was typed for so long
  -n, --name NAME      for somebody who has logged in: the name in logs and histories
  -r, --roles ROLES    what that person may do: admin,officer,operator,auditor,monitor
  -v, --via TEXT       how that person came in
";
const WRONG: u8 = 2;
/// What a front end ends with when the daemon is away, as OpenDNSSEC's.
const AWAY: u8 = 201;
/// Octets that are read at once.
const READ_OCTETS: usize = 1024;

/// What it is told.
struct Told {
    socket: String,
    idle: Option<Duration>,
    somebody: Option<OnBehalf>,
}

/// Runs the shell.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    match told(arguments) {
        Ok(Some(told)) => run(&told),
        Ok(None) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("anchorite shell: {text}");
            ExitCode::from(WRONG)
        }
    }
}

fn told(arguments: &[String]) -> Result<Option<Told>, String> {
    let apart = take_apart(arguments, OPTIONS, Place::Anywhere);
    let mut told = Told { socket: ENFORCER_SOCKET.to_owned(), idle: None, somebody: None };
    let (mut name, mut roles, mut source) = (None, None, None);
    for given in apart.given {
        match given {
            Given::Option('s', Some(path)) => told.socket = path,
            Given::Option('n', value) => name = value,
            Given::Option('r', Some(text)) => {
                roles = Some(text.parse::<Roles>().map_err(|error| error.to_string())?);
            }
            Given::Option('v', value) => source = value,
            Given::Option('i', Some(text)) => {
                let seconds: u64 = text.parse().map_err(|_| format!("{text} is no number"))?;
                told.idle = Some(Duration::from_secs(seconds));
            }
            Given::Option('h', _) => return Ok(None),
            Given::Option(..) => {}
            Given::Wrong(complaint) => return Err(complaint),
        }
    }
    if let Some(word) = apart.operands.first() {
        return Err(format!("{word}: too many arguments; a command goes without \"shell\""));
    }
    told.somebody = match (name, roles) {
        (Some(name), Some(roles)) => {
            Some(OnBehalf { name, roles, source: source.unwrap_or_else(|| "shell".to_owned()) })
        }
        (None, None) => None,
        _ => return Err("--name and --roles belong together".to_owned()),
    };
    Ok(Some(told))
}

fn run(told: &Told) -> ExitCode {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let raw = match is_terminal.then(RawMode::begin).transpose() {
        Ok(raw) => raw,
        Err(error) => {
            eprintln!("anchorite shell: the terminal cannot be set: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (columns, rows) = terminal::size();
    let mut host = Host {
        told,
        is_terminal,
        session: Session::new(Settings {
            box_name: nix::unistd::gethostname()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            columns,
            rows,
            is_unicode: terminal::is_unicode(),
            is_terminal,
            history: if is_terminal { kept::read() } else { Vec::new() },
        }),
        effects: VecDeque::new(),
        connection: None,
        has_input_ended: false,
    };
    let ended = host.serve();
    drop(raw);
    // A terminal that is gone has nobody who could be told.
    ended.map_or(ExitCode::SUCCESS, ExitCode::from)
}

/// One request on its way, and the answer so far.
struct Conversation {
    stream: UnixStream,
    reader: FrameReader,
}

struct Host<'a> {
    told: &'a Told,
    is_terminal: bool,
    session: Session,
    effects: VecDeque<Effect>,
    connection: Option<Conversation>,
    has_input_ended: bool,
}

impl Host<'_> {
    /// Until the session ends; an error: the terminal is gone.
    fn serve(&mut self) -> io::Result<u8> {
        self.effects.extend(self.session.start());
        loop {
            while let Some(effect) = self.effects.pop_front() {
                if let Some(exit_code) = self.carry_out(effect)? {
                    return Ok(exit_code);
                }
            }
            self.wait()?;
        }
    }

    fn carry_out(&mut self, effect: Effect) -> io::Result<Option<u8>> {
        match effect {
            Effect::Write(octets) => {
                let mut out = io::stdout().lock();
                out.write_all(&octets)?;
                out.flush()?;
            }
            Effect::Complain(octets) => io::stderr().write_all(&octets)?,
            Effect::Ask(request) => self.ask(request),
            Effect::Abandon => self.connection = None,
            Effect::Remember(line) => kept::add(&line),
            Effect::End(exit_code) => return Ok(Some(exit_code)),
        }
        Ok(None)
    }

    /// Each request has a connection of its own, so that a shell that waits for somebody takes no
    /// place from others.
    fn ask(&mut self, request: Request) {
        let request = Request { on_behalf: self.told.somebody.clone(), ..request };
        let sent =
            encode(&request, REQUEST_OCTETS_MAX).map_err(io::Error::other).and_then(|frame| {
                let mut stream = UnixStream::connect(&self.told.socket)?;
                stream.write_all(&frame)?;
                Ok(stream)
            });
        match sent {
            Ok(stream) => {
                let reader = FrameReader::new(ANSWER_OCTETS_MAX);
                self.connection = Some(Conversation { stream, reader });
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.connection = None;
        let path = &self.told.socket;
        let text = format!(
            "The daemon cannot be reached: {error} ({path}).\nIs it not running? \
             \"anchorite start\" starts it, in a shell of the system."
        );
        self.effects.extend(self.session.failed(&text, AWAY));
    }

    /// Waits for keys or for the daemon.
    fn wait(&mut self) -> io::Result<()> {
        let reads_keys = !self.has_input_ended && (self.is_terminal || self.session.wants_input());
        let (input, daemon) = (io::stdin(), self.connection.as_ref().map(|one| one.stream.as_fd()));
        let mut polled = Vec::new();
        polled.extend(reads_keys.then(|| PollFd::new(input.as_fd(), PollFlags::POLLIN)));
        polled.extend(daemon.map(|daemon| PollFd::new(daemon, PollFlags::POLLIN)));
        let idle = self.told.idle.filter(|_| self.connection.is_none());
        let limit = idle.and_then(|idle| PollTimeout::try_from(idle).ok());
        match poll(&mut polled, limit.unwrap_or(PollTimeout::NONE)) {
            Ok(0) => {
                self.has_input_ended = true;
                if let (true, Some(idle)) = (self.is_terminal, idle) {
                    let text = format!("\r\n{}", idle_text(idle));
                    self.effects.push_back(Effect::Write(text.into_bytes()));
                }
                self.effects.extend(self.session.input_ended());
                return Ok(());
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |polled: &PollFd<'_>| polled.any().unwrap_or(false);
        let has_keys = reads_keys && polled.first().is_some_and(is_ready);
        let has_answer = self.connection.is_some() && polled.last().is_some_and(is_ready);
        if has_answer {
            self.read_answer();
        }
        if has_keys {
            self.read_keys()?;
        }
        Ok(())
    }

    fn read_keys(&mut self) -> io::Result<()> {
        let mut octets = [0; READ_OCTETS];
        // Not through the buffer of standard input: what is in there would not wake poll.
        let count = match nix::unistd::read(io::stdin(), &mut octets) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if self.is_terminal {
            let (columns, rows) = terminal::size();
            self.effects.extend(self.session.resized(columns, rows));
        }
        if count == 0 {
            self.has_input_ended = true;
            self.effects.extend(self.session.input_ended());
        } else {
            self.effects.extend(self.session.input(&octets[..count]));
        }
        Ok(())
    }

    fn read_answer(&mut self) {
        let Some(conversation) = &mut self.connection else { return };
        let mut octets = [0; 16 << 10];
        match conversation.stream.read(&mut octets) {
            Ok(0) => self.failed(&io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                conversation.reader.push(&octets[..count]);
                self.take_answers();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.failed(&error),
        }
    }

    fn take_answers(&mut self) {
        while let Some(conversation) = &mut self.connection {
            match conversation.reader.take::<Answer>() {
                Ok(None) => return,
                Ok(Some(answer)) => {
                    if matches!(answer, Answer::End { .. } | Answer::Question(_)) {
                        self.connection = None;
                    }
                    self.effects.extend(self.session.answer(answer));
                }
                Err(error) => return self.failed(&io::Error::other(error)),
            }
        }
    }
}
