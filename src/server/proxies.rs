//! Whom a connection or a request comes from, when proxies stand in between. Only configured ones are believed. In a header
//! the addresses are read from the right: each proxy adds the one it sees at the end, so that the first from the right that
//! is no proxy of ours is the client, whatever the client itself has written in front of it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use proxy_header::{Error, ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::config::{ForwardedHeader, Network, Proxy, ProxyProtocol};
use crate::limits::{FORWARDED_HOPS_MAX, PROXY_HEADER_BYTES_MAX};

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address; a Unix socket's has none.
    pub address: Option<IpAddr>,
    /// Whether it is a proxy that is believed.
    pub trusted: bool,
}

/// See the module.
pub struct Proxies {
    trusted: Vec<Network>,
    announce: bool,
    header: ForwardedHeader,
}

impl Proxies {
    /// Those of the configuration.
    pub fn new(config: &Proxy) -> Self {
        let announce = config.protocol == ProxyProtocol::V1V2;
        Self { trusted: config.trusted.clone(), announce, header: config.header }
    }

    /// Who has this address.
    pub fn peer(&self, address: Option<IpAddr>) -> Peer {
        let address = address.map(|address| address.to_canonical());
        Peer { address, trusted: self.trusted.iter().any(|network| network.contains(address)) }
    }

    /// Whether `peer` begins with a PROXY protocol header.
    pub fn announces(&self, peer: Peer) -> bool {
        peer.trusted && self.announce
    }

    /// Who has sent a request with these headers through `peer`. A proxy that names nobody speaks for itself; who stands
    /// behind one that writes what cannot be read is counted as that proxy.
    pub fn client(&self, peer: Peer, headers: &HeaderMap) -> Peer {
        let mut client = peer;
        if !peer.trusted {
            return client;
        }
        for hop in hops(self.header, headers).take(FORWARDED_HOPS_MAX) {
            let Some(address) = hop else { return Peer { trusted: false, ..client } };
            client = self.peer(Some(address));
            if !client.trusted {
                break;
            }
        }
        client
    }
}

/// The addresses of a header over all its lines, the last one first; `None` for what is none.
fn hops(header: ForwardedHeader, headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let (name, read): (_, fn(&str) -> Option<IpAddr>) = match header {
        ForwardedHeader::Forwarded => ("forwarded", forwarded_for),
        _ => ("x-forwarded-for", address),
    };
    let lines = headers.get_all(name).into_iter().rev();
    let lines = lines.filter(move |_| header != ForwardedHeader::None);
    // Each for itself: what a client has written further left need not even be text.
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    hops.map(move |hop| read(std::str::from_utf8(hop).ok()?.trim()))
}

/// An address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|at| at.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port)
}

/// The `for` of an element of `Forwarded` (RFC 7239 section 4). A quote that is not the whole value means that the element
/// was cut out of the middle of a quoted one: nothing of it is believed.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs: Option<Vec<_>> = element.split(';').map(|pair| pair.trim().split_once('=')).collect();
    let values = pairs?.into_iter().map(|(name, value)| Some((name, unquoted(value)?)));
    let values: Vec<_> = values.collect::<Option<_>>()?;
    let found = values.iter().find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    address(found.1)
}

fn unquoted(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"'))
}

