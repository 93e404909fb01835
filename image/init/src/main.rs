//! PID 1 of the appliance image: mounts, network, watchdog, starts and restarts the rest.
//! Not yet: everything but its refusal to run outside the image.
//! `unsafe` will be allowed here for what PID 1 has to ask of the kernel.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("init: this is PID 1 of the appliance image, which does not exist yet");
    ExitCode::FAILURE
}
