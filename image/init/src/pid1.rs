//! PID 1: brings the box up, starts services and starts them again, reaps, answers requests, pets
//! the watchdog, and ends everything in order. In: signals, the power button, requests. Out: a
//! running box; it ends only by switching off or starting again. A panic starts it again, too.

use crate::boot;
use crate::clock::{self, Trust};
use crate::command_line::{self, Options, Switch};
use crate::control::{self, Asker};
use crate::data::{self, DataError};
use crate::kernel_log::{error, notice};
use crate::network;
use crate::request::{Request, SIGNER, SIGNER_GROUP};
use crate::service::{LogPipe, SPECS, Service};
use crate::settings::{self, Settings};
use crate::setup;
use crate::status;
use crate::supervision::{Role, Stage, stop_order};
use crate::watchdog::{self, Watchdog};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2, sync};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

/// Name of a box that nobody has named.
const DEFAULT_NAME: &str = "anchorite";
/// What is left after the order to end is killed, and gets this long to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Size of the kernel's `struct input_event`, and where in it type, code and value stand.
const EVENT_OCTETS: usize = 24;
/// EV_KEY and KEY_POWER of <linux/input-event-codes.h>.
const KEY_EVENT: u16 = 1;
const POWER_KEY: u16 = 116;

/// The box, as PID 1 knows it.
pub(crate) struct Pid1 {
    pub(crate) stage: Stage,
    pub(crate) settings: Option<Settings>,
    pub(crate) trust: Trust,
    /// Why there are no data, for the console.
    pub(crate) trouble: Option<String>,
    pub(crate) services: Vec<Service>,
    /// Steps of the start, with the time since the kernel began.
    pub(crate) marks: Vec<(&'static str, Duration)>,
    options: Options,
    log: Option<LogPipe>,
    watchdog: Watchdog,
    clock_saved: Instant,
}

/// Everything that PID 1 waits for.
struct Events {
    signals: SignalFd,
    requests: Option<UnixListener>,
    keys: Vec<File>,
}

/// Runs as PID 1.
pub(crate) fn run() -> ! {
    std::panic::set_hook(Box::new(|panic| {
        error(&format!("panic of PID 1, starting again: {panic}"));
        sync();
        // The kernel panics when PID 1 ends, and starts again after `panic=` seconds.
        let _ = reboot(RebootMode::RB_AUTOBOOT);
    }));
    let mut appliance = Pid1::bring_up();
    let mut events = match Events::open() {
        Ok(events) => events,
        Err(cause) => {
            error(&format!("no signals: {cause}; starting again"));
            appliance.stop(RebootMode::RB_AUTOBOOT)
        }
    };
    loop {
        appliance.start_services();
        appliance.watchdog.pet();
        appliance.save_clock();
        if let Some(mode) = events.wait(appliance.next_due()) {
            appliance.stop(mode);
        }
        appliance.reap();
        let asker = events.requests.as_ref().and_then(control::next);
        if let Some(mode) = asker.and_then(|asker| appliance.serve(asker)) {
            appliance.stop(mode);
        }
    }
}

impl Pid1 {
    fn bring_up() -> Pid1 {
        let start = clock::since_boot();
        boot::mount_basics();
        let text = fs::read_to_string("/proc/cmdline").unwrap_or_default();
        let (options, unknown) = command_line::parse(&text);
        for word in unknown {
            error(&format!("{word} on the kernel's command line means nothing"));
        }
        let mut appliance = Pid1 {
            stage: Stage::NoData,
            settings: None,
            trust: Trust::Plausible,
            trouble: None,
            services: Vec::new(),
            marks: vec![("init begins", start)],
            options,
            log: pipe2(OFlag::O_CLOEXEC).ok().map(|(read, write)| LogPipe { read, write }),
            watchdog: Watchdog::none(),
            clock_saved: Instant::now(),
        };
        boot::load_modules();
        appliance.mark("modules loaded");
        boot::mount_firmware();
        boot::set_limits();
        boot::make_folder("/run/opendnssec", 0o750, SIGNER, SIGNER_GROUP);
        boot::set_hostname(DEFAULT_NAME);
        if let Err(cause) = network::loopback() {
            error(&format!("lo: {cause}"));
        }
        if appliance.options.watchdog == Switch::On {
            appliance.watchdog = Watchdog::arm();
        }
        let opened = data::open(&mut appliance.watchdog);
        appliance.data_opened(opened);
        appliance.mark("data");
        boot::lock_root();
        let specs = SPECS.iter().filter(|spec| spec.has_its_terminal());
        appliance.services = specs.map(|spec| Service::new(*spec)).collect();
        appliance
    }

    fn mark(&mut self, step: &'static str) {
        self.marks.push((step, clock::since_boot()));
    }

