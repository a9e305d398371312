//! What an authority has yet to do: keys that are kept fresh, and questions to others. One task runs all of it.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Inner;
use crate::limits::QUESTIONS_MAX;

pub(super) type Chore = Pin<Box<dyn Future<Output = ()> + Send>>;

/// See the module; somebody must run them.
pub struct Chores {
    inner: Arc<Inner>,
    queue: mpsc::Receiver<Chore>,
}

impl Chores {
    pub(super) fn new(inner: Arc<Inner>, queue: mpsc::Receiver<Chore>) -> Self {
        Self { inner, queue }
    }

    /// Runs until it is dropped, and all that it has begun with it.
    pub async fn run(self) {
        let Self { inner, mut queue } = self;
        let mut begun = JoinSet::new();
        begun.spawn(async move {
            if let (Some(jwks), Some(tokens)) = (&inner.jwks, inner.credentials.tokens()) {
                jwks.keep_fresh(tokens, &inner.metrics).await;
            }
        });
        loop {
            tokio::select! {
                chore = queue.recv(), if begun.len() < QUESTIONS_MAX => match chore {
                    Some(chore) => drop(begun.spawn(chore)),
                    None => return,
                },
                Some(_ended) = begun.join_next() => {}
            }
        }
    }
}
