//! A machine in QEMU: started with disks, typed to over its serial line, its power button pressed
//! over QMP. In: the image's folder, in the variable ANCHORITE_IMAGE. Out: what it writes.
//! Never: sleeps; every wait is for a text or for an end, and has the deadline [`WAIT`]. A machine
//! that is dropped is switched off. When a wait fails, everything that was written is shown.
//!
//! TCG unless somebody says otherwise (ANCHORITE_QEMU_ACCEL=kvm): a /dev/kvm that opens may hang
//! all the same, and QEMU then does not fall back.

use anchorite_tests::peers::free_address;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest wait for anything. Under emulation on a busy machine a start takes up to half a minute.
pub(crate) const WAIT: Duration = Duration::from_secs(180);

/// What is started, and how.
pub(crate) enum Start {
    /// QEMU hands kernel and initramfs over itself.
    Kernel,
    /// The firmware finds the loader on the first disk.
    Firmware,
}

/// Addresses of this machine that lead to services of the box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doors {
    pub(crate) ssh: SocketAddr,
    pub(crate) dns: SocketAddr,
}

impl Doors {
    /// Free ones.
    pub(crate) fn new() -> Doors {
        Doors { ssh: free_address(), dns: free_address() }
    }

    /// The user network that has them: the box has the address 10.0.2.15, this machine 10.0.2.2.
    fn network(self) -> String {
        let (ssh, dns) = (self.ssh.port(), self.dns.port());
        format!(
            "user,id=net,hostfwd=tcp:127.0.0.1:{ssh}-:22,hostfwd=tcp:127.0.0.1:{dns}-:53,\
             hostfwd=udp:127.0.0.1:{dns}-:53"
        )
    }
}

/// A machine that runs.
pub(crate) struct Machine {
    child: Child,
    serial: UnixStream,
    written: Receiver<Vec<u8>>,
    transcript: String,
    /// Up to where of the transcript waits have come.
    seen: usize,
    control: BufReader<UnixStream>,
    started: Instant,
    doors: Option<Doors>,
}

/// A file of the image.
pub(crate) fn image(name: &str) -> PathBuf {
    let folder = std::env::var_os("ANCHORITE_IMAGE")
        .expect("these tests are run by cargo xtask boot-tests, which builds the image");
    Path::new(&folder).join(name)
}

/// Makes a sparse file.
pub(crate) fn blank_disk(path: &Path, mib: u64) {
    std::fs::File::create(path).unwrap().set_len(mib << 20).unwrap();
}

/// Makes a set-up disk with these files, given by path and text.
pub(crate) fn setup_disk(path: &Path, files: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let test = std::env::current_exe().unwrap();
    // The builder of the image has just been run, so it lies beside the tests' folder.
    let builder = test.ancestors().nth(2).unwrap().join("image-builder");
    let mut command = Command::new(builder);
    command.arg("setup-disk").arg(path);
    for (number, (to, text)) in files.iter().enumerate() {
        let from = folder.path().join(number.to_string());
        std::fs::write(&from, text).unwrap();
        command.arg(format!("{to}={}", from.display()));
    }
    assert!(command.status().unwrap().success(), "{command:?}");
}

impl Machine {
    /// Starts a machine with these disks.
    pub(crate) fn start(how: Start, disks: &[&Path]) -> Machine {
        Machine::start_at(how, disks, Some(Doors::new()))
    }

