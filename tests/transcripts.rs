//! Conversations as data: `tests/transcripts/<dialect>/*.txt`, replayed against the state machine (a shard over memory, with
//! a clock that the transcript moves) and against a real socket of a server in this process.
//!
//! | line | what |
//! |---|---|
//! | `# …` | a remark |
//! | `@ config …` | a line of TOML, before anything else |
//! | `@ ws /v1/topics`, `@ sse …`, `@ ndjson …` | opens a stream; `@b ws …` opens one called b; a header may follow: `@ ws /v1/ws Authorization: Bearer abc` |
//! | `> text` | the client sends a text; also `> binary HEX`, `> ping TEXT`, `> close CODE`, `> raw HEX`, `> end` |
//! | `< line` | the server sends this: a text, `binary HEX`, `ping`, `pong TEXT`, `close CODE REASON`, `end`; a line of SSE or NDJSON |
//! | `! publish topic json` | somebody publishes; `topic?token=abc` where a credential is needed |
//! | `! drain` | the server drains |
//! | `! stop reading`, `! go on` | the client's window closes and opens (state machine only) |
//! | `! refused topic json` | somebody tries to publish and may not |
//! | `~ advance 30s` | time passes (state machine only) |
//! | `~ wait 300ms` | time passes, really too |
//! | `& POST /path media/type body` | a request of its own, answered by the next `< status body` (socket only) |
//!
//! `b>` and `b<` are those of stream b. In a `<` line `*` behind a colon or `=` stands for any JSON value or, where none begins,
//! for the rest; `…` at the end stands for the rest too; `$E` is a number that is the same wherever it stands, and may be used in later `>` lines.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

#[path = "transcripts/answering.rs"]
mod answering;
#[path = "transcripts/matching.rs"]
mod matching;
#[path = "transcripts/peer.rs"]
mod peer;
#[path = "transcripts/script.rs"]
mod script;
#[path = "transcripts/simulated.rs"]
mod simulated;
#[path = "transcripts/socket.rs"]
mod socket;
mod support;

use matching::Matcher;
use script::{Script, Step};

/// What a transcript is replayed against.
trait Server {
    /// Opens a stream.
    fn open(&mut self, stream: char, transport: &str, target: &str);
    /// Sends what the client says.
    fn send(&mut self, stream: char, text: &str);
    /// The next line that the server sent.
    fn next(&mut self, stream: char) -> Option<String>;
    /// Something happens to the server.
    fn happens(&mut self, event: &str);
    /// Time passes.
    fn advance(&mut self, millis: u64);
    /// What was sent and not expected.
    fn left_over(&mut self) -> Vec<String>;
}

/// How many are replayed at once: a server takes its time to end.
const AT_ONCE: usize = 8;

/// Replays all that `suits`, and tells of every one that went wrong.
fn replay_all<S: Server>(suits: impl Fn(&Script) -> bool, start: impl Fn(&str) -> S + Sync) {
    let scripts: Vec<_> = Script::all().into_iter().filter(suits).collect();
    assert!(scripts.len() >= 15, "the transcripts were not found");
    let replay = |script: &Script| replay(script, &mut start(&script.config)).err();
    let faults: Vec<_> = std::thread::scope(|scope| {
        let parts = scripts.chunks(scripts.len().div_ceil(AT_ONCE));
        let workers: Vec<_> =
            parts.map(|part| scope.spawn(|| part.iter().filter_map(replay).collect::<Vec<_>>())).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    println!("{} transcripts", scripts.len());
}

fn replay(script: &Script, server: &mut dyn Server) -> Result<(), String> {
    let mut matcher = Matcher::default();
    for (number, step) in &script.steps {
        let at = format!("{}:{number}", script.name);
        match step {
            Step::Open(stream, transport, target) => {
                server.open(*stream, transport, &matcher.fill_in(target));
            }
            Step::Client(stream, text) => server.send(*stream, &matcher.fill_in(text)),
            Step::Server(stream, pattern) => {
                let got = server.next(*stream);
                if !got.as_deref().is_some_and(|got| matcher.matches(pattern, got)) {
                    let got = got.as_deref().unwrap_or("nothing");
                    return Err(format!("{at}: expected\n  {pattern}\ngot\n  {got}"));
                }
            }
            Step::Event(event) => server.happens(&matcher.fill_in(event)),
            Step::Advance(millis) | Step::Wait(millis) => server.advance(*millis),
        }
    }
    let left_over = server.left_over();
    if left_over.is_empty() { Ok(()) } else { Err(format!("{}: not expected: {left_over:#?}", script.name)) }
}

#[test]
fn the_state_machine_speaks_as_written() {
    replay_all(|script| !script.needs_socket(), simulated::Simulated::new);
}

#[test]
fn a_real_socket_speaks_as_written() {
    replay_all(|script| !script.needs_simulation(), socket::Socket::new);
}
