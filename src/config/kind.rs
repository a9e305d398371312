//! Kinds of settings: how a word from the file, the environment or a flag becomes a plain value, and how the value is
//! written back as TOML. A kind is a marker type, so that the table of settings names it once and the compiler does the rest.
//! Never accepts a word it would have to guess at.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::pattern::Pattern;
use super::units;

/// What was said for one setting, before its kind is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// A string; everything from the environment and flags is one.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A number with a fraction, as it was written.
    Decimal(String),
    /// True or false.
    Switch(bool),
    /// A list.
    List(Vec<Word>),
    /// Something no setting takes, named for the message.
    Other(&'static str),
}

/// A kind of setting.
pub trait Kind {
    /// The plain type it resolves to.
    type Value: Clone;
    /// Its name in the documentation.
    const NAME: &'static str;
    /// Reads a word.
    ///
    /// # Errors
    /// What would have been accepted.
    fn read(word: &Word) -> Result<Self::Value, String>;
    /// Writes a value as TOML.
    fn show(value: &Self::Value) -> String;
}

/// A whole number of at least `MIN`.
pub struct Count<const MIN: usize>;

impl<const MIN: usize> Kind for Count<MIN> {
    type Value = usize;
    const NAME: &'static str = "number";

    fn read(word: &Word) -> Result<usize, String> {
        let number = match word {
            Word::Number(number) => usize::try_from(*number).ok(),
            Word::Text(text) => text.trim().replace('_', "").parse().ok(),
            _ => None,
        };
        number.filter(|n| *n >= MIN).ok_or_else(|| format!("write a whole number of at least {MIN}"))
    }

    fn show(value: &usize) -> String {
        value.to_string()
    }
}

/// A size in bytes of at least `MIN`.
pub struct Bytes<const MIN: usize>;

impl<const MIN: usize> Kind for Bytes<MIN> {
    type Value = usize;
    const NAME: &'static str = "size";

    fn read(word: &Word) -> Result<usize, String> {
        let size = match word {
            Word::Number(number) => usize::try_from(*number).ok(),
            Word::Text(text) => units::parse_size(text),
            _ => None,
        };
        let least = units::show_size(MIN);
        size.filter(|n| *n >= MIN)
            .ok_or_else(|| format!("write a size of at least {least}, such as \"64MiB\" or 65536"))
    }

    fn show(value: &usize) -> String {
        format!("\"{}\"", units::show_size(*value))
    }
}

/// A duration; a bare number counts `MICROS` microseconds each, and at least `MIN` of those.
pub struct Time<const MICROS: u64, const MIN: u64>;
/// Seconds.
pub type Seconds<const MIN: u64> = Time<1_000_000, MIN>;
/// Milliseconds.
pub type Millis<const MIN: u64> = Time<1_000, MIN>;

impl<const MICROS: u64, const MIN: u64> Kind for Time<MICROS, MIN> {
    type Value = Duration;
    const NAME: &'static str = "duration";

    fn read(word: &Word) -> Result<Duration, String> {
        let duration = match word {
            Word::Number(number) => units::parse_duration(&number.to_string(), MICROS),
            Word::Text(text) => units::parse_duration(text, MICROS),
            _ => None,
        };
        let least = Duration::from_micros(MICROS * MIN);
        let hint =
            || format!("write a duration of at least {least:?} and at most ten years, such as 30 or \"5m\"");
        duration.filter(|d| *d >= least).ok_or_else(hint)
    }

    fn show(value: &Duration) -> String {
        let micros = value.as_micros();
        let scale = u128::from(MICROS);
        if micros.is_multiple_of(scale) { (micros / scale).to_string() } else { format!("\"{micros}us\"") }
    }
}

/// True or false.
pub struct Switch;

impl Kind for Switch {
    type Value = bool;
    const NAME: &'static str = "true or false";

    fn read(word: &Word) -> Result<bool, String> {
        match word {
            Word::Switch(value) => Ok(*value),
            Word::Text(text) if ["true", "1", "yes", "on"].contains(&text.as_str()) => Ok(true),
            Word::Text(text) if ["false", "0", "no", "off"].contains(&text.as_str()) => Ok(false),
            _ => Err("write true or false".into()),
        }
    }

    fn show(value: &bool) -> String {
        value.to_string()
    }
}

/// Text that is not empty.
pub struct Text;

impl Kind for Text {
    type Value = String;
    const NAME: &'static str = "text";

    fn read(word: &Word) -> Result<String, String> {
        match word {
            Word::Text(text) if !text.trim().is_empty() => Ok(text.clone()),
            _ => Err("write a text in quotes".into()),
        }
    }

    fn show(value: &String) -> String {
        quote(value)
    }
}

/// Text as a TOML string. JSON's escapes are a subset of those of TOML's basic strings.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A file's path; empty for none.
pub struct File;

impl Kind for File {
    type Value = PathBuf;
    const NAME: &'static str = "path";

