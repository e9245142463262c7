//! Who somebody is, and what they may do.
//!
//! A [`Policy`] answers both questions at once: it is shown what a client presents for one document, and says
//! what that client may do there. The server's own is [`Everybody`], which is why an open server listens on
//! loopback only; a program that embeds Weft brings another. [`Access`] is checked where a document changes,
//! so that no route and no dialect can forget it.

use std::{collections::HashMap, fmt, future::ready};

use futures_util::future::BoxFuture;

use crate::ids::DocumentName;

/// What a session may do with the document it has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Read the document and be seen in it.
    Read,
    /// Read and change it.
    Write,
}

impl Access {
    /// Whether updates of such a session may be applied.
    pub fn may_write(self) -> bool {
        self >= Self::Write
    }
}

/// Somebody who wants to open a document.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which.
    pub document: DocumentName,
    /// What they present. `None`, and never an empty string, for those who present nothing.
    pub token: Option<String>,
}

/// They may not open it. What they are told is for a person to read, and names nothing they do not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied(pub String);

impl Denied {
    /// In the words of stock Hocuspocus servers, which some applications compare.
    pub fn permission() -> Self {
        Self("permission-denied".to_owned())
    }
}

/// Decides who may do what.
///
/// Asked once for each document that a connection opens, and again when a client renews its token there. It may
/// take its time (the client's messages wait, within bounds), but must answer in the end: a connection that is
/// let in nowhere is closed after a while. The latest answer holds until the session ends.
pub trait Policy: fmt::Debug + Send + Sync {
    /// What may be done, or why nothing may.
    fn admit(&self, request: Request) -> BoxFuture<'_, Result<Access, Denied>>;
}

/// Everybody who can reach the server may read and write everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everybody;

impl Policy for Everybody {
    fn admit(&self, _: Request) -> BoxFuture<'_, Result<Access, Denied>> {
        Box::pin(ready(Ok(Access::Write)))
    }
}

/// A fixed list of tokens, each with what it allows in every document: for tests and examples.
#[derive(Clone, Debug, Default)]
pub struct StaticTokens {
    /// What somebody without a token may do.
    pub anonymous: Option<Access>,
    /// What each token allows.
    pub tokens: HashMap<String, Access>,
}

impl Policy for StaticTokens {
    fn admit(&self, request: Request) -> BoxFuture<'_, Result<Access, Denied>> {
        let access = match &request.token {
            None => self.anonymous,
            Some(token) => self.tokens.get(token).copied(),
        };
        Box::pin(ready(access.ok_or_else(Denied::permission)))
    }
}
