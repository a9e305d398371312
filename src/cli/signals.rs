//! Signals. The first SIGTERM or SIGINT asks for a drain; the second one means it, and ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code of a process that was told twice (128 + SIGINT).
const TOLD_TWICE: i32 = 130;

/// The signals that stop a server.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Listens from now on. Needs a running tokio runtime.
    ///
    /// # Errors
    /// When the system refuses the handlers.
    pub fn listen() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Ends with the first signal, and from then on watches for the second.
    pub async fn first(mut self) {
        self.next().await;
        tracing::info!("draining; a second signal quits at once");
        #[allow(clippy::disallowed_methods, reason = "it ends the process, so nothing has to wait for it")]
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("told twice, quitting without draining");
            std::process::exit(TOLD_TWICE);
        });
    }
}