    /// Starts a machine with these disks, files or what else QEMU can open, and a network with
    /// these doors, or without a network.
    pub(crate) fn start_at(how: Start, disks: &[&Path], doors: Option<Doors>) -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let (serial, control) = (folder.path().join("serial"), folder.path().join("control"));
        let listeners = [&serial, &control].map(|path| UnixListener::bind(path).unwrap());
        let set = |name: &str, usual: &str| std::env::var(name).unwrap_or(usual.to_owned());
        let accelerator = set("ANCHORITE_QEMU_ACCEL", "tcg");
        let mib = set("ANCHORITE_QEMU_MIB", "512");
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "q35", "-cpu", "max", "-smp", "2", "-m", &mib, "-nodefaults"]);
        qemu.args(["-accel", &accelerator, "-display", "none", "-no-reboot"]);
        for (name, path) in [("serial", &serial), ("control", &control)] {
            qemu.arg("-chardev").arg(format!("socket,id={name},path={}", path.display()));
        }
        qemu.args(["-serial", "chardev:serial", "-mon", "chardev=control,mode=control"]);
        if let Some(doors) = doors {
            qemu.args(["-netdev", &doors.network()]);
            qemu.args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        }
        qemu.args(["-device", "virtio-rng-pci"]);
        match how {
            Start::Kernel => {
                qemu.arg("-kernel")
                    .arg(image("vmlinuz"))
                    .arg("-initrd")
                    .arg(image("initramfs.zst"));
                qemu.args([
                    "-append",
                    "console=ttyS0,115200 quiet loglevel=4 panic=10 oops=panic gpt",
                ]);
            }
            Start::Firmware => {
                let firmware = "/usr/share/OVMF/OVMF_CODE_4M.fd";
                qemu.arg("-drive").arg(format!("if=pflash,format=raw,readonly=on,file={firmware}"));
            }
        }
        for disk in disks {
            qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio", disk.display()));
        }
        let started = Instant::now();
        let child = qemu.stdin(Stdio::null()).spawn().expect("boot-tests installs QEMU");
        let [serial, control] = listeners.map(accepted);
        let written = reader(serial.try_clone().unwrap());
        control.set_read_timeout(Some(WAIT)).unwrap();
        let mut machine = Machine {
            child,
            serial,
            written,
            transcript: String::new(),
            seen: 0,
            control: BufReader::new(control),
            started,
            doors,
        };
        machine.control_answer(|message| message.get("QMP").is_some());
        machine.control("qmp_capabilities");
        machine
    }

    /// How long it has been switched on.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until it writes `text`. What it wrote before, since the last wait.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + WAIT;
        loop {
            if let Some(at) = self.transcript[self.seen..].find(text) {
                let before = self.transcript[self.seen..self.seen + at].to_owned();
                self.seen += at + text.len();
                return before;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(left) {
                Ok(octets) => self.transcript.push_str(&String::from_utf8_lossy(&octets)),
                Err(why) => panic!("{text:?} did not come ({why}):\n{}", self.transcript),
            }
        }
    }

    /// Waits until it has written all of them, in any order; continues after the last.
    #[track_caller]
    pub(crate) fn wait_for_all(&mut self, texts: &[&str]) {
        let begin = self.seen;
        let mut last = begin;
        for text in texts {
            self.seen = begin;
            self.wait_for(text);
            last = last.max(self.seen);
        }
        self.seen = last;
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.serial.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Logs in, and leaves the signer's shell for the commands about the box.
    #[track_caller]
    pub(crate) fn log_in(&mut self, name: &str, user: &str, passphrase: &str) {
        self.wait_for(&format!("{name} login: "));
        self.type_line(user);
        self.wait_for("Passphrase: ");
        self.type_line(passphrase);
        // The daemon may be starting yet, and the prompt says so in place of the roles.
        self.wait_for(&format!("{name} ("));
        self.wait_for("> ");
        // The shell's own line end: it reads keys, not lines.
        self.type_keys("exit\r");
        self.wait_for(&format!("{name} box> "));
    }

    /// Types keys.
    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.serial.write_all(keys.as_bytes()).unwrap();
    }

    /// Runs a command over SSH with a key. Exit code, standard output and standard error.
    pub(crate) fn ssh(&self, key: &Path, line: &str) -> (Option<i32>, String, String) {
        ssh(self.doors.expect("it has a network").ssh, key, line)
    }

    /// The same with a file as standard input.
    pub(crate) fn ssh_with(
        &self,
        key: &Path,
        line: &str,
        input: &Path,
    ) -> (Option<i32>, String, String) {
        let mut client = ssh_client(self.doors.expect("it has a network").ssh, key, line);
        output(client.stdin(std::fs::File::open(input).unwrap()))
    }

    /// The same until it works; a service may be starting again.
    #[track_caller]
    pub(crate) fn ssh_until(&self, key: &Path, line: &str, wanted: &str) -> String {
        let deadline = Instant::now() + WAIT;
        loop {
            let (code, out, err) = self.ssh(key, line);
            if code == Some(0) && out.contains(wanted) {
                return out;
            }
            assert!(Instant::now() < deadline, "{line}: {code:?} {out} {err}");
        }
    }

    /// A check of the box by Debian's `check_by_ssh`, as in examples/nagios/by-ssh.cfg. Exit code
    /// and what Nagios would show.
    pub(crate) fn check_by_ssh(&self, key: &Path, check: &str) -> (Option<i32>, String) {
        let mut plugin = Command::new("/usr/lib/nagios/plugins/check_by_ssh");
        let port = self.doors.expect("it has a network").ssh.port();
        plugin.args(["-H", "127.0.0.1", "-p", &port.to_string(), "-l", "monitor", "-i"]).arg(key);
        plugin.arg("-o").arg(known_hosts(key));
        plugin.args(["-o", "HostKeyAlias=box", "-o", "IdentitiesOnly=yes", "-q", "-t", "60", "-U"]);
        plugin.args(["-C", &format!("monitor {check}")]);
        let (code, out, _) = output(&mut plugin);
        (code, out)
    }

    /// Takes the power away, in the middle of everything.
    pub(crate) fn pull_the_plug(mut self) {
        self.child.kill().expect("QEMU runs");
        self.child.wait().expect("it is our child");
    }

    /// Types a command, and gives what it writes before the next `prompt`.
    #[track_caller]
    pub(crate) fn command(&mut self, line: &str, prompt: &str) -> String {
        self.type_line(line);
        // The terminal's echo.
        self.wait_for(line);
        self.wait_for(prompt)
    }

    /// Gives a command again and again until its answer has that text.
    #[track_caller]
    pub(crate) fn command_until(&mut self, line: &str, prompt: &str, text: &str) -> String {
        let deadline = Instant::now() + WAIT;
        loop {
            let answer = self.command(line, prompt);
            if answer.contains(text) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{text:?} did not come:\n{}", self.transcript);
        }
    }

    /// Presses the power button.
    pub(crate) fn press_power_button(&mut self) {
        self.control("system_powerdown");
    }

    /// Waits until the machine is off.
    #[track_caller]
    pub(crate) fn wait_until_off(mut self) {
        let deadline = Instant::now() + WAIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(left) {
                Ok(octets) => self.transcript.push_str(&String::from_utf8_lossy(&octets)),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(why) => panic!("the machine stays on ({why}):\n{}", self.transcript),
            }
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}:\n{}", self.transcript);
    }

    fn control(&mut self, command: &str) {
        let line = format!("{}\n", json!({ "execute": command }));
        self.control.get_mut().write_all(line.as_bytes()).unwrap();
        self.control_answer(|message| message.get("return").is_some());
    }

    /// Reads messages until one pleases; the others are events.
    fn control_answer(&mut self, pleases: fn(&Value) -> bool) {
        let mut line = String::new();
        loop {
            line.clear();
            let length = self.control.read_line(&mut line).unwrap();
            assert_ne!(length, 0, "QEMU has ended");
            if pleases(&serde_json::from_str(&line).unwrap()) {
                return;
            }
        }
    }
}

