//! The process under load: started here and pinned to its core, or somebody else's.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::sys;

const PATIENCE: Duration = Duration::from_secs(5);
const LISTENING: &str = "listening on http://";

/// Where the server comes from and which cores are used.
#[derive(Debug, Clone, clap::Args)]
pub struct ServerArgs {
    /// The server to start [default: `millrace` beside this program]
    #[arg(long, global = true, value_name = "PATH")]
    pub server: Option<PathBuf>,
    /// Test a server that runs already, at this address (http://host:port)
    #[arg(long, global = true)]
    pub url: Option<String>,
    /// Its process, for CPU time and memory
    #[arg(long, global = true, requires = "url")]
    pub pid: Option<i32>,
    /// The key to publish and subscribe with
    #[arg(long, global = true)]
    pub token: Option<String>,
    /// The core the server and the floor are pinned to [default: the first]
    #[arg(long, global = true)]
    pub server_core: Option<usize>,
    /// The core this program is pinned to [default: the last]
    #[arg(long, global = true)]
    pub client_core: Option<usize>,
    /// SO_SNDBUF of the floor's sockets; set it to what the server uses
    #[arg(long, global = true, hide = true)]
    pub floor_send_buffer: Option<i32>,
}

impl ServerArgs {
    /// Pins this process; the cores of servers and of this process (`None` on a single core, where pinning helps nobody).
    pub fn pin(&self) -> Result<(Option<usize>, Option<usize>)> {
        let cores = sys::allowed_cores()?;
        let many = cores.len() > 1;
        let client = self.client_core.or_else(|| many.then(|| cores[cores.len() - 1]));
        if let Some(core) = client {
            sys::pin_to(core).with_context(|| format!("cannot run on core {core}"))?;
        }
        Ok((self.server_core.or_else(|| many.then(|| cores[0])), client))
    }
}

/// What a server has to be configured for.
#[derive(Debug, Clone)]
pub struct Needs {
    /// Connections at a time.
    pub connections: usize,
    /// Events a topic keeps.
    pub retain_events: usize,
    /// When a subscriber counts as slow; the server's own idea otherwise.
    pub slow: Option<SlowLimits>,
    /// Further sections of the configuration.
    pub more: String,
}

/// When a subscriber is disconnected.
#[derive(Debug, Clone, Copy)]
pub struct SlowLimits {
    /// Events behind.
    pub events: usize,
    /// Bytes behind.
    pub bytes: usize,
    /// Seconds without progress.
    pub seconds: u32,
}

impl Needs {
    /// Room for `connections` (and the few of the tool), and everything else as it comes.
    pub fn connections(connections: usize) -> Self {
        Self { connections, retain_events: 4096, slow: None, more: String::new() }
    }

    /// Bytes a topic keeps.
    pub fn retain_bytes(&self) -> usize {
        (self.retain_events * 4096).max(64 << 20)
    }

    fn toml(&self) -> String {
        let (connections, more) = (self.connections + 1000, &self.more);
        let (retain_events, retain_bytes) = (self.retain_events, self.retain_bytes());
        let slow = self.slow.map_or_else(String::new, |slow| {
            let SlowLimits { events, bytes, seconds } = slow;
            format!("slow_events = {events}\nslow_bytes = {bytes}\nslow_seconds = {seconds}\n")
        });
        format!(
            "shards = 1\n\n[limits]\nconnections = {connections}\nconnections_per_ip = {connections}\n\n\
             [stream]\nconnections_per_user = 0\n\n[events]\nmax_clients_per_session = 0\n\n\
             [analysis]\nmax_connections_per_analysis = 0\nmax_total_connections = 0\n\
             max_events_per_second = 0\nmessage_buffer_size = {retain_events}\n\n\
             [namespaces.\"*\"]\nretain_events = {retain_events}\nretain_bytes = {retain_bytes}\n\
             retain_seconds = 3600\nslow_policy = \"disconnect\"\n{slow}\n{more}"
        )
    }
}

/// A server, and our hold on it.
pub struct Target {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its process, when known.
    pub pid: Option<i32>,
    /// Whether it is the floor.
    pub is_floor: bool,
    child: Option<Child>,
    dir: Option<PathBuf>,
}

