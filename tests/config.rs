//! The configuration as an operator meets it: files, environment, flags, and the text made of the table of settings.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::fs;
use std::time::Duration;

use millrace::config::{self, Config, Role, SlowPolicy, Sources};

/// A configuration that says something about everything.
const FULL: &str = r#"
listen = ["127.0.0.1:0", "unix:/tmp/millrace.sock"]
shards = 3
log_format = "json"

[limits]
connections = 5_000
body_bytes = "32MiB"

[timing]
ping_seconds = "1m"
retry_ms = 250

[namespaces."*"]
retain_events = 100
slow_policy = "skip"

[namespaces."logs.**"]
retain_bytes = "1MiB"

[namespaces."logs.api"]
retain_events = 7
presence = true

[[keys]]
name = "backend"
hash = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
publish = ["**"]

[[keys]]
name = "page"
hash = "sha256:00000000000000000000000000000000000000000000000000000000000000ff"
subscribe = ["logs.*"]
presence = []

[[keys]]
name = "watcher"
role = "admin"
hash = "sha256:00000000000000000000000000000000000000000000000000000000000000fe"

[roles.admin]
subscribe = ["stream.**"]
presence = []

[respond]
responder = "worker"
documents = "/srv/documents"
words_per_second = 40

[agents."wide \"open\""]
keywords = ["sea", "high water"]
responder = "embedded"

[agents.billing]
description = "Invoices"
queue = "money"
model = "small"

[openai]
url = "http://127.0.0.1:11434/v1"
model = "large"
temperature = 0.25
key_env = []

[tools.find-invoice]
url = "http://127.0.0.1:9/find"
description = "Finds an invoice"
parameters = '{"type":"object","properties":{"number":{"type":"string"}}}'

[auth]
cookie = "session"
origins = ["https://app.example.com", "*"]

[jwt]
secret_env = "TOKEN_SECRET"
algorithms = ["HS256"]
issuer = ["a", "b"]
default_role = "observer"
"#;

fn parse(text: &str) -> Config {
    Config::from_toml("m.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str) -> String {
    Config::from_toml("m.toml", text).map(|_| ()).unwrap_err().to_string()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

#[test]
fn an_empty_configuration_is_the_default() {
    assert_eq!(parse(""), Config::default());
}

#[test]
fn everything_said_is_resolved() {
    let config = parse(FULL);
    assert_eq!(config.limits.connections, 5000);
    assert_eq!(config.limits.body_bytes, 32 << 20);
    assert_eq!(config.timing.ping_seconds, Duration::from_secs(60));
    assert_eq!(config.timing.retry_ms, Duration::from_millis(250));
    assert_eq!(config.shards(), 3);
    assert!(config.workers() >= 1);
}

#[test]
fn namespaces_inherit_and_the_most_specific_wins() {
    let spaces = parse(FULL).namespaces;
    assert_eq!(spaces.of("metrics.x").retain_events, 100);
    assert_eq!(spaces.of("logs.db.slow").retain_bytes, 1 << 20);
    assert_eq!(spaces.of("logs.db").retain_events, 100);
    assert_eq!(spaces.of("logs.db").slow_policy, SlowPolicy::Skip);
    assert_eq!(spaces.of("logs.api").retain_events, 7);
    assert!(spaces.of("logs.api").presence && !spaces.of("logs.db").presence);
    assert_eq!(spaces.of("logs.api").retain_bytes, 64 << 20, "namespaces inherit from the default one only");
}

#[test]
fn agents_have_the_order_of_the_file_and_take_the_place_of_the_defaults() {
    let names = |config: &Config| config.agents.0.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&parse("")), ["specs", "maintenance", "troubleshooting"]);
    let config = parse(FULL);
    assert_eq!(names(&config), ["wide \"open\"", "billing"]);
    let [(_, wide), (_, billing)] = &config.agents.0[..] else { panic!("two agents") };
    assert_eq!((wide.responder, &*wide.keywords[1]), (Some(config::Responder::Embedded), "high water"));
    assert_eq!((billing.responder, &*billing.queue), (None, "money"));
    assert!(problems("[agents.a]\nkeyword = []").contains("did you mean `keywords`?"));
    assert!(problems("[agents.\"\"]").contains("is no name"));
    assert!(problems("[agents]\na = 1").contains("m.toml:2: write a table: [agents.\"a\"]"));
    assert!(
        problems("[respond]\nwords_per_second = 1001")
            .starts_with("m.toml:2: words_per_second: at most 1000")
    );
    assert!(problems("agents = 1").contains("[agents.\"name\"]"));
    assert!(problems("[agents.a]\nresponder = \"me\"").contains("\"none\" \"default\""));
}

