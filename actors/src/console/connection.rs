//! One client's conversation: request, answer, and again, until it closes.
//! In: a connection. Out: answers; wishes of commands that were answered.
//!
//! Who the client is says the kernel (SO_PEERCRED). Root and the daemon's own user may everything.
//! Everybody else is an operator and an officer: nobody else gets this far but by the group that
//! the socket was given to, since its mode keeps all others out. A client that speaks on behalf of
//! somebody (a console's login) can lower what it may do, and never raise it. The user
//! [`SSH_HOST`] may nothing by itself, and on behalf of somebody what that one may.
//! Limits: [`IDLE_MAX`] between two requests, [`WRITE_MAX`] for an answer that is not read.

use super::dispatch;
use super::output::{Output, Wish};
use super::site::Site;
use crate::io::control_socket::close_at_exit;
use console_protocol::frame::{ANSWER_OCTETS_MAX, FrameReader, REQUEST_OCTETS_MAX, encode};
use console_protocol::messages::Request;
use console_protocol::table::Roles;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// A client that says nothing for so long is gone.
const IDLE_MAX: Duration = Duration::from_secs(15 * 60);
/// A client that takes longer to read an answer is gone.
const WRITE_MAX: Duration = Duration::from_secs(60);
/// A client that was refused and does not go is left.
const REFUSED_MAX: Duration = Duration::from_secs(5);
/// Octets read at once.
const READ_OCTETS: usize = 4096;

/// The user whose processes have identified everybody they speak for, when they are not the
/// daemon's own.
const SSH_HOST: &str = "anchorite-ssh";

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) user: u32,
    pub(super) process: i32,
    pub(super) roles: Roles,
}

impl Peer {
    fn of(stream: &UnixStream) -> io::Result<Peer> {
        let found = stream.peer_cred()?;
        let own = nix::unistd::geteuid().as_raw();
        let roles = match found.uid() {
            user if user == 0 || user == own => Roles::OWNER,
            _ => Roles::GROUP,
        };
        let (user, process) = (found.uid(), found.pid().unwrap_or(0));
        Ok(Peer { user, process, roles: Roles::of(&roles) })
    }

    /// The peer as the one who gives this request.
    fn giving(self, request: &Request, is_ssh_host: bool) -> Peer {
        let roles = match (is_ssh_host, &request.on_behalf) {
            (true, Some(_)) => Roles::of(&Roles::OWNER),
            (true, None) => Roles::default(),
            (false, _) => self.roles,
        };
        Peer { roles, ..self }
    }
}

/// Tells a client that it is one too many.
pub(super) async fn refuse(mut stream: UnixStream) {
    let text = format!("the daemon has {} connections; try again\n", super::CONNECTIONS_MAX);
    // A client that is gone does not mind.
    let _ = send(&mut stream, Output::refused(text, 1)).await;
    // What it has sent is taken in before the connection is closed: the system throws the answer
    // away with a connection that is closed over unread octets.
    let mut octets = [0; READ_OCTETS];
    let drain = async {
        stream.shutdown().await?;
        while stream.read(&mut octets).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(REFUSED_MAX, drain).await;
}

/// Answers a client until it closes, or says something that is not understood.
pub(super) async fn converse(mut stream: UnixStream, site: Arc<Site>) {
    let peer = match Peer::of(&stream) {
        Ok(peer) => peer,
        Err(error) => {
            tracing::error!(target: "cmdhandler", %error, "a client's user is not known");
            return;
        }
    };
    let is_member = peer.roles == Roles::of(&Roles::GROUP);
    let is_ssh_host = is_member && dispatch::name_of(&site, peer.user).await == SSH_HOST;
    let mut reader = FrameReader::new(REQUEST_OCTETS_MAX);
    loop {
        let request = match timeout(IDLE_MAX, receive(&mut stream, &mut reader)).await {
            Ok(Ok(Some(request))) => request,
            // The client has gone, or might as well.
            Ok(Ok(None)) | Err(_) => return,
            Ok(Err(error)) => {
                tracing::warn!(target: "cmdhandler", user = peer.user, process = peer.process,
                    "error receiving message from client: {error}");
                let _ = send(&mut stream, Output::refused(format!("{error}\n"), 1)).await;
                return;
            }
        };
        let peer = peer.giving(&request, is_ssh_host);
        let output = dispatch::answer(&site, peer, &request).await;
        let wish = output.wish;
        let sent = send(&mut stream, output).await;
        if let Some(wish) = wish {
            // What was asked for is done even if nobody waits for the answer any more.
            site.wish(wish);
        }
        if wish == Some(Wish::Stop) {
            if let Ok(stream) = stream.into_std() {
                close_at_exit(stream);
            }
            return;
        }
        if sent.is_err() {
            return;
        }
    }
}

async fn receive(stream: &mut UnixStream, reader: &mut FrameReader) -> io::Result<Option<Request>> {
    let mut octets = [0; READ_OCTETS];
    loop {
        if let Some(request) = reader.take().map_err(io::Error::other)? {
            return Ok(Some(request));
        }
        match stream.read(&mut octets).await? {
            0 => return Ok(None),
            count => reader.push(&octets[..count]),
        }
    }
}

async fn send(stream: &mut UnixStream, output: Output) -> io::Result<()> {
    let write = async {
        for answer in output.into_answers() {
            let frame = encode(&answer, ANSWER_OCTETS_MAX).map_err(io::Error::other)?;
            stream.write_all(&frame).await?;
        }
        Ok(())
    };
    timeout(WRITE_MAX, write).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use console_protocol::messages::OnBehalf;

    #[test]
    fn the_ssh_host_may_what_somebody_else_may_and_nothing_itself() {
        let peer = Peer { user: 902, process: 1, roles: Roles::of(&Roles::GROUP) };
        let mut request = Request::new(vec!["stop".to_owned()]);
        assert_eq!(peer.giving(&request, true).roles, Roles::default());
        assert_eq!(peer.giving(&request, false), peer);
        let (name, source) = ("ann".to_owned(), "ssh 192.0.2.1".to_owned());
        request.on_behalf = Some(OnBehalf { name, roles: Roles::default(), source });
        assert_eq!(peer.giving(&request, true).roles, Roles::of(&Roles::OWNER));
        assert_eq!(peer.giving(&request, false), peer);
    }
}
