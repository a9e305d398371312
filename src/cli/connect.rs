//! `millrace connect`: speak WebSocket with any path of a server, in whatever protocol is at home there. Prints what comes,
//! sends lines of standard input. Does not reconnect and knows no protocol: it is for looking.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Response, StatusCode, body};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines, Stdin};

use super::connection::{self, Connection, Target};
use crate::wire::websocket::{Decoder, Incoming, Input, Intake, Opcode, Role, accept_key, encode_masked};

/// Largest message that is read, bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// The close code of an end that was meant.
const NORMAL: u16 = 1000;

const EXAMPLES: &str = "\
Examples:
  millrace connect /ws/events/session-123
  millrace connect 'ws://127.0.0.1:8000/v1/stream/logs?sequence=1'
  millrace connect /v1/ws --send '{\"type\":\"subscribe\",\"channels\":[\"sessions\"]}'

Lines of standard input are sent as messages. Exit code 1 when the server closes with another code than 1000.";

/// Flags of `connect`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Connect {
    /// A path of the server that --url names, or a whole ws:// URL.
    place: String,
    /// Send this message first; may be given several times.
    #[arg(long, value_name = "MESSAGE")]
    send: Vec<String>,
    /// End after this many messages.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    target: Target,
}

impl Connect {
    /// Runs it.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or breaks the rules of WebSocket; or standard output fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (target, path) = place(&self.place, self.target)?;
        let stream = open(&mut Connection::new(&target)?, &path).await?;
        let mut session = Session { stream, left: self.count.unwrap_or(u64::MAX) };
        for message in &self.send {
            session.send(Opcode::Text, message.as_bytes()).await?;
        }
        session.run().await
    }
}

/// The server and the path that are meant.
fn place(place: &str, target: Target) -> anyhow::Result<(Target, String)> {
    if place.starts_with('/') {
        return Ok((target, place.to_owned()));
    }
    let Some(rest) = place.strip_prefix("ws") else {
        bail!("`{place}` is neither a path nor a ws:// URL; write /ws/events/session-123");
    };
    let after_scheme = rest.find("://").with_context(|| format!("`{place}` is not a ws:// URL"))? + 3;
    let at = rest[after_scheme..].find('/').map_or(rest.len(), |at| after_scheme + at);
    let path = if at == rest.len() { "/" } else { &rest[at..] };
    Ok((Target { url: format!("http{}", &rest[..at]), ..target }, path.to_owned()))
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system has no randomness"))?;
    Ok(bytes)
}

/// The opening handshake (RFC 6455 section 4.1).
async fn open(connection: &mut Connection, path: &str) -> anyhow::Result<TokioIo<Upgraded>> {
    let key = STANDARD.encode(random::<16>()?);
    let request = connection::request("GET", path)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key);
    let answer = connection.send(request, Bytes::new()).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(answer).await);
    }
    let accept = answer.headers().get(SEC_WEBSOCKET_ACCEPT).map(|value| value.as_bytes());
    ensure!(accept == Some(&accept_key(key.as_bytes())[..]), "the answer to the handshake is wrong");
    Ok(TokioIo::new(hyper::upgrade::on(answer).await?))
}

async fn refused(answer: Response<body::Incoming>) -> anyhow::Error {
    let status = answer.status();
    let body = connection::read_all(answer).await.unwrap_or_default();
    anyhow::anyhow!(connection::refusal(status, &body))
}

struct Session {
    stream: TokioIo<Upgraded>,
    /// Messages still to print.
    left: u64,
}

/// What is to be done about something that came.
enum Told {
    Nothing,
    Answer(Opcode, Vec<u8>),
    Closed(Option<(u16, String)>),
}

