//! Transcripts as they are written.

use std::fs;
use std::path::{Path, PathBuf};

pub enum Step {
    /// Stream, transport, target.
    Open(char, String, String),
    Client(char, String),
    Server(char, String),
    Event(String),
    Advance(u64),
    Wait(u64),
}

pub struct Script {
    pub name: String,
    pub config: String,
    /// With the numbers of their lines.
    pub steps: Vec<(usize, Step)>,
}

impl Script {
    /// Those of all protocols.
    pub fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
        let dialects = inside(&folder).into_iter().filter(|path| path.is_dir());
        dialects.flat_map(|dialect| inside(&dialect)).map(|path| Self::parse(&path)).collect()
    }

    fn parse(path: &Path) -> Self {
        let mut parts = path.iter().rev().map(|part| part.to_string_lossy());
        let (file, dialect) = (parts.next().unwrap(), parts.next().unwrap());
        let name = format!("{dialect}/{file}");
        let (mut config, mut steps) = (String::new(), Vec::new());
        for (i, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
            if let Some(line) = line.strip_prefix("@ config ") {
                config += &format!("{line}\n");
            } else if !line.is_empty() && !line.starts_with('#') {
                let step = step(line).unwrap_or_else(|| panic!("{name}:{}: no step: {line}", i + 1));
                steps.push((i + 1, step));
            }
        }
        Self { name, config, steps }
    }

    pub fn needs_socket(&self) -> bool {
        self.steps.iter().any(|(_, step)| matches!(step, Step::Event(event) if event.starts_with("request ")))
    }

    pub fn needs_simulation(&self) -> bool {
        let only = |step: &Step| match step {
            Step::Advance(_) => true,
            Step::Event(event) => event == "stop reading" || event == "go on",
            _ => false,
        };
        self.steps.iter().any(|(_, step)| only(step))
    }
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn step(line: &str) -> Option<Step> {
    if let Some(event) = line.strip_prefix("! ") {
        return Some(Step::Event(event.into()));
    }
    if let Some(request) = line.strip_prefix("& ") {
        return Some(Step::Event(format!("request {request}")));
    }
    if let Some(time) = line.strip_prefix("~ advance ") {
        return Some(Step::Advance(millis(time)?));
    }
    if let Some(time) = line.strip_prefix("~ wait ") {
        return Some(Step::Wait(millis(time)?));
    }
    if let Some(opened) = line.strip_prefix('@') {
        let (stream, rest) = named(opened, ' ')?;
        let (transport, target) = rest.trim_start().split_once(' ')?;
        return Some(Step::Open(stream, transport.into(), target.into()));
    }
    if let Some((stream, text)) = named(line, '>') {
        return Some(Step::Client(stream, text.strip_prefix(' ').unwrap_or(text).into()));
    }
    let (stream, text) = named(line, '<')?;
    Some(Step::Server(stream, text.strip_prefix(' ').unwrap_or(text).into()))
}

/// A stream's letter (a, when there is none), and what follows the sign.
fn named(text: &str, sign: char) -> Option<(char, &str)> {
    let (name, rest) = text.split_once(sign)?;
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (None, _) => Some(('a', rest)),
        (Some(letter), None) => Some((letter, rest)),
        _ => None,
    }
}

fn millis(text: &str) -> Option<u64> {
    match text.strip_suffix("ms") {
        Some(number) => number.parse().ok(),
        None => Some(text.strip_suffix('s')?.parse::<u64>().ok()? * 1000),
    }
}
