//! Second stage: every value is there, and they fit together. Rules about several settings stand here; a rule about one
//! setting is its kind's. Never opens, connects or looks anything up.

use super::Config;
use super::blobs::Blobs;
use super::choice::{ProxyProtocol, Responder};
use super::credentials::{Auth, Jwt, Webhook};
use super::namespaces::Namespaces;
use super::openai::OpenAi;
use super::pattern::Pattern;
use super::problem::{Origin, Problems};
use super::protocols::{Analysis, Channels, Events, Stream};
use super::proxy::Proxy;
use super::raw::{DEFAULT_NAMESPACE, Headed, Raw, Reader, Section};
use super::respond::{Agent, Agents, Respond};
use super::roles::Roles;
use super::sessions::Sessions;
use super::table::{Delivery, General, KeyConfig, Limits, Namespace, Timing};
use super::tools::Tools;
use super::worker::Worker;
use crate::limits::{KEYS_MAX, RETAIN_EVENTS_MAX, USER_BYTES_MAX};

/// Resolves what was said.
///
/// # Errors
/// Everything that is wrong, by place.
pub fn resolve(mut raw: Raw) -> Result<Config, Problems> {
    let mut problems = std::mem::take(&mut raw.problems);
    let said = raw.take("");
    let general = General::resolve(&mut reader(&said, &mut problems), &General::default());
    let limits_said = raw.take("limits");
    let limits = Limits::resolve(&mut reader(&limits_said, &mut problems), &Limits::default());
    let proxy_said = raw.take("proxy");
    let proxy = Proxy::resolve(&mut reader(&proxy_said, &mut problems), &Proxy::default());
    let timing = Timing::resolve(&mut reader(&raw.take("timing"), &mut problems), &Timing::default());
    let delivery = Delivery::resolve(&mut reader(&raw.take("delivery"), &mut problems), &Delivery::default());
    let stream = Stream::resolve(&mut reader(&raw.take("stream"), &mut problems), &Stream::default());
    let events = Events::resolve(&mut reader(&raw.take("events"), &mut problems), &Events::default());
    let channels = Channels::resolve(&mut reader(&raw.take("channels"), &mut problems), &Channels::default());
    let analysis = Analysis::resolve(&mut reader(&raw.take("analysis"), &mut problems), &Analysis::default());
    let sessions = Sessions::resolve(&mut reader(&raw.take("sessions"), &mut problems), &Sessions::default());
    let blobs = Blobs::resolve(&mut reader(&raw.take("blobs"), &mut problems), &Blobs::default());
    let respond = Respond::read(&raw.take("respond"), &mut problems);
    let agents = Agents::read(&raw.agents, &mut problems);
    let openai_said = raw.take("openai");
    let openai = OpenAi::resolve(&mut reader(&openai_said, &mut problems), &OpenAi::default());
    let tools = Tools::read(&raw.tools, &mut problems);
    let worker = Worker::resolve(&mut reader(&raw.take("worker"), &mut problems), &Worker::default());
    let auth = auth(&raw.take("auth"), &mut problems);
    let jwt = jwt(&raw.take("jwt"), &mut problems);
    let webhook = Webhook::resolve(&mut reader(&raw.take("webhook"), &mut problems), &Webhook::default());
    let roles = Roles::read(&mut raw, &mut problems);
    let namespaces = namespaces(&mut raw, (&analysis, &sessions), &mut problems);
    let keys = keys(&raw.keys, &mut problems);
    let keyless = raw.keys.is_empty() && !jwt.is_configured();
    check_openness(&general, &said, keyless, &mut problems);
    check_event_fits_body(&limits, &limits_said, &mut problems);
    check_proxies(&proxy, &proxy_said, &mut problems);
    check_models(&openai, &openai_said, (&respond, &agents), &mut problems);
    let warnings = raw.warnings;
    problems.or(Config {
        general,
        limits,
        proxy,
        timing,
        delivery,
        stream,
        events,
        channels,
        analysis,
        sessions,
        blobs,
        respond,
        agents,
        openai,
        tools,
        worker,
        auth,
        jwt,
        webhook,
        roles,
        namespaces,
        keys,
        test_echo: false,
        warnings,
    })
}

fn reader<'a>(section: &'a Section, problems: &'a mut Problems) -> Reader<'a> {
    Reader { section, problems }
}