#[test]
fn models_have_a_name_and_tools_a_url() {
    let config = parse(FULL);
    assert_eq!((&*config.openai.temperature, config.openai.key_env.len()), ("0.25", 0));
    assert_eq!(config.tools.0[0].1.schema()["properties"]["number"]["type"], "string");
    assert!(problems("[openai]\ntemperature = -1").contains("m.toml:2: temperature: write a number"));
    assert!(problems("[openai]\nurl = \"\"").contains("may not be empty"));
    let model = "openai.model: say which model";
    assert!(problems("[respond]\nresponder = \"openai\"").contains(model));
    assert!(problems("[agents.a]\nresponder = \"openai\"").contains(model));
    parse("[agents.a]\nresponder = \"openai\"\nmodel = \"m\"");
    assert!(problems("[tools.a]").contains("the tool `a` needs a `url`"));
    let tool = "[tools.\"a b\"]\nurl = \"http://a\"\nparameters = \"[]\"";
    assert!(problems(tool).contains("m.toml:3: parameters: write a JSON object"));
    assert!(problems(tool).contains("tools: \"a b\" is no name"));
    assert!(problems("tools = 1").contains("[tools.\"name\"]"));
}

#[test]
fn what_a_reader_may_be_behind_follows_what_is_kept() {
    let spaces = parse(FULL).namespaces;
    assert_eq!(spaces.of("logs.api").slow_events, 7);
    assert_eq!(spaces.of("logs.db").slow_bytes, 1 << 20);
    let said = problems("[namespaces.default]\nretain_events = 5\nslow_events = 6");
    assert!(said.starts_with("m.toml:3: slow_events: may not be more than retain_events"), "{said}");
}

#[test]
fn events_linger_for_fifty_milliseconds_at_most() {
    let spaces =
        parse("[namespaces.default]\nlinger_ms = 20\n[namespaces.\"a.*\"]\nlinger_ms = 50").namespaces;
    assert_eq!((spaces.of("a.b").linger_ms.as_millis(), spaces.of("b").linger_ms.as_millis()), (50, 20));
    let said = problems("[namespaces.default]\nlinger_ms = 51");
    assert!(said.starts_with("m.toml:2: linger_ms: may be at most 50 ms"), "{said}");
}

#[test]
fn keys_read_what_they_may_subscribe_to() {
    let keys = parse(FULL).keys;
    assert_eq!(keys[1].history, keys[1].subscribe);
    assert!(keys[1].presence.is_empty(), "an empty list was said");
}

#[test]
fn a_role_has_lists_of_its_own() {
    let config = parse(FULL);
    assert_eq!(config.keys[2].role, Some(Role::Admin));
    let admin = config.roles.of(Role::Admin);
    assert_eq!((admin.history, admin.presence.len(), admin.publish.len()), (admin.subscribe, 0, 0));
    let observer = config.roles.of(Role::Observer);
    assert!(observer.subscribe.iter().any(|pattern| pattern.covers("events.s1")));
    assert!(!observer.subscribe.iter().any(|pattern| pattern.covers("stream.log")));
    assert!(problems("[roles.god]\n").contains("m.toml:1: write tables [roles.observer]"));
    assert!(problems("roles = 1\n").contains("write tables [roles.observer]"));
    assert!(problems("[roles.root]\npublsh = []").contains("did you mean `publish`?"));
    let key = "[[keys]]\nname = \"a\"\nrole = \"root\"\nsubscribe = []\nhash = \"sha256:";
    assert!(problems(&format!("{key}{}\"", "0".repeat(64))).contains("the key `a` may do nothing"));
}

