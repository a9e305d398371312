//! A small HTTP/1.1 client: one connection to one server, opened anew when it is gone. Knows no TLS, no redirects and no
//! proxies; it is for talking to a Millrace, directly or through a local proxy.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HOST, RETRY_AFTER};
use hyper::{Request, Response, StatusCode, Uri, http::request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longest time to open a connection.
const CONNECT_SECONDS: Duration = Duration::from_secs(10);
/// Largest answer that is read as a whole, bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Which server, and as whom.
#[derive(Clone, clap::Args)]
pub struct Target {
    /// The server.
    #[arg(long, env = "MILLRACE_URL", default_value = "http://127.0.0.1:8000")]
    pub url: String,
    /// API key.
    #[arg(long, env = "MILLRACE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// A connection that is opened when needed.
pub struct Connection {
    authority: String,
    address: String,
    token: Option<String>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// Reads the URL; connects later.
    ///
    /// # Errors
    /// A URL that is none, or one that needs TLS.
    pub fn new(target: &Target) -> anyhow::Result<Self> {
        let (authority, address) = parse_url(&target.url)?;
        Ok(Self { authority, address, token: target.token.clone(), sender: None })
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// When no connection can be made, or it is lost.
    pub async fn send(
        &mut self,
        request: request::Builder,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = request.header(HOST, &self.authority);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).context("a header cannot be sent")?;
        let mut sender = self.sender().await?;
        let answer = sender.send_request(request).await.context("the connection to the server was lost")?;
        self.sender = Some(sender);
        Ok(answer)
    }

    /// The open connection, or a new one. Taken out, so that a failure closes it.
    async fn sender(&mut self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let connect = tokio::time::timeout(CONNECT_SECONDS, TcpStream::connect(&self.address));
        let stream = connect.await.context("timed out").and_then(|stream| Ok(stream?));
        let stream = stream
            .with_context(|| format!("cannot connect to {}; does a server run there?", self.address))?;
        stream.set_nodelay(true)?;
        handshake(stream).await
    }
}

async fn handshake(stream: TcpStream) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    #[allow(
        clippy::disallowed_methods,
        reason = "a client command: the task ends with its connection, and drain is the server's"
    )]
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

/// `http://host:port` as the `Host` header and the address to connect to.
fn parse_url(url: &str) -> anyhow::Result<(String, String)> {
    let uri: Uri =
        url.parse().with_context(|| format!("`{url}` is not a URL; write http://127.0.0.1:8000"))?;
    match uri.scheme_str() {
        Some("https") => bail!(
            "this command does not speak TLS yet; run a local proxy that does, and give its http:// URL"
        ),
        Some("http") | None => {}
        Some(other) => bail!("`{other}` is not a scheme this command knows; write http://127.0.0.1:8000"),
    }
    if !matches!(uri.path(), "" | "/") {
        bail!("`{url}` has a path; give the server only, such as http://127.0.0.1:8000");
    }
    let authority =
        uri.authority().with_context(|| format!("`{url}` names no server; write http://127.0.0.1:8000"))?;
    let port = authority.port_u16().unwrap_or(80);
    Ok((authority.to_string(), format!("{}:{port}", authority.host())))
}

/// Reads an answer as a whole, up to 16 MiB.
///
/// # Errors
/// When the connection is lost or the answer is larger.
pub async fn read_all(answer: Response<Incoming>) -> anyhow::Result<Bytes> {
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))
}

/// Whether a status asks to come again later.
pub fn is_temporary(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE
    )
}

/// The time a refusing server asks to wait.
pub fn retry_after(answer: &Response<Incoming>) -> Option<Duration> {
    let value = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.parse().ok().map(Duration::from_secs)
}

/// A refusal in words: the server's message, and what to do where that is known.
pub fn refusal(status: StatusCode, body: &[u8]) -> String {
    let answer: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message =
        answer.as_ref().and_then(|answer| answer["error"]["message"].as_str()).unwrap_or("no reason given");
    let hint =
        if status == StatusCode::UNAUTHORIZED { "; give a key with --token or MILLRACE_TOKEN" } else { "" };
    format!("the server refused ({status}): {message}{hint}")
}

/// Percent-encodes a part of a URL.
pub fn encode(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~*:@$".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A request to build on.
pub fn request(method: &str, path: &str) -> request::Builder {
    Request::builder().method(method).uri(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_server() {
        assert_eq!(parse_url("http://localhost:9/").unwrap(), ("localhost:9".into(), "localhost:9".into()));
        assert_eq!(parse_url("http://example.org").unwrap().1, "example.org:80");
        assert_eq!(parse_url("127.0.0.1:8000").unwrap().1, "127.0.0.1:8000");
    }

    #[test]
    fn other_urls_say_what_to_do() {
        for (url, why) in
            [("https://x", "proxy"), ("ftp://x", "scheme"), ("http://x/v1", "path"), ("ht tp", "URL")]
        {
            assert!(format!("{:#}", parse_url(url).unwrap_err()).contains(why), "{url}");
        }
    }

    #[test]
    fn refusals_carry_the_message_of_the_server() {
        let body = br#"{"error":{"code":"unauthorized","message":"no key"}}"#;
        assert!(refusal(StatusCode::UNAUTHORIZED, body).contains("no key; give a key"));
        assert!(refusal(StatusCode::BAD_REQUEST, b"oops").contains("no reason given"));
    }

    #[test]
    fn what_urls_reserve_is_encoded() {
        assert_eq!(encode("a.b:c@d*"), "a.b:c@d*");
        assert_eq!(encode("{\"a\":1}&="), "%7B%22a%22:1%7D%26%3D");
    }
}
