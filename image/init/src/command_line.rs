//! The kernel's command line, as far as it concerns `init`: words `anchorite.NAME=VALUE`.
//! In: the text of /proc/cmdline. Out: options. A word of ours that is not known, or a value that
//! cannot be, is named and left out: a typing error must not keep the box from starting.

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// `anchorite.watchdog=off` leaves it alone, for whoever looks into a hanging system.
    pub(crate) watchdog: Switch,
    /// `anchorite.setup-disk=off`: set-up disks are not looked at.
    pub(crate) setup_disk: Switch,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
}

/// Prefix of our words.
const PREFIX: &str = "anchorite.";

/// Reads the options, and the words that mean nothing.
pub(crate) fn parse(text: &str) -> (Options, Vec<String>) {
    let mut options = Options { watchdog: Switch::On, setup_disk: Switch::On };
    let mut unknown = Vec::new();
    for word in text.split_whitespace() {
        let Some(own) = word.strip_prefix(PREFIX) else { continue };
        let target = match own.split_once('=').map_or(own, |(name, _)| name) {
            "watchdog" => &mut options.watchdog,
            "setup-disk" => &mut options.setup_disk,
            _ => {
                unknown.push(word.to_owned());
                continue;
            }
        };
        match own.split_once('=').map(|(_, value)| value) {
            Some("on") => *target = Switch::On,
            Some("off") => *target = Switch::Off,
            _ => unknown.push(word.to_owned()),
        }
    }
    (options, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_words_count_and_the_last_one_wins() {
        let text = "console=ttyS0 anchorite.watchdog=off watchdog=on anchorite.setup-disk=off \
                    anchorite.setup-disk=on\n";
        let expected = Options { watchdog: Switch::Off, setup_disk: Switch::On };
        assert_eq!(parse(text), (expected, Vec::new()));
    }

    #[test]
    fn what_means_nothing_is_named() {
        let (options, unknown) =
            parse("anchorite.watchdog=maybe anchorite.speed=9 anchorite.setup-disk");
        assert_eq!(options, Options { watchdog: Switch::On, setup_disk: Switch::On });
        assert_eq!(
            unknown,
            ["anchorite.watchdog=maybe", "anchorite.speed=9", "anchorite.setup-disk"]
        );
    }
}
