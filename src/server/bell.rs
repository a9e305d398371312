//! Requests that wait for an event.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::engine::{Interest, Topic, Wake};

struct Ringer(Arc<Notify>);

impl Wake for Ringer {
    fn wake(&self, _slot: u32) {
        self.0.notify_one();
    }
}

/// Rings when one of its topics has news. Takes its interests back however the wait ends.
pub struct Bell {
    notify: Arc<Notify>,
    interests: Vec<(Arc<Topic>, Arc<Interest>)>,
}

impl Bell {
    /// A bell on `topics`.
    pub fn on(topics: impl IntoIterator<Item = Arc<Topic>>) -> Self {
        let notify = Arc::new(Notify::new());
        let attach = |topic: Arc<Topic>| {
            let interest = Arc::new(Interest::new(0, Arc::new(Ringer(Arc::clone(&notify)))));
            topic.attach(&interest);
            (topic, interest)
        };
        let interests = topics.into_iter().map(attach).collect();
        Self { notify, interests }
    }

    /// Must come before the topics are looked at: news that come later ring.
    pub fn clear(&self) {
        self.interests.iter().for_each(|(_, interest)| interest.clear());
    }

    /// Waits for news since [`Self::clear`].
    pub async fn rung(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.interests.iter().for_each(|(topic, interest)| topic.detach(interest));
    }
}
