//! The shell for an SSH client, at a terminal or with a script as its input. In: what is typed;
//! answers of the daemon. Out: what the shell writes. The shell itself (`crate::shell`) does no
//! I/O: this carries its octets and its requests.
//!
//! Limits: [`idle_max`](super::Settings::idle_max) without input; [`SCRIPT_OCTETS_MAX`] and
//! [`OUTPUT_OCTETS_MAX`] that wait; [`ASK_MAX`] for the daemon to take a command.

use super::command::away;
use super::daemon::Daemon;
use super::session::{BROKEN_OFF, Piece, Screen, Talk};
use crate::client::ClientError;
use crate::shell::{Effect, Session, Settings, idle_text};
use console_protocol::messages::{Answer, Request};
use russh::{ChannelMsg, Sig};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Octets of a script that wait for the commands before them.
const SCRIPT_OCTETS_MAX: usize = 1 << 20;
/// Octets of a script that the shell is given at once.
const SCRIPT_OCTETS: usize = 1024;
/// Octets that wait for a client who types, but does not read.
const OUTPUT_OCTETS_MAX: usize = 4 << 20;
/// Time for the daemon to take a command.
const ASK_MAX: Duration = Duration::from_secs(5);
/// The key of Ctrl-C.
const INTERRUPT: &[u8] = &[3];

/// A session and everything on its way to it and from it.
struct Shell {
    session: Session,
    is_terminal: bool,
    /// What has been read of a script.
    script: VecDeque<u8>,
    has_input_ended: bool,
    output: VecDeque<Piece>,
    asked: Option<Request>,
    daemon: Option<Daemon>,
    exit_code: Option<u8>,
    remembered: Vec<String>,
}

/// What came next.
enum Event {
    Message(Option<ChannelMsg>),
    Answer(Result<Answer, ClientError>),
    /// There is room for output.
    Room,
    WriterGone,
}

/// Runs a shell. Gives the exit code; None: the client is gone.
pub(super) async fn run(talk: &mut Talk, screen: Option<Screen>) -> Option<u8> {
    let mut shell = Shell::new(talk, screen);
    let effects = shell.session.start();
    shell.take(effects);
    let touched = Notify::new();
    let idle_max = talk.settings.idle_max;
    let idle = async { while timeout(idle_max, touched.notified()).await.is_ok() {} };
    tokio::pin!(idle);
    let ended = loop {
        // What the session is given may make it ask, and an answer that fails at once may make it
        // want more.
        shell.feed();
        while shell.asked.is_some() {
            shell.ask(talk).await;
            shell.feed();
        }
        if let (Some(exit_code), true) = (shell.exit_code, shell.output.is_empty()) {
            break Some(exit_code);
        }
        if shell.waiting_octets() > OUTPUT_OCTETS_MAX {
            break None;
        }
        let event = tokio::select! {
            event = shell.next(talk) => event,
            () = &mut idle => {
                let text = format!("\r\n{}\r\n", idle_text(idle_max));
                talk.write.send(Piece::Stdout(text.into_bytes())).await.ok()?;
                break Some(0);
            }
        };
        match event {
            Event::Message(None | Some(ChannelMsg::Close)) | Event::WriterGone => break None,
            Event::Message(Some(ChannelMsg::Signal { signal: Sig::TERM | Sig::HUP })) => {
                break Some(BROKEN_OFF);
            }
            Event::Message(Some(message)) => {
                touched.notify_one();
                shell.heard(message);
            }
            Event::Answer(answer) => shell.answered(answer),
            Event::Room => {}
        }
    };
    talk.histories.add(&talk.holder.name, shell.remembered);
    ended
}

