//! Front ends of the daemon: shell, SSH, `ods-*` commands, Nagios plugin, all from one table of
//! commands. They speak the control protocol and nothing else.
//! Not yet: everything; the commands come with the enforcer, the shell with the appliance image.
#![forbid(unsafe_code)]
