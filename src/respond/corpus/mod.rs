//! The documents that answers rest on: read from a folder, cut into passages, and found by the words of a question.
//!
//! A thread of its own holds the index, so that no request waits behind SQLite on a thread of the runtime. It reads and indexes
//! first; questions wait for it in a queue with a bound. It ends when the last handle is gone.

mod cut;
mod folder;
mod index;
mod manual;
mod terms;

use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::{Exchange, Failure, Job};
use crate::dialect::sessions::step::Code;
use crate::limits::{PASSAGES_MAX, SEARCHES_WAITING_MAX};
use index::Index;
use terms::{Term, terms};

pub use cut::{Document, Passage};
pub use index::Found;

/// A search under way.
struct Search {
    terms: Vec<Term>,
    found: oneshot::Sender<rusqlite::Result<Found>>,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Corpus {
    searches: mpsc::Sender<Search>,
}

impl Corpus {
    /// The documents of a folder; the manual of a car where there is none.
    ///
    /// # Errors
    /// The folder cannot be read, or the system has no threads left.
    pub fn start(folder: Option<&Path>) -> io::Result<Self> {
        // The whole of it is read by the thread; whether that is possible, the operator is told at once.
        folder.map(std::fs::read_dir).transpose()?;
        let folder = folder.map(Path::to_owned);
        Self::run(move || documents(folder))
    }

    /// These documents.
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn of(documents: Vec<Document>) -> io::Result<Self> {
        Self::run(move || Ok(documents))
    }

    fn run(documents: impl FnOnce() -> io::Result<Vec<Document>> + Send + 'static) -> io::Result<Self> {
        let (searches, mut asked) = mpsc::channel(SEARCHES_WAITING_MAX);
        let work = move || match documents().map_err(anyhow::Error::from).and_then(index) {
            Ok(mut index) => serve(&mut index, &mut asked),
            Err(error) => tracing::error!(%error, "the documents cannot be searched"),
        };
        thread::Builder::new().name("millrace-corpus".into()).spawn(work)?;
        Ok(Self { searches })
    }

    /// What the documents say about a question, as part of the conversation before it.
    ///
    /// # Errors
    /// The documents could not be read or indexed when the server started.
    pub async fn find(&self, job: &Job) -> Result<Found, Failure> {
        let earlier = job.history.iter().rev().map(|Exchange { question, .. }| &**question);
        let (found, finding) = oneshot::channel();
        let search = Search { terms: terms(&job.question.text, earlier), found };
        self.searches.send(search).await.map_err(|_| unreadable())?;
        let found = finding.await.map_err(|_| unreadable())?;
        found.map_err(|error| {
            tracing::error!(%error, "a search in the documents failed");
            Failure::new(Code::Failed, "the search in the documents failed")
        })
    }
}

fn unreadable() -> Failure {
    Failure::new(Code::Failed, "the documents cannot be searched; the server's log says why")
}

fn documents(folder: Option<PathBuf>) -> io::Result<Vec<Document>> {
    folder.map_or_else(|| Ok(manual::documents()), |folder| folder::read(&folder))
}

/// Each document is let go when it is cut, so that not all of it is held twice.
fn index(documents: Vec<Document>) -> anyhow::Result<Index> {
    let count = documents.len();
    let mut passages = documents.into_iter().flat_map(|document| cut::cut(&document));
    let index = Index::new(passages.by_ref().take(PASSAGES_MAX))?;
    if passages.next().is_some() {
        tracing::warn!(
            limit = PASSAGES_MAX,
            "there are more passages than can be searched; the last ones are left out"
        );
    }
    tracing::info!(documents = count, passages = index.len(), "the documents are read");
    Ok(index)
}

/// Answers searches, one after another. Those that nobody waits for any more are passed over.
fn serve(index: &mut Index, asked: &mut mpsc::Receiver<Search>) {
    while let Some(search) = asked.blocking_recv() {
        if !search.found.is_closed() {
            // Whoever has asked may be gone by now.
            let _gone = search.found.send(index.find(&search.terms));
        }
    }
}
