//! Hands DS records to parents and takes them back, by the commands that the operator configured
//! (catalogue 4.8), without a shell. In: what is remembered of a zone. Out: commands run, and
//! what became of them, as changes of the zone.
//! Each evaluation says again of a key that stands in `Submit` or `Retract` what is to be done,
//! whatever happened to the program in between; so a command may run twice for one key, and parents
//! have to bear it.

use super::jobs::Task;
use super::messages::{ChangeError, LifeEdit};
use super::pass::{Pass, Turn, public_key};
use crate::io::command::{self, CommandError};
use crate::runtime::{Answer, Reply};
use crate::settings::zone_text;
use dnssec::enforcer::{Action, Evaluation, KeyLife, ds_retract, ds_submit};
use dnssec::key::{KeyId, dnskey_rdata};
use dnssec::{Name, RrType};

/// Ends the line of a key where the command asked for ` --cka_id`.
const CKA_ID_FLAG: &str = "--cka_id";

/// A command that is to be run about one key.
pub(super) struct Submission {
    /// The zone.
    pub(super) zone: Name,
    /// The key.
    pub(super) id: KeyId,
    /// Whether the DS is to come (`true`) or to go.
    pub(super) comes: bool,
    /// Program and arguments; none configured: nothing to run.
    words: Vec<String>,
    /// The DNSKEY, one line.
    input: String,
}

impl Pass {
    /// What has to be told to the parent about a zone's keys. A key may stand in `Retract` and have
    /// to wait there until the parent is known to have another DS, so the core says what is due.
    pub(super) fn submissions(&self, turn: &Turn<'_>, evaluation: &Evaluation) -> Vec<Submission> {
        let key = |id: &KeyId| evaluation.life.keys.iter().find(|key| key.id == *id);
        let actions = evaluation.actions.iter();
        actions
            .filter_map(|action| match action {
                Action::SubmitDs { id } => self.submission(turn, key(id)?, true),
                Action::RetractDs { id } => self.submission(turn, key(id)?, false),
                _ => None,
            })
            .collect()
    }

    fn submission(&self, turn: &Turn<'_>, key: &KeyLife, comes: bool) -> Option<Submission> {
        let settings = &self.parts.settings;
        let command = if comes { &settings.submit_command } else { &settings.retract_command };
        let mut words: Vec<String> =
            command.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
        let shows_id = words.last().is_some_and(|word| word == CKA_ID_FLAG);
        if shows_id {
            words.pop();
        }
        let public_key = turn.record(&key.id).and_then(public_key)?;
        let rdata = dnskey_rdata(key.role.flags(), &public_key);
        let mut line = Vec::new();
        let ttl = turn.policy.keys.ttl.as_ttl();
        dnssec::zonefile::print_record(turn.zone.as_wire(), ttl, RrType::DNSKEY, &rdata, &mut line);
        let mut input = String::from_utf8_lossy(&line).trim_end().replace('\t', " ");
        if shows_id {
            input.push_str(&format!("; {{cka_id = {}}}", key.id));
        }
        input.push('\n');
        Some(Submission { zone: turn.zone.clone(), id: key.id.clone(), comes, words, input })
    }
}

impl Submission {
    /// Runs the command. Nothing configured is well done: the operator reads the log.
    pub(super) async fn run(&self) -> Result<(), CommandError> {
        match self.words.is_empty() {
            true => Ok(()),
            false => command::run_with_input(&self.words, self.input.as_bytes()).await,
        }
    }

    /// What the zone is to remember of a command that succeeded, and the answer whether it does.
    pub(super) fn done(&self) -> (Task, Answer<Result<(), ChangeError>>) {
        let (id, comes) = (self.id.clone(), self.comes);
        let edit: LifeEdit = Box::new(move |life, now| {
            let say = if comes { ds_submit } else { ds_retract };
            Ok(say(life, &id, now)?)
        });
        let cause = if comes { "DS handed to the parent" } else { "DS taken back" };
        let (reply, answer) = Reply::channel();
        (Task::Change { edit, cause: cause.into(), adopts: None, reply }, answer)
    }

    /// What to say of a command that failed.
    pub(super) fn log_failure(&self, error: &CommandError) {
        let element = match self.comes {
            true => "DelegationSignerSubmitCommand",
            false => "DelegationSignerRetractCommand",
        };
        let zone = zone_text(&self.zone);
        tracing::error!(target: "enforcer", %zone,
            "<{element}> for key {} of zone {zone}: {error}; it is run again in {} seconds",
            self.id, super::FAILURE_PAUSE);
    }
}
