//! Requests that the server itself makes: one connection each, a deadline for the whole, and a bound on the answer.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Makes requests of one kind to one address.
pub struct Client {
    url: Uri,
    /// For `https`.
    tls: Option<TlsConnector>,
    timeout: Duration,
    answer_bytes: usize,
}

impl Client {
    /// For requests to `url`, which must be answered within `timeout` and `answer_bytes`.
    ///
    /// # Errors
    /// No URL, or no certificates to check its server by.
    pub fn new(url: &str, timeout: Duration, answer_bytes: usize) -> anyhow::Result<Self> {
        let url: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
        let tls = (url.scheme_str() == Some("https")).then(connector).transpose()?;
        if url.host().is_none() {
            bail!("{url} names no host");
        }
        Ok(Self { url, tls, timeout, answer_bytes })
    }

    /// Makes a request; redirects are not followed.
    ///
    /// # Errors
    /// No answer in time, or one that is too large.
    pub async fn send(&self, mut request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let target = self.url.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = target.parse()?;
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        request.headers_mut().insert(HOST, HeaderValue::from_str(host)?);
        let exchange = tokio::time::timeout(self.timeout, self.exchange(request)).await;
        exchange.with_context(|| format!("no answer within {:?}", self.timeout))?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let host = self.url.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = self.url.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let socket = TcpStream::connect((host, port)).await.context("cannot connect")?;
        socket.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned())?;
                let socket = tls.connect(name, socket).await.context("no TLS with this server")?;
                self.converse(socket, request).await
            }
            None => self.converse(socket, request).await,
        }
    }

    /// The connection is driven by whoever waits for the answer, so that no task outlives it.
    async fn converse<S>(
        &self,
        socket: S,
        request: Request<Full<Bytes>>,
    ) -> anyhow::Result<(StatusCode, Bytes)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        let answer = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), self.answer_bytes).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?;
            Ok((status, body.to_bytes()))
        };
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            _ended = connection => answer.await,
        }
    }
}

/// TLS as clients speak it, with the certificate authorities of the system.
fn connector() -> anyhow::Result<TlsConnector> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _broken) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        bail!("the system has no certificate authorities; install ca-certificates, or set SSL_CERT_FILE");
    }
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
