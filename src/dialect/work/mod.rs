//! The `work` protocol: processes of the user's own that answer questions. A worker connects out, takes jobs as long as it has room,
//! and says what comes of each by numbered messages (docs/WORKERS.md). Jobs do not go through the log: the topic of a queue
//! carries nothing but notices that there is something to look for.

mod connection;
pub mod messages;
mod poll;
mod request;
mod workshop;

use std::sync::Arc;

use bytes::Bytes;

use super::protocol::{Call, Fault, Method, Protocol, Reply};
use super::refuse::Refuse;
use crate::auth::{Action, Identity};
use crate::engine::name::validate;
use crate::engine::{Body, Encode, Entry, Misfit, Now, Topic, TopicError, ViewId};
use crate::limits::WORKER_CAPACITY_MAX;

pub use connection::Connection;
pub use workshop::{Job, Joined, Named, News, Refused, Said, Seat, Told, Why, Worker, Workshop};

/// What the topics of queues begin with.
pub const PREFIX: &str = "work.";
/// What the paths begin with.
const PATH: &str = "/v1/work/";

/// The topic by which the workers of a queue are given notice.
pub fn topic(queue: &str) -> String {
    format!("{PREFIX}{queue}")
}

/// What the protocol can be told.
#[derive(Debug)]
pub struct Settings {
    /// How clients are refused.
    pub refuse: Refuse,
    /// Where the jobs are.
    pub workshop: Arc<dyn Workshop>,
}

/// Where a worker comes in.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// The queue.
    pub queue: String,
    /// Its topic.
    pub topic: String,
    /// The worker's name, where it has one.
    pub name: Option<String>,
    /// Jobs that it can have at a time.
    pub capacity: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Work(Settings);

/// Nothing is published to the topics of queues, so nothing is sent of them.
struct Silent;

static SILENT: Silent = Silent;

impl Encode for Silent {
    fn view(&self) -> ViewId {
        80
    }

    fn frame(&self, _topic: &Topic, _entry: &Entry) -> Bytes {
        Bytes::new()
    }
}

/// Jobs that a worker can have at a time, as it says.
fn capacity(call: &Call<'_>) -> Result<usize, Fault> {
    let Some(text) = call.parameter("capacity") else { return Ok(1) };
    let number = text.parse().ok().filter(|number| (1..=WORKER_CAPACITY_MAX).contains(number));
    number.ok_or_else(|| Fault::bad("capacity", format!("1 to {WORKER_CAPACITY_MAX} jobs at a time")))
}

/// Who asks, if it may take jobs from `queue` and answer them.
fn allowed<'a>(call: &Call<'a>, queue: &str) -> Result<&'a Arc<Identity>, Fault> {
    let topic = topic(queue);
    validate(&topic)
        .map_err(|error| Fault::new(400, "invalid_queue", TopicError::from(error).to_string()))?;
    call.allowed(Action::Subscribe, &topic)?;
    call.allowed(Action::Publish, &topic)
}

impl Work {
    /// The protocol, as `settings` say.
    pub fn new(settings: Settings) -> Self {
        Self(settings)
    }

    fn open(&self, queue: &str, call: &Call<'_>) -> Result<Reply, Fault> {
        let refused = |fault| {
            let why = connection::refusal(call.credential.as_ref().err().copied());
            self.0.refuse.web_socket(why, None, fault)
        };
        if let Err(fault) = allowed(call, queue) {
            return refused(fault);
        }
        let name = call.parameter("worker").map(str::to_owned);
        name.as_deref().map_or(Ok(()), workshop::check_name)?;
        let entrance = Entrance { queue: queue.into(), topic: topic(queue), name, capacity: capacity(call)? };
        let workshop = Arc::clone(&self.0.workshop);
        Ok(Reply::WebSocket(Box::new(move |_| Box::new(Connection::new(workshop, entrance)))))
    }

    fn take(&self, queue: &str, call: &Call<'_>) -> Result<Reply, Fault> {
        poll::take(&*self.0.workshop, queue, allowed(call, queue)?, call)
    }

    fn events(&self, queue: &str, job: &str, call: &Call<'_>) -> Result<Reply, Fault> {
        let who = &allowed(call, queue)?.name;
        poll::events(&*self.0.workshop, Named { queue, who, job }, call)
    }
}

/// The queue of a path, and what follows it.
fn parts(path: &str) -> Option<(&str, Vec<&str>)> {
    let mut segments = path.strip_prefix(PATH)?.split('/');
    let queue = segments.next().filter(|queue| !queue.is_empty())?;
    Some((queue, segments.collect()))
}

impl Protocol for Work {
    fn name(&self) -> &'static str {
        "work"
    }

    fn serve(&self, call: &Call<'_>) -> Option<Result<Reply, Fault>> {
        let (queue, rest) = parts(call.path)?;
        Some(match (call.method, &rest[..]) {
            (Method::Get, []) => self.open(queue, call),
            (_, []) => Err(Fault::method("GET")),
            (Method::Post, ["jobs"]) => self.take(queue, call),
            (Method::Post, ["jobs", job, "events"]) => self.events(queue, job, call),
            (_, ["jobs"] | ["jobs", _, "events"]) => Err(Fault::method("POST")),
            _ => return None,
        })
    }

    fn reads(&self, call: &Call<'_>) -> Vec<String> {
        let of_request = parts(call.path).filter(|(_, rest)| !rest.is_empty());
        of_request.map(|(queue, _)| topic(queue)).into_iter().collect()
    }

    fn owns(&self, topic: &str) -> bool {
        topic.starts_with(PREFIX)
    }

    fn admit(&self, _topic: &str, _body: Body, _now: Now) -> Result<Body, Misfit> {
        let problem = "nothing is published to the queues of workers; jobs come of questions".into();
        Err(Misfit { field: "topic".into(), problem })
    }
}
