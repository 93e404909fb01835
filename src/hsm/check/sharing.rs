//! Checks of tokens that several use: threads, logins, processes, and the operator's wrong PIN.
//! In: a [`Subject`]. Out: lines of the report. The second process is a slot host of our own.

use super::super::repositories::{self, Fault, NewToken, pkcs11_settings};
use super::report::{Outcome, Report};
use super::{SESSIONS_MAX, Subject, Trouble, check_signing};
use appliance_config::RepositoryKind;
use hsm::builtin::Unlock;
use hsm::hosted::{Deadlines, HostProgram, HostedSettings, HostedSlot, HostedToken};
use hsm::{GenerateRequest, Slot, SlotError, random_key_id};
use std::thread;

const THREADS: usize = 8;
const ROUNDS: usize = 16;

/// All of them.
pub(super) fn run(subject: &Subject, report: &mut Report) -> Result<(), Fault> {
    let meaning = "signatures get mixed up under load: allow one session only, and call the vendor";
    report.add("several sessions at once", meaning, || sessions(subject).into())?;
    let meaning = "keys do not outlast a login: a restart of the daemon would lose them";
    report.add("login anew", meaning, || login_anew(subject))?;
    let meaning = "the daemon and the tools must not use this token at the same time";
    report.add("two processes at once", meaning, || two_processes(subject))?;
    let meaning = "the token takes any PIN: whoever reaches the module can sign";
    report.add("a wrong PIN is refused", meaning, || wrong_pin(subject))?;
    Ok(())
}

/// Several threads sign with keys of their own, over and over.
fn sessions(subject: &Subject) -> Result<String, Trouble> {
    let algorithm = subject.working()?;
    let keys = [subject.make(algorithm, 2048)?, subject.make(algorithm, 2048)?];
    let slot = subject.slot.as_ref();
    let results = thread::scope(|scope| {
        let sign = |number: usize| {
            let (id, public) = &keys[number % keys.len()];
            (0..ROUNDS).try_for_each(|_| check_signing(slot, id, public))
        };
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || sign(n))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let broken = results.iter().filter(|result| result.is_err()).count();
    if broken > 0 {
        return Err(Trouble::Threads(broken));
    }
    results.into_iter().flatten().collect::<Result<(), Trouble>>()?;
    for (id, _) in &keys {
        subject.remove(id)?;
    }
    Ok(format!("{THREADS} threads signed {ROUNDS} times each, every signature is right"))
}

/// A key is found and signs after another login, which for PKCS#11 is another session.
fn login_anew(subject: &Subject) -> Outcome {
    if subject.is_built_in() {
        return Outcome::Skipped("a built-in token is open once; its keys are files".to_owned());
    }
    let again = || -> Result<String, Trouble> {
        let (id, public) = subject.make(subject.working()?, 2048)?;
        for _ in 0..3 {
            // Of this process, beside the first: the login is the token's, not the session's.
            let other = repositories::open(subject.repository, NewToken::Refused, SESSIONS_MAX);
            let other = match other {
                Ok(other) => other,
                Err(Fault::Slot { error, .. }) => return Err(error.into()),
                Err(_) => return Err(Trouble::NotFound(id)),
            };
            check_signing(other.as_ref(), &id, &public)?;
            drop(other);
            check_signing(subject.slot.as_ref(), &id, &public)?;
        }
        // A process that begins logs in for the first time.
        let host = host(subject, subject.unlock.clone())?;
        check_signing(&host, &id, &public)?;
        drop(host);
        check_signing(subject.slot.as_ref(), &id, &public)?;
        subject.remove(&id)?;
        Ok("4 more logins, the key was there each time, and the first session went on".to_owned())
    };
    again().into()
}

/// Two processes see each other's keys, made and destroyed.
fn two_processes(subject: &Subject) -> Outcome {
    if subject.is_built_in() {
        return Outcome::Skipped("a built-in token is locked by the process that uses it".into());
    }
    let both = || -> Result<String, Trouble> {
        let algorithm = subject.working()?;
        let (id, public) = subject.make(algorithm, 2048)?;
        let host = host(subject, subject.unlock.clone())?;
        if host.public_key(&id, algorithm)? != public {
            return Err(Trouble::OtherPublic(id));
        }
        let theirs = random_key_id().ok_or(Trouble::NoRandomness)?;
        subject.made.borrow_mut().insert(theirs.clone());
        let their_public = host.generate(&GenerateRequest::new(theirs.clone(), algorithm))?;
        for _ in 0..ROUNDS {
            check_signing(&host, &id, &public)?;
            check_signing(subject.slot.as_ref(), &theirs, &their_public)?;
        }
        host.delete(&theirs)?;
        if check_signing(subject.slot.as_ref(), &theirs, &their_public).is_ok() {
            return Err(Trouble::Undead(theirs));
        }
        check_signing(subject.slot.as_ref(), &id, &public)?;
        subject.remove(&id)?;
        Ok("each saw what the other made and destroyed, and both signed".to_owned())
    };
    both().into()
}

/// A wrong PIN does not open the token, and the right one still does.
fn wrong_pin(subject: &Subject) -> Outcome {
    let skipped = |why: &str| Outcome::Skipped(why.to_owned());
    if !subject.is_destructive {
        return skipped("it would cost one of the token's PIN tries; --destructive does it");
    }
    if subject.is_built_in() || !matches!(subject.unlock, Unlock::Pin(_)) {
        return skipped("a built-in token is locked by the process that uses it");
    }
    let tried = || -> Result<String, Trouble> {
        // Of a usual length: some tokens refuse others before they look.
        match host(subject, Unlock::Pin("93175264".into())) {
            Err(Trouble::Slot(SlotError::PinRejected { .. })) => {}
            Err(trouble) => return Err(trouble),
            Ok(_) => return Err(Trouble::WrongPinTaken),
        }
        host(subject, subject.unlock.clone())?.list()?;
        Ok("refused, and the right one opens the token afterwards".to_owned())
    };
    tried().into()
}

/// The token in a process of its own.
fn host(subject: &Subject, unlock: Unlock) -> Result<HostedSlot, Trouble> {
    let repository = subject.repository;
    let token = match &repository.kind {
        RepositoryKind::Module(module) => HostedToken::Pkcs11 {
            settings: pkcs11_settings(repository, module, &unlock, SESSIONS_MAX),
            capacity: None,
        },
        RepositoryKind::BuiltIn { directory } => HostedToken::BuiltIn {
            folder: directory.clone(),
            label: repository.token_label.clone(),
            unlock,
            may_create: false,
        },
    };
    let settings = HostedSettings {
        repository: repository.name.clone(),
        program: HostProgram::own(),
        user: None,
        token,
        deadlines: Deadlines::default(),
    };
    Ok(HostedSlot::open(settings)?)
}
