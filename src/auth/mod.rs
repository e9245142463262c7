//! Who somebody is, and what they may do.
//!
//! A [`Policy`] answers both questions: of what somebody presents it makes a [`Principal`], and of a principal and a
//! document an [`Access`]. The server's own are [`Everybody`], which is why an open server listens on loopback only, and
//! [`tokens::Tokens`], for whom another program answers by a signed token; a program that embeds Weft brings another.
//! Access is checked where a document changes, so that no route and no dialect can forget it.

pub mod access;
pub mod identity;
pub mod keys;
pub mod tokens;

use std::{collections::HashMap, fmt, future::ready};

use futures_util::future::BoxFuture;

pub use self::{
    access::Access,
    identity::{Identity, Person, Principal, Scope, Via},
};
use crate::ids::{DocumentName, Timestamp};

/// What somebody presents is not good, or they present nothing and have to. In words for a person to read, which name
/// nothing that they do not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unauthorized(pub String);

/// Decides who may do what.
///
/// Asked once for each request and for each document that a connection opens, and again when a client renews its token
/// there. It may take its time (the client's messages wait, within bounds), but must answer in the end: a connection
/// that is let in nowhere is closed after a while. The latest answer holds until the session ends, or the principal's
/// time is over.
pub trait Policy: fmt::Debug + Send + Sync {
    /// Who presents this. `None`, and never an empty string, for those who present nothing.
    fn principal(
        &self,
        presented: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Principal, Unauthorized>>;

    /// What they may do in a document. To whom it is [`Access::None`], that document does not exist.
    fn access(&self, principal: &Principal, document: &DocumentName) -> BoxFuture<'_, Access>;

    /// Whether they may see what the server says of itself: its figures.
    fn may_operate(&self, principal: &Principal) -> bool;
}

/// Somebody who was let into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Who.
    pub principal: Principal,
    /// And what they may do there.
    pub access: Access,
}

/// Why somebody was not let into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Nobody knows who they are.
    Unauthorized(Unauthorized),
    /// For them there is no such document.
    Forbidden,
}

impl dyn Policy {
    /// Lets somebody into a document, if they may read it at least.
    pub async fn admit(
        &self,
        presented: Option<String>,
        document: &DocumentName,
        now: Timestamp,
    ) -> Result<Admitted, NotAdmitted> {
        let principal = self.principal(presented, now).await.map_err(NotAdmitted::Unauthorized)?;
        match self.access(&principal, document).await {
            Access::None => Err(NotAdmitted::Forbidden),
            access => Ok(Admitted { principal, access }),
        }
    }
}

/// Everybody who can reach the server owns everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everybody;

impl Policy for Everybody {
    fn principal(&self, _: Option<String>, _: Timestamp) -> BoxFuture<'_, Result<Principal, Unauthorized>> {
        Box::pin(ready(Ok(Principal::anonymous())))
    }

    fn access(&self, _: &Principal, _: &DocumentName) -> BoxFuture<'_, Access> {
        Box::pin(ready(Access::Own))
    }

    fn may_operate(&self, _: &Principal) -> bool {
        true
    }
}

/// A fixed list of tokens, each with what it allows in every document: for tests and examples.
#[derive(Clone, Debug, Default)]
pub struct StaticTokens {
    /// What somebody without a token may do.
    pub anonymous: Access,
    /// What each token allows.
    pub tokens: HashMap<String, Access>,
}

impl Policy for StaticTokens {
    fn principal(
        &self,
        presented: Option<String>,
        _: Timestamp,
    ) -> BoxFuture<'_, Result<Principal, Unauthorized>> {
        let access = match &presented {
            None => Some(self.anonymous),
            Some(token) => self.tokens.get(token).copied(),
        };
        let principal = access.filter(|access| *access != Access::None).map(|access| Principal {
            via: Via::Token(Scope::new(["*".to_owned()], access).into()),
            ..Principal::anonymous()
        });
        Box::pin(ready(principal.ok_or_else(|| Unauthorized("permission-denied".to_owned()))))
    }

    fn access(&self, principal: &Principal, document: &DocumentName) -> BoxFuture<'_, Access> {
        Box::pin(ready(principal.via.access(document)))
    }

    fn may_operate(&self, principal: &Principal) -> bool {
        principal.via.may_operate()
    }
}

impl Via {
    /// What this alone allows in a document.
    pub fn access(&self, document: &DocumentName) -> Access {
        match self {
            Self::Nothing => Access::None,
            Self::Token(scope) => scope.access(document),
        }
    }

    /// Whether this alone stands for whoever runs the server.
    pub fn may_operate(&self) -> bool {
        matches!(self, Self::Token(scope) if scope.is_everything())
    }
}
