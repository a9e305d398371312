//! One blob: what is known of it, and how far it has come.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::room::Share;
use crate::sync::{AtomicU64, Ordering};

/// What a blob is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct New {
    /// Its id, which must have been checked.
    pub id: String,
    /// Name of whoever uploads it; empty for nobody in particular.
    pub owner: String,
    /// Who may read this topic may read it.
    pub topic: Option<String>,
    /// Its media type.
    pub content_type: String,
    /// Its size, where that was announced.
    pub size: Option<u64>,
    /// What it replaces, if something has its id.
    pub replaces: Replaces,
}

/// What an upload may replace: only a blob of the same owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Replaces {
    /// Nothing.
    #[default]
    Nothing,
    /// Whatever is there.
    Anything,
    /// One of these digests.
    Digests(Vec<String>),
}

/// How far a blob has come.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub received: u64,
    pub stage: Stage,
}

#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Bytes still come.
    Growing,
    /// All are there; with their digest.
    Complete(Arc<str>),
    /// The upload broke off, or the blob was removed before it was complete.
    Gone,
}

/// What is known of a blob at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its id.
    pub id: Box<str>,
    /// Its media type.
    pub content_type: Box<str>,
    /// Bytes that are there.
    pub received: u64,
    /// Its size, as soon as it is known: when it was announced, or when the blob is complete.
    pub size: Option<u64>,
    /// SHA-256 of a complete one, as hexadecimal digits.
    pub digest: Option<Arc<str>>,
}

/// See the module.
pub struct Blob {
    /// Its id.
    pub id: Box<str>,
    /// Name of its owner.
    pub owner: Box<str>,
    /// Who may read this topic may read it.
    pub topic: Option<Box<str>>,
    content_type: Box<str>,
    announced: Option<u64>,
    pub(super) path: PathBuf,
    /// When its time began, monotonic milliseconds: with its upload, and anew when that is complete.
    pub(super) since_ms: AtomicU64,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) share: Share,
}

impl Blob {
    pub(super) fn new(new: New, path: PathBuf, share: Share, now_ms: u64) -> Self {
        Self {
            id: new.id.into(),
            owner: new.owner.into(),
            topic: new.topic.map(Into::into),
            content_type: new.content_type.into(),
            announced: new.size,
            path,
            since_ms: AtomicU64::new(now_ms),
            progress: watch::Sender::new(Progress { received: 0, stage: Stage::Growing }),
            share,
        }
    }

    /// What is known of it now.
    pub fn describe(&self) -> Description {
        let progress = self.progress.borrow();
        let digest = match &progress.stage {
            Stage::Complete(digest) => Some(Arc::clone(digest)),
            Stage::Growing | Stage::Gone => None,
        };
        Description {
            id: self.id.clone(),
            content_type: self.content_type.clone(),
            received: progress.received,
            size: digest.as_ref().map(|_| progress.received).or(self.announced),
            digest,
        }
    }

    pub(super) fn is_due(&self, keep_ms: u64, now_ms: u64) -> bool {
        now_ms >= self.since_ms.load(Ordering::Acquire).saturating_add(keep_ms)
    }

    /// Changes how far it has come, unless it is complete or gone; `false` then.
    pub(super) fn advance(&self, change: impl FnOnce(&mut Progress)) -> bool {
        self.progress.send_if_modified(|progress| {
            let grows = matches!(progress.stage, Stage::Growing);
            if grows {
                change(progress);
            }
            grows
        })
    }
}
