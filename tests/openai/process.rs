//! The binary as an operator configures it: the key comes from the environment, and stands in no log.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::reader::{ask, done, failed};
use super::support::Running;
use super::upstream::{Call, Play, Upstream, play, refuses, says};

struct Process(Child);

impl Process {
    /// Starts it with `toml`, and `environment` alone of the variables that may hold keys.
    fn start(folder: &Path, toml: &str, environment: &[(&str, &str)]) -> (Self, Running) {
        let (config, log) = (folder.join("millrace.toml"), folder.join("log"));
        fs::write(&config, toml).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(["serve", "--log", "trace", "--listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .env_remove("OPENAI_API_KEY")
            .env_remove("OPENROUTER_API_KEY")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").unwrap().1.to_owned();
        (Self(child), Running::at(&address))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        self.0.wait().unwrap();
    }
}

fn toml(upstream: &Upstream, more: &str) -> String {
    format!(
        "[respond]\nresponder = \"openai\"\n[openai]\nurl = \"{}\"\nmodel = \"m\"\nretries = 0\n{more}",
        upstream.url
    )
}

/// Tells the key that it was given.
fn echoes() -> Play {
    play(|call: &mut Call| {
        call.head("401 Unauthorized", "");
        call.raw(br#"{"error":{"message":"Incorrect API key provided: router-key-secret"}}"#);
    })
}

#[test]
fn the_key_comes_from_the_environment_and_goes_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start(vec![says(&["Yes."]), echoes()]);
    let keys = [("OPENAI_API_KEY", ""), ("OPENROUTER_API_KEY", " router-key-secret\n")];
    let (process, server) = Process::start(folder.path(), &toml(&upstream, ""), &keys);
    let events = ask(&server, "s", "Hello?");
    assert_eq!(done(&events)["output"], "Yes.");
    assert_eq!(done(&events)["metadata"]["context"]["sources"], serde_json::json!([]));
    assert_eq!(failed(&ask(&server, "s", "And now?")).0, "PROCESSING_ERROR");
    drop(process);
    assert!(upstream.seen()[0].head.contains("authorization: Bearer router-key-secret\r\n"));
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains("secret"), "{log}");
    let line = log.lines().find(|line| line.contains("the model cannot be asked")).unwrap();
    assert!(line.contains("ERROR") && line.contains("401 Incorrect API key provided: [key]"), "{line}");
}

#[test]
fn models_go_by_documents_and_tools_are_configured() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    fs::create_dir(&documents).unwrap();
    fs::write(documents.join("engine.md"), "# Engine\n\nThe engine power is 110 kW.\n").unwrap();
    let upstream = Upstream::start(vec![super::tools::calls("weather", "{}"), says(&["110 kW."])]);
    let webhook = Upstream::start(vec![refuses("200 OK", "", "{}")]);
    let more = format!(
        "key_env = []\n[agents.specs]\nkeywords = [\"engine\"]\nmodel = \"large\"\n\
         [tools.weather]\nurl = \"{}\"\ntoken_env = \"WEATHER_TOKEN\"\nparameters = '{{\"type\":\"object\"}}'\n",
        webhook.url
    );
    let toml =
        toml(&upstream, &more).replace("\"openai\"", &format!("\"openai\"\ndocuments = {documents:?}"));
    let keys = [("OPENAI_API_KEY", "sk"), ("WEATHER_TOKEN", "tool-secret")];
    let (_process, server) = Process::start(folder.path(), &toml, &keys);
    let more = serde_json::json!({"agent_id": "specs"});
    let events = super::reader::Stream::ask(&server, "s", "What is the engine power?", more).rest();
    let done = done(&events);
    assert_eq!((&done["output"], &done["metadata"]["agent"]), (&"110 kW.".into(), &"specs".into()));
    assert_eq!(done["metadata"]["context"]["sources"], serde_json::json!(["engine.md"]));
    let seen = upstream.seen();
    assert!(!seen[0].head.contains("authorization"), "{}", seen[0].head);
    assert_eq!(seen[0].body["model"], "large");
    let system = seen[0].body["messages"][0]["content"].as_str().unwrap();
    assert!(system.contains("The engine power is 110 kW."), "{system}");
    assert!(webhook.only().head.contains("authorization: Bearer tool-secret\r\n"));
}
