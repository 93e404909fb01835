//! The only sockets, files and foreign programs of the running system (storage and slots have
//! their own). In: paths and commands. Out: bytes and typed errors.
//! Never: decisions about zones or keys.

pub mod checker;
pub mod command;
pub mod config_files;
pub mod control_socket;
pub mod dns_query;
pub mod dns_server;
pub mod environment;
pub mod exchange;
pub mod folders;
pub(crate) mod init_control;
pub mod leftovers;
pub mod local_time;
pub mod notify;
pub mod pid_files;
pub mod privileges;
pub mod signals;
pub mod signed_files;
pub mod signer_files;
pub mod soa_query;
pub mod syslog;
pub mod tls;
pub mod transfer_client;
pub mod zone_files;
