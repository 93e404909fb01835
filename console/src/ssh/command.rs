//! `ssh BOX COMMAND`: one command for the daemon; its output, standard error apart, and its exit
//! code. In: the command line. Out: the answer. A question of the daemon is answered by the first
//! line of standard input: without one, no. A command that takes standard input gets all of it.

use super::daemon::Daemon;
use super::line::{self, Line};
use super::session::{BROKEN_OFF, Piece, Talk, USAGE};
use crate::client::{self, ClientError};
use crate::plugin;
use console_protocol::frame::INPUT_OCTETS_MAX;
use console_protocol::messages::{Answer, Request};
use console_protocol::table;
use russh::{ChannelMsg, Sig};
use std::time::Duration;
use tokio::time::timeout;

/// Octets of standard input that are kept, for an answer to a question.
const REPLY_OCTETS_MAX: usize = 1024;

/// How long `monitor` waits for the daemon, which answers at once: other checks of the same key
/// wait for their places meanwhile, and a monitor's patience is 10 to 15 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Exit code of `running` when the daemon does not.
const NOT_RUNNING: u8 = 209;

/// What is typed while a command runs.
#[derive(Default)]
struct Input {
    octets: Vec<u8>,
    is_ended: bool,
}

/// How the wait for a part of the answer ended.
enum Heard {
    Answer(Result<Answer, ClientError>),
    Input,
    BrokenOff,
    Gone,
}

/// Runs a command line. Gives its exit code; None: the client is gone.
pub(super) async fn run(talk: &mut Talk, line: &[u8]) -> Option<u8> {
    let Ok(line) = str::from_utf8(line) else {
        talk.write
            .send(Piece::Stderr(b"the command is not text in UTF-8\n".to_vec()))
            .await
            .ok()?;
        return Some(USAGE);
    };
    match line::read(line) {
        Line::Command(request) => match plugin::silent(&request.words, SILENCE_MAX) {
            Some(silent) => watch(talk, request, silent).await,
            None => ask(talk, request).await,
        },
        Line::Text(text) => {
            talk.write.send(Piece::Stdout(text.into_bytes())).await.ok()?;
            Some(0)
        }
        Line::Wrong(text) => {
            talk.write.send(Piece::Stderr(text.into_bytes())).await.ok()?;
            Some(USAGE)
        }
    }
}

/// `monitor`, for check_by_ssh: a daemon that says nothing is CRITICAL, and no hang.
async fn watch(talk: &mut Talk, request: Request, (text, exit_code): (String, u8)) -> Option<u8> {
    if let Ok(ended) = timeout(SILENCE_MAX, ask(talk, request)).await {
        return ended;
    }
    talk.write.send(Piece::Stdout(text.into_bytes())).await.ok()?;
    Some(exit_code)
}

async fn ask(talk: &mut Talk, request: Request) -> Option<u8> {
    let mut request = talk.on_behalf(request);
    if table::find(request.front_end, &request.words).is_some_and(|(it, _)| it.takes_input) {
        match whole_input(talk).await? {
            Ok(text) => request.input = Some(text),
            Err(error) => return complain(talk, &error).await,
        }
    }
    let mut input = Input::default();
    let mut daemon = match Daemon::ask(&talk.settings.control_socket, &request).await {
        Ok(daemon) => daemon,
        // The one question to which this is an answer.
        Err(ClientError::Connect { .. }) if request.words == ["running"] => {
            let text = b"Engine not running.\n".to_vec();
            talk.write.send(Piece::Stdout(text)).await.ok()?;
            return Some(NOT_RUNNING);
        }
        Err(error) => return failed(talk, &request, &error).await,
    };
    loop {
        let piece = match hear(talk, &mut daemon, &mut input).await {
            Heard::Answer(Ok(Answer::Stdout(octets))) => Piece::Stdout(octets),
            Heard::Answer(Ok(Answer::Stderr(octets))) => Piece::Stderr(octets),
            Heard::Answer(Ok(Answer::End { exit_code })) => return Some(exit_code),
            Heard::Answer(Ok(Answer::Question(text))) => {
                send(talk, &mut input, Piece::Stdout(text)).await?;
                if !is_yes(talk, &mut input).await? {
                    let text = b"Okay, quitting...\n".to_vec();
                    send(talk, &mut input, Piece::Stdout(text)).await?;
                    return Some(0);
                }
                request.is_confirmed = true;
                if let Err(error) = daemon.ask_again(&request).await {
                    return complain(talk, &error).await;
                }
                continue;
            }
            Heard::Answer(Err(error)) => return failed(talk, &request, &error).await,
            Heard::Input => continue,
            Heard::BrokenOff => return Some(BROKEN_OFF),
            Heard::Gone => return None,
        };
        send(talk, &mut input, piece).await?;
    }
}

