//! How long events may wait for each other on their way out.

use crate::engine::Namespace;
use crate::limits::LINGER_EVENTS;

/// How long events may wait to go together as one [`crate::engine::Encode::batch`]. The edge leads: an event leaves at once when none has
/// left within the window, and what follows goes when the window ends or enough is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Linger {
    /// The window, milliseconds.
    pub window_ms: u32,
    /// Most events of a batch.
    pub events: u32,
}

impl Linger {
    /// What a view asks for that takes events one by one, and at once, wherever the namespace does not have them wait.
    pub const ONE_BY_ONE: Self = Self { window_ms: 0, events: 1 };

    /// As long as asked for or as `space` says, where that is longer. Where events wait, several of them go together.
    pub fn within(self, space: &Namespace) -> Self {
        match space.linger_ms {
            0 => self,
            wait_ms => {
                Self { window_ms: self.window_ms.max(wait_ms), events: self.events.max(LINGER_EVENTS) }
            }
        }
    }
}