    /// Goes on with the data partition, or without.
    fn data_opened(&mut self, opened: Result<(), DataError>) {
        self.trouble = opened.as_ref().err().map(DataError::to_string);
        if let Some(trouble) = &self.trouble {
            error(trouble);
            self.trust = clock::lift();
            return;
        }
        self.trust = clock::lift();
        setup::make_folders();
        self.stage = Stage::New;
        match setup::saved() {
            Ok(Some(settings)) => self.is_set_up(settings),
            Ok(None) if self.options.setup_disk == Switch::On => match setup::from_disk() {
                Some(Ok(settings)) => self.is_set_up(settings),
                Some(Err(fault)) => error(&format!("not set up: {fault}")),
                None => {}
            },
            Ok(None) => {}
            Err(fault) => error(&format!("the settings are lost, set up again: {fault}")),
        }
    }

    fn is_set_up(&mut self, settings: Settings) {
        boot::set_hostname(&settings.hostname);
        setup::write_keys(&settings);
        self.settings = Some(settings);
        self.stage = Stage::Ready;
    }

    /// The name of the box.
    pub(crate) fn name(&self) -> &str {
        self.settings.as_ref().map_or(DEFAULT_NAME, |settings| &settings.hostname)
    }

    /// Whether services of that role are to run now.
    fn wants(&self, role: Role) -> bool {
        let has_keys = self.settings.as_ref().is_some_and(|s| !s.ssh_keys.is_empty());
        // Nobody could come in without a key, so nobody has to be asked.
        role.is_wanted(self.stage) && (role != Role::Remote || has_keys)
    }

    fn start_services(&mut self) {
        let wanted = Role::ALL.map(|role| (role, self.wants(role)));
        for service in &mut self.services {
            if wanted.contains(&(service.spec.role, true)) {
                service.start_if_due(self.log.as_ref());
            }
        }
        if !self.marks.iter().any(|(step, _)| *step == "services started") {
            self.mark("services started");
        }
    }

    /// How long nothing has to be done.
    fn next_due(&self) -> Duration {
        let wanted = self.services.iter().filter(|service| self.wants(service.spec.role));
        let due = wanted.filter_map(Service::due).min();
        let until = due.map(|due| due.saturating_duration_since(Instant::now()));
        until.unwrap_or(watchdog::PERIOD).min(watchdog::PERIOD)
    }

    fn save_clock(&mut self) {
        if self.stage != Stage::NoData && self.clock_saved.elapsed() >= clock::SAVE_PERIOD {
            self.clock_saved = Instant::now();
            clock::save();
        }
    }

