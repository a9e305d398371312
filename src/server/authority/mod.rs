//! Who decides about credentials, and whom it has to ask for that. What is known here is answered at once; what must be
//! fetched first is done by one task of the server's, which asks for many at a time, and the verdict comes later.

mod client;
mod jwks;
pub mod keys;

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::auth::{AuthError, Authenticate, Credentials, Identity, Later, Presented, Time, Verdict};
use crate::config::Config;
use crate::delivery::Clock;
use crate::limits::QUESTIONS_MAX;
use crate::metrics::{AuthMetrics, Refused};
use jwks::Jwks;

type Chore = Pin<Box<dyn Future<Output = ()> + Send>>;

/// See the module.
pub struct Authority {
    inner: Arc<Inner>,
    chores: mpsc::Sender<Chore>,
}

struct Inner {
    credentials: Credentials,
    jwks: Option<Jwks>,
    clock: Clock,
    metrics: Arc<AuthMetrics>,
}

/// What the authority has yet to do; somebody must run it.
pub struct Chores {
    inner: Arc<Inner>,
    queue: mpsc::Receiver<Chore>,
}

impl Authority {
    /// As a configuration says, with what must be run for it.
    ///
    /// # Errors
    /// A key of tokens that is missing or is none.
    pub fn new(config: &Config, clock: Clock) -> anyhow::Result<(Self, Chores)> {
        let inner = Arc::new(Inner {
            credentials: Credentials::new(config, keys::load(&config.jwt)?),
            jwks: Jwks::new(&config.jwt, clock)?,
            clock,
            metrics: Arc::default(),
        });
        let (chores, queue) = mpsc::channel(QUESTIONS_MAX);
        Ok((Self { inner: Arc::clone(&inner), chores }, Chores { inner, queue }))
    }

    /// Who presents this, or nothing.
    ///
    /// # Errors
    /// Why nobody does.
    pub async fn identify(&self, presented: Option<&Presented<'_>>) -> Verdict {
        let verdict = match presented {
            None => self.inner.credentials.identify(None, self.unix_ms()),
            Some(Presented::Ticket(ticket)) => self.inner.credentials.redeem(ticket, self.time()),
            Some(Presented::Token(token)) => self.ask(token).await,
            Some(Presented::Cookie(token)) => self.ask(token).await,
        };
        self.inner.counted(verdict)
    }

    async fn ask(&self, token: &str) -> Verdict {
        let (tell, told) = oneshot::channel();
        // Who no longer waits need not be told.
        let later = Box::new(move |verdict| drop(tell.send(verdict)));
        match self.check(token, self.unix_ms(), later) {
            Some(verdict) => verdict,
            None => told.await.unwrap_or(Err(AuthError::Unavailable)),
        }
    }

    /// The verdict, if it can be told now.
    fn check(&self, token: &str, unix_ms: u64, later: Later) -> Option<Verdict> {
        if let Some(verdict) = self.inner.credentials.check(Some(token), unix_ms) {
            return Some(verdict);
        }
        let (inner, token) = (Arc::clone(&self.inner), token.to_owned());
        let chore: Chore = Box::pin(async move { later(inner.look_again(&token).await) });
        // The queue is full, or the server ends.
        self.chores.try_send(chore).err().map(|_| Err(AuthError::Unavailable))
    }

    /// A ticket for `identity`.
    ///
    /// # Errors
    /// There are too many, or the system has no randomness.
    pub fn ticket(&self, identity: &Arc<Identity>) -> anyhow::Result<String> {
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| anyhow::anyhow!("the system has no randomness"))?;
        Ok(self.inner.credentials.issue(identity, random, self.time())?)
    }

    /// What is known without asking anybody.
    pub fn credentials(&self) -> &Credentials {
        &self.inner.credentials
    }

    /// What it counts.
    pub fn metrics(&self) -> &Arc<AuthMetrics> {
        &self.inner.metrics
    }

    fn unix_ms(&self) -> u64 {
        self.time().unix_ms
    }

    fn time(&self) -> Time {
        let now = self.inner.clock.now();
        Time { unix_ms: now.unix_ms, millis: now.millis() }
    }
}

impl Authenticate for Authority {
    fn authenticate(&self, token: &str, unix_ms: u64, later: Later) -> Option<Verdict> {
        let inner = Arc::clone(&self.inner);
        let later = Box::new(move |verdict| later(inner.counted(verdict)));
        self.check(token, unix_ms, later).map(|verdict| self.inner.counted(verdict))
    }

    fn is_revoked(&self, identity: &Identity, unix_ms: u64) -> bool {
        self.inner.credentials.is_revoked(identity, unix_ms)
    }
}

impl Inner {
    /// Fetches keys, then checks a token that names one that was not known.
    async fn look_again(&self, token: &str) -> Verdict {
        let (Some(jwks), Some(tokens)) = (&self.jwks, self.credentials.tokens()) else {
            return Err(AuthError::Invalid);
        };
        let newest = jwks.look_again(tokens, &self.metrics).await;
        let verdict = self.credentials.check(Some(token), self.clock.now().unix_ms);
        verdict.unwrap_or(Err(if newest { AuthError::Invalid } else { AuthError::Unavailable }))
    }

    fn counted(&self, verdict: Verdict) -> Verdict {
        let of = |why: Refused| &self.metrics.refused[why as usize];
        verdict.inspect_err(|error| refused(*error).into_iter().for_each(|why| of(why).add(1)))
    }
}

/// A user with too many connections is counted with the limits.
fn refused(error: AuthError) -> Option<Refused> {
    Some(match error {
        AuthError::Missing => Refused::Missing,
        AuthError::Invalid => Refused::Invalid,
        AuthError::Expired => Refused::Expired,
        AuthError::Revoked => Refused::Revoked,
        AuthError::Insufficient => Refused::Insufficient,
        AuthError::Unavailable => Refused::Unavailable,
        AuthError::Crowded => return None,
    })
}

impl Chores {
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