    fn read(word: &Word) -> Result<PathBuf, String> {
        match word {
            Word::Text(text) => Ok(text.into()),
            _ => Err("write a path in quotes".into()),
        }
    }

    fn show(value: &PathBuf) -> String {
        quote(&value.to_string_lossy())
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An IP address and port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A Unix socket; counts as local.
    Unix(PathBuf),
}

impl Listen {
    /// Reads `host:port` or `unix:/path`.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(LISTEN_HINT.into()) } else { Ok(Self::Unix(path.into())) };
        }
        let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
        let address = local.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        address.or_else(|| text.parse().ok()).map(Self::Tcp).ok_or_else(|| LISTEN_HINT.into())
    }

    /// Whether only this machine can connect.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// The address as people and clients write it: `http://127.0.0.1:8000`, `unix:/run/millrace.sock`.
    pub fn url(&self) -> String {
        match self {
            Self::Tcp(address) => format!("http://{address}"),
            Self::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// The address as it stands in the configuration.
    fn setting(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(_) => self.url(),
        }
    }
}

const LISTEN_HINT: &str = "write \"127.0.0.1:8000\" (an IP address and a port) or \"unix:/path/to/socket\"";

/// Reads a list; a single text is split at commas, since that is how the environment and flags say lists.
pub(super) fn read_list<T>(word: &Word, item: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let one = |word: &Word| match word {
        Word::Text(text) => item(text.trim()),
        _ => Err("write a list of texts".into()),
    };
    match word {
        Word::List(words) => words.iter().map(one).collect(),
        Word::Text(text) => {
            text.split(',').filter(|part| !part.trim().is_empty()).map(|part| item(part.trim())).collect()
        }
        _ => Err("write a list of texts".into()),
    }
}

pub(super) fn show_list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    let items: Vec<String> = items.iter().map(|item| quote(&show(item))).collect();
    format!("[{}]", items.join(", "))
}

/// Addresses to listen on, at least one.
pub struct Addresses;

impl Kind for Addresses {
    type Value = Vec<Listen>;
    const NAME: &'static str = "list of addresses";

    fn read(word: &Word) -> Result<Vec<Listen>, String> {
        let list = read_list(word, Listen::parse)?;
        if list.is_empty() { Err(format!("the list is empty; {LISTEN_HINT}")) } else { Ok(list) }
    }

    fn show(value: &Vec<Listen>) -> String {
        show_list(value, Listen::setting)
    }
}

/// Topic patterns.
pub struct Patterns;

impl Kind for Patterns {
    type Value = Vec<Pattern>;
    const NAME: &'static str = "list of patterns";

    fn read(word: &Word) -> Result<Vec<Pattern>, String> {
        read_list(word, Pattern::new)
    }

    fn show(value: &Vec<Pattern>) -> String {
        show_list(value, Pattern::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Word {
        Word::Text(text.into())
    }

    #[test]
    fn numbers_may_be_said_as_text_and_have_a_least_value() {
        assert_eq!(Count::<1>::read(&text("100_000")), Ok(100_000));
        assert_eq!(Count::<1>::read(&Word::Number(3)), Ok(3));
        assert!(Count::<1>::read(&Word::Number(0)).unwrap_err().contains("at least 1"));
        assert!(Count::<0>::read(&Word::Number(-1)).is_err());
    }

    #[test]
    fn durations_are_shown_in_the_unit_of_their_setting() {
        assert_eq!(Seconds::<0>::show(&Duration::from_secs(90)), "90");
        assert_eq!(Seconds::<0>::show(&Duration::from_millis(1500)), "\"1500000us\"");
        assert_eq!(Seconds::<0>::read(&text("1500000us")), Ok(Duration::from_millis(1500)));
        assert!(Seconds::<1>::read(&Word::Number(0)).unwrap_err().contains("at least 1s"));
    }

    #[test]
    fn addresses_are_ip_addresses_or_unix_sockets() {
        let list = Addresses::read(&text("127.0.0.1:0, unix:/run/m.sock,[::1]:80,localhost:9")).unwrap();
        assert_eq!(
            Addresses::show(&list),
            r#"["127.0.0.1:0", "unix:/run/m.sock", "[::1]:80", "127.0.0.1:9"]"#
        );
        assert!(list.iter().all(Listen::is_local));
        assert!(!Listen::parse("0.0.0.0:80").unwrap().is_local());
        assert!(!Listen::parse("[::]:80").unwrap().is_local());
        assert!(Listen::parse("[::ffff:127.0.0.1]:80").unwrap().is_local());
        assert!(Listen::parse("example.org:80").unwrap_err().contains("IP address"));
        assert!(Addresses::read(&Word::List(vec![])).is_err());
    }

    #[test]
    fn switches_are_read_from_any_source() {
        assert_eq!(Switch::read(&text("on")), Ok(true));
        assert_eq!(Switch::read(&Word::Switch(false)), Ok(false));
        assert!(Switch::read(&text("perhaps")).is_err());
    }
}