/// Where one of the settings was said, for rules about several.
fn origin(said: &Section, names: &[&str]) -> Origin {
    names.iter().find_map(|name| said.origin(name)).cloned().unwrap_or(Origin::Nowhere)
}

/// Whoever listens on a network without keys must have said so.
fn check_openness(general: &General, said: &Section, keyless: bool, problems: &mut Problems) {
    let outside = general.listen.iter().find(|listen| !listen.is_local());
    if let Some(outside) = outside.filter(|_| keyless && !general.insecure_open) {
        let message = format!(
            "listen: {} can be reached from the network, and neither [[keys]] nor [jwt] are configured, so everybody could publish and \
             read. Add keys, listen on 127.0.0.1, or say insecure_open = true (--insecure-open) if that is meant",
            outside.url()
        );
        problems.push(origin(said, &["listen"]), message);
    }
}

fn auth(said: &Section, problems: &mut Problems) -> Auth {
    let auth = Auth::resolve(&mut reader(said, problems), &Auth::default());
    let is_origin = |text: &&String| {
        let host = text.split_once("://").map_or("", |(_, host)| host);
        text.as_str() == "*" || (!host.is_empty() && !host.contains('/'))
    };
    if let Some(wrong) = auth.origins.iter().find(|text| !is_origin(text)) {
        let hint = "write scheme and host without a path, such as \"https://app.example.com\", or \"*\"";
        problems.push(origin(said, &["origins"]), format!("origins: {wrong:?} is no origin; {hint}"));
    }
    auth
}

/// Settings about tokens without a key to check them with would let nobody in and look as if they did.
fn jwt(said: &Section, problems: &mut Problems) -> Jwt {
    let jwt = Jwt::resolve(&mut reader(said, problems), &Jwt::default());
    if jwt != Jwt::default() && !jwt.is_configured() {
        let named: Vec<&str> = Jwt::SETTINGS.iter().map(|setting| setting.name).collect();
        let sources = "secret_env, secret_file, public_key_file, jwks_file or jwks_url";
        problems.push(origin(said, &named), format!("jwt: say where the key of tokens is: {sources}"));
    }
    if jwt.algorithms.is_empty() {
        problems.push(origin(said, &["algorithms"]), "algorithms: the list is empty; leave it out for all");
    }
    jwt
}

fn check_event_fits_body(limits: &Limits, said: &Section, problems: &mut Problems) {
    if limits.event_bytes > limits.body_bytes {
        let message = "event_bytes: an event must fit into body_bytes; lower this or raise that";
        problems.push(origin(said, &["event_bytes", "body_bytes"]), message);
    }
}

/// A header that is believed of nobody would be taken for a request.
fn check_proxies(proxy: &Proxy, said: &Section, problems: &mut Problems) {
    if proxy.protocol == ProxyProtocol::V1V2 && proxy.trusted.is_empty() {
        let message = "protocol: name the proxies that send PROXY protocol headers in proxy.trusted";
        problems.push(origin(said, &["protocol"]), message);
    }
}

/// Whoever answers by a model has one.
fn check_models(
    openai: &OpenAi,
    said: &Section,
    (respond, agents): (&Respond, &Agents),
    problems: &mut Problems,
) {
    let asks = |agent: &&(String, Agent)| agent.1.responder.unwrap_or(respond.responder) == Responder::Openai;
    let lacks_one = agents.0.iter().filter(asks).any(|(_, agent)| agent.model.is_empty());
    if openai.model.is_empty() && (respond.responder == Responder::Openai || lacks_one) {
        let message = "openai.model: say which model is to answer, by the name that its provider has for it";
        problems.push(origin(said, &["model", "url"]), message);
    }
    if openai.url.is_empty() {
        problems
            .push(origin(said, &["url"]), "openai.url: leave it out for the default; it may not be empty");
    }
}

fn namespaces(
    raw: &mut Raw,
    (analysis, sessions): (&Analysis, &Sessions),
    problems: &mut Problems,
) -> Namespaces {
    let default_said = raw.take(DEFAULT_NAMESPACE);
    let base = namespace(&default_said, &Namespace::default(), problems);
    let mut others: Vec<(Pattern, Namespace)> = Vec::new();
    for headed in &raw.namespaces {
        let pattern = Pattern::new(&headed.heading);
        let own = match &pattern {
            Ok(pattern) if Analysis::covers(pattern) => Some(analysis.namespace(&base)),
            Ok(pattern) if Sessions::covers(pattern) => Some(sessions.namespace(&base)),
            _ => None,
        };
        let resolved = namespace(&headed.section, own.as_ref().unwrap_or(&base), problems);
        match pattern {
            Ok(pattern) => others.push((pattern, resolved)),
            Err(why) => problems.push(headed.origin.clone(), why),
        }
    }
    Namespaces::new(base, others)
}

