//! One session channel: what the client asks for before a program begins, and then the program, a
//! command or the shell. In: the channel's messages. Out: its octets, an exit code. Limits:
//! [`BEGIN_MAX`] until something is to run, [`COMMAND_OCTETS_MAX`] of a command line.

use super::Settings;
use super::authorized::{Holder, Terminal};
use super::histories::Histories;
use super::{command, interactive};
use console_protocol::messages::{OnBehalf, Request};
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Pty};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Time from the opening of a channel until a program is asked for.
const BEGIN_MAX: Duration = Duration::from_secs(30);
/// Longest command line.
const COMMAND_OCTETS_MAX: usize = 32 << 10;
/// Number of standard error among the streams (RFC 4254 section 5.2).
const STANDARD_ERROR: u32 = 1;
/// Exit code of what was broken off from outside, as shells have it for SIGTERM.
pub(super) const BROKEN_OFF: u8 = 143;
/// Of wrong usage.
pub(super) const USAGE: u8 = 2;

/// What is written to the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// On standard output.
    Stdout(Vec<u8>),
    /// On standard error.
    Stderr(Vec<u8>),
    /// The end.
    End(u8),
}

impl Piece {
    /// How much it is.
    pub(super) fn octets(&self) -> usize {
        match self {
            Piece::Stdout(octets) | Piece::Stderr(octets) => octets.len(),
            Piece::End(_) => 0,
        }
    }
}

/// The client's terminal.
#[derive(Clone, Debug, Default)]
pub(super) struct Screen {
    pub(super) columns: u32,
    pub(super) rows: u32,
    /// Whether it takes UTF-8 (RFC 8160). Names of terminals and variables are not asked.
    pub(super) is_unicode: bool,
}

/// What a client wants to have run.
enum Wish {
    Command(Vec<u8>),
    Shell,
}

/// One session's two directions, and who is in it.
pub(super) struct Talk {
    pub(super) read: ChannelReadHalf,
    /// To the task that writes. It takes one piece at a time, at the client's pace.
    pub(super) write: Sender<Piece>,
    pub(super) settings: Arc<Settings>,
    pub(super) histories: Arc<Histories>,
    pub(super) holder: Arc<Holder>,
    pub(super) source: SocketAddr,
}

impl Talk {
    /// The request as the holder's.
    pub(super) fn on_behalf(&self, mut request: Request) -> Request {
        let (name, roles) = (self.holder.name.clone(), self.holder.roles);
        let source = format!("ssh {}", self.source.ip().to_canonical());
        request.on_behalf = Some(OnBehalf { name, roles, source });
        request
    }
}

/// Runs what the client asks for, until it ends or he is gone.
pub(super) async fn run(
    settings: Arc<Settings>,
    histories: Arc<Histories>,
    holder: Arc<Holder>,
    source: SocketAddr,
    channel: Channel<Msg>,
) {
    let (mut read, half) = channel.split();
    let begin = timeout(BEGIN_MAX, wish(&mut read, &holder)).await;
    let (write, pieces) = self::channel(1);
    let writer = tokio::spawn(write_out(half, pieces));
    let Ok(Some((wish, screen))) = begin else {
        let _ = write.send(Piece::End(USAGE)).await;
        return;
    };
    let mut talk = Talk { read, write, settings, histories, holder, source };
    let ended = match (talk.holder.command.clone(), wish) {
        (Some(line), _) => command::run(&mut talk, line.as_bytes()).await,
        (None, Wish::Command(line)) if line.len() > COMMAND_OCTETS_MAX => {
            let text = format!("a command line of more than {COMMAND_OCTETS_MAX} bytes\n");
            match talk.write.send(Piece::Stderr(text.into_bytes())).await {
                Ok(()) => Some(USAGE),
                Err(_) => None,
            }
        }
        (None, Wish::Command(line)) => command::run(&mut talk, &line).await,
        (None, Wish::Shell) => interactive::run(&mut talk, screen).await,
    };
    end(talk, writer, ended).await;
}

/// Waits until everything is written, or until nobody reads it any more.
async fn end(mut talk: Talk, writer: JoinHandle<()>, exit_code: Option<u8>) {
    let writing = writer.abort_handle();
    let Some(exit_code) = exit_code else {
        writing.abort();
        return;
    };
    let last = async {
        // The writer ends before its time only with the connection.
        let _ = talk.write.send(Piece::End(exit_code)).await;
        let _ = writer.await;
    };
    tokio::pin!(last);
    loop {
        tokio::select! {
            () = &mut last => return,
            message = talk.read.wait() => match message {
                None | Some(ChannelMsg::Close) => break,
                Some(_) => {}
            },
        }
    }
    writing.abort();
}

/// What is to run, and on which terminal. None: the client is gone. The handler has refused what
/// may not be already; this only listens.
async fn wish(read: &mut ChannelReadHalf, holder: &Holder) -> Option<(Wish, Option<Screen>)> {
    let mut screen = None;
    loop {
        match read.wait().await? {
            ChannelMsg::RequestPty { term, col_width, row_height, terminal_modes, .. }
                if holder.terminal == Terminal::Allowed =>
            {
                let is_unicode = terminal_modes.contains(&(Pty::IUTF8, 1)) && term != "dumb";
                screen = Some(Screen { columns: col_width, rows: row_height, is_unicode });
            }
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                if let Some(screen) = &mut screen {
                    (screen.columns, screen.rows) = (col_width, row_height);
                }
            }
            ChannelMsg::Exec { command, .. } => return Some((Wish::Command(command), screen)),
            ChannelMsg::RequestShell { .. } => return Some((Wish::Shell, screen)),
            ChannelMsg::Close => return None,
            _ => {}
        }
    }
}

/// Writes at the pace at which the client reads.
async fn write_out(half: ChannelWriteHalf<Msg>, mut pieces: Receiver<Piece>) {
    while let Some(piece) = pieces.recv().await {
        let written = match piece {
            Piece::Stdout(octets) => half.data_bytes(octets).await,
            Piece::Stderr(octets) => half.extended_data_bytes(STANDARD_ERROR, octets).await,
            Piece::End(exit_code) => {
                // A client that is gone does not mind.
                let _ = half.exit_status(u32::from(exit_code)).await;
                let _ = half.eof().await;
                let _ = half.close().await;
                return;
            }
        };
        if written.is_err() {
            return;
        }
    }
}
