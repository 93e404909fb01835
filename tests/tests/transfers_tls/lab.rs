//! Certificates, and a daemon with an addns.xml of the test's own.

use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::peers::Tls;
use anchorite_tests::program::anchorite;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

pub(crate) const ZONE: &str = "tls.example";

/// A folder with an authority and what it certified.
pub(crate) struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// Certificates `server`, for `xfr.example`, and `other`, for `other.example`.
    pub(crate) fn new() -> Certificates {
        let own = Certificates { folder: tempfile::tempdir().expect("a folder can be made") };
        own.openssl(&format!("req -x509 {NEW_KEY} -keyout ca.key -out ca.crt -subj /CN=authority"));
        for (name, host) in [("server", "xfr.example"), ("other", "other.example")] {
            own.openssl(&format!(
                "req -x509 {NEW_KEY} -keyout {name}.key -out {name}.crt -CA ca.crt -CAkey ca.key \
                 -subj /CN={name} -addext subjectAltName=DNS:{host} \
                 -addext basicConstraints=critical,CA:FALSE"
            ));
        }
        own
    }

    fn openssl(&self, words: &str) -> Vec<u8> {
        let mut command = Command::new("openssl");
        let output =
            command.args(words.split_whitespace()).current_dir(self.folder.path()).output();
        let output = output.expect("openssl is installed (cargo xtask setup)");
        assert!(output.status.success(), "{command:?}: {output:?}");
        output.stdout
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The pin of a certificate's key, in base64, by openssl.
    pub(crate) fn pin(&self, name: &str) -> String {
        let info = self.openssl(&format!("pkey -in {name}.key -pubout -outform DER"));
        std::fs::write(self.path("info"), info).expect("a temporary folder can be written");
        let digest = self.openssl("dgst -sha256 -binary -out digest info");
        assert_eq!(digest, b"");
        let text = self.openssl("base64 -in digest");
        String::from_utf8(text).expect("base64 is text").trim().to_owned()
    }

    /// What another server shows, and whom it believes.
    pub(crate) fn tls(&self) -> Tls {
        Tls {
            certificate: self.path("server.crt"),
            private_key: self.path("server.key"),
            authority: self.path("ca.crt"),
            name: "xfr.example".to_owned(),
        }
    }

    /// `<TLS>` of a `<Remote>` with the name and, maybe, a pin.
    pub(crate) fn by_name(&self, name: &str, pin: &str) -> String {
        let authority = self.path("ca.crt");
        let pin = if pin.is_empty() { String::new() } else { format!("<Pin>{pin}</Pin>") };
        let authority = authority.display();
        format!("<TLS><Name>{name}</Name><CAFile>{authority}</CAFile>{pin}</TLS>")
    }
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30";

/// An installation that listens at `plain`, and with TLS at `tls`.
pub(crate) fn installation(
    certificates: &Certificates,
    plain: SocketAddr,
    tls: Option<SocketAddr>,
) -> Installation {
    let installation = Installation::new("default");
    installation.let_zones_grow();
    let place =
        |at: SocketAddr| format!("<Address>{}</Address><Port>{}</Port>", at.ip(), at.port());
    let tls = tls.map(|at| {
        format!(
            "<Interface>{}<TLS><CertificateFile>{}</CertificateFile><KeyFile>{}</KeyFile></TLS>\
             </Interface>",
            place(at),
            certificates.path("server.crt").display(),
            certificates.path("server.key").display()
        )
    });
    let interfaces = format!("<Interface>{}</Interface>{}", place(plain), tls.unwrap_or_default());
    installation.edit(
        "conf.xml",
        "</Signer>",
        &format!("<Listener>{interfaces}</Listener></Signer>"),
    );
    installation.write_zonelist(&[(ZONE, "default")]);
    installation
}

/// Writes addns.xml.
pub(crate) fn write_addns(installation: &Installation, inner: &str) {
    let text = format!("<?xml version=\"1.0\"?>\n<Adapter><DNS>{inner}</DNS></Adapter>\n");
    installation.write("addns.xml", &text);
}

/// Makes the file adapter of one side, `unsigned` or `signed`, one of addns.xml.
pub(crate) fn use_addns(installation: &Installation, side: &str) {
    let path = installation.path(side).join(ZONE);
    let file = format!("<Adapter type=\"File\">{}", path.display());
    let transfer = format!("<Adapter type=\"DNS\">{}", installation.path("addns.xml").display());
    installation.edit("zonelist.xml", &file, &transfer);
}

/// Starts the daemon, with every line of its log.
pub(crate) fn start(installation: &Installation) -> Daemon {
    installation.start()
}

/// What `zone show` says.
pub(crate) fn show(installation: &Installation, json: bool) -> String {
    let mut command = Command::new(anchorite());
    command.args(["-s", &installation.socket(), "zone", "show", ZONE]);
    if json {
        command.arg("--json");
    }
    let output = command.output().expect("it was built");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// `kdig +tls` at a server. Whether all went well, and what it said.
pub(crate) fn kdig(at: SocketAddr, words: &[&str]) -> (bool, String) {
    let mut command = Command::new("kdig");
    command.arg(format!("@{}", at.ip())).args(["-p", &at.port().to_string()]).args(words);
    let output = command.output().expect("kdig is installed (cargo xtask setup)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text + &String::from_utf8_lossy(&output.stderr);
    (output.status.success() && !said.contains("WARNING"), said)
}