#[test]
fn tokens_need_a_key_to_be_checked_with() {
    let said = problems("[jwt]\nissuer = [\"a\"]");
    assert!(said.starts_with("m.toml:2: jwt: say where the key of tokens is: secret_env"), "{said}");
    assert!(problems("[jwt]\nsecret_env = \"A\"\nalgorithms = []").contains("the list is empty"));
    assert!(
        problems("[jwt]\nsecret_env = \"A\"\nalgorithms = [\"none\"]").contains("write one of \"HS256\"")
    );
    assert!(problems("[jwt]\njwks_url = \"login.example.com\"").contains("write a URL such as"));
    assert!(parse("listen = [\"0.0.0.0:1\"]\n[jwt]\njwks_file = \"a\"").has_credentials());
}

#[test]
fn origins_have_no_path() {
    assert!(
        problems("[auth]\norigins = [\"https://a.b/\"]")
            .contains("m.toml:2: origins: \"https://a.b/\" is no")
    );
    assert!(problems("[auth]\norigins = [\"a.b\"]").contains("such as \"https://app.example.com\""));
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.toml");
    fs::write(&path, "shards = 1\nworkers = 1\nlog = \"warn\"\n[limits]\ntopics = 1").unwrap();
    let environment = pairs(&[
        ("MILLRACE_SHARDS", "2"),
        ("MILLRACE_WORKERS", "2"),
        ("MILLRACE_NAMESPACES_DEFAULT_RETAIN_EVENTS", "50"),
        ("MILLRACE_LISTEN", "127.0.0.1:1,127.0.0.1:2"),
        ("PATH", "/bin"),
    ]);
    let flags = pairs(&[("shards", "3"), ("limits.topics", "9")]);
    let config = config::load(Sources { file: Some(path), environment, flags }).unwrap();
    assert_eq!((config.general.shards, config.general.workers, config.general.log.as_str()), (3, 2, "warn"));
    assert_eq!(config.limits.topics, 9);
    assert_eq!(config.namespaces.default().retain_events, 50);
    assert_eq!(config.general.listen.len(), 2);
    assert!(config.warnings.is_empty());
}

#[test]
fn names_of_the_environment_that_are_no_settings_warn() {
    let environment = pairs(&[("MILLRACE_SERVICE_HOST", "10.0.0.1"), ("MILLRACE_URL", "http://localhost:1")]);
    let config = config::load(Sources { environment, ..Sources::default() }).unwrap();
    assert_eq!(config.warnings, ["environment MILLRACE_SERVICE_HOST names no setting and is ignored"]);
}

#[test]
fn problems_name_their_source() {
    let environment = pairs(&[("MILLRACE_SHARDS", "many")]);
    let flags = pairs(&[("limits.topics", "0"), ("limits.topic", "1"), ("log-format", "text")]);
    let said = config::load(Sources { file: None, environment, flags }).unwrap_err().to_string();
    assert!(said.contains("environment MILLRACE_SHARDS: shards: write a whole number"), "{said}");
    assert!(said.contains("--set limits.topics: topics: write a whole number of at least 1"), "{said}");
    assert!(said.contains("--set: unknown setting `limits.topic`; did you mean `limits.topics`?"), "{said}");
    assert!(said.contains("did you mean `log_format`?"), "{said}");
}

#[test]
fn a_missing_file_is_a_problem() {
    let sources = Sources { file: Some("/nonexistent/m.toml".into()), ..Sources::default() };
    assert!(
        config::load(sources)
            .unwrap_err()
            .to_string()
            .contains("cannot read the configuration /nonexistent/m.toml")
    );
}

