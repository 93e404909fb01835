//! `signconf`: has the enforcer look at every zone and write its signer configuration file
//! (catalogue 2.4), where that is not as it should be. In: nothing. Out: files; what could not be
//! written, on standard error.

use super::key_view::{CHANGE_DEADLINE, failed};
use super::output::Output;
use super::site::Site;
use crate::enforcer::EnforcerMessage;
use crate::runtime::Reply;
use console_protocol::parse::Invocation;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

/// `signconf`.
pub(super) fn signconf(site: Arc<Site>, _: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let enforcer = site.staff.zones.enforcer();
        let mut answers = Vec::new();
        for zone in site.staff.zones.all() {
            let (reply, answer) = Reply::channel();
            let order = EnforcerMessage::Signconf { zone: zone.settings.name.clone(), reply };
            if let Err(undelivered) = enforcer.tell(order) {
                return failed(undelivered.error);
            }
            answers.push((zone, answer));
        }
        let mut errors = String::new();
        for (zone, answer) in answers {
            let failure = match answer.within(enforcer.to(), CHANGE_DEADLINE).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            errors += &format!("zone {}: {failure}\n", zone.text());
        }
        match errors.is_empty() {
            true => Output::default(),
            false => Output::refused(errors, 1),
        }
    }
    .boxed_local()
}