/// Standard input to its end. None: the client is gone.
async fn whole_input(talk: &mut Talk) -> Option<Result<String, ClientError>> {
    let mut octets = Vec::new();
    loop {
        match talk.read.wait().await {
            None | Some(ChannelMsg::Close) => return None,
            Some(ChannelMsg::Eof) => return Some(client::input(octets)),
            Some(ChannelMsg::Data { data }) => octets.extend_from_slice(&data),
            Some(_) => {}
        }
        if octets.len() > INPUT_OCTETS_MAX {
            return Some(Err(ClientError::InputTooLong));
        }
    }
}

/// The next part of the answer, or what the client does meanwhile.
async fn hear(talk: &mut Talk, daemon: &mut Daemon, input: &mut Input) -> Heard {
    tokio::select! {
        answer = daemon.answer() => Heard::Answer(answer),
        message = talk.read.wait() => match message {
            None | Some(ChannelMsg::Close) => Heard::Gone,
            Some(ChannelMsg::Signal { signal: Sig::INT | Sig::TERM | Sig::HUP | Sig::QUIT }) => {
                Heard::BrokenOff
            }
            Some(message) => {
                input.take(message);
                Heard::Input
            }
        },
    }
}

impl Input {
    fn take(&mut self, message: ChannelMsg) {
        match message {
            ChannelMsg::Data { data } => {
                let room = REPLY_OCTETS_MAX.saturating_sub(self.octets.len());
                self.octets.extend_from_slice(&data[..data.len().min(room)]);
            }
            ChannelMsg::Eof => self.is_ended = true,
            _ => {}
        }
    }
}

/// Hands a piece to the writer. None: the client is gone. What he types meanwhile is taken in:
/// else the connection would stand still, and with it what tells that he reads on.
async fn send(talk: &mut Talk, input: &mut Input, piece: Piece) -> Option<()> {
    let sending = talk.write.send(piece);
    tokio::pin!(sending);
    loop {
        tokio::select! {
            sent = &mut sending => return sent.ok(),
            message = talk.read.wait() => match message {
                None | Some(ChannelMsg::Close) => return None,
                Some(message) => input.take(message),
            },
        }
    }
}

/// Whether the first line of what is typed begins with a y. None: the client is gone.
async fn is_yes(talk: &mut Talk, input: &mut Input) -> Option<bool> {
    loop {
        let is_whole = input.octets.contains(&b'\n') || input.octets.len() >= REPLY_OCTETS_MAX;
        if is_whole || input.is_ended {
            return Some(matches!(input.octets.first(), Some(b'y' | b'Y')));
        }
        match talk.read.wait().await {
            None | Some(ChannelMsg::Close) => return None,
            Some(message) => input.take(message),
        }
    }
}

/// No answer, or not to its end. For check_by_ssh, a daemon that is away is CRITICAL.
async fn failed(talk: &mut Talk, request: &Request, error: &ClientError) -> Option<u8> {
    let Some((text, exit_code)) = plugin::away(&request.words, error) else {
        return complain(talk, error).await;
    };
    talk.write.send(Piece::Stdout(text.into_bytes())).await.ok()?;
    Some(exit_code)
}

async fn complain(talk: &mut Talk, error: &ClientError) -> Option<u8> {
    talk.write.send(Piece::Stderr(away(error).into_bytes())).await.ok()?;
    Some(error.exit_code())
}

/// What somebody is told who cannot reach the daemon.
pub(super) fn away(error: &ClientError) -> String {
    match error {
        ClientError::Connect { .. } => {
            format!(
                "{error}\nThe signer is not running; where it is kept running, it comes back.\n"
            )
        }
        _ => format!("{error}\n"),
    }
}
