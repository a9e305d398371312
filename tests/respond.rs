//! Questions answered by the embedded responder, over a real server: from the manual of the demo, and from a folder of documents.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]
#![allow(clippy::disallowed_methods, reason = "a test measures time")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use millrace::config::Config;
use millrace::server::Server;
use serde_json::{Value, json};
use support::{PATIENCE, Running, body};

const JSON: &str = "content-type: application/json\r\n";

/// A server with responders of its own, and not the one that does what the question says.
fn start(toml: &str) -> Running {
    Running::start_bound(1, toml, |config| Server::bind(Config { test_echo: false, ..config }).unwrap())
}

/// The whole answer of `chat` to a question for whoever it may concern, in the session `s`.
fn chat(server: &Running, text: &str) -> Value {
    let question = json!({"message": text, "session_id": "s"}).to_string();
    let response = server.request("POST", "/api/v1/chat", JSON, &question);
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    serde_json::from_str(body(&response)).unwrap()
}

/// The whole answer of `agent` to a question, in the session `s`.
fn answer(server: &Running, agent: &str, text: &str) -> Value {
    let question = json!({"agent_id": agent, "goal": text, "stream": false, "session_id": "s"}).to_string();
    let response = server.request("POST", "/v1/sessions/execute", JSON, &question);
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    serde_json::from_str(body(&response)).unwrap()
}

/// An event of a stream, and when it came.
struct Event {
    name: String,
    data: Value,
    after: Duration,
}

