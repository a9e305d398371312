//! What clients say.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value as Json;

use super::refused::{Refused, invalid};
use crate::limits::ATTACHMENTS_MAX;

/// A message of a client, or the body of a request.
#[derive(Deserialize)]
pub struct Request<'a> {
    /// What it wants.
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<Cow<'a, str>>,
    /// A credential.
    #[serde(borrow, default)]
    pub token: Option<Cow<'a, str>>,
    #[serde(default)]
    message: Json,
    #[serde(borrow, default)]
    session_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    customer_id: Option<Cow<'a, str>>,
    #[serde(default)]
    attachments: Option<Vec<String>>,
    #[serde(default)]
    last_sequence: Option<u64>,
    #[serde(default)]
    sequence: Option<u64>,
    /// Whether its user types.
    #[serde(default)]
    pub typing: Option<bool>,
    /// Whether the text so far is wanted.
    #[serde(default)]
    pub snapshot: Option<bool>,
}

/// Reads a message, or a body.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &[u8]) -> Result<Request<'_>, Refused> {
    serde_json::from_slice(text).map_err(|error| invalid(format!("not a message: {error}")))
}

impl Request<'_> {
    /// The session it names. An empty name is none.
    pub fn session(&self) -> Option<&str> {
        self.session_id.as_deref().filter(|id| !id.is_empty())
    }

    /// The customer it names.
    pub fn customer(&self) -> Option<String> {
        self.customer_id.as_deref().filter(|id| !id.is_empty()).map(Into::into)
    }

    /// What it says, without the blanks around it; empty where it says nothing.
    ///
    /// # Errors
    /// That is no text.
    pub fn text(&self) -> Result<&str, Refused> {
        match &self.message {
            Json::Null => Ok(""),
            Json::String(text) => Ok(text.trim()),
            _ => Err(invalid("message must be a string")),
        }
    }

    /// Ids of blobs that belong to it.
    ///
    /// # Errors
    /// There are too many.
    pub fn attachments(&self) -> Result<Vec<String>, Refused> {
        let attachments = self.attachments.clone().unwrap_or_default();
        if attachments.len() > ATTACHMENTS_MAX {
            return Err(invalid(format!("a message has at most {ATTACHMENTS_MAX} attachments")));
        }
        Ok(attachments)
    }

    /// The last event that the client has.
    ///
    /// # Errors
    /// It does not say.
    pub fn last_sequence(&self) -> Result<u64, Refused> {
        self.last_sequence.ok_or_else(|| {
            invalid("resume needs last_sequence: the sequence of the last event you have, or 0")
        })
    }

    /// The event that it is about.
    ///
    /// # Errors
    /// It does not say.
    pub fn sequence(&self) -> Result<u64, Refused> {
        self.sequence.ok_or_else(|| invalid("sequence is missing: that of the event that is meant"))
    }
}
