//! `anchorite audit-proxy`: a signed zone in from whoever signs it, out to the secondaries if the
//! auditor approves.
//! In: arguments, an addns.xml. Out: the zone, by transfer; log lines on standard error, one for
//! each verdict, until SIGTERM. Exit code 1 when it could not start or the system gave up.
//! It is `anchorite run` with one zone of a policy with `<Passthrough/>` and without keys. That
//! configuration is written into the folder at each start, which is what makes the commands of the
//! control socket there work; nothing in it is for people to edit.

use crate::arguments::{AuditProxyArguments, RunArguments};
use crate::run;
use actors::io::folders::private_folder;
use actors::settings::zone_text;
use appliance_config::{FileFaults, read_addns};
use audit::presentation;
use dnssec::Name;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, thiserror::Error)]
enum ProxyError {
    #[error("{text} is not a zone name: {cause}")]
    Zone { text: String, cause: dnssec::name::NameError },
    #[error("--ds {typed}: expected the data of a DS record, as in \"12345 13 2 0123AB...\"")]
    Ds { typed: String },
    #[error("{}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    #[error(transparent)]
    Transfers(#[from] FileFaults),
    #[error("{} has no <RequestTransfer>: there is nobody to take the zone from", .0.display())]
    NoMaster(PathBuf),
    #[error("{} has no <ProvideTransfer>: nobody could take the zone from here", .0.display())]
    NoSecondary(PathBuf),
}

pub(crate) fn main(arguments: &AuditProxyArguments) -> ExitCode {
    let (zone, ds, config) = match prepare(arguments) {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("anchorite: {error}");
            return ExitCode::FAILURE;
        }
    };
    let arguments = RunArguments {
        config,
        verbosity: Some(arguments.log_level),
        set_time: None,
        announce: false,
        once: false,
        syslog: false,
    };
    run::main_with(&arguments, |settings| {
        if !ds.is_empty() {
            settings.expected_ds.insert(zone, ds);
        }
    })
}

/// The zone, the DS RRset of its parent, and the conf.xml to run with.
fn prepare(arguments: &AuditProxyArguments) -> Result<(Name, Vec<Vec<u8>>, PathBuf), ProxyError> {
    let text = &arguments.zone;
    let zone = Name::parse(text.as_bytes(), Some(&Name::root()))
        .map_err(|cause| ProxyError::Zone { text: text.clone(), cause })?;
    let read_ds = |typed: &String| {
        let record = presentation::read_rdata("DS", typed);
        record.map_err(|_| ProxyError::Ds { typed: typed.clone() })
    };
    let ds: Vec<Vec<u8>> = arguments.ds.iter().map(read_ds).collect::<Result<_, _>>()?;
    let transfers = check_transfers(&arguments.transfers)?;
    let folder = &arguments.state;
    let snapshots = folder.join("signer/snapshots");
    private_folder(&snapshots)
        .map_err(|cause| ProxyError::File { path: snapshots.clone(), cause })?;
    let folder = absolute(folder)?;
    let files = [
        ("kasp.xml", POLICY.to_owned()),
        ("zonelist.xml", zone_list(&zone_text(&zone), &transfers, &folder)),
        ("conf.xml", configuration(&folder, &interfaces(arguments)?)),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|cause| ProxyError::File { path, cause })?;
    }
    Ok((zone, ds, folder.join("conf.xml")))
}

/// Says now what would only be logged later: a proxy without a zone is none.
fn check_transfers(path: &Path) -> Result<PathBuf, ProxyError> {
    let file = |cause| ProxyError::File { path: path.to_owned(), cause };
    let bytes = std::fs::read(path).map_err(file)?;
    let read = read_addns(&path.to_string_lossy(), &bytes)?.value;
    if read.inbound.masters.is_empty() {
        return Err(ProxyError::NoMaster(path.to_owned()));
    }
    if read.outbound.provide_transfer.is_empty() {
        return Err(ProxyError::NoSecondary(path.to_owned()));
    }
    absolute(path)
}

/// Paths in the configuration do not depend on where the proxy was started.
fn absolute(path: &Path) -> Result<PathBuf, ProxyError> {
    std::path::absolute(path).map_err(|cause| ProxyError::File { path: path.to_owned(), cause })
}

