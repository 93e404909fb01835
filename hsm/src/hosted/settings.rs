//! What a hosted slot is told: the program that hosts, the token, and how long answers may take.

use crate::builtin::Unlock;
use crate::pkcs11::Pkcs11Settings;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A repository whose token lives in a process of its own.
#[derive(Clone, Debug)]
pub struct HostedSettings {
    /// Repository name of `conf.xml`.
    pub repository: String,
    /// How the host is started.
    pub program: HostProgram,
    /// User whose rights the host takes on, when this process is root's.
    pub user: Option<String>,
    /// What it opens.
    pub token: HostedToken,
    /// How long it may take.
    pub deadlines: Deadlines,
}

/// A token to be hosted.
#[derive(Clone, Debug)]
pub enum HostedToken {
    /// A PKCS#11 module's.
    Pkcs11 {
        /// Module, label, PIN and the rest.
        settings: Pkcs11Settings,
        /// `<Capacity>`: most private keys in the token (rule HSM-11).
        capacity: Option<u32>,
    },
    /// A built-in token.
    BuiltIn {
        /// Its folder.
        folder: PathBuf,
        /// Its label.
        label: String,
        /// What opens it.
        unlock: Unlock,
        /// Whether it may be made, with its key file, when the folder holds none.
        may_create: bool,
    },
}

/// How a host is started. It gets its socket as standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProgram {
    /// The program.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What the vendor's library wants in its environment, besides this process's own. Never a
    /// PIN.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working folder; some libraries look for their files there.
    pub working_directory: Option<PathBuf>,
    /// What a PKCS#11 module may use of the network. A built-in token never uses it.
    pub network: Network,
}

/// What a module may use of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Connections to anywhere, as the client library of a network HSM needs them.
    Allow,
    /// Nothing beyond this machine.
    Deny,
}

impl HostProgram {
    /// This very program, as `anchorite slot-host`, also when its file has been replaced by an
    /// update meanwhile.
    pub fn own() -> HostProgram {
        HostProgram {
            path: PathBuf::from("/proc/self/exe"),
            arguments: vec![OsString::from("slot-host")],
            environment: Vec::new(),
            working_directory: None,
            network: Network::Allow,
        }
    }
}

/// How long nothing may happen before a host is killed. A request that waits behind others has as
/// long again each time one of those is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For opening the token, signatures and everything else that is not named here.
    pub answer: Duration,
    /// For a new key; tokens take minutes for RSA with 4096 bits.
    pub generate: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines { answer: Duration::from_secs(60), generate: Duration::from_secs(300) }
    }
}