/// The events of an answer of `channels`, to its end.
fn execute(server: &Running, question: &Value) -> Vec<Event> {
    let mut socket = TcpStream::connect(&server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let text = question.to_string();
    let head = "POST /v1/sessions/execute HTTP/1.1\r\nhost: test\r\naccept: text/event-stream\r\n";
    let asked = Instant::now();
    write!(socket, "{head}{JSON}content-length: {}\r\n\r\n{text}", text.len()).unwrap();
    let (mut events, mut name) = (Vec::new(), String::new());
    for line in BufReader::new(socket).lines() {
        let line = line.unwrap();
        if let Some(event) = line.strip_prefix("event: ") {
            name = event.into();
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data = serde_json::from_str(data).unwrap();
            events.push(Event { name: name.clone(), data, after: asked.elapsed() });
            if name == "done" || name == "error" {
                break;
            }
        }
    }
    events
}

fn ask(agent: &str, text: &str) -> Value {
    json!({"agent_id": agent, "goal": text, "stream": true})
}

/// A server that answers from these documents.
fn documents(documents: &[(&str, &str)], more: &str) -> (Running, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in documents {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let toml = format!("[respond]\ndocuments = {:?}\n{more}", dir.path());
    (start(&toml), dir)
}

#[test]
fn the_steps_of_an_answer_come_in_order_and_its_words_make_the_answer() {
    let server = start("");
    let events = execute(&server, &ask("specs", "What is the engine power?"));
    let steps: Vec<_> =
        events.iter().filter(|event| event.name == "step").map(|event| &event.data["step"]).collect();
    assert_eq!(steps, ["starting", "agent_routing", "rag_retrieval", "generating"]);
    let words: Vec<_> = events
        .iter()
        .filter(|event| event.name == "message")
        .map(|event| event.data["content"].as_str().unwrap())
        .collect();
    let done = &events.last().unwrap().data;
    assert_eq!(words.concat(), done["output"].as_str().unwrap());
    assert!(words.len() > 20 && words.iter().all(|word| word.split_whitespace().count() == 1), "{words:?}");
    assert!(done["output"].as_str().unwrap().contains("110 kW"), "{done}");
    assert_eq!(done["metadata"]["agent"], "specs");
    assert_eq!(done["metadata"]["context"]["sources"], json!(["engine.md"]));
    assert!(done["metadata"]["confidence"].as_f64().unwrap() > 0.8, "{done}");
}

#[test]
fn whoever_asks_finds_the_agent_for_it() {
    let server = start("");
    let table = [
        ("What is the engine power?", "specs", "110 kW"),
        ("and of the diesel?", "specs", "96 kW"),
        ("When is an oil change due?", "maintenance", "15,000 km"),
        ("My car won't start", "troubleshooting", "battery"),
    ];
    for (text, agent, words) in table {
        let answer = chat(&server, text);
        assert_eq!(answer["metadata"]["agent"], agent, "{answer}");
        assert!(answer["response"].as_str().unwrap().contains(words), "{answer}");
    }
}

#[test]
fn what_is_not_found_is_said_so() {
    let server = start("");
    for text in ["Who was Napoleon?", "🚗", "\" OR * ( ^ : {", "what is it?"] {
        let answer = answer(&server, "assistant", text);
        assert_eq!(answer["output"], "I found nothing about that in the documents.", "{text}");
        assert_eq!(answer["metadata"]["confidence"], 0.0, "{text}");
        assert_eq!(answer["metadata"]["context"]["sources"], json!([]), "{text}");
    }
}

#[test]
fn a_question_may_refer_to_the_one_before() {
    let server = start("");
    answer(&server, "specs", "What is the fuel consumption?");
    let answer = answer(&server, "specs", "and of the diesel?");
    assert!(answer["output"].as_str().unwrap().contains("4.5 litres"), "{answer}");
}

#[test]
fn a_folder_of_documents_is_answered_from_by_agents_of_its_own() {
    let texts = [
        ("harbour.md", "# Harbour\n\n## Fees\n\nA berth costs 24 crowns a night.\n"),
        ("rules/night.txt", "Engines are off between ten and six.\n"),
        ("broken.md", "\u{0}"),
    ];
    let agents = "agent = \"harbourmaster\"\n[agents.money]\nkeywords = [\"cost\", \"fee\"]\n[agents.nobody]\nresponder = \"none\"\n";
    let (server, _dir) = documents(&texts, agents);
    let said = answer(&server, "money", "What does a berth cost?");
    assert_eq!(said["output"], "A berth costs 24 crowns a night.\n(harbour.md, Harbour / Fees)");
    let answer = answer(&server, "harbourmaster", "When must engines be off?");
    assert_eq!(answer["metadata"]["context"]["sources"], json!(["rules/night.txt"]));
    let events = execute(&server, &ask("nobody", "When must engines be off?"));
    assert_eq!(events.last().unwrap().name, "error");
}

#[test]
fn a_folder_that_is_not_there_ends_the_start() {
    let toml = "listen = [\"127.0.0.1:0\"]\n[respond]\ndocuments = \"/nonexistent/documents\"";
    let config = Config::from_toml("test", toml).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let started = runtime.block_on(async { Server::bind(config).map(|_| ()) });
    let said = format!("{:#}", started.unwrap_err());
    assert!(
        said.starts_with(
            "cannot read the documents of respond.documents (/nonexistent/documents): No such file"
        ),
        "{said}"
    );
}

#[test]
fn words_come_at_their_pace() {
    let text = "one two three four five six seven eight nine ten";
    let (server, _dir) = documents(&[("a.md", text)], "words_per_second = 50\n");
    let events = execute(&server, &ask("a", "three four five"));
    let words: Vec<_> = events.iter().filter(|event| event.name == "message").collect();
    let took = words.last().unwrap().after - words[0].after;
    // The name of the document is one more, so there are ten pauses.
    assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(5), "{took:?}");
}

/// What is measured is the time until the first word can be read, on a server that has nothing else to do.
#[test]
fn the_first_word_comes_soon() {
    let server = start("");
    let questions = [
        "What is the engine power?",
        "How often is the oil changed?",
        "My car won't start",
        "Who was Napoleon?",
    ];
    let first = |i: usize| {
        let events = execute(&server, &ask("specs", questions[i % questions.len()]));
        events.into_iter().find(|event| event.name == "message").unwrap().after
    };
    let mut times: Vec<_> = (0..100).map(first).collect();
    times.sort_unstable();
    eprintln!("first word: median {:?}, 99 of 100 {:?}", times[50], times[98]);
    assert!(times[50] <= Duration::from_millis(20), "{times:?}");
}
