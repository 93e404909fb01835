//! What PID 1 can be asked, on its socket: a small closed set of verbs. In: text (the verb on the
//! first line, then a body) and who asks. Out: a request, or why not. The answer begins with `ok`
//! or `error: ` on its first line.

/// Longest request.
pub(crate) const OCTETS_MAX: usize = crate::settings::OCTETS_MAX + 64;
/// Where PID 1 listens.
pub(crate) const SOCKET: &str = "/run/init/control";

/// User ids of the image (its /etc/passwd).
pub(crate) const ROOT: u32 = 0;
/// The daemon.
pub(crate) const SIGNER: u32 = 900;
/// The group that may open the sockets of the daemon and of PID 1.
pub(crate) const SIGNER_GROUP: u32 = 900;
/// Who writes the logs.
pub(crate) const LOGGER: u32 = 901;
/// Who answers SSH clients.
pub(crate) const SSH_HOST: u32 = 902;
/// Who is at a console.
pub(crate) const OPERATOR: u32 = 1000;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// How far the box is, in one word, with its name or the reason.
    State,
    /// What runs, for a person.
    Status,
    /// Ends everything in order and switches off.
    PowerOff,
    /// The same, and starts again.
    Reboot,
    /// Settings, as text, of somebody who was not asked who he is: for a box without users.
    SetUp(String),
    /// Settings, as text, of an administrator who has logged in.
    SetUpAgain(String),
    /// Kills a service, by its name; it starts again.
    Kill(String),
    /// Checks the file system of the data partition and mends what it can.
    RepairData,
    /// Makes the data partition anew. Everything is lost.
    EraseData,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("there is no request {0:?}")]
    Unknown(String),
    #[error("user {user} may not do this")]
    NotAllowed { user: u32 },
    #[error("the request is not text in UTF-8")]
    NotText,
}

impl Request {
    /// Reads a request of `user`.
    pub(crate) fn parse(octets: &[u8], user: u32) -> Result<Request, RequestError> {
        let text = std::str::from_utf8(octets).map_err(|_| RequestError::NotText)?;
        let (verb, body) = text.split_once('\n').unwrap_or((text, ""));
        let request = match verb.trim() {
            "state" => Request::State,
            "status" => Request::Status,
            "poweroff" => Request::PowerOff,
            "reboot" => Request::Reboot,
            "setup" => Request::SetUp(body.to_owned()),
            "setup-again" => Request::SetUpAgain(body.to_owned()),
            "kill" => Request::Kill(body.trim().to_owned()),
            "repair-data" => Request::RepairData,
            "erase-data" => Request::EraseData,
            other => return Err(RequestError::Unknown(other.chars().take(32).collect())),
        };
        if request.is_open_to(user) { Ok(request) } else { Err(RequestError::NotAllowed { user }) }
    }

    /// The daemon passes on what its operators may ask it; whatever changes the box is for root and
    /// for whoever stands in front of it.
    fn is_open_to(&self, user: u32) -> bool {
        match self {
            Request::State | Request::Status | Request::PowerOff | Request::Reboot => {
                [ROOT, SIGNER, OPERATOR].contains(&user)
            }
            Request::Kill(_) => user == ROOT,
            Request::SetUpAgain(_) => user == ROOT,
            Request::SetUp(_) | Request::RepairData | Request::EraseData => {
                [ROOT, OPERATOR].contains(&user)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_and_body() {
        let parse = |text: &str| Request::parse(text.as_bytes(), OPERATOR);
        assert_eq!(parse("status\n"), Ok(Request::Status));
        assert_eq!(parse("setup\na = b\n"), Ok(Request::SetUp("a = b\n".to_owned())));
        let refused = Err(RequestError::NotAllowed { user: OPERATOR });
        assert_eq!(parse("setup-again\na = b\n"), refused);
        assert_eq!(parse("format c:"), Err(RequestError::Unknown("format c:".to_owned())));
        assert_eq!(Request::parse(&[0xff], ROOT), Err(RequestError::NotText));
    }

    #[test]
    fn the_daemon_may_switch_off_but_not_erase() {
        assert_eq!(Request::parse(b"poweroff", SIGNER), Ok(Request::PowerOff));
        let refused = Err(RequestError::NotAllowed { user: SIGNER });
        assert_eq!(Request::parse(b"erase-data", SIGNER), refused);
        assert_eq!(Request::parse(b"kill\nssh", SIGNER), refused);
        assert_eq!(Request::parse(b"kill\nssh", ROOT), Ok(Request::Kill("ssh".to_owned())));
        let refused = Err(RequestError::NotAllowed { user: LOGGER });
        assert_eq!(Request::parse(b"state", LOGGER), refused);
    }
}