impl Session {
    async fn run(mut self) -> anyhow::Result<ExitCode> {
        let (mut decoder, mut intake) = (Decoder::new(Role::Client, false), Intake::new(MESSAGE_BYTES_MAX));
        let mut lines = Some(BufReader::new(tokio::io::stdin()).lines());
        let mut bytes = vec![0; READ_BYTES];
        while self.left > 0 {
            tokio::select! {
                count = self.stream.read(&mut bytes) => match count? {
                    0 => bail!("the connection was lost"),
                    count => {
                        let mut input = Input::new(&mut bytes[..count]);
                        if let Some(code) = self.take(&mut decoder, &mut input, &mut intake).await? {
                            return Ok(code);
                        }
                    }
                },
                line = next_line(&mut lines) => match line? {
                    Some(line) => self.send(Opcode::Text, line.as_bytes()).await?,
                    None => lines = None,
                },
            }
        }
        self.close(NORMAL).await?;
        Ok(ExitCode::SUCCESS)
    }

    /// Uses up what was read; the exit code, if that was the end.
    async fn take(
        &mut self,
        decoder: &mut Decoder,
        input: &mut Input<'_>,
        intake: &mut Intake,
    ) -> anyhow::Result<Option<ExitCode>> {
        while self.left > 0
            && let Some(incoming) = decoder.next(input, intake)?
        {
            match self.tell(incoming)? {
                Told::Nothing => {}
                Told::Answer(opcode, payload) => self.send(opcode, &payload).await?,
                Told::Closed(why) => {
                    let code = why.as_ref().map_or(NORMAL, |(code, _)| *code);
                    // The server has closed: whether it still hears this does not matter.
                    let _ = self.close(code).await;
                    return Ok(Some(closed(why)));
                }
            }
        }
        io::stdout().flush()?;
        Ok(None)
    }

    fn tell(&mut self, incoming: Incoming<'_>) -> anyhow::Result<Told> {
        let line = match incoming {
            Incoming::Text(text) => text.to_owned(),
            Incoming::Binary(bytes) => STANDARD.encode(bytes),
            Incoming::Ping(payload) => return Ok(Told::Answer(Opcode::Pong, payload.to_vec())),
            Incoming::Pong(_) => return Ok(Told::Nothing),
            Incoming::Close(why) => {
                return Ok(Told::Closed(why.map(|(code, reason)| (code, reason.to_owned()))));
            }
        };
        writeln!(io::stdout(), "{line}")?;
        self.left -= 1;
        Ok(Told::Nothing)
    }

    async fn send(&mut self, opcode: Opcode, payload: &[u8]) -> anyhow::Result<()> {
        let mut frame = Vec::new();
        encode_masked(&mut frame, opcode, false, random()?, payload);
        self.stream.write_all(&frame).await.context("the connection was lost")?;
        self.stream.flush().await.context("the connection was lost")
    }

    async fn close(&mut self, code: u16) -> anyhow::Result<()> {
        io::stdout().flush()?;
        self.send(Opcode::Close, &code.to_be_bytes()).await
    }
}

/// The next line to send; never, when there are no more.
async fn next_line(lines: &mut Option<Lines<BufReader<Stdin>>>) -> io::Result<Option<String>> {
    match lines {
        Some(lines) => lines.next_line().await,
        None => std::future::pending().await,
    }
}

fn closed(why: Option<(u16, String)>) -> ExitCode {
    match why {
        None | Some((NORMAL, _)) => ExitCode::SUCCESS,
        Some((code, reason)) => {
            eprintln!("the server closed the connection: {reason} ({code})");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target { url: "http://127.0.0.1:8000".into(), token: None }
    }

    #[test]
    fn a_place_is_a_path_or_a_url() {
        for (given, url, path) in [
            ("/v1/ws?a=b", "http://127.0.0.1:8000", "/v1/ws?a=b"),
            ("ws://host:9/v1/ws", "http://host:9", "/v1/ws"),
            ("ws://host", "http://host", "/"),
            ("wss://host/v1", "https://host", "/v1"),
        ] {
            let (target, found) = place(given, target()).unwrap();
            assert_eq!((&*target.url, &*found), (url, path));
        }
        assert!(place("v1/ws", target()).is_err());
    }
}
