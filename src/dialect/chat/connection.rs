//! One client. It may come unknown and say later who it is; until then it may ask nothing.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use super::refused::{self, Refused, invalid};
use super::request::{self, Request};
use super::{messages, session};
use crate::auth::{AuthError, Credential, Identity};
use crate::dialect::protocol::Call;
use crate::dialect::sessions::{Line, Sessions};
use crate::dialect::{Dialect, Gap, Host, Message, Transport};
use crate::engine::Topic;
use crate::error::Disconnect;

/// How a client comes in.
#[derive(Debug)]
pub struct Entrance {
    /// What its request says about who it is.
    credential: Presented,
    /// Whether it wants every token with all that was said before.
    partial: bool,
}

/// What a request says about who sends it.
#[derive(Debug)]
enum Presented {
    /// Nothing; `true` where nothing is needed.
    Nothing(bool),
    /// A credential that is good.
    Good,
    /// One that is not.
    Bad(AuthError),
    /// One that has yet to be looked at.
    Token(String),
}

impl Entrance {
    /// As a request says.
    pub fn of(call: &Call<'_>) -> Self {
        let partial = !matches!(call.parameter("partial"), Some("0" | "false"));
        Self { credential: Presented::of(call), partial }
    }
}

impl Presented {
    fn of(call: &Call<'_>) -> Self {
        let has = |name: &str| call.parameter(name).is_some();
        let presents = has("token") || has("ticket") || (call.header)("authorization").is_some();
        match (call.credential, call.parameter("token").map(without_scheme)) {
            (Err(_), Some(Cow::Owned(token))) => Self::Token(token),
            (Ok(who), _) if presents || who.credential != Credential::None => Self::Good,
            (Ok(_), _) => Self::Nothing(true),
            (Err(AuthError::Missing), _) => Self::Nothing(false),
            (Err(error), _) => Self::Bad(*error),
        }
    }
}

/// A token without the word that stands in front of it in headers.
fn without_scheme(token: &str) -> Cow<'_, str> {
    match token.split_at_checked("Bearer ".len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer ") => Cow::Owned(token.trim().into()),
        _ => Cow::Borrowed(token),
    }
}

/// See the module.
pub struct Connection {
    transport: Transport,
    sessions: Option<Arc<dyn Sessions>>,
    entrance: Entrance,
    /// Who the client is, once that is known.
    who: Option<Arc<Identity>>,
    /// Its questions are answered one after another.
    line: Option<Line>,
    /// The session of its messages that name none.
    own: OnceCell<String>,
}

impl Connection {
    /// A client that came in like this.
    pub fn new(transport: Transport, sessions: Option<Arc<dyn Sessions>>, entrance: Entrance) -> Self {
        Self { transport, sessions, entrance, who: None, line: None, own: OnceCell::new() }
    }

    fn serve(&mut self, request: &Request<'_>, host: &mut dyn Host) -> Result<(), Refused> {
        let kind = request.kind.as_deref().ok_or_else(|| invalid("type is missing"))?;
        match kind {
            "ping" => {
                let text = messages::pong(host.now().unix_ms);
                host.send("pong", &text);
            }
            "auth" => host.authenticate(&without_scheme(request.token.as_deref().unwrap_or_default())),
            other => self.converse(other, request, host)?,
        }
        Ok(())
    }

    fn converse(&mut self, kind: &str, request: &Request<'_>, host: &mut dyn Host) -> Result<(), Refused> {
        let wanted = session::Wanted::of(kind)?;
        let who = self.who.clone().ok_or_else(refused::unknown)?;
        let sessions = self.sessions.clone().ok_or_else(refused::nobody)?;
        let line = *self.line.get_or_insert_with(|| sessions.line());
        let id = self.session_of(request)?.to_owned();
        let view = super::encode::view(self.transport, self.entrance.partial);
        session::Visit { sessions: &*sessions, who: &who, id: &id, line, view, host }.serve(wanted, request)
    }

    /// The session that a message is about: the one it names, or else the connection's own.
    fn session_of<'s>(&'s self, request: &'s Request<'_>) -> Result<&'s str, Refused> {
        if let Some(named) = request.session() {
            return Ok(named);
        }
        if let Some(own) = self.own.get() {
            return Ok(own);
        }
        let sessions = self.sessions.as_ref().ok_or_else(refused::nobody)?;
        let made = sessions.new_id()?;
        Ok(self.own.get_or_init(|| made))
    }

    fn tell_known(&mut self, host: &mut dyn Host) {
        self.who = Some(Arc::clone(host.identity()));
        let text = messages::auth_success(host.identity());
        host.send("auth_success", &text);
    }
}

impl Dialect for Connection {
    fn opened(&mut self, host: &mut dyn Host) {
        match &self.entrance.credential {
            Presented::Nothing(false) => {}
            Presented::Nothing(true) => self.who = Some(Arc::clone(host.identity())),
            Presented::Good => self.tell_known(host),
            Presented::Bad(error) => host.send("auth_error", &messages::auth_error(*error)),
            Presented::Token(token) => host.authenticate(token),
        }
        self.entrance.credential = Presented::Nothing(false);
    }

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        let Message::Text(text) = message else { return host.close(Disconnect::Binary) };
        match request::parse(text.as_bytes()) {
            Ok(request) => {
                if let Err(refused) = self.serve(&request, host) {
                    host.send("error", &messages::error(&refused, request.session()));
                }
            }
            Err(refused) => host.send("error", &messages::error(&refused, None)),
        }
    }

    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host) {
        host.send("gap", &messages::gap(topic.name(), Some(gap)));
    }

    fn authenticated(&mut self, verdict: Result<(), AuthError>, host: &mut dyn Host) {
        match verdict {
            Ok(()) => self.tell_known(host),
            Err(error) => host.send("auth_error", &messages::auth_error(error)),
        }
    }

    fn noticed(&mut self, topic: &Topic, text: &[u8], host: &mut dyn Host) {
        host.send("typing", &messages::noticed(topic.name(), text));
    }

    fn asks_for(&self, message: Message<'_>) -> Vec<String> {
        let (Message::Text(text), Some(who)) = (message, &self.who) else { return Vec::new() };
        let Ok(request) = request::parse(text.as_bytes()) else { return Vec::new() };
        let reads = request.kind.as_deref().is_some_and(session::reads);
        let id = reads.then(|| self.session_of(&request).ok()).flatten();
        id.and_then(|id| crate::dialect::sessions::name::topic(who, id).ok()).into_iter().collect()
    }

    /// Questions of one connection are answered in order, whatever their sessions.
    fn keeps_order(&self) -> bool {
        true
    }

    fn limited(&mut self, _message: Message<'_>, retry_after_ms: u64, host: &mut dyn Host) {
        host.send("error", &messages::error(&refused::limited(retry_after_ms), None));
    }
}
