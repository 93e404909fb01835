//! OpenDNSSEC's XML configuration files as typed values: conf.xml, kasp.xml, zonelist.xml,
//! addns.xml and zonefetch.xml in their forms from 1.1 to 2.1 with our own extensions, kaspcheck
//! over them, and zonelist.xml written back with everything else kept byte for byte.
//!
//! In: the bytes of a file and the name to call it by. Out: values, or every fault of the file
//! with line, column and what is allowed there.
//! Never: files, users or the clock; kaspcheck asks for such facts through [`Environment`].
#![forbid(unsafe_code)]

mod addns;
mod agents;
mod catalog_list;
mod conf;
mod diagnostics;
mod duration;
mod fault;
mod groups;
mod input_limits;
mod kasp;
mod kasp_export;
mod kaspcheck;
mod listener;
mod schema;
mod signconf;
mod tree;
mod tsig_keys;
mod zonefetch;
mod zonelist;
mod zonelist_edit;

pub use addns::{Addns, read_addns};
pub use catalog_list::{CatalogConsumer, CatalogList, CatalogProducer, ZONE_PLACEHOLDER};
pub use conf::{
    Checker, Conf, Datastore, Enforcer, Logging, Network, Privileges, Repository, RepositoryKind,
    Secret, Signer, TokenSecret, read_conf,
};
pub use diagnostics::{Diagnostic, FAULTS_MAX, FileFaults, Read};
pub use duration::{
    DURATION_SECONDS_MAX, DurationError, MONTH_SECONDS, YEAR_SECONDS, format_duration,
    parse_duration,
};
pub use fault::Fault;
pub use groups::RepositoryGroup;
pub use kasp::read_kasp;
pub use kasp_export::write_kasp;
pub use kaspcheck::{Environment, FileKind, Inputs, Line, Report, Severity, check};
pub use listener::{INTERFACES_MAX, Interface};
pub use signconf::{SignconfKey, write_signconf};
pub use tree::{ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX, FILE_BYTES_MAX, ZONELIST_BYTES_MAX};
pub use zonefetch::{ZoneFetch, read_zonefetch};
pub use zonelist::{Adapter, CatalogMark, ZoneEntry, ZoneList, read_zonelist};
pub use zonelist_edit::{EditError, add_zone, remove_zone, replace_zones};
