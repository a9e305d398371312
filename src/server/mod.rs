//! Stand-in until the server lands: the shape of the interface that `cli` is written against.

use crate::config::Config;

/// A bound server.
pub struct Server {
    addresses: Vec<String>,
}

impl Server {
    /// Opens the listeners of `config`.
    ///
    /// # Errors
    /// Never.
    pub fn bind(config: Config) -> anyhow::Result<Self> {
        Ok(Self { addresses: config.general.listen.iter().map(|listen| listen.url()).collect() })
    }

    /// Where the server listens.
    pub fn addresses(&self) -> Vec<String> {
        self.addresses.clone()
    }

    /// Serves until `shutdown`.
    ///
    /// # Errors
    /// Never.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        shutdown.await;
        Ok(())
    }
}
