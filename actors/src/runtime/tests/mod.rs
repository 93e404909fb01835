//! Tests of the runtime, in virtual time. One file for each promise's family.

mod chaos;
mod clock;
mod escalation;
mod pool;
mod probe;
mod restart;
mod stop;
mod watchdog;
