//! A Nagios of Debian's in the foreground, with the sample objects of `examples/nagios`. In: a way
//! to the daemon. Out: the states of its services. Never: sleeps; it waits for the replacement of
//! the status file, which Nagios writes anew each second.

use anchorite_tests::judges::repository_file;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A service as Nagios sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) state: u8,
    pub(crate) output: String,
    pub(crate) performance: String,
}

/// A configuration, and perhaps a Nagios that runs on it.
pub(crate) struct Nagios {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

/// The samples' own periods are minutes; the test's unit is a second.
const MAIN: &str = "
log_file=FOLDER/nagios.log
cfg_dir=FOLDER/objects
object_cache_file=FOLDER/objects.cache
precached_object_file=FOLDER/objects.precache
resource_file=FOLDER/resource.cfg
status_file=FOLDER/status/status.dat
status_update_interval=1
nagios_user=USER
nagios_group=USER
check_external_commands=0
query_socket=FOLDER/nagios.qh
lock_file=FOLDER/nagios.pid
temp_file=FOLDER/status/nagios.tmp
temp_path=FOLDER
check_result_path=FOLDER/spool
state_retention_file=FOLDER/retention.dat
retain_state_information=0
use_syslog=0
log_rotation_method=n
interval_length=1
check_result_reaper_frequency=1
service_check_timeout=20
host_check_timeout=10
enable_notifications=0
enable_event_handlers=0
check_for_updates=0
bare_update_check=0
cached_host_check_horizon=0
cached_service_check_horizon=0
max_service_check_spread=1
max_host_check_spread=1
service_inter_check_delay_method=n
host_inter_check_delay_method=n
check_workers=2
illegal_macro_output_chars=`~$&|'\"<>
";

impl Nagios {
    /// A configuration with the samples; `way` is `by-ssh.cfg` or `local.cfg`, with these words in
    /// it replaced.
    pub(crate) fn new(way: &str, words: &[(&str, String)]) -> Nagios {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = |name: &str| folder.path().join(name);
        for name in ["objects", "spool", "status"] {
            std::fs::create_dir(path(name)).expect("the folder is empty");
        }
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
        let user = user.ok().flatten().map_or_else(|| "root".to_owned(), |user| user.name);
        let own = folder.path().display().to_string();
        let main = MAIN.replace("FOLDER", &own).replace("USER", &user);
        std::fs::write(path("nagios.cfg"), main).expect("a folder of ours");
        let plugins = "$USER1$=/usr/lib/nagios/plugins\n";
        std::fs::write(path("resource.cfg"), plugins).expect("a folder of ours");
        for name in ["anchorite.cfg", way] {
            let sample = repository_file(&format!("examples/nagios/{name}"));
            let mut text = std::fs::read_to_string(sample).expect("it is in the repository");
            for (from, to) in words {
                text = text.replace(from, to);
            }
            std::fs::write(path("objects").join(name), text).expect("a folder of ours");
        }
        Nagios { folder, child: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What `nagios4 -v` says of the configuration.
    pub(crate) fn checked(&self) -> String {
        let mut command = Command::new(program());
        let output = command.arg("-v").arg(self.path("nagios.cfg")).output();
        let output = output.expect("nagios4 is installed (cargo xtask setup)");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts it.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(program());
        command.arg(self.path("nagios.cfg")).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("nagios4 is installed (cargo xtask setup)"));
    }

    /// Waits until these services have these states at once, `within` a time of `begin`. How long
    /// it took.
    #[track_caller]
    pub(crate) fn wait(&self, wanted: &[(&str, u8)], begin: Instant, within: Duration) -> Duration {
        loop {
            let seen = wanted.iter().map(|(name, _)| self.service(name)).collect::<Vec<_>>();
            let is_so = |(seen, (_, state)): (&Option<Service>, &(&str, u8))| {
                seen.as_ref().is_some_and(|service| service.state == *state)
            };
            if seen.iter().zip(wanted).all(is_so) {
                return begin.elapsed();
            }
            let left = within.checked_sub(begin.elapsed());
            let left =
                left.unwrap_or_else(|| panic!("{wanted:?} and not {seen:?}: {}", self.log()));
            self.wait_for_news(left);
        }
    }

    /// Waits until the status file is another one, or the time is over.
    fn wait_for_news(&self, most: Duration) {
        let begin = Instant::now();
        let number = || std::fs::metadata(self.path("status/status.dat")).map(|it| it.ino()).ok();
        let before = number();
        while number() == before && begin.elapsed() < most {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// A service's state, once it was checked.
    pub(crate) fn service(&self, description: &str) -> Option<Service> {
        let text = std::fs::read_to_string(self.path("status/status.dat")).ok()?;
        let mut blocks = text.split("servicestatus {").skip(1);
        let value = |block: &str, key: &str| {
            let mut lines = block.lines().take_while(|line| line.trim() != "}");
            lines.find_map(|line| {
                line.trim().strip_prefix(key)?.strip_prefix('=').map(str::to_owned)
            })
        };
        let meant =
            |block: &&str| value(block, "service_description").as_deref() == Some(description);
        let block = blocks.find(meant)?;
        let is_checked = value(block, "has_been_checked")? == "1";
        is_checked.then_some(())?;
        let state = value(block, "current_state")?.parse().ok()?;
        let performance = value(block, "performance_data")?;
        Some(Service { state, output: value(block, "plugin_output")?, performance })
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("nagios.log")).unwrap_or_default()
    }
}

impl Drop for Nagios {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Both fail when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn program() -> &'static Path {
    Path::new("/usr/sbin/nagios4")
}
