//! PID 1 of the appliance image, asked over its socket. In: a verb. Out: its answer.
//! Outside the image there is no such socket. Limits: [`PATIENCE`], [`ANSWER_OCTETS_MAX`].

use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Where PID 1 listens.
pub(crate) const SOCKET: &str = "/run/init/control";
/// Longest wait for the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most of an answer that is read.
const ANSWER_OCTETS_MAX: u64 = 64 << 10;

/// Asks; the answer begins with `ok` or `error: `.
pub(crate) async fn ask(socket: &Path, verb: &str) -> io::Result<String> {
    let talk = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(format!("{verb}\n").as_bytes()).await?;
        stream.shutdown().await?;
        let mut octets = Vec::new();
        stream.take(ANSWER_OCTETS_MAX).read_to_end(&mut octets).await?;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    };
    timeout(PATIENCE, talk).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