/// Resolves one namespace. What a reader may be behind follows what is kept, unless it was said itself.
fn namespace(said: &Section, base: &Namespace, problems: &mut Problems) -> Namespace {
    let mut space = Namespace::resolve(&mut reader(said, problems), base);
    if said.origin("slow_events").is_none() {
        space.slow_events = space.slow_events.min(space.retain_events);
    }
    if said.origin("slow_bytes").is_none() {
        space.slow_bytes = space.slow_bytes.min(space.retain_bytes);
    }
    check_namespace(&space, said, problems);
    space
}

fn check_namespace(space: &Namespace, said: &Section, problems: &mut Problems) {
    let rules = [
        (
            space.slow_events > space.retain_events,
            "slow_events",
            "may not be more than retain_events; what is not kept cannot be read late",
        ),
        (
            space.slow_bytes > space.retain_bytes,
            "slow_bytes",
            "may not be more than retain_bytes; what is not kept cannot be read late",
        ),
        (space.retain_events > RETAIN_EVENTS_MAX, "retain_events", "may be at most 16777216"),
    ];
    for (_, name, rule) in rules.iter().filter(|(broken, ..)| *broken) {
        problems.push(origin(said, &[name]), format!("{name}: {rule}"));
    }
}

fn keys(said: &[Headed], problems: &mut Problems) -> Vec<KeyConfig> {
    if said.len() > KEYS_MAX {
        problems.push(
            Origin::Nowhere,
            format!("keys: at most {KEYS_MAX}; issue tokens for more clients than that"),
        );
    }
    let keys: Vec<KeyConfig> = said.iter().map(|headed| key(headed, problems)).collect();
    check_doubles(&keys, said, problems);
    keys
}

fn key(said: &Headed, problems: &mut Problems) -> KeyConfig {
    let mut key = KeyConfig::resolve(&mut reader(&said.section, problems), &KeyConfig::default());
    for name in ["name", "hash"].iter().filter(|name| said.section.origin(name).is_none()) {
        problems.push(said.origin.clone(), format!("a key needs a `{name}`"));
    }
    if said.section.origin("history").is_none() {
        key.history = key.subscribe.clone();
    }
    if said.section.origin("presence").is_none() {
        key.presence = key.subscribe.clone();
    }
    check_grants(&key, said, problems);
    check_name(&key.name, said, problems);
    key
}

/// The name of a key is that of a user: it stands in logs and messages, as the subject of a token does.
fn check_name(name: &str, said: &Headed, problems: &mut Problems) {
    if name.len() > USER_BYTES_MAX || name.chars().any(char::is_control) {
        let origin = said.section.origin("name").unwrap_or(&said.origin).clone();
        problems.push(
            origin,
            format!("name: at most {USER_BYTES_MAX} bytes without line breaks and other control characters"),
        );
    }
}

fn check_grants(key: &KeyConfig, said: &Headed, problems: &mut Problems) {
    let grants = [&key.publish, &key.subscribe, &key.history, &key.presence];
    let said_lists = ["publish", "subscribe", "history", "presence"];
    let by_role = key.role.is_some() && said_lists.iter().all(|name| said.section.origin(name).is_none());
    if !by_role && grants.iter().all(|patterns| patterns.is_empty()) {
        let hint = "may do nothing; list patterns under `publish` or `subscribe`, such as \"**\", or give it a `role` alone";
        problems.push(said.origin.clone(), format!("the key `{}` {hint}", key.name));
    }
}

fn check_doubles(keys: &[KeyConfig], said: &[Headed], problems: &mut Problems) {
    for (i, key) in keys.iter().enumerate() {
        let origin = || said[i].origin.clone();
        let earlier = &keys[..i];
        if !key.name.is_empty() && earlier.iter().any(|other| other.name == key.name) {
            problems.push(
                origin(),
                format!("two keys are named `{}`; names stand in logs, so make them differ", key.name),
            );
        }
        if said[i].section.origin("hash").is_some() && earlier.iter().any(|other| other.hash == key.hash) {
            problems
                .push(origin(), format!("the key `{}` has the hash of another; join their grants", key.name));
        }
    }
}
