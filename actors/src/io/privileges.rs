//! Gives up the rights of root: the program becomes the user and group of `<Privileges>`; and the
//! terminal that it was started at. In: names. Out: nothing, or why not. Before threads, files and
//! tokens: what is made belongs to that user, and slot hosts are his too.

use crate::settings::RunAs;
use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, dup2_stderr, dup2_stdin, dup2_stdout, getegid, geteuid, initgroups,
    setgid, setuid,
};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

/// Why the program did not become somebody else. It must not go on.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegesError {
    /// No such user.
    #[error(
        "<Privileges>: there is no user {0} on this machine; make one (useradd --system {0}), or \
         correct <User> in conf.xml"
    )]
    UserUnknown(String),
    /// No such group.
    #[error(
        "<Privileges>: there is no group {0} on this machine; make one (groupadd --system {0}), \
         or correct <Group> in conf.xml"
    )]
    GroupUnknown(String),
    /// Started by somebody who may not.
    #[error(
        "<Privileges>: only root can become user {user} and group {group}: start it as root, or as \
         that user"
    )]
    NotRoot {
        /// The user, or his number.
        user: String,
        /// The group, or its number.
        group: String,
    },
    /// The system said no.
    #[error("<Privileges>: cannot {what}: {cause}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// The system's words.
        #[source]
        cause: Errno,
    },
}

/// The name of a user. May take long, where users are in a directory far away.
pub fn user_name(id: u32) -> Option<String> {
    // One that cannot be asked for is as good as none.
    User::from_uid(Uid::from_raw(id)).ok().flatten().map(|user| user.name)
}

/// The terminal, or the pipes, of whoever started this process.
#[derive(Debug)]
pub struct Terminal {
    /// What was standard output.
    pub stdout: File,
    /// What was standard error.
    pub stderr: File,
}

/// Points standard input, output and error to /dev/null for this process and those that it starts,
/// so that whoever waits for the end of what they write is done when [`Terminal`] is dropped.
///
/// # Errors
/// There is no /dev/null, or there are no file descriptors left.
pub fn leave_terminal() -> io::Result<Terminal> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?.into();
    let stderr = io::stderr().as_fd().try_clone_to_owned()?.into();
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(Terminal { stdout, stderr })
}

/// Becomes that user, with his groups, and that group. Nothing named: nothing is done.
pub fn run_as(wanted: &RunAs) -> Result<(), PrivilegesError> {
    let user = wanted.user.as_deref().map(user).transpose()?;
    let group = wanted.group.as_deref().map(group).transpose()?;
    let gid = group.map(|group| group.gid).or(user.as_ref().map(|user| user.gid));
    let (uid, gid) = (user.as_ref().map_or(geteuid(), |user| user.uid), gid.unwrap_or(getegid()));
    if uid == geteuid() && gid == getegid() {
        return Ok(());
    }
    if !geteuid().is_root() {
        let name =
            |named: &Option<String>, number: u32| named.clone().unwrap_or(number.to_string());
        return Err(PrivilegesError::NotRoot {
            user: name(&wanted.user, uid.as_raw()),
            group: name(&wanted.group, gid.as_raw()),
        });
    }
    become_them(user.as_ref(), uid, gid)
}

fn become_them(user: Option<&User>, uid: Uid, gid: Gid) -> Result<(), PrivilegesError> {
    let failed = |what| move |cause| PrivilegesError::System { what, cause };
    if let Some(user) = user {
        // A name out of the user database has no zero bytes.
        let name = CString::new(user.name.as_str())
            .map_err(|_| PrivilegesError::UserUnknown(user.name.clone()))?;
        initgroups(&name, gid).map_err(failed("take the user's groups"))?;
    }
    setgid(gid).map_err(failed("take the group"))?;
    setuid(uid).map_err(failed("take the user"))?;
    // Whoever could come back would not have given anything up.
    match uid.is_root() || setuid(Uid::from_raw(0)).is_err() {
        true => Ok(()),
        false => Err(PrivilegesError::System { what: "give up root", cause: Errno::EPERM }),
    }
}

fn user(name: &str) -> Result<User, PrivilegesError> {
    let found = User::from_name(name);
    let found = found.map_err(|cause| PrivilegesError::System { what: "read users", cause })?;
    found.ok_or_else(|| PrivilegesError::UserUnknown(name.to_owned()))
}

fn group(name: &str) -> Result<Group, PrivilegesError> {
    let found = Group::from_name(name);
    let found = found.map_err(|cause| PrivilegesError::System { what: "read groups", cause })?;
    found.ok_or_else(|| PrivilegesError::GroupUnknown(name.to_owned()))
}