impl Target {
    /// The server to test: the one running at `--url`, or a new one.
    pub fn server(args: &ServerArgs, core: Option<usize>, needs: &Needs) -> Result<Self> {
        if let Some(url) = &args.url {
            let addr = resolve(url)?;
            return Ok(Self { addr, pid: args.pid, is_floor: false, child: None, dir: None });
        }
        let program = args.server.clone().map_or_else(beside_us, Ok)?;
        ensure!(
            program.exists(),
            "there is no server at {}: build it with `cargo build --release`, or name one with --server or --url",
            program.display()
        );
        let dir = new_directory()?;
        let config = dir.join("millrace.toml");
        fs::write(&config, needs.toml())?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&config);
        Self::start(command, core, dir, false)
    }

    /// A floor that publishes events of `size` bytes.
    pub fn floor(args: &ServerArgs, core: Option<usize>, size: usize, buckets: Option<u32>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["floor-server", "--size", &size.to_string()]);
        command.args(buckets.iter().flat_map(|n| ["--buckets".to_owned(), n.to_string()]));
        command.args(args.floor_send_buffer.iter().flat_map(|n| ["--send-buffer".to_owned(), n.to_string()]));
        Self::start(command, core, new_directory()?, true)
    }

    fn start(mut command: Command, core: Option<usize>, dir: PathBuf, is_floor: bool) -> Result<Self> {
        let log = dir.join("stderr.log");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        sys::prepare_child(&mut command, core);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let pid = Some(child.id() as i32);
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut target = Self { addr: unknown, pid, is_floor, child: Some(child), dir: Some(dir) };
        target.addr = target.read_address().with_context(|| format!("{command:?} said: {}", tail(&log)))?;
        Ok(target)
    }

    /// Reads up to the line that says where it listens, and goes on reading so that it never waits for us.
    fn read_address(&mut self) -> Result<SocketAddr> {
        let stdout =
            self.child.as_mut().and_then(|child| child.stdout.take()).context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let addr = loop {
            let line = lines.next().context("the server ended before it listened")??;
            if let Some((_, url)) = line.split_once(LISTENING) {
                break url.trim().trim_end_matches('/').parse()?;
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Ok(addr)
    }

    /// `host:port`.
    pub fn host(&self) -> String {
        self.addr.to_string()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            end(child);
        }
        if let Some(dir) = &self.dir {
            let _ = fs::remove_dir_all(dir);
        }
    }
}

fn end(child: &mut Child) {
    let pid = child.id() as i32;
    let start = Instant::now();
    if matches!(child.try_wait(), Ok(None)) {
        sys::terminate(pid, false);
    }
    while matches!(child.try_wait(), Ok(None)) {
        if start.elapsed() > PATIENCE {
            sys::terminate(pid, true);
            let _ = child.wait();
            return;
        }
        sleep(Duration::from_millis(5));
    }
}

fn beside_us() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("millrace"))
}

fn new_directory() -> Result<PathBuf> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("millrace-loadtest-{}-{n}", std::process::id()));
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// The end of a log, for an error message.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    if lines.is_empty() { "nothing".into() } else { lines.into_iter().rev().collect::<Vec<_>>().join("\n") }
}

fn resolve(url: &str) -> Result<SocketAddr> {
    let host = url.strip_prefix("http://").with_context(|| format!("{url} does not begin with http://"))?;
    let host = host.trim_end_matches('/');
    host.to_socket_addrs()?.next().with_context(|| format!("{host} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_urls() {
        assert_eq!(resolve("http://127.0.0.1:80/").ok(), Some(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert!(resolve("127.0.0.1:80").is_err());
    }

    #[test]
    fn a_missing_server_is_explained() {
        let args = ServerArgs {
            server: Some("/nowhere/millrace".into()),
            url: None,
            pid: None,
            token: None,
            server_core: None,
            client_core: None,
            floor_send_buffer: None,
        };
        let error = Target::server(&args, None, &Needs::connections(1)).err().expect("missing");
        assert!(error.to_string().contains("cargo build --release"), "{error}");
    }
}