/// Reads a PROXY protocol header of either version: the client's address, `None` when the proxy speaks for itself, and what
/// follows the header already.
///
/// # Errors
/// It is none, or did not come whole.
pub async fn read_header(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<(Option<IpAddr>, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(PROXY_HEADER_BYTES_MAX);
    loop {
        let room = PROXY_HEADER_BYTES_MAX - bytes.len();
        if socket.take(room as u64).read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match ProxyHeader::parse(&bytes, ParseConfig::default()) {
            Ok((header, length)) => {
                let address = header.proxied_address().map(|address| address.source.ip());
                return Ok((address, bytes.split_off(length)));
            }
            Err(Error::BufferTooShort) if bytes.len() < PROXY_HEADER_BYTES_MAX => {}
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};
    use tokio::io::AsyncWriteExt;

    fn proxies(header: ForwardedHeader) -> Proxies {
        let trusted = ["10.0.0.0/8", "::1"].map(|text| Network::parse(text).unwrap());
        Proxies::new(&Proxy { trusted: trusted.into(), header, ..Proxy::default() })
    }

    fn found(header: ForwardedHeader, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let proxies = proxies(header);
        let client = proxies.client(proxies.peer(peer.parse().ok()), &headers);
        let mark = if client.trusted { "+" } else { "" };
        client.address.map_or("nobody".into(), |address| format!("{address}{mark}"))
    }

    fn x(peer: &str, values: &[&str]) -> String {
        let lines: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
        found(ForwardedHeader::XForwardedFor, peer, &lines)
    }

    fn f(values: &[&str]) -> String {
        let lines: Vec<_> = values.iter().map(|value| ("forwarded", *value)).collect();
        found(ForwardedHeader::Forwarded, "10.0.0.1", &lines)
    }

    #[test]
    fn the_first_from_the_right_that_is_no_proxy_is_the_client() {
        assert_eq!(x("10.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(x("10.0.0.1", &["1.1.1.1, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(x("10.0.0.1", &["1.1.1.1", "192.0.2.7"]), "192.0.2.7");
        assert_eq!(x("10.0.0.1", &["1.1.1.1, 192.0.2.7", " 10.0.0.2,::1"]), "192.0.2.7");
        assert_eq!(x("::ffff:10.0.0.1", &["2001:db8::5"]), "2001:db8::5");
        assert_eq!(x("10.0.0.1", &["[2001:db8::5]:99"]), "2001:db8::5");
        assert_eq!(x("10.0.0.1", &["192.0.2.7:99"]), "192.0.2.7");
        assert_eq!(x("10.0.0.1", &["::ffff:192.0.2.7, ::ffff:10.0.0.2"]), "192.0.2.7");
    }

    #[test]
    fn what_a_client_writes_in_front_does_not_hide_it() {
        for written in ["ÿþ", "é, 10.0.0.9", "unknown", "\"", "for=\"x", ",,,", "10.0.0.9 10.0.0.9"] {
            assert_eq!(x("10.0.0.1", &[&format!("{written}, 192.0.2.7")]), "192.0.2.7", "{written}");
            assert_eq!(f(&[&format!("{written}, for=192.0.2.7")]), "192.0.2.7", "{written}");
        }
        let many = ["10.0.0.9"; FORWARDED_HOPS_MAX + 1].join(", ");
        assert_eq!(x("10.0.0.1", &[&format!("{many}, 192.0.2.7")]), "192.0.2.7");
        assert_eq!(x("10.0.0.1", &[&many]), "10.0.0.9+", "proxies all the way");
    }

    #[test]
    fn nobody_else_is_believed() {
        assert_eq!(x("192.0.2.1", &["1.1.1.1"]), "192.0.2.1");
        assert_eq!(x("a socket", &["1.1.1.1"]), "nobody");
        let other = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(found(ForwardedHeader::XForwardedFor, "10.0.0.1", &other), "192.0.2.7");
        assert_eq!(found(ForwardedHeader::None, "10.0.0.1", &other), "10.0.0.1+");
    }

    #[test]
    fn a_proxy_that_names_nobody_is_itself_and_one_that_writes_nonsense_is_counted() {
        assert_eq!(x("10.0.0.1", &[]), "10.0.0.1+");
        assert_eq!(x("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3+");
        for nonsense in ["unknown", "1.1.1.1, nonsense", "1.1.1.1,", "", "1.1.1.1 2.2.2.2"] {
            assert_eq!(x("10.0.0.1", &[nonsense]), "10.0.0.1", "{nonsense}");
        }
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_says() {
        assert_eq!(f(&["for=192.0.2.7;proto=http;by=10.0.0.1"]), "192.0.2.7");
        assert_eq!(f(&["for=1.1.1.1, For=\"[2001:db8::5]:4711\""]), "2001:db8::5");
        assert_eq!(f(&["for=1.1.1.1", "proto=http; for=192.0.2.7"]), "192.0.2.7");
        for nonsense in
            ["for=_hidden", "proto=http", "for=192.0.2.7;host=\"x, for=1.1.1.1\"", "for=\"1.1.1.1", "x"]
        {
            assert_eq!(f(&[nonsense]), "10.0.0.1", "{nonsense}");
        }
    }

    fn read(pieces: &[&[u8]]) -> Option<(Option<IpAddr>, Vec<u8>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut proxy, mut server) = tokio::io::duplex(1 << 20);
        runtime.block_on(async {
            let send = async move {
                for piece in pieces {
                    proxy.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            tokio::join!(send, read_header(&mut server)).1.ok()
        })
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u16).to_be_bytes();
        [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x20 | command, family], &length, body].concat()
    }

    #[test]
    fn headers_of_both_versions_are_read_in_any_pieces() {
        let client = Some("192.0.2.7".parse().unwrap());
        let v1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\nGET /".as_slice();
        assert_eq!(read(&[v1]), Some((client, b"GET /".into())));
        let bytes: Vec<_> = v1[..v1.len() - 5].chunks(1).collect();
        assert_eq!(read(&bytes), Some((client, Vec::new())));
        let addresses = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 80];
        let header = v2(1, 0x11, &addresses);
        assert_eq!(read(&[&header, b"GET /"]), Some((client, Vec::new())));
        assert_eq!(read(&[&[&header[..], b"GET /"].concat()]), Some((client, b"GET /".into())));
        assert_eq!(read(&header.chunks(1).collect::<Vec<_>>()), Some((client, Vec::new())));
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        assert_eq!(read(&[b"PROXY UNKNOWN\r\n"]), Some((None, Vec::new())));
        assert_eq!(read(&[&v2(0, 0, b"")]), Some((None, Vec::new())));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let long = v2(1, 0x11, &vec![0; PROXY_HEADER_BYTES_MAX]);
        let wrong: [&[u8]; 6] = [
            b"GET / HTTP/1.1\r\n\r\n",
            b"PROXY TCP4 192.0.2.7",
            b"PROXY TCP4 nonsense 10.0.0.1 4711 80\r\n",
            b"POST / HTTP/1.1\r\n\r\n",
            b"",
            &long,
        ];
        for header in wrong {
            assert_eq!(read(&[header]), None, "{:?}", String::from_utf8_lossy(header));
        }
    }
}
