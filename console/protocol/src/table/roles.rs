//! Who may give which command. In: roles, a command's role. Out: yes or no.
//!
//! Roles are no ladder but duties apart: whoever steers the box need not be who has the keys, and
//! an auditor reads everything and changes nothing. A person may have several of them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A role of a person; of a command: who may give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sees whether all is well, but nothing of zones and keys. A command of this role is for
    /// everybody.
    Monitor,
    /// Reads everything. A command of this role is for everybody but monitors.
    Auditor,
    /// Does the daily work: zones, signing, changes of DS records.
    Operator,
    /// Steers the box and the daemon; does the daily work, too.
    Admin,
    /// Has the keys: imports, destroys and backs them up.
    Officer,
}

/// All of them.
const ALL: [Role; 5] = [Role::Monitor, Role::Auditor, Role::Operator, Role::Admin, Role::Officer];

impl Role {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Role::Monitor => "monitor",
            Role::Auditor => "auditor",
            Role::Operator => "operator",
            Role::Admin => "admin",
            Role::Officer => "officer",
        }
    }

    /// What somebody of this role may give: commands of these roles.
    fn gives(self) -> &'static [Role] {
        match self {
            Role::Monitor => &[Role::Monitor],
            Role::Auditor => &[Role::Monitor, Role::Auditor],
            Role::Operator => &[Role::Monitor, Role::Auditor, Role::Operator],
            Role::Admin => &[Role::Monitor, Role::Auditor, Role::Operator, Role::Admin],
            Role::Officer => &[Role::Monitor, Role::Auditor, Role::Officer],
        }
    }

    /// Which roles may give a command of this role, as a sentence has it.
    pub fn givers(self) -> String {
        let may = ALL.into_iter().filter(|role| role.gives().contains(&self));
        may.map(Role::word).collect::<Vec<_>>().join(" or ")
    }

    fn bit(self) -> u8 {
        1 << ALL.iter().position(|role| *role == self).unwrap_or_default()
    }
}

/// Words that are no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role; there are monitor, auditor, operator, admin and officer")]
pub struct UnknownRole(pub String);

/// The roles of a person. In text: `admin,officer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles(u8);

impl Roles {
    /// Of root and of the daemon's own user: everything.
    pub const OWNER: [Role; 2] = [Role::Admin, Role::Officer];
    /// Of the members of the socket's group, who in OpenDNSSEC may do everything.
    pub const GROUP: [Role; 2] = [Role::Operator, Role::Officer];

    /// These roles.
    pub fn of(roles: &[Role]) -> Roles {
        Roles(roles.iter().fold(0, |set, role| set | role.bit()))
    }

    /// Whether somebody with these roles may give a command of that role.
    pub fn may(self, needed: Role) -> bool {
        self.each().any(|role| role.gives().contains(&needed))
    }

    /// The roles, one by one.
    pub fn each(self) -> impl Iterator<Item = Role> {
        ALL.into_iter().filter(move |role| self.0 & role.bit() != 0)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.each().map(Role::word).collect();
        f.write_str(if words.is_empty() { "nobody" } else { "" })?;
        f.write_str(&words.join(","))
    }
}

impl FromStr for Roles {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Roles, UnknownRole> {
        let one = |word: &str| {
            let known = ALL.into_iter().find(|role| role.word() == word.trim());
            known.ok_or_else(|| UnknownRole(word.trim().to_owned()))
        };
        let roles: Result<Vec<Role>, UnknownRole> = text.split(',').map(one).collect();
        Ok(Roles::of(&roles?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duties_are_apart() {
        let may = |text: &str, needed| text.parse::<Roles>().unwrap().may(needed);
        assert!(may("monitor", Role::Monitor) && !may("monitor", Role::Auditor));
        assert!(may("auditor", Role::Auditor) && !may("auditor", Role::Operator));
        assert!(may("operator", Role::Operator) && !may("operator", Role::Admin));
        assert!(may("admin", Role::Operator) && !may("admin", Role::Officer));
        assert!(may("officer", Role::Officer) && !may("officer", Role::Operator));
        assert!(may("admin,officer", Role::Admin) && may("admin, officer", Role::Officer));
        assert!(ALL.into_iter().all(|role| Roles::of(&Roles::OWNER).may(role)));
        assert!(!Roles::default().may(Role::Monitor), "somebody without roles may nothing");
    }

    #[test]
    fn text_goes_both_ways() {
        assert_eq!(Roles::of(&[Role::Officer, Role::Admin]).to_string(), "admin,officer");
        assert_eq!("root".parse::<Roles>(), Err(UnknownRole("root".to_owned())));
        assert!("".parse::<Roles>().is_err());
        assert_eq!(Role::Operator.givers(), "operator or admin");
        assert_eq!(Role::Officer.givers(), "officer");
    }
}
