//! The SSH host: `anchorite ssh-host`, a process of its own. SSH version 2 (RFC 4251 to 4254, 5647,
//! 8308, 8332, 8731) by russh, public keys only. In: connections; the file of authorized keys. Out:
//! commands for the daemon, on behalf of the holder of the key; their output.
//!
//! Never: keys but its own host key, zones, state; authority beyond the holder's roles; forwarding
//! of anything; a shell of the system. Signing neither waits for this process nor notices its end.
//! Limits: before a login [`LOGIN_MAX`], and those of `entrance`; after it those of `handler`; a
//! shell without input ends after [`Settings::idle_max`].
//!
//! [`authorized`] reads the keys' file, [`host_key`] keeps the host key, `server` takes connections
//! in, `handler` answers what clients ask for, `session` runs a command or the shell.

pub mod authorized;
pub mod host_key;

mod command;
mod daemon;
mod entrance;
mod handler;
mod histories;
mod interactive;
mod line;
mod server;
mod session;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use russh::server::Config;
use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac};
use server::Server;
use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;

/// Time for a login.
pub const LOGIN_MAX: Duration = Duration::from_secs(20);
/// A shell into which nobody has typed for so long ends, unless it is told otherwise.
pub const IDLE_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// A connection without any traffic ends so much later than a shell would, which has something to
/// say before that.
const IDLE_MORE: Duration = Duration::from_secs(60);
/// Refused attempts to log in.
const ATTEMPTS_MAX: usize = 6;
/// A refused attempt is answered after this, whatever was wrong with it.
const REFUSAL_TIME: Duration = Duration::from_millis(200);
/// Octets that a client may send before we have taken them in.
const WINDOW_OCTETS: u32 = 128 << 10;
/// New session keys after so much or so long (RFC 4253 section 9).
const REKEY_OCTETS: usize = 1 << 30;
const REKEY_TIME: Duration = Duration::from_secs(3600);

/// What the SSH host is told.
#[derive(Debug)]
pub struct Settings {
    /// Where clients are answered.
    pub listen: Vec<SocketAddr>,
    /// The file of authorized keys.
    pub authorized_keys: PathBuf,
    /// The daemon's control socket.
    pub control_socket: PathBuf,
    /// A shell into which nobody has typed for so long ends.
    pub idle_max: Duration,
    /// The name of this box, for the prompt.
    pub box_name: String,
    /// What everybody is told before a login.
    pub banner: Option<String>,
}

/// Why clients cannot be answered.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// The system's words.
    #[source]
    pub cause: io::Error,
}

/// Begins to listen; `serve` does the rest.
pub async fn listen(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let bound = TcpListener::bind(address).await;
        listeners.push(bound.map_err(|cause| ListenError { address: *address, cause })?);
    }
    Ok(listeners)
}

/// Answers clients until the process ends.
pub async fn serve(settings: Settings, listeners: Vec<TcpListener>, host_key: PrivateKey) {
    let config = config(host_key, settings.idle_max);
    let server = Server::new(settings, config);
    let count = listeners.len();
    let accepting: Vec<_> = listeners
        .into_iter()
        .zip(0..)
        .map(|(listener, first)| {
            tokio::spawn(server.clone().accept(listener, (first..).step_by(count)))
        })
        .collect();
    for task in accepting {
        // None of them ends but by a panic, which has been printed; the others go on.
        let _ = task.await;
    }
}

/// What russh is to do and, more, what not.
fn config(host_key: PrivateKey, idle_max: Duration) -> Config {
    let curves = [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521];
    let hashes = [HashAlg::Sha512, HashAlg::Sha256];
    let keys = [Algorithm::Ed25519]
        .into_iter()
        .chain(curves.map(|curve| Algorithm::Ecdsa { curve }))
        .chain(hashes.map(|hash| Algorithm::Rsa { hash: Some(hash) }));
    Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-anchorite")),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: REFUSAL_TIME,
        // Every client asks without a key first, to learn what is possible.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key],
        limits: russh::Limits::new(REKEY_OCTETS, REKEY_OCTETS, REKEY_TIME),
        window_size: WINDOW_OCTETS,
        preferred: Preferred {
            kex: Cow::Borrowed(&[
                kex::MLKEM768X25519_SHA256,
                kex::CURVE25519,
                kex::CURVE25519_PRE_RFC_8731,
                kex::ECDH_SHA2_NISTP256,
                kex::EXTENSION_SUPPORT_AS_SERVER,
                // Against Terrapin (CVE-2023-48795).
                kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
            ]),
            key: keys.collect(),
            cipher: Cow::Borrowed(&[
                cipher::AES_256_GCM,
                cipher::AES_128_GCM,
                cipher::CHACHA20_POLY1305,
                cipher::AES_256_CTR,
            ]),
            mac: Cow::Borrowed(&[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM]),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        max_auth_attempts: ATTEMPTS_MAX,
        inactivity_timeout: Some(idle_max + IDLE_MORE),
        ..Config::default()
    }
}
