//! One catalog zone that is made here, of the zones that are transferred from here. RFC 9432 §4.
//! In: the list of zones. Out: versions of the catalog zone for the transfer server, which tells
//! secondaries and answers only those that its addns.xml lists.
//! A zone's unique label stays as long as the zone is in the catalog, over restarts too; one that
//! went and came again has another (§5.4). The group of a zone is its policy. The serial is the
//! time, and always rises. The catalog is not signed: it is for name servers only.
//! Zones that go out as files are not listed: nobody could transfer them from here.

use super::board::ProducerView;
use super::kept::{self, KeepError, Produced};
use super::settings::ProducerSettings;
use crate::console::site::Site;
use crate::runtime::{JobError, SubmitError};
use crate::settings::zone_text;
use appliance_config::Adapter;
use dnssec::transfer::catalog::{ListFault, Listed, version_of};
use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::difference;
use dnssec::{Name, Serial, Timestamp};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A produced catalog.
pub(super) struct Producer {
    pub(super) settings: Arc<ProducerSettings>,
    /// What is served; `None`: nothing yet.
    served: Option<(Produced, Arc<ZoneVersion>)>,
    said: Option<String>,
}

/// Why there is no new version.
#[derive(Debug, thiserror::Error)]
enum ProduceError {
    #[error(transparent)]
    List(#[from] Box<ListFault>),
    #[error(transparent)]
    Keep(#[from] KeepError),
    #[error(transparent)]
    Busy(#[from] SubmitError),
    #[error(transparent)]
    Crashed(#[from] JobError),
}

/// A version, and the one before it.
struct Made {
    produced: Produced,
    version: Arc<ZoneVersion>,
    before: Option<Arc<ZoneVersion>>,
}

impl Producer {
    pub(super) fn new(settings: Arc<ProducerSettings>) -> Producer {
        Producer { settings, served: None, said: None }
    }

    /// Serves a new version if the list of zones has another content.
    pub(super) async fn produce(&mut self, site: &Arc<Site>) {
        let name = self.settings.entry.name.clone();
        let zones = self.zones(site);
        if let Some((produced, _)) = &self.served
            && is_same(produced, &zones)
        {
            return;
        }
        let board = site.staff.zones.catalogs();
        match self.made(site, zones).await {
            Ok(Made { produced, version, before }) => {
                let publications = site.staff.zones.publications();
                if let Some(before) = before {
                    publications.publish(&before, None);
                    if let Some(serial) = before.serial() {
                        let difference = difference(&before, &version);
                        publications.publish(&version, Some((serial, &difference)));
                    }
                }
                // Where there was nothing before; otherwise it is served already.
                publications.publish(&version, None);
                tracing::info!(target: "catalog", "catalog {} serial {}: {} zones listed",
                    zone_text(&name), produced.serial, produced.zones.len());
                board.show_produced(&name, view(&produced));
                (self.served, self.said) = (Some((produced, version)), None);
            }
            Err(error) => {
                let fault = Some(error.to_string());
                if self.said != fault {
                    tracing::error!(target: "catalog",
                        "catalog {} stays as it was: {error}", zone_text(&name));
                }
                let shown = board.producer(&name).unwrap_or_default();
                board.show_produced(&name, ProducerView { fault: fault.clone(), ..shown });
                self.said = fault;
            }
        }
    }

    /// The zones that are to be listed, with their policies.
    fn zones(&self, site: &Site) -> BTreeMap<Name, String> {
        let (catalogue, policies) = (site.catalogue(), &self.settings.entry.policies);
        let is_meant = |policy: &String| policies.is_empty() || policies.contains(policy);
        let listed = catalogue.zones.iter().filter(|zone| {
            matches!(zone.output, Adapter::Dns(_))
                && is_meant(&zone.policy)
                && zone.name != self.settings.entry.name
        });
        listed.map(|zone| (zone.name.to_lowercase(), zone.policy.clone())).collect()
    }

    async fn made(&self, site: &Site, zones: BTreeMap<Name, String>) -> Result<Made, ProduceError> {
        let folder = site.staff.zones.snapshot_folder().to_owned();
        let (name, now) = (self.settings.entry.name.clone(), site.staff.clock.now());
        let served = self.served.clone();
        let job = move || make(folder, name, now, zones, served);
        site.staff.pool.run(job)?.await?
    }
}

fn is_same(produced: &Produced, zones: &BTreeMap<Name, String>) -> bool {
    let is_one = |(listed, (name, policy)): (&Listed, (&Name, &String))| {
        listed.zone == *name && listed.groups.as_slice() == [policy.as_bytes()]
    };
    produced.zones.len() == zones.len() && produced.zones.iter().zip(zones).all(is_one)
}

/// The next version, kept on the disk. Blocks.
fn make(
    folder: PathBuf,
    catalog: Name,
    now: Timestamp,
    zones: BTreeMap<Name, String>,
    served: Option<(Produced, Arc<ZoneVersion>)>,
) -> Result<Made, ProduceError> {
    let known = match served {
        Some(served) => Some(served),
        None => match kept::read_produced(&folder, &catalog) {
            Some(produced) => {
                let version =
                    version_of(&catalog, produced.serial, &produced.zones).map_err(Box::new)?;
                Some((produced, Arc::new(version)))
            }
            None => None,
        },
    };
    if let Some((produced, version)) = &known
        && is_same(produced, &zones)
    {
        let (produced, version) = (produced.clone(), version.clone());
        return Ok(Made { produced, version, before: None });
    }
    let produced = next(known.as_ref().map(|(produced, _)| produced), now, zones);
    let version =
        Arc::new(version_of(&catalog, produced.serial, &produced.zones).map_err(Box::new)?);
    kept::write_produced(&folder, &catalog, &produced)?;
    Ok(Made { produced, version, before: known.map(|(_, version)| version) })
}

/// What the catalog has next: zones that stay keep their era.
fn next(known: Option<&Produced>, now: Timestamp, zones: BTreeMap<Name, String>) -> Produced {
    let old: BTreeMap<&Name, u64> = known
        .map(|known| known.zones.iter().map(|listed| (&listed.zone, listed.era)).collect())
        .unwrap_or_default();
    // Serials are 32 bits; what is above them is cut off (RFC 1982).
    let time = Serial(now.0 as u32);
    let serial = match known.map(|known| known.serial) {
        Some(last) if !time.is_after(last) => last.plus(1),
        _ => time,
    };
    // Another one than any before, even where a zone comes again in the same second.
    let era = u64::from(serial.0);
    let zones = zones
        .into_iter()
        .map(|(zone, policy)| {
            let era = old.get(&zone).copied().unwrap_or(era);
            Listed { zone, era, groups: vec![policy.into_bytes()] }
        })
        .collect();
    Produced { serial, zones }
}

fn view(produced: &Produced) -> ProducerView {
    let members = produced.zones.iter().map(|listed| {
        let group = listed.groups.first().map(Vec::as_slice).unwrap_or_default();
        let group = String::from_utf8_lossy(group).into_owned();
        (listed.zone.clone(), (group, Timestamp(listed.era)))
    });
    ProducerView { serial: Some(produced.serial), fault: None, members: members.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(list: &[(&str, &str)]) -> BTreeMap<Name, String> {
        let name = |text: &str| Name::parse(text.as_bytes(), Some(&Name::root())).unwrap();
        list.iter().map(|(zone, policy)| (name(zone), (*policy).to_owned())).collect()
    }

    #[test]
    fn serials_rise_and_labels_stay_as_long_as_their_zones() {
        let first = next(None, Timestamp(100), zones(&[("a", "p"), ("b", "p")]));
        assert_eq!(first.serial, Serial(100));
        assert!(is_same(&first, &zones(&[("a", "p"), ("b", "p")])));
        assert!(!is_same(&first, &zones(&[("a", "p"), ("b", "q")])));
        // In the same second, b goes and comes again, with another policy for a.
        let without = next(Some(&first), Timestamp(100), zones(&[("a", "q")]));
        let again = next(Some(&without), Timestamp(100), zones(&[("a", "q"), ("b", "p")]));
        assert_eq!((without.serial, again.serial), (Serial(101), Serial(102)));
        assert_eq!(again.zones[0].era, first.zones[0].era);
        assert_ne!(again.zones[1].era, first.zones[1].era);
        // The clock may stand back, and the serial may be at its end.
        let late = Produced { serial: Serial(u32::MAX), ..again };
        assert_eq!(next(Some(&late), Timestamp(5), zones(&[])).serial, Serial(5));
        let ahead = Produced { serial: Serial(200), zones: Vec::new() };
        assert_eq!(next(Some(&ahead), Timestamp(150), zones(&[])).serial, Serial(201));
    }
}