/// Runs a command over SSH at that address, as [`Machine::ssh`].
pub(crate) fn ssh(to: SocketAddr, key: &Path, line: &str) -> (Option<i32>, String, String) {
    output(&mut ssh_client(to, key, line))
}

fn ssh_client(to: SocketAddr, key: &Path, line: &str) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-i"]).arg(key);
    ssh.args(["-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=accept-new"]);
    ssh.args(["-o", "HostKeyAlias=box", "-o", "ConnectTimeout=30"]);
    ssh.arg("-o").arg(known_hosts(key));
    ssh.args(["-p", &to.port().to_string(), "127.0.0.1", line]).stdin(Stdio::null());
    ssh
}

/// One file for all keys of a folder: there is one box.
fn known_hosts(key: &Path) -> String {
    format!("UserKnownHostsFile={}", key.with_file_name("known_hosts").display())
}

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("cargo xtask setup installs it");
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

impl Drop for Machine {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for QEMU to connect.
fn accepted(listener: UnixListener) -> UnixStream {
    let (sender, receiver) = channel();
    std::thread::spawn(move || sender.send(listener.accept().unwrap().0));
    receiver.recv_timeout(WAIT).expect("QEMU starts; its words stand above")
}

/// Reads in a thread, so that waits can have a deadline.
fn reader(mut serial: UnixStream) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = serial.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
