//! Both sides on loopback, with certificates that openssl made.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use dnssec::transfer::peers::SpkiPin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Certificates of one authority, made by openssl.
struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Lab {
        let lab = Lab { folder: tempfile::tempdir().unwrap() };
        lab.openssl(&format!("req -x509 {NEW_KEY} -keyout ca.key -out ca.crt -subj /CN=authority"));
        lab.certify("server", "xfr.example");
        lab
    }

    /// A certificate `NAME.crt` with `NAME.key` for `host`.
    fn certify(&self, name: &str, host: &str) {
        let files = format!("-keyout {name}.key -out {name}.crt");
        let extensions = format!("-addext subjectAltName=DNS:{host}");
        self.openssl(&format!(
            "req -x509 {NEW_KEY} {files} -CA ca.crt -CAkey ca.key -subj /CN={name} {extensions} \
             -addext basicConstraints=critical,CA:FALSE"
        ));
    }

    fn openssl(&self, arguments: &str) -> Vec<u8> {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace()).current_dir(self.folder.path());
        let output = command.output().expect("openssl is installed (cargo xtask setup)");
        assert!(output.status.success(), "{command:?}: {output:?}");
        output.stdout
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn files(&self, name: &str) -> ListenerTls {
        let path = |kind| self.path(&format!("{name}.{kind}"));
        ListenerTls { certificate_file: path("crt"), key_file: path("key") }
    }

    fn server(&self, name: &str) -> Arc<TlsServer> {
        Arc::new(TlsServer::new(&self.files(name)).unwrap())
    }

    /// The pin of a key, by openssl.
    fn pin(&self, name: &str) -> SpkiPin {
        let info = self.openssl(&format!("pkey -in {name}.key -pubout -outform DER"));
        std::fs::write(self.path("spki"), info).unwrap();
        SpkiPin(self.openssl("dgst -sha256 -binary spki").try_into().unwrap())
    }

    fn by_name(&self, name: &str) -> RemoteTls {
        let ca_file = Some(self.path("ca.crt"));
        RemoteTls::Strict { name: Some(name.to_owned()), ca_file, pins: Vec::new() }
    }
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30";

fn by_pin(pin: SpkiPin) -> RemoteTls {
    RemoteTls::Strict { name: None, ca_file: None, pins: vec![pin] }
}

/// A listener that sends back, in TLS, the first four octets it gets.
async fn serve(server: Arc<TlsServer>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = accept(stream, &server).await else { continue };
            let mut octets = [0; 4];
            if stream.read_exact(&mut octets).await.is_ok() {
                stream.write_all(&octets).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
    });
    address
}

async fn ask(address: SocketAddr, tls: &RemoteTls) -> Result<(), TlsError> {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = connect(stream, tls, address.ip()).await?;
    stream.write_all(b"ping").await.map_err(TlsError::Handshake)?;
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).await.map_err(TlsError::Handshake)?;
    assert_eq!(octets, b"ping");
    Ok(())
}

#[tokio::test]
async fn profiles_of_rfc9103_9_3() {
    let lab = Lab::new();
    lab.certify("other", "other.example");
    let address = serve(lab.server("server")).await;
    let pin = lab.pin("server");
    let both = |name: &str, pin| RemoteTls::Strict {
        name: Some(name.to_owned()),
        ca_file: Some(lab.path("ca.crt")),
        pins: vec![SpkiPin([0; 32]), pin],
    };
    for good in [
        RemoteTls::Opportunistic,
        by_pin(pin),
        lab.by_name("xfr.example"),
        lab.by_name("XFR.example."),
        both("xfr.example", pin),
    ] {
        ask(address, &good).await.unwrap_or_else(|error| panic!("{good:?}: {error}"));
    }
    let of_system =
        RemoteTls::Strict { name: Some("xfr.example".to_owned()), ca_file: None, pins: vec![] };
    for wrong in [by_pin(lab.pin("other")), both("xfr.example", lab.pin("other"))] {
        let refused = ask(address, &wrong).await.unwrap_err();
        assert!(matches!(refused, TlsError::Pin), "{wrong:?}: {refused}");
    }
    for wrong in [lab.by_name("other.example"), both("other.example", pin)] {
        let refused = ask(address, &wrong).await.unwrap_err();
        assert!(matches!(refused, TlsError::OtherName), "{wrong:?}: {refused}");
    }
    let refused = ask(address, &of_system).await.unwrap_err();
    let is_read = matches!(refused, TlsError::Handshake(_) | TlsError::Read { .. });
    assert!(is_read, "{of_system:?}: {refused}");
}

