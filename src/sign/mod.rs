//! `anchorite sign`: one zone file in, one signed zone file out, by the same actors as the daemon.
//! In: arguments. Out: the signed file, and what was done on standard output. Exit code 1 when
//! nothing was published.

mod progress;
mod settings;
mod summary;

use crate::arguments::SignArguments;
use actors::runtime::{Clock, System};
use actors::system::{self, Running};
use actors::zone::{Phase, ZoneStatus};
use settings::Job;
use std::process::ExitCode;

pub(crate) fn main(arguments: SignArguments) -> ExitCode {
    actors::logging::start(settings::verbosity(&arguments));
    let job = match settings::job(&arguments) {
        Ok(job) => job,
        Err(error) => return fail(&error.to_string()),
    };
    let clock = Clock::system();
    let store = match system::open_store(&job.settings, &clock) {
        Ok(store) => store,
        Err(error) => return fail(&error.to_string()),
    };
    let system = System::new();
    let ended = system.block_on(async {
        let own_clock = clock.clone();
        let running = system::start(&job.settings, store, clock, |failure| {
            eprintln!("anchorite: internal failure: {failure}");
        });
        match running {
            Ok(running) => {
                let status = first_run(&running, own_clock).await;
                running.stop().await;
                Ok(status)
            }
            Err(error) => Err(error.to_string()),
        }
    });
    match ended {
        Ok(status) => tell(&job, &status),
        Err(error) => fail(&error),
    }
}

/// Waits for the end of the zone's first run, and shows how far it is.
async fn first_run(running: &Running, clock: Clock) -> ZoneStatus {
    let Some(zone) = running.staff.zones.all().into_iter().next() else {
        return ZoneStatus::default();
    };
    let mut status = zone.status.clone();
    // An error would mean that the zone's actor is gone; its last status says why.
    let end = async move {
        let ended = status.wait_for(|status| status.run_count > 0).await;
        ended.map(|status| status.clone())
    };
    let ended = tokio::select! {
        ended = end => ended,
        () = progress::show(zone.progress.clone(), clock) => return ZoneStatus::default(),
    };
    ended.unwrap_or_else(|_| zone.status.borrow().clone())
}

fn tell(job: &Job, status: &ZoneStatus) -> ExitCode {
    match (&status.phase, &status.failure) {
        (Phase::Idle, None) => {
            print!("{}", summary::text(job, status));
            ExitCode::SUCCESS
        }
        (_, Some(failure)) => fail(failure),
        (_, None) => fail("the zone was not signed"),
    }
}

fn fail(text: &str) -> ExitCode {
    eprintln!("anchorite: {text}");
    ExitCode::FAILURE
}
