//! Bodies of responses: bytes that are there, and blobs, of which a chunk is read when the one before it is on its way.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};

use crate::blobs::{Cut, Reader};

/// The body of every response.
pub enum Body {
    /// All of it is there.
    Whole(Full<Bytes>),
    /// It is read piece by piece. A failure cuts the connection, so that nobody takes a part for the whole.
    Blob(Download),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

/// A blob on its way to a client, and what else goes with that.
pub struct Download {
    step: Option<Step>,
    left: Option<u64>,
}

type Step = Pin<Box<dyn Future<Output = (Carrier, Result<Option<Bytes>, Cut>)> + Send>>;

/// What a download holds while it lasts: its reader, its places, and whether its client may still have it.
struct Carrier {
    reader: Reader,
    holds: Holds,
}

/// Whether a client may still have what it was let have, asked before each piece. Holds its places, too.
pub type Holds = Box<dyn Fn() -> bool + Send>;

impl Download {
    /// Begins when it is polled.
    pub fn new(reader: Reader, holds: Holds) -> Self {
        let left = reader.left();
        Self { step: Some(step(Carrier { reader, holds })), left }
    }
}

fn step(mut carrier: Carrier) -> Step {
    Box::pin(async move {
        let next = carrier.reader.next().await;
        let next = if (carrier.holds)() { next } else { Err(Cut::Ended) };
        (carrier, next)
    })
}

impl Download {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        let Some(current) = &mut self.step else { return Poll::Ready(None) };
        let (carrier, next) = ready!(current.as_mut().poll(cx));
        self.left = carrier.reader.left();
        let goes_on = matches!(next, Ok(Some(_))) && self.left != Some(0);
        self.step = goes_on.then(|| step(carrier));
        Poll::Ready(next.transpose())
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(cx).map_err(|never| match never {}),
            Self::Blob(blob) => blob.poll(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Blob(blob) => blob.step.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Blob(blob) => blob.left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
