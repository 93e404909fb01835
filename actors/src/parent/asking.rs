//! Asking one of the parent's servers, and believing it only as far as the policy says.
//! In: a server, a zone, the anchors to which its answers have to verify. Out: [`Heard`].
//! What is to be believed is `dnssec::parent`'s to say; signatures are verified by the library that
//! verifies those of slots. Limits: those of both.

use crate::io::config_files;
use crate::io::dns_query::{self, Asked};
use dnssec::parent::{
    ANCHOR_TEXT_MAX, Bogus, Heard, Judge, ParentalAgents, Response, ShownDs, TrustAnchor,
    anchored_parent, proven_ds, proven_keys, read_anchors, read_response,
};
use dnssec::{Name, RrType, Timestamp};
use futures_util::future::BoxFuture;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// To what a round's answers have to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// To nothing: the policy names no anchors.
    Unvalidated,
    /// To one of these.
    Anchors(Arc<[TrustAnchor]>),
    /// To anchors that cannot be read, with the reason: nothing is believed.
    Unreadable(String),
}

/// A question to one server.
#[derive(Clone, Debug)]
pub struct Question {
    /// The server.
    pub server: SocketAddr,
    /// The zone whose DS is asked for.
    pub zone: Name,
    /// What its answer has to verify to.
    pub trust: Trust,
    /// The time, by which signatures are valid or not.
    pub now: Timestamp,
}

/// How a server is asked.
pub type Ask = Arc<dyn Fn(Question) -> BoxFuture<'static, Heard> + Send + Sync>;

/// Asks by the network.
pub(super) fn network() -> Ask {
    Arc::new(|question| Box::pin(heard(question)))
}

async fn heard(question: Question) -> Heard {
    if let Trust::Unreadable(why) = &question.trust {
        return Heard::Silent(why.clone());
    }
    let Question { server, zone, .. } = &question;
    let response = match dns_query::ask(*server, Asked::Authority, zone, RrType::DS).await {
        Ok(response) => response,
        Err(error) => return Heard::Silent(error.to_string()),
    };
    let shown = match read_response(zone, &response) {
        Ok(shown) => shown,
        Err(unusable) => return Heard::Unusable(unusable),
    };
    let Trust::Anchors(anchors) = &question.trust else { return Heard::Shown(shown) };
    let parent = match anchored_parent(anchors, zone) {
        Ok(parent) => parent,
        Err(bogus) => return Heard::Bogus(bogus),
    };
    match dns_query::ask(*server, Asked::Authority, &parent, RrType::DNSKEY).await {
        Ok(keys) => match believed(&question, (anchors, &parent), &keys, (shown, &response)) {
            Ok(shown) => Heard::Shown(shown),
            Err(bogus) => Heard::Bogus(bogus),
        },
        Err(error) => Heard::Silent(error.to_string()),
    }
}

/// What both answers together prove.
fn believed(
    question: &Question,
    (anchors, parent): (&[TrustAnchor], &Name),
    keys: &Response,
    (shown, response): (ShownDs, &Response),
) -> Result<ShownDs, Bogus> {
    let mut judge = Judge::new(question.now, &hsm::verify);
    let keys = proven_keys(anchors, parent, keys, &mut judge)?;
    proven_ds(&question.zone, shown, response, &keys, &mut judge)
}

/// The anchors of a policy as they are now: its file is read each time, since validators keep
/// theirs up to date (RFC 5011).
pub(super) async fn trust(agents: &ParentalAgents) -> Trust {
    if !agents.validates() {
        return Trust::Unvalidated;
    }
    let mut anchors = agents.anchors.clone();
    if let Some(file) = &agents.anchor_file {
        let path = PathBuf::from(file);
        match tokio::task::spawn_blocking(move || read_file(&path)).await {
            Ok(Ok(more)) => anchors.extend(more),
            Ok(Err(why)) => return Trust::Unreadable(why),
            Err(error) => return Trust::Unreadable(format!("trust anchors: {error}")),
        }
    }
    Trust::Anchors(anchors.into())
}

fn read_file(path: &Path) -> Result<Vec<TrustAnchor>, String> {
    let bytes = config_files::read(path, ANCHOR_TEXT_MAX);
    let bytes = bytes.map_err(|error| format!("trust anchors: {error}"))?;
    let wrong = |error| format!("trust anchors: {}, {error}", path.display());
    read_anchors(&bytes).map_err(wrong)
}
