//! What can be done with a server, one file each.

pub mod actors;
pub mod churn;
pub mod connect;
pub mod fanout;
pub mod idle;
pub mod lanes;
pub mod latency;
pub mod publish;
pub mod resume;
pub mod slow;
pub mod soak;

use anyhow::Result;

use crate::side::{Shape, Side};
use crate::target::{Needs, ServerArgs, Target};

/// What every mode needs to know.
#[derive(Debug, Clone)]
pub struct Context {
    /// Which server.
    pub server: ServerArgs,
    /// The core for servers.
    pub core: Option<usize>,
    /// The core this process is pinned to.
    pub client_core: Option<usize>,
    /// Descriptors this process may open.
    pub open_files: usize,
}

impl Context {
    /// Starts (or finds) the server.
    pub fn start_server(&self, needs: &Needs) -> Result<Target> {
        Target::server(&self.server, self.core, needs)
    }

    /// Starts a floor for events of `size` bytes.
    pub fn start_floor(&self, size: usize, buckets: Option<u32>) -> Result<Target> {
        Target::floor(&self.server, self.core, size, buckets)
    }

    /// Prepares one side.
    pub fn side(&self, target: &Target, shape: &Shape, label: &str) -> Result<Side> {
        let token = if target.is_floor { None } else { self.server.token.as_deref() };
        Side::new(target, token, shape, label)
    }
}
