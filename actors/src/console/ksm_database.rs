//! `database backup` of `ods-ksmutil` (catalogue 1.10). In: a path. Out: a copy of the state
//! store at one moment, checked. The daemon writes it, as its own user.

use super::output::Output;
use super::site::Site;
use console_protocol::parse::Invocation;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// `database backup`. Without `--output`, beside the store.
pub(super) async fn backup(site: Arc<Site>, invocation: Invocation) -> Output {
    let path = match invocation.value("output").map(PathBuf::from) {
        Some(path) if path.is_absolute() => path,
        Some(path) => {
            let text = format!("{}: an absolute path is needed\n", path.display());
            return Output::refused(text, 1);
        }
        None => {
            let mut path = OsString::from(&site.catalogue().datastore);
            path.push(".backup");
            PathBuf::from(path)
        }
    };
    let now = site.staff.clock.now();
    match site.staff.zones.store().copy_to(path.clone(), now).await {
        Ok(()) => Output::done(format!("Database copied to {}\n", path.display())),
        Err(error) => Output::refused(format!("{error}\n"), 1),
    }
}