impl Shell {
    fn new(talk: &Talk, screen: Option<Screen>) -> Shell {
        let is_terminal = screen.is_some();
        let screen = screen.unwrap_or_default();
        let settings = Settings {
            box_name: talk.settings.box_name.clone(),
            columns: size(screen.columns, 80),
            rows: size(screen.rows, 24),
            is_unicode: screen.is_unicode,
            is_terminal,
            history: talk.histories.of(&talk.holder.name),
        };
        Shell {
            session: Session::new(settings),
            is_terminal,
            script: VecDeque::new(),
            has_input_ended: false,
            output: VecDeque::new(),
            asked: None,
            daemon: None,
            exit_code: None,
            remembered: Vec::new(),
        }
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Write(octets) => self.output.push_back(Piece::Stdout(octets)),
                Effect::Complain(octets) => self.output.push_back(Piece::Stderr(octets)),
                Effect::Ask(request) => self.asked = Some(request),
                Effect::Abandon => (self.asked, self.daemon) = (None, None),
                Effect::Remember(line) => self.remembered.push(line),
                Effect::End(exit_code) => self.exit_code = Some(exit_code),
            }
        }
    }

    /// Sends what the session has asked for.
    async fn ask(&mut self, talk: &Talk) {
        if let Some(request) = self.asked.take() {
            let request = talk.on_behalf(request);
            let asking = Daemon::ask(&talk.settings.control_socket, &request);
            match timeout(ASK_MAX, asking).await {
                Ok(Ok(daemon)) => self.daemon = Some(daemon),
                Ok(Err(error)) => self.failed(&error),
                Err(_) => self.failed(&ClientError::Closed),
            }
        }
    }

    fn failed(&mut self, error: &ClientError) {
        self.daemon = None;
        let effects = self.session.failed(&away(error), error.exit_code());
        self.take(effects);
    }

    /// Gives the session the next part of a script, when the commands before it are done and
    /// their output is on its way.
    fn feed(&mut self) {
        let is_ready = |shell: &Shell| {
            shell.session.wants_input() && shell.output.is_empty() && shell.exit_code.is_none()
        };
        while !self.is_terminal && is_ready(self) && !self.script.is_empty() {
            let count = self.script.len().min(SCRIPT_OCTETS);
            let octets: Vec<u8> = self.script.drain(..count).collect();
            let effects = self.session.input(&octets);
            self.take(effects);
        }
        let is_over = self.has_input_ended && self.script.is_empty();
        if is_over && (self.is_terminal || is_ready(self)) {
            self.has_input_ended = false;
            let effects = self.session.input_ended();
            self.take(effects);
        }
    }

    fn waiting_octets(&self) -> usize {
        self.output.iter().map(Piece::octets).sum()
    }

    /// Waits. What is not chosen is not lost.
    async fn next(&mut self, talk: &mut Talk) -> Event {
        let is_idle = self.output.is_empty();
        let daemon = self.daemon.as_mut();
        let answer = async {
            match daemon {
                Some(daemon) => daemon.answer().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            message = talk.read.wait() => Event::Message(message),
            room = talk.write.reserve(), if !is_idle => match room {
                Ok(room) => {
                    if let Some(piece) = self.output.pop_front() {
                        room.send(piece);
                    }
                    Event::Room
                }
                Err(_) => Event::WriterGone,
            },
            // An answer waits until what came before it is written: the daemon is not read from
            // faster than the client reads.
            answer = answer, if is_idle => Event::Answer(answer),
        }
    }

    fn heard(&mut self, message: ChannelMsg) {
        let effects = match message {
            ChannelMsg::Data { data } if self.is_terminal => self.session.input(&data),
            ChannelMsg::Data { data } if self.script.len() + data.len() <= SCRIPT_OCTETS_MAX => {
                self.script.extend(data);
                return;
            }
            ChannelMsg::Data { .. } => {
                let text = format!("more than {SCRIPT_OCTETS_MAX} bytes wait to be run\n");
                self.output.push_back(Piece::Stderr(text.into_bytes()));
                vec![Effect::End(1)]
            }
            ChannelMsg::Eof => {
                self.has_input_ended = true;
                return;
            }
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                self.session.resized(size(col_width, 80), size(row_height, 24))
            }
            ChannelMsg::Signal { signal: Sig::INT } => self.session.input(INTERRUPT),
            _ => return,
        };
        self.take(effects);
    }

    fn answered(&mut self, answer: Result<Answer, ClientError>) {
        match answer {
            Ok(answer) => {
                // Each command has a connection of its own: one that is idle would keep a place
                // at the daemon.
                if matches!(answer, Answer::End { .. } | Answer::Question(_)) {
                    self.daemon = None;
                }
                let effects = self.session.answer(answer);
                self.take(effects);
            }
            Err(error) => self.failed(&error),
        }
    }
}

/// A size that the client gave; some give none.
fn size(given: u32, usual: u16) -> u16 {
    match u16::try_from(given) {
        Ok(0) | Err(_) => usual,
        Ok(given) => given,
    }
}
