//! Who decides about credentials, and whom it has to ask for that. What is known here is answered at once; what must be
//! fetched first is done by one task of the server's, which asks for many at a time, and the verdict comes later.

mod chores;
mod jwks;
pub mod keys;
mod look;
mod webhook;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::auth::{
    AuthError, Authenticate, Caller, Credentials, Identity, Later, Permits, Presented, Time, Verdict,
};
use crate::config::{Asked, Config};
use crate::delivery::Clock;
use crate::limits::QUESTIONS_MAX;
use crate::metrics::{AuthMetrics, Refused};
use chores::Chore;
use jwks::Jwks;
use webhook::{About, Webhook};

pub use chores::Chores;
pub use look::{Looked, look};

/// See the module.
pub struct Authority {
    inner: Arc<Inner>,
    chores: mpsc::Sender<Chore>,
}

struct Inner {
    credentials: Credentials,
    jwks: Option<Jwks>,
    webhook: Option<Webhook>,
    clock: Clock,
    metrics: Arc<AuthMetrics>,
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
            webhook: Webhook::new(&config.webhook, clock)?,
            clock,
            metrics: Arc::default(),
        });
        let (chores, queue) = mpsc::channel(QUESTIONS_MAX);
        Ok((Self { inner: Arc::clone(&inner), chores }, Chores::new(inner, queue)))
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
        let begun = self.begin(async move { later(inner.look_again(&token).await) });
        (!begun).then_some(Err(AuthError::Unavailable))
    }

    /// Begins a chore; `false` when there are too many, or the server ends.
    fn begin(&self, chore: impl Future<Output = ()> + Send + 'static) -> bool {
        self.chores.try_send(Box::pin(chore)).is_ok()
    }

    /// Whether a stream of `identity` may begin.
    ///
    /// # Errors
    /// It may not.
    pub async fn may_connect(&self, identity: &Identity, caller: &Caller) -> Result<(), AuthError> {
        let about = About { identity, caller: Some(caller) };
        self.inner.connect(about).await.inspect_err(|error| self.inner.count(*error))
    }

    /// Which of `topics` may be read, as far as grants leave that to others.
    pub async fn may_read(&self, identity: &Identity, caller: &Caller, topics: Vec<String>) -> Permits {
        match self.inner.asked(Asked::Subscribe) {
            Some(webhook) if !topics.is_empty() => {
                let about = About { identity, caller: Some(caller) };
                webhook.subscribe(about, topics, &self.inner.metrics).await
            }
            _ => topics.into_iter().map(|topic| (topic, true)).collect(),
        }
    }

    /// Whether anybody is asked about anything.
    pub fn has_webhook(&self) -> bool {
        self.inner.webhook.is_some()
    }

    /// Whether anybody is asked before topics are read.
    pub fn is_asked_about_topics(&self) -> bool {
        self.inner.asked(Asked::Subscribe).is_some()
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
    fn authenticate(
        &self,
        token: &str,
        caller: Option<&Arc<Caller>>,
        unix_ms: u64,
        later: Later,
    ) -> Option<Verdict> {
        let verdict = self.inner.credentials.check(Some(token), unix_ms);
        let known = match (verdict, self.inner.asked(Asked::Connect)) {
            (Some(verdict), None) => Some(verdict),
            (Some(Err(error)), _) => Some(Err(error)),
            _ => None,
        };
        if let Some(verdict) = known {
            return Some(self.inner.counted(verdict));
        }
        let (inner, token, caller) = (Arc::clone(&self.inner), token.to_owned(), caller.cloned());
        let begun = self.begin(async move {
            let verdict = inner.find_out(&token, caller.as_deref()).await;
            later(inner.counted(verdict));
        });
        (!begun).then(|| self.inner.counted(Err(AuthError::Unavailable)))
    }

    fn refused(&self, error: AuthError) {
        self.inner.count(error);
    }

    fn is_revoked(&self, identity: &Identity, unix_ms: u64) -> bool {
        self.inner.credentials.is_revoked(identity, unix_ms)
    }

    fn asks_about_topics(&self) -> bool {
        self.inner.asked(Asked::Subscribe).is_some()
    }

    fn permits(
        &self,
        identity: &Arc<Identity>,
        caller: Option<&Arc<Caller>>,
        topics: Vec<String>,
        later: Later<Permits>,
    ) -> Option<Permits> {
        let about = About { identity, caller: caller.map(|caller| &**caller) };
        let webhook = self.inner.asked(Asked::Subscribe)?;
        if let Some(known) = webhook.permits(about, &topics) {
            return Some(known);
        }
        let refused: Permits = topics.iter().map(|topic| (topic.clone(), false)).collect();
        let (inner, identity, caller) = (Arc::clone(&self.inner), Arc::clone(identity), caller.cloned());
        let begun = self.begin(async move {
            let about = About { identity: &identity, caller: caller.as_deref() };
            if let Some(webhook) = inner.asked(Asked::Subscribe) {
                later(webhook.subscribe(about, topics, &inner.metrics).await);
            }
        });
        (!begun).then_some(refused)
    }
}

impl Inner {
    /// The webhook, if it is asked about `what`.
    fn asked(&self, what: Asked) -> Option<&Webhook> {
        self.webhook.as_ref().filter(|webhook| webhook.is_asked(what))
    }

    async fn connect(&self, about: About<'_>) -> Result<(), AuthError> {
        match self.asked(Asked::Connect) {
            Some(webhook) => webhook.connect(about, &self.metrics).await,
            None => Ok(()),
        }
    }

    /// The verdict on a token that came by message: keys are fetched and the webhook is asked as it needs.
    async fn find_out(&self, token: &str, caller: Option<&Caller>) -> Verdict {
        let known = self.credentials.check(Some(token), self.clock.now().unix_ms);
        let identity = match known {
            Some(verdict) => verdict?,
            None => self.look_again(token).await?,
        };
        self.connect(About { identity: &identity, caller }).await?;
        Ok(identity)
    }

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
        verdict.inspect_err(|error| self.count(*error))
    }

    fn count(&self, error: AuthError) {
        let of = |why: Refused| &self.metrics.refused[why as usize];
        refused(error).into_iter().for_each(|why| of(why).add(1));
    }
}

/// A user with too many connections is counted with the limits.
fn refused(error: AuthError) -> Option<Refused> {
    Some(match error {
        AuthError::Missing => Refused::Missing,
        AuthError::Invalid => Refused::Invalid,
        AuthError::Expired => Refused::Expired,
        AuthError::Revoked => Refused::Revoked,
        AuthError::Denied => Refused::Denied,
        AuthError::Insufficient => Refused::Insufficient,
        AuthError::Unavailable => Refused::Unavailable,
        AuthError::Crowded => return None,
    })
}
