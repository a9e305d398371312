//! Proxies in front of the server: which peers are proxies, and how they say whom they connect.

use std::net::IpAddr;

use super::choice::{ForwardedHeader, ProxyProtocol};
use super::kind::{Kind, Word, read_list, show_list};
use super::section::section;

section! {
    /// Proxies in front of the server.
    Proxy = "proxy" {
        /// Peers that are believed when they say whom they connect: networks, single addresses, or `unix` for everybody who connects to a Unix socket. Whatever others say about it is passed over.
        trusted: Networks = Vec::new();
        /// Whether trusted peers begin each connection with a PROXY protocol header, of version 1 or 2. One that does not is closed.
        protocol: ProxyProtocol = ProxyProtocol::None;
        /// The header in which trusted peers name the client, read from the right over all its lines. The other one is passed over, as a client may have sent it.
        header: ForwardedHeader = ForwardedHeader::XForwardedFor;
    }
}

/// Peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Everybody who connects to a Unix socket.
    Unix,
    /// The addresses that begin with the first bits of this one.
    Addresses(IpAddr, u8),
}

impl Network {
    /// Reads `10.0.0.0/8`, `::1` or `unix`.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, bits)| (a, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| HINT)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| HINT))?;
        if bits > most { Err(HINT.into()) } else { Ok(Self::canonical(address, bits)) }
    }

    /// Peers that are IPv4 addresses in the clothes of IPv6 (`::ffff:10.0.0.1`) are taken for what they are, so networks must be.
    fn canonical(address: IpAddr, bits: u8) -> Self {
        match (address.to_canonical(), bits.checked_sub(96)) {
            (IpAddr::V4(inner), Some(bits)) if address.is_ipv6() => Self::Addresses(inner.into(), bits),
            _ => Self::Addresses(address, bits),
        }
    }

    /// Whether a peer is one of these; `None` is one of a Unix socket.
    pub fn contains(&self, peer: Option<IpAddr>) -> bool {
        match (*self, peer) {
            (Self::Unix, None) => true,
            (Self::Addresses(IpAddr::V4(network), bits), Some(IpAddr::V4(peer))) => {
                let differs = u32::from(network) ^ u32::from(peer);
                differs.checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
            }
            (Self::Addresses(IpAddr::V6(network), bits), Some(IpAddr::V6(peer))) => {
                let differs = u128::from(network) ^ u128::from(peer);
                differs.checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    fn setting(&self) -> String {
        match self {
            Self::Unix => "unix".into(),
            Self::Addresses(address, bits) => format!("{address}/{bits}"),
        }
    }
}

const HINT: &str = "write a network (\"10.0.0.0/8\"), an address (\"127.0.0.1\") or \"unix\"";

/// Networks.
pub struct Networks;

impl Kind for Networks {
    type Value = Vec<Network>;
    const NAME: &'static str = "list of networks";

    fn read(word: &Word) -> Result<Vec<Network>, String> {
        read_list(word, Network::parse)
    }

    fn show(value: &Vec<Network>) -> String {
        show_list(value, Network::setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, peer: &str) -> bool {
        Network::parse(network).unwrap().contains(peer.parse().ok())
    }

    #[test]
    fn networks_hold_their_addresses() {
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("10.1.0.0/16", "10.1.255.1") && !holds("10.1.0.0/16", "10.2.0.1"));
        assert!(holds("0.0.0.0/0", "255.1.2.3") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fc00::1"));
        assert!(holds("::ffff:10.0.0.0/104", "10.1.2.3") && holds("::ffff:10.0.0.1", "10.0.0.1"));
        assert!(!holds("::ffff:10.0.0.0/104", "11.1.2.3") && !holds("::/0", "10.0.0.1"));
        assert!(holds("::/0", "1::") && holds("unix", "no address") && !holds("0.0.0.0/0", "no address"));
    }

    #[test]
    fn what_is_no_network_is_said_so() {
        for wrong in ["10.0.0.0/33", "::1/129", "proxy", "10.0.0.0/", "10.0.0.0/-1", ""] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
        let list = Networks::read(&Word::Text("10.0.0.0/8,unix, ::1".into())).unwrap();
        assert_eq!(Networks::show(&list), r#"["10.0.0.0/8", "unix", "::1/128"]"#);
    }
}