#[test]
fn all_problems_are_reported_with_their_lines() {
    let said = problems(
        "lisen = []\nshards = \"x\"\n[limit]\n[limits]\nconections = 1\nbody_bytes = 1.5\n[namespaces.\"a..b\"]\n[[keys]]\nname = \"a\"\n",
    );
    let expected = [
        "m.toml:1: unknown setting `lisen`; did you mean `listen`?",
        "m.toml:2: shards: write a whole number of at least 0",
        "m.toml:3: unknown setting `limit`; did you mean `limits`?",
        "m.toml:5: unknown setting `conections` in [limits]; did you mean `connections`?",
        "m.toml:6: body_bytes: write a size of at least 1B, such as \"64MiB\" or 65536, not a float",
        "m.toml:7: `a..b` is not a pattern: it has an empty segment; write `a.b`, not `a..b`",
        "m.toml:8: a key needs a `hash`",
        "m.toml:8: the key `a` may do nothing; list patterns under `publish` or `subscribe`, such as \"**\", or give it a `role` alone",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn broken_toml_is_reported_with_its_line() {
    let said = problems("shards = 1\nlog = \n");
    assert!(said.starts_with("m.toml:2: "), "{said}");
}

#[test]
fn wrong_shapes_say_the_right_one() {
    assert!(problems("limits = 1").contains("write a table: [limits]"));
    assert!(problems("keys = 1").contains("[[keys]]"));
    assert!(problems("keys = [1]").contains("[[keys]]"));
    assert!(problems("namespaces = 1").contains("[namespaces.\"pattern\"]"));
    assert!(problems("[namespaces]\na = 1").contains("[namespaces.\"a\"]"));
    assert!(problems("[namespaces.\"*\"]\n[namespaces.default]").contains("keep one of them"));
    assert!(problems("shards = 99999999999999999999").contains("shards: write a whole number"));
}

#[test]
fn doubled_keys_are_refused() {
    let key = "[[keys]]\nname = \"a\"\nsubscribe = [\"**\"]\n\
               hash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n";
    let said = problems(&key.repeat(2));
    assert!(said.contains("m.toml:5: two keys are named `a`"), "{said}");
    assert!(said.contains("has the hash of another"), "{said}");
}

#[test]
fn a_network_address_needs_keys_or_a_word() {
    let said = problems("listen = [\"127.0.0.1:1\", \"0.0.0.0:8000\"]");
    assert!(
        said.starts_with("m.toml:1: listen: http://0.0.0.0:8000 can be reached from the network"),
        "{said}"
    );
    assert!(said.contains("--insecure-open"), "{said}");
    parse("listen = [\"0.0.0.0:8000\"]\ninsecure_open = true");
    parse("listen = [\"unix:/tmp/x\", \"[::1]:1\"]");
    parse(&FULL.replace("127.0.0.1:0", "0.0.0.0:0"));
}

#[test]
fn an_event_must_fit_into_a_request() {
    assert!(
        problems("[limits]\nbody_bytes = 1000").contains("event_bytes: an event must fit into body_bytes")
    );
}

#[test]
fn the_printed_configuration_reads_back_as_itself() {
    for text in ["", FULL] {
        let config = parse(text);
        let printed = config::to_toml(&config);
        assert_eq!(parse(&printed), config, "{printed}");
    }
}

#[test]
fn every_default_is_what_its_kind_reads() {
    for setting in config::settings().filter(|setting| setting.env().is_some()) {
        let toml = format!("{} = {}", setting.key(), (setting.default)());
        assert_eq!(parse(&toml), Config::default(), "{toml}");
    }
}

/// The reference of docs/OPERATING.md is the table of settings. `UPDATE_DOCS=1 cargo test` writes it.
#[test]
fn the_operating_guide_lists_every_setting() {
    let (begin, end) = ("<!-- settings: made by tests/config.rs -->\n", "<!-- /settings -->");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATING.md");
    let guide = fs::read_to_string(path).unwrap();
    let (head, rest) = guide.split_once(begin).expect("the marker before the table");
    let (table, tail) = rest.split_once(end).expect("the marker after the table");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, format!("{head}{begin}{}{end}{tail}", config::to_markdown())).unwrap();
        return;
    }
    assert_eq!(table, config::to_markdown(), "run `UPDATE_DOCS=1 cargo test --test config`");
}

#[test]
fn namespaces_of_analyses_begin_from_the_protocols_own() {
    let text = "[analysis]\nmessage_buffer_size = 7\n[namespaces.default]\nretain_bytes = 5000\n\
                [namespaces.\"analysis.*\"]\nretain_seconds = 9\n[namespaces.\"analyses.*\"]\n";
    let config = Config::from_toml("test", text).unwrap();
    let space = config.namespaces.of("analysis.a");
    assert_eq!((space.retain_events, space.retain_seconds.as_secs(), space.retain_bytes), (7, 9, 5000));
    assert_eq!((space.publish_rate, space.slow_events), (50, 7));
    assert_eq!(config.namespaces.of("analyses.a").retain_events, 10_000);
}