/// Text for an element or an attribute (XML 1.0 §2.4).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The `<Interface>`s of conf.xml.
fn interfaces(arguments: &AuditProxyArguments) -> Result<String, ProxyError> {
    let file = |path: &Option<PathBuf>| -> Result<String, ProxyError> {
        // Each is there where there is a --listen-tls.
        let path = absolute(path.as_deref().unwrap_or(Path::new("")))?;
        Ok(escaped(&path.to_string_lossy()))
    };
    let mut interfaces = String::new();
    let mut add = |address: &SocketAddr, tls: &str| {
        let (address, port) = (address.ip(), address.port());
        // Writing to a String cannot fail.
        let _ = write!(
            interfaces,
            "<Interface><Address>{address}</Address><Port>{port}</Port>{tls}</Interface>"
        );
    };
    arguments.listen.iter().for_each(|address| add(address, ""));
    if !arguments.listen_tls.is_empty() {
        let (certificate, key) = (file(&arguments.certificate)?, file(&arguments.key)?);
        let tls = format!(
            "<TLS><CertificateFile>{certificate}</CertificateFile><KeyFile>{key}</KeyFile></TLS>"
        );
        arguments.listen_tls.iter().for_each(|address| add(address, &tls));
    }
    Ok(interfaces)
}

fn configuration(folder: &Path, interfaces: &str) -> String {
    let folder = escaped(&folder.to_string_lossy());
    format!(
        "<Configuration>\n<RepositoryList/>\n<Common>\
         <PolicyFile>{folder}/kasp.xml</PolicyFile>\
         <ZoneListFile>{folder}/zonelist.xml</ZoneListFile></Common>\n\
         <Enforcer><Datastore><SQLite>{folder}/kasp.db</SQLite></Datastore>\
         <PidFile>{folder}/proxy.pid</PidFile>\
         <SocketFile>{folder}/proxy.sock</SocketFile>\
         <WorkingDirectory>{folder}/signer</WorkingDirectory></Enforcer>\n\
         <Signer><WorkingDirectory>{folder}/signer</WorkingDirectory>\n\
         <Listener>{interfaces}</Listener></Signer>\n</Configuration>\n"
    )
}

fn zone_list(zone: &str, transfers: &Path, folder: &Path) -> String {
    let (zone, transfers) = (escaped(zone), escaped(&transfers.to_string_lossy()));
    let folder = escaped(&folder.to_string_lossy());
    format!(
        "<ZoneList>\n<Zone name=\"{zone}\"><Policy>audit-proxy</Policy>\
         <SignerConfiguration>{folder}/signer/signconf.xml</SignerConfiguration><Adapters>\
         <Input><Adapter type=\"DNS\">{transfers}</Adapter></Input>\
         <Output><Adapter type=\"DNS\">{transfers}</Adapter></Output></Adapters></Zone>\n\
         </ZoneList>\n"
    )
}

/// No keys, the serial of whoever signs. What is about signatures counts for nobody, but for
/// Resign: so often a refused version and the daily audit are thought of. PropagationDelay is how
/// long a secondary may be behind; caches may take an older version from it until then.
const POLICY: &str = "<KASP>\n<Policy name=\"audit-proxy\">\n<Passthrough/>\n\
    <Description>A zone that somebody else signs</Description>\n\
    <Signatures><Resign>PT1H</Resign><Refresh>P3D</Refresh>\
    <Validity><Default>P14D</Default><Denial>P14D</Denial></Validity>\
    <Jitter>PT0S</Jitter><InceptionOffset>PT1H</InceptionOffset></Signatures>\n\
    <Denial><NSEC/></Denial>\n\
    <Keys><TTL>PT1H</TTL><RetireSafety>PT1H</RetireSafety>\
    <PublishSafety>PT1H</PublishSafety></Keys>\n\
    <Zone><PropagationDelay>PT10M</PropagationDelay>\
    <SOA><TTL>PT1H</TTL><Minimum>PT1H</Minimum><Serial>keep</Serial></SOA></Zone>\n\
    <Parent><PropagationDelay>PT1H</PropagationDelay><DS><TTL>P1D</TTL></DS>\
    <SOA><TTL>P1D</TTL><Minimum>PT1H</Minimum></SOA></Parent>\n</Policy>\n</KASP>\n";
