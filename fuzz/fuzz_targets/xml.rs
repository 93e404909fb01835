//! The three configuration files from any bytes: a value or faults, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = appliance_config::read_conf("conf.xml", data);
    let _ = appliance_config::read_kasp("kasp.xml", data);
    let _ = appliance_config::read_zonelist("zonelist.xml", data);
});