#[tokio::test]
async fn files_are_read_again_when_they_change() {
    let lab = Lab::new();
    lab.certify("live", "old.example");
    let server = lab.server("live");
    let address = serve(Arc::clone(&server)).await;
    ask(address, &lab.by_name("old.example")).await.unwrap();
    lab.certify("live", "renewed.example");
    ask(address, &lab.by_name("renewed.example")).await.unwrap();
    ask(address, &lab.by_name("old.example")).await.unwrap_err();
    // Half of a change, such as a new certificate whose key is not there yet.
    std::fs::copy(lab.path("server.crt"), lab.path("live.crt")).unwrap();
    ask(address, &lab.by_name("renewed.example")).await.unwrap();
    std::fs::copy(lab.path("server.key"), lab.path("live.key")).unwrap();
    ask(address, &lab.by_name("xfr.example")).await.unwrap();
    std::fs::remove_file(lab.path("live.key")).unwrap();
    ask(address, &lab.by_name("xfr.example")).await.unwrap();
}

#[tokio::test]
async fn other_protocols_and_versions_are_refused() {
    let lab = Lab::new();
    let address = serve(lab.server("server")).await;
    let client = |arguments: &str| {
        let text = format!("s_client -connect {address} {arguments}");
        let mut command = Command::new("openssl");
        command.args(text.split_whitespace()).stdin(std::process::Stdio::null());
        tokio::task::spawn_blocking(move || {
            let output = command.output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        })
    };
    let good = client("-tls1_3 -alpn dot").await.unwrap();
    assert!(good.contains("ALPN protocol: dot"), "{good}");
    let old = client("-tls1_2 -alpn dot").await.unwrap();
    assert!(old.contains("no peer certificate available"), "{old}");
    let other = client("-tls1_3 -alpn h2").await.unwrap();
    assert!(other.contains("no peer certificate available"), "{other}");
    // A server of TLS that knows nothing of DNS.
    let mut config = (*lab.server("server").config()).clone();
    config.alpn_protocols.clear();
    let files = lab.files("server");
    let stamp = Stamp::of(&files);
    let current = Mutex::new(Current { config: Arc::new(config), stamp });
    let address = serve(Arc::new(TlsServer { files, current })).await;
    let refused = ask(address, &RemoteTls::Opportunistic).await.unwrap_err();
    assert!(matches!(refused, TlsError::OtherProtocol), "{refused}");
}

#[tokio::test]
async fn a_server_without_tls_is_no_server() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"\x00\x02ab").await.unwrap();
    });
    let refused = ask(address, &RemoteTls::Opportunistic).await.unwrap_err();
    assert!(matches!(refused, TlsError::Handshake(_)), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_not_waited_for() {
    let lab = Lab::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let slow = accept(stream, &lab.server("server")).await.unwrap_err();
    assert!(matches!(slow, TlsError::Slow), "{slow}");
    drop(silent);
}

#[tokio::test]
async fn files_that_are_wrong_are_named() {
    let lab = Lab::new();
    lab.certify("other", "other.example");
    let error = |certificate: &Path, key: &Path| {
        let files =
            ListenerTls { certificate_file: certificate.to_owned(), key_file: key.to_owned() };
        TlsServer::new(&files).unwrap_err()
    };
    let (certificate, key) = (lab.path("server.crt"), lab.path("server.key"));
    let missing = lab.path("missing");
    assert!(matches!(error(&missing, &key), TlsError::Read { path, .. } if path == missing));
    let no_certificate = error(&key, &key);
    assert!(no_certificate.to_string().ends_with("server.key: has no certificate in PEM form"));
    let no_key = error(&certificate, &certificate);
    assert!(no_key.to_string().ends_with("server.crt: has no private key in PEM form"));
    let pair = error(&certificate, &lab.path("other.key"));
    assert!(matches!(pair, TlsError::Pair { .. }), "{pair}");
    let long = lab.path("long");
    std::fs::write(&long, vec![b'x'; FILE_OCTETS_MAX as usize + 1]).unwrap();
    assert!(matches!(error(&long, &key), TlsError::TooLong { .. }));
    let (name, ca_file) = (Some("xfr.example".to_owned()), Some(lab.path("broken")));
    std::fs::write(
        lab.path("broken"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let strict = RemoteTls::Strict { name, ca_file, pins: vec![] };
    let refused = proof::Proof::new(&strict, &provider()).unwrap_err();
    assert!(matches!(refused, TlsError::NoAuthority { .. }), "{refused}");
    let address = serve(lab.server("server")).await;
    let unnamed = RemoteTls::Strict {
        name: Some("no name".to_owned()),
        ca_file: Some(lab.path("ca.crt")),
        pins: vec![],
    };
    assert!(matches!(ask(address, &unnamed).await, Err(TlsError::Name { .. })));
}
