//! A daemon with the made zone, which comes from a master or a file and goes out by transfer; what
//! its processes use. In: a policy's extra elements. Out: a running daemon.

use crate::secondary::Secondary;
use crate::zone::ZONE;
use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::judges::repository_file;
use anchorite_tests::peers::free_address;
use std::net::SocketAddr;

/// Where the zone comes from.
pub(crate) enum Source<'a> {
    /// A master.
    Master(SocketAddr),
    /// A file with this text.
    File(&'a str),
}

/// A running daemon.
pub(crate) struct Subject {
    pub(crate) daemon: Daemon,
    pub(crate) address: SocketAddr,
    pub(crate) installation: Installation,
}

impl Subject {
    /// Starts one that tells `secondary`. `zone_options`: elements of the policy's `<Zone>`.
    pub(crate) fn start(source: &Source<'_>, secondary: &Secondary, zone_options: &str) -> Subject {
        let installation = Installation::new("default");
        let policy = std::fs::read_to_string(repository_file("examples/tld-optout/kasp.xml"));
        let policy = policy.expect("the example is in the repository");
        let policy = policy.replace(">SoftHSM<", ">built-in<");
        let end_of_zone = "</SOA>\n\t\t</Zone>";
        assert!(policy.contains(end_of_zone), "{policy}");
        let with_options = format!("</SOA>{zone_options}</Zone>");
        installation.write("kasp.xml", &policy.replace(end_of_zone, &with_options));
        let address = free_address();
        let listener = format!(
            "<Listener><Interface><Address>{}</Address><Port>{}</Port></Interface></Listener>\
             </Signer>",
            address.ip(),
            address.port()
        );
        installation.edit("conf.xml", "</Signer>", &listener);
        let remote = |at: SocketAddr| {
            format!("<Remote><Address>{}</Address><Port>{}</Port></Remote>", at.ip(), at.port())
        };
        let all = "<Peer><Prefix>127.0.0.1</Prefix></Peer>";
        let inbound = match source {
            Source::Master(master) => format!(
                "<Inbound><RequestTransfer>{}</RequestTransfer><AllowNotify>{all}</AllowNotify>\
                 </Inbound>",
                remote(*master)
            ),
            Source::File(_) => String::new(),
        };
        let addns = format!(
            "<?xml version=\"1.0\"?>\n<Adapter><DNS>{inbound}<Outbound><ProvideTransfer>{all}\
             </ProvideTransfer><Notify>{}</Notify></Outbound></DNS></Adapter>\n",
            remote(secondary.address())
        );
        installation.write("addns.xml", &addns);
        installation.write_zonelist(&[(ZONE, "tld")]);
        let own = format!("<Adapter type=\"DNS\">{}", installation.path("addns.xml").display());
        let adapter =
            |path: std::path::PathBuf| format!("<Adapter type=\"File\">{}", path.display());
        installation.edit("zonelist.xml", &adapter(installation.signed(ZONE)), &own);
        match source {
            Source::Master(_) => {
                installation.edit("zonelist.xml", &adapter(installation.unsigned(ZONE)), &own);
            }
            Source::File(text) => installation.write_zone(ZONE, text),
        }
        let verbosity = std::env::var("VERBOSITY").unwrap_or_else(|_| "3".to_owned());
        let daemon = Daemon::spawn(installation.command_that_says(&verbosity));
        Subject { daemon, address, installation }
    }

    /// What its processes have of a kind of memory, in MB: the daemon, the audit host, the hosts of
    /// tokens.
    pub(crate) fn megabytes(&self, kind: &str) -> [f64; 3] {
        let of = |pid: nix::unistd::Pid| megabytes(pid.as_raw(), kind);
        [
            of(self.daemon.pid()),
            self.daemon.audit_host().map_or(0.0, of),
            self.daemon.slot_hosts().into_iter().map(of).sum(),
        ]
    }

    /// Processor seconds of all processes so far.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let hosts = self.daemon.slot_hosts().into_iter().chain(self.daemon.audit_host());
        hosts.chain([self.daemon.pid()]).map(|pid| processor_seconds(pid.as_raw())).sum()
    }
}

/// Memory of a process by a name of proc(5), in MB.
pub(crate) fn megabytes(process: i32, kind: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(':'));
    let kilobytes: Option<f64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0.0) * 1024.0 / 1e6
}

fn processor_seconds(process: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which is in parentheses: utime and stime are the twelfth and thirteenth.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let words = after.split_whitespace().skip(11).take(2);
    // Ticks of Linux are a hundredth of a second.
    words.filter_map(|word| word.parse::<f64>().ok()).sum::<f64>() / 100.0
}
