//! What is known of each catalog zone from the configuration: its entry in conf.xml, and what its
//! addns.xml says. In: [`Conf`]. Out: [`Catalogs`]; a catalog whose addns.xml cannot be used is
//! known with the reason, and the others work.

use crate::settings::{AdapterProblem, read_addns_file};
use appliance_config::{CatalogConsumer, CatalogProducer, Conf};
use dnssec::Name;
use dnssec::transfer::peers::{Inbound, Outbound};
use std::path::PathBuf;
use std::sync::Arc;

/// The catalogs of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogs {
    /// Those that zones come and go with.
    pub consumers: Vec<Arc<ConsumerSettings>>,
    /// Those that are made here.
    pub producers: Vec<Arc<ProducerSettings>>,
}

/// A catalog that zones come and go with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// `<Consumer>`.
    pub entry: CatalogConsumer,
    /// Its masters.
    pub inbound: Result<Arc<Inbound>, CatalogProblem>,
}

/// A catalog that is made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerSettings {
    /// `<Producer>`.
    pub entry: CatalogProducer,
    /// Who gets it.
    pub outbound: Result<Arc<Outbound>, CatalogProblem>,
}

/// Why a catalog cannot be used as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogProblem {
    /// Its addns.xml.
    #[error(transparent)]
    Adapter(#[from] AdapterProblem),
    /// Nobody has it.
    #[error("{} has no <RequestTransfer> in <Inbound>: nobody has the catalog", path.display())]
    NoMaster {
        /// The addns.xml.
        path: PathBuf,
    },
    /// Nobody gets it.
    #[error("{} has no <ProvideTransfer> in <Outbound>: nobody gets the catalog", path.display())]
    NoSecondary {
        /// The addns.xml.
        path: PathBuf,
    },
    /// Two zones of one name.
    #[error("zonelist.xml has a zone of this name: it would be two zones")]
    IsZone,
}

impl Catalogs {
    /// Reads what conf.xml names. Blocks.
    pub fn read(conf: &Conf) -> Catalogs {
        let folder = &conf.signer.working_directory;
        let consumers = conf.catalogs.consumers.iter().map(|entry| {
            let path = folder.join(&entry.adapter);
            let inbound = read_addns_file(&path).map(|addns| addns.inbound);
            let inbound = match inbound {
                Err(problem) => Err(problem.into()),
                Ok(inbound) if inbound.masters.is_empty() => Err(CatalogProblem::NoMaster { path }),
                Ok(inbound) => Ok(Arc::new(inbound)),
            };
            Arc::new(ConsumerSettings { entry: entry.clone(), inbound })
        });
        let producers = conf.catalogs.producers.iter().map(|entry| {
            let path = folder.join(&entry.adapter);
            let outbound = read_addns_file(&path).map(|addns| addns.outbound);
            let outbound = match outbound {
                Err(problem) => Err(problem.into()),
                Ok(outbound) if outbound.provide_transfer.is_empty() => {
                    Err(CatalogProblem::NoSecondary { path })
                }
                Ok(outbound) => Ok(Arc::new(outbound)),
            };
            Arc::new(ProducerSettings { entry: entry.clone(), outbound })
        });
        Catalogs { consumers: consumers.collect(), producers: producers.collect() }
    }

    /// Whether a catalog has this name.
    pub fn has(&self, name: &Name) -> bool {
        self.consumers.iter().any(|one| one.entry.name == *name)
            || self.producers.iter().any(|one| one.entry.name == *name)
    }
}
