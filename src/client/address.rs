//! Where requests go, and how a connection to there is made.

use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::Trouble;

/// A connection, with or without TLS.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// An `http` or `https` URL that can be asked.
#[derive(Clone)]
pub struct Address {
    url: Uri,
    /// For `https`.
    tls: Option<TlsConnector>,
    host_header: HeaderValue,
}

impl Address {
    /// The address `url`.
    ///
    /// # Errors
    /// No URL, or no certificates to check its server by.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let url: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
        let tls = (url.scheme_str() == Some("https")).then(connector).transpose()?;
        let Some(authority) = url.authority() else { bail!("{url} names no host") };
        let host_header = HeaderValue::from_str(authority.as_str())?;
        Ok(Self { url, tls, host_header })
    }

    /// Makes `request` one to here.
    ///
    /// # Errors
    /// The path cannot be asked for.
    pub fn direct(&self, request: &mut Request<Full<Bytes>>) -> anyhow::Result<()> {
        let target = self.url.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = target.parse()?;
        request.headers_mut().insert(HOST, self.host_header.clone());
        Ok(())
    }

    /// A connection.
    ///
    /// # Errors
    /// There is none.
    pub async fn connect(&self) -> Result<Box<dyn Socket>, Trouble> {
        let host = self.url.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = self.url.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let refused = |error: std::io::Error| Trouble::Connect(error.to_string());
        let socket = TcpStream::connect((host, port)).await.map_err(refused)?;
        socket.set_nodelay(true).map_err(refused)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(socket)) };
        let no_tls =
            |why: &dyn std::fmt::Display| Trouble::Connect(format!("no TLS with this server: {why}"));
        let name = ServerName::try_from(host.to_owned()).map_err(|error| no_tls(&error))?;
        let socket = tls.connect(name, socket).await.map_err(|error| no_tls(&error))?;
        Ok(Box::new(socket))
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
