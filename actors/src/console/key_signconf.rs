//! `signconf`: writes the signer configuration file of every zone (catalogue 2.4) where
//! zonelist.xml says, for those who read such files; nothing here reads them.
//! In: a snapshot of the keys, policies, salts. Out: files, each replaced as a whole.

use super::key_view::{KeyView, ZoneView, failed, policy_of};
use super::output::Output;
use super::site::Site;
use crate::io::signer_files;
use appliance_config::{SignconfKey, write_signconf};
use console_protocol::parse::Invocation;
use dnssec::enforcer::KeyLife;
use dnssec::key::REVOKE;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::path::PathBuf;
use std::sync::Arc;

/// `signconf`.
pub(super) fn signconf(site: Arc<Site>, _: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let files = match files(&site).await {
            Ok(files) => files,
            Err(error) => return failed(error),
        };
        let write = move || {
            let write = |(path, text): &(PathBuf, String)| signer_files::write(path, text).err();
            files.iter().filter_map(write).map(|error| format!("{error}\n")).collect::<String>()
        };
        let written = match site.staff.pool.run(write) {
            Ok(job) => job.await,
            Err(error) => return failed(error),
        };
        match written {
            Ok(errors) if errors.is_empty() => Output::default(),
            Ok(errors) => Output::refused(errors, 1),
            Err(error) => failed(error),
        }
    }
    .boxed_local()
}

/// Where each zone's file is, and what is in it.
async fn files(site: &Site) -> Result<Vec<(PathBuf, String)>, crate::store::StoreError> {
    let view = KeyView::look(site).await?;
    let catalogue = site.catalogue();
    let mut files = Vec::new();
    for entry in &catalogue.zones {
        let zone = view.zones.iter().find(|zone| zone.name == entry.name);
        let (Some(zone), Some(policy)) = (zone, policy_of(site, &entry.name)) else { continue };
        let state = site.staff.zones.store().policy(&policy.name).await?;
        let salt = state.map(|state| state.salt).unwrap_or_default();
        let path = catalogue.signer.working_directory.join(&entry.signer_configuration);
        files.push((path, write_signconf(&zone.text(), &policy, &salt, &keys(zone))));
    }
    Ok(files)
}

/// The keys that are in use in any way.
fn keys(zone: &ZoneView) -> Vec<SignconfKey> {
    let used = |key: &&KeyLife| key.is_published() || key.signs_keyset() || key.signs_zone();
    let written = |key: &KeyLife| SignconfKey {
        flags: key.role.flags() | if key.revoked.is_some() { REVOKE } else { 0 },
        algorithm: key.algorithm,
        id: key.id.clone(),
        signs_keyset: key.signs_keyset(),
        signs_zone: key.signs_zone(),
        is_published: key.is_published(),
    };
    zone.life.keys.iter().filter(used).map(written).collect()
}
