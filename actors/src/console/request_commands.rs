//! `request reboot|poweroff|support-bundle`. In: what is asked of the box. Out: PID 1's answer; a
//! bundle for those who help. The box itself belongs to `init`: outside the image nothing here can
//! switch a machine off, and says so.

use super::dispatch::{Handler, Handlers};
use super::listing::{Cell, array};
use super::output::Output;
use super::site::Site;
use super::support_bundle;
use crate::io::init_control::{SOCKET, ask};
use console_protocol::parse::Invocation;
use futures_util::FutureExt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

pub(super) const HANDLERS: Handlers = &[
    ("request reboot", Handler::Later(|_, words| switch(words, "reboot").boxed_local())),
    ("request poweroff", Handler::Later(|_, words| switch(words, "poweroff").boxed_local())),
    ("request support-bundle", Handler::Later(|site, words| bundle(site, words).boxed_local())),
];

async fn switch(invocation: Invocation, verb: &'static str) -> Output {
    if !invocation.has("yes") && !invocation.is_confirmed {
        return Output::ask("", &format!("{verb}: really? [y/N] "));
    }
    order(Path::new(SOCKET), verb).await
}

async fn order(socket: &Path, verb: &str) -> Output {
    match ask(socket, verb).await {
        Ok(answer) => match answer.strip_prefix("ok") {
            Some(rest) => Output::done(format!("{verb}: under way\n{}", rest.trim_start())),
            None => Output::refused(format!("{verb}: {answer}"), 1),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Output::refused(
            format!(
                "{verb}: this is not the appliance image, and the daemon does not switch other \
                 people's machines off.\nOn this machine: systemctl {verb}\n"
            ),
            1,
        ),
        Err(error) => Output::refused(format!("{verb}: init does not answer: {error}\n"), 1),
    }
}

async fn bundle(site: Arc<Site>, invocation: Invocation) -> Output {
    match support_bundle::make(&site).await {
        Ok(bundle) if invocation.has("tar") => Output::done(bundle.tar()),
        Ok(bundle) if invocation.has("json") => {
            let rows = bundle
                .sizes()
                .map(|(name, octets)| vec![Cell::text(name), Cell::Number(octets as u64)]);
            array(&["file", "octets"], rows)
        }
        Ok(bundle) => Output::done(bundle.contents()),
        Err(error) => Output::refused(format!("no support bundle: {error}\n"), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    #[tokio::test]
    async fn outside_the_image_it_is_refused_and_inside_init_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control");
        let refused = order(&socket, "reboot").await;
        assert_eq!(refused.exit_code, 1);
        assert!(refused.stderr.ends_with("On this machine: systemctl reboot\n"), "{refused:?}");
        let listener = UnixListener::bind(&socket).unwrap();
        let init = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut asked = String::new();
            stream.read_to_string(&mut asked).unwrap();
            stream.write_all(b"ok\n").unwrap();
            asked
        });
        assert_eq!(order(&socket, "poweroff").await, Output::done("poweroff: under way\n"));
        assert_eq!(init.join().unwrap(), "poweroff\n");
    }
}
