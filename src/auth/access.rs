//! How much somebody may do in one document.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a principal may do in a document. Each level has everything of those below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Access {
    /// Nothing: there is no such document for them.
    #[default]
    None,
    /// Read it, be seen in it, and listen to its chat.
    Read,
    /// Talk about it.
    Comment,
    /// Change it.
    Write,
    /// Delete it and bring it back.
    Own,
}

impl Access {
    /// Whether updates of such a session may be applied.
    pub fn may_write(self) -> bool {
        self >= Self::Write
    }

    /// Whether such a session may talk about the document.
    pub fn may_comment(self) -> bool {
        self >= Self::Comment
    }

    /// In a sentence: "may … this document".
    pub fn verb(self) -> &'static str {
        match self {
            Self::None => "not see",
            Self::Read => "read",
            Self::Comment => "comment on",
            Self::Write => "change",
            Self::Own => "delete",
        }
    }
}

impl TryFrom<String> for Access {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Access {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "read" => Ok(Self::Read),
            "comment" => Ok(Self::Comment),
            "write" => Ok(Self::Write),
            "own" => Ok(Self::Own),
            _ => Err(format!("must be read, comment, write or own, not {text:?}")),
        }
    }
}
