//! The function tables of the commands about keys and the enforcer's schedule. In: paths of the
//! one table. Out: handlers, which are in `key_*.rs`.

use super::dispatch::{Handler, Handlers};
use super::{
    key_backup, key_change, key_ds, key_export, key_import, key_list, key_past, key_schedule,
    key_show, key_signconf, look_ahead,
};

/// Those of OpenDNSSEC's enforcer.
pub(super) const ENFORCER: Handlers = &[
    ("key list", Handler::Later(key_list::key_list)),
    ("key export", Handler::Later(key_export::key_export)),
    ("key import", Handler::Later(key_import::key_import)),
    ("key ds-submit", Handler::Later(key_ds::ds_command)),
    ("key ds-seen", Handler::Later(key_ds::ds_command)),
    ("key ds-retract", Handler::Later(key_ds::ds_command)),
    ("key ds-gone", Handler::Later(key_ds::ds_command)),
    ("key generate", Handler::Later(key_change::key_generate)),
    ("key purge", Handler::Later(key_change::key_purge)),
    ("key rollover", Handler::Later(key_change::key_rollover)),
    ("rollover list", Handler::Later(key_list::rollover_list)),
    ("backup", Handler::Now(key_backup::backup)),
    ("backup list", Handler::Later(key_backup::backup_list)),
    ("backup prepare", Handler::Later(key_backup::backup_change)),
    ("backup commit", Handler::Later(key_backup::backup_change)),
    ("backup rollback", Handler::Later(key_backup::backup_change)),
    ("backup done", Handler::Later(key_backup::backup_change)),
    ("enforce", Handler::Now(key_schedule::enforce)),
    ("signconf", Handler::Later(key_signconf::signconf)),
    ("queue", Handler::Later(key_schedule::queue)),
    ("flush", Handler::Now(key_schedule::flush)),
    ("look-ahead", Handler::Later(look_ahead::look_ahead)),
    ("time leap", Handler::Later(key_schedule::time_leap)),
];

/// Ours.
pub(super) const APPLIANCE: Handlers = &[
    ("queue", Handler::Later(key_schedule::queue_all)),
    ("flush", Handler::Now(key_schedule::flush_all)),
    ("key history", Handler::Later(key_past::key_history)),
    ("key show", Handler::Later(key_show::key_show)),
    ("key trash", Handler::Later(key_past::key_trash)),
    ("key restore", Handler::Later(key_past::key_restore)),
];