    /// Collects every process that has ended, ours and orphans.
    fn reap(&mut self) {
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            let Some(process) = status.pid() else { return };
            if !matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) {
                continue;
            }
            let mut services = self.services.iter_mut();
            if let Some(service) = services.find(|service| service.process() == Some(process)) {
                service.has_ended(status);
            }
        }
    }

    /// Answers a request. Gives how to end, if that was it.
    fn serve(&mut self, asker: Asker) -> Option<RebootMode> {
        let request = match &asker.request {
            Ok(request) => request.clone(),
            Err(fault) => {
                let fault = fault.to_string();
                asker.answer(Err(fault));
                return None;
            }
        };
        let mode = match request {
            Request::PowerOff => Some(RebootMode::RB_POWER_OFF),
            Request::Reboot => Some(RebootMode::RB_AUTOBOOT),
            _ => None,
        };
        asker.answer(self.carry_out(&request));
        mode
    }

    fn carry_out(&mut self, request: &Request) -> Result<String, String> {
        match request {
            Request::State => Ok(status::state(self)),
            Request::Status => Ok(status::describe(self)),
            Request::PowerOff => Ok("switching off\n".to_owned()),
            Request::Reboot => Ok("starting again\n".to_owned()),
            Request::SetUp(_) if self.settings.as_ref().is_some_and(Settings::lets_in) => {
                // A wizard may stand at one console while the box is set up at the other.
                Err("the box has been set up meanwhile: log in, and `setup` asks again".to_owned())
            }
            Request::SetUp(text) | Request::SetUpAgain(text) => self.set_up(text),
            Request::Kill(name) => self.kill(name),
            Request::RepairData | Request::EraseData if self.stage != Stage::NoData => {
                Err("the data partition is in use".to_owned())
            }
            Request::RepairData => {
                let opened = data::repair(&mut self.watchdog);
                self.data_reopened(opened)
            }
            Request::EraseData => {
                let opened = data::erase(&mut self.watchdog);
                self.data_reopened(opened)
            }
        }
    }

    fn kill(&mut self, name: &str) -> Result<String, String> {
        match self.services.iter().find(|service| service.spec.name == name) {
            Some(service) if service.process().is_some() => {
                service.kill();
                Ok(format!("{name} is killed\n"))
            }
            Some(_) => Err(format!("{name} does not run")),
            None => Err("there is no such service; status lists them".to_owned()),
        }
    }

    fn data_reopened(&mut self, opened: Result<(), DataError>) -> Result<String, String> {
        self.data_opened(opened);
        match &self.trouble {
            Some(trouble) => Err(trouble.clone()),
            None => Ok("the data partition is mounted\n".to_owned()),
        }
    }

    fn set_up(&mut self, text: &str) -> Result<String, String> {
        if self.stage == Stage::NoData {
            return Err("there is no data partition to keep the settings on".to_owned());
        }
        let settings =
            settings::parse_octets(text.as_bytes()).map_err(|fault| fault.to_string())?;
        setup::set_up(&settings).map_err(|fault| fault.to_string())?;
        self.is_set_up(settings);
        for service in self.services.iter_mut().filter(|s| s.spec.role == Role::Network) {
            service.restart();
        }
        notice("set up from a console");
        Ok("set up\n".to_owned())
    }

    /// Ends all services in order, then everything, and the machine.
    fn stop(&mut self, mode: RebootMode) -> ! {
        notice(&format!("stopping: {mode:?}"));
        let begun = Instant::now();
        let roles: Vec<Role> = self.services.iter().map(|service| service.spec.role).collect();
        for (role, places) in stop_order(&roles) {
            if role == Role::Logger {
                // The logger ends when it has written what the pipe still holds.
                self.log = None;
            }
            for place in &places {
                self.services[*place].stop(Signal::SIGTERM);
            }
            if !self.wait_until_ended(&places, role.stop_limit()) {
                for place in &places {
                    self.services[*place].stop(Signal::SIGKILL);
                }
                self.wait_until_ended(&places, KILL_LIMIT);
            }
        }
        // Whatever else there is: it has no part in the order. ESRCH: there is nothing.
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        let deadline = Instant::now() + KILL_LIMIT;
        while Instant::now() < deadline
            && waitpid(None, Some(WaitPidFlag::WNOHANG)) != Err(Errno::ECHILD)
        {
            std::thread::sleep(LOOK_AGAIN);
        }
        if self.stage != Stage::NoData {
            clock::save();
        }
        sync();
        if let Err(cause) = data::close() {
            error(&format!("/data: {cause}"));
        }
        self.watchdog.disarm();
        notice(&format!("stopped in {:?}", begun.elapsed()));
        let failed = reboot(mode);
        error(&format!("the kernel does not end: {failed:?}"));
        loop {
            nix::unistd::pause();
        }
    }

    fn wait_until_ended(&mut self, places: &[usize], limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            self.reap();
            if places.iter().all(|place| self.services[*place].process().is_none()) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            self.watchdog.pet();
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Events {
    fn open() -> io::Result<Events> {
        let mut wanted = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGPWR] {
            wanted.add(signal);
        }
        wanted.thread_block()?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&wanted, flags)?;
        let requests = control::listen()
            .inspect_err(|cause| error(&format!("nobody can ask PID 1 anything: {cause}")))
            .ok();
        let inputs = fs::read_dir("/dev/input").into_iter().flatten().flatten();
        let inputs = inputs.filter(|e| e.file_name().to_string_lossy().starts_with("event"));
        let keys = inputs.filter_map(|entry| File::open(entry.path()).ok()).collect();
        Ok(Events { signals, requests, keys })
    }

    /// Waits until something is to be done. Gives how to end, when somebody wants that.
    fn wait(&mut self, at_most: Duration) -> Option<RebootMode> {
        let requests = self.requests.iter().map(|listener| listener.as_fd());
        let others = requests.chain(self.keys.iter().map(|file| file.as_fd()));
        let all = [self.signals.as_fd()].into_iter().chain(others);
        let mut waited: Vec<PollFd<'_>> =
            all.map(|source| PollFd::new(source, PollFlags::POLLIN)).collect();
        // A pause of less than a millisecond is one of one.
        let timeout = PollTimeout::try_from(at_most + Duration::from_millis(1));
        if poll(&mut waited, timeout.unwrap_or(PollTimeout::ZERO)).is_err() {
            return None;
        }
        let first_key = 1 + usize::from(self.requests.is_some());
        let pressed: Vec<bool> =
            waited[first_key..].iter().map(|w| w.any() == Some(true)).collect();
        let mut keys = self.keys.iter_mut().zip(pressed).filter(|(_, pressed)| *pressed);
        if keys.any(|(file, _)| is_power_key(file)) {
            notice("the power button was pressed");
            return Some(RebootMode::RB_POWER_OFF);
        }
        while let Ok(Some(signal)) = self.signals.read_signal() {
            match Signal::try_from(signal.ssi_signo as i32) {
                Ok(Signal::SIGPWR) => return Some(RebootMode::RB_POWER_OFF),
                Ok(Signal::SIGINT | Signal::SIGTERM) => return Some(RebootMode::RB_AUTOBOOT),
                _ => {}
            }
        }
        None
    }
}

/// Reads one event of an input device.
fn is_power_key(file: &mut File) -> bool {
    let mut event = [0; EVENT_OCTETS];
    // Behind the time stamp: type, code, value; 1 is a key that goes down.
    matches!(file.read(&mut event), Ok(EVENT_OCTETS))
        && event[16..18] == KEY_EVENT.to_ne_bytes()
        && event[18..20] == POWER_KEY.to_ne_bytes()
        && event[20..24] == 1_i32.to_ne_bytes()
}
