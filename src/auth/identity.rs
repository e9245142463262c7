//! Who somebody is.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use super::access::Access;
use crate::ids::{DocumentName, Moment, Timestamp};

/// Who is at the other end of a request or a session, settled once at the door. Nothing of it comes from what a client says
/// about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who.
    pub identity: Identity,
    /// What the others call them. Without one, they are called what they say.
    pub name: Option<Arc<str>>,
    /// Their colour, as CSS writes one.
    pub color: Option<Arc<str>>,
    /// How that is known.
    pub via: Via,
    /// Until when that holds; without one, until the session ends.
    pub until: Option<Timestamp>,
}

impl Principal {
    /// Somebody of whom nothing is known.
    pub fn anonymous() -> Self {
        Self { identity: Identity::Anonymous, name: None, color: None, via: Via::Nothing, until: None }
    }

    /// What the others are shown of them, if they have a name.
    pub fn person(&self) -> Option<Person> {
        Some(Person { name: self.name.clone()?, color: self.color.clone() })
    }

    /// When their time is over.
    pub fn ends(&self, now: Moment) -> Option<Instant> {
        let until = self.until?;
        now.instant.checked_add(Duration::from_millis(until.0.saturating_sub(now.wall.0)))
    }
}

/// What the others are shown of somebody, whatever they say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What they are called.
    pub name: Arc<str>,
    /// Their colour, if it is known.
    pub color: Option<Arc<str>>,
}

/// Who somebody is, for good.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Nobody knows.
    Anonymous,
    /// A user of another program, or that program itself, which answers for them with its key.
    Program {
        /// Which program, if it says so.
        issuer: Option<Arc<str>>,
        /// Whom it means.
        subject: Arc<str>,
    },
}

/// How a principal came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// With nothing in their hands.
    Nothing,
    /// With a token, which says what it is for.
    Token(Arc<Scope>),
}

/// What a token is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// All documents.
    all: bool,
    exact: HashSet<String>,
    /// What the names begin with, the slash at its end included.
    prefixes: Vec<String>,
    access: Access,
}

impl Scope {
    /// Exact names, prefixes that end in `/*`, and `*` for every document.
    pub fn new(documents: impl IntoIterator<Item = String>, access: Access) -> Self {
        let mut scope = Self { access, ..Self::default() };
        for named in documents {
            match named.strip_suffix('*') {
                Some("") => scope.all = true,
                Some(prefix) if prefix.ends_with('/') => scope.prefixes.push(prefix.to_owned()),
                _ => drop(scope.exact.insert(named)),
            }
        }
        scope
    }

    /// What it allows in a document.
    pub fn access(&self, document: &DocumentName) -> Access {
        let name = document.as_str();
        let covers = self.all
            || self.exact.contains(name)
            || self
                .prefixes
                .iter()
                .any(|prefix| name.len() > prefix.len() && name.starts_with(prefix.as_str()));
        if covers { self.access } else { Access::None }
    }

    /// Whether it stands for whoever runs the server: everything, everywhere.
    pub fn is_everything(&self) -> bool {
        self.all && self.access == Access::Own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_names_documents_and_what_they_begin_with() {
        let access = |documents: &[&str], name: &str| {
            let scope = Scope::new(documents.iter().map(|&named| named.to_owned()), Access::Write);
            scope.access(&DocumentName::parse(name).unwrap()) == Access::Write
        };
        for (documents, name, expected) in [
            (&["plan"][..], "plan", true),
            (&["plan"], "plan2", false),
            (&["plan"], "Plan", false),
            (&["team/*"], "team/plan", true),
            (&["team/*"], "team/a/b", true),
            (&["team/*"], "team", false),
            (&["team/*"], "team/", false),
            (&["team/*"], "teams/plan", false),
            (&["team*"], "team/plan", false),
            (&["team*"], "team*", true),
            (&["/*"], "/plan", true),
            (&["/*"], "plan", false),
            (&["*"], "plan", true),
            (&["a", "*"], "plan", true),
            (&[""], "plan", false),
            (&[], "plan", false),
        ] {
            assert_eq!(access(documents, name), expected, "{documents:?} {name}");
        }
    }

    #[test]
    fn everything_is_every_document_to_its_owner() {
        let all = || ["*".to_owned()];
        assert!(Scope::new(all(), Access::Own).is_everything());
        assert!(!Scope::new(all(), Access::Write).is_everything());
        assert!(!Scope::new(["a/*".to_owned()], Access::Own).is_everything());
    }
}
