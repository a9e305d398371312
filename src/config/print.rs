//! The table of settings as text: the effective configuration as TOML, and the reference of docs/OPERATING.md.

use super::Config;
use super::credentials::{Auth, Jwt, Webhook};
use super::kind::quote;
use super::openai::OpenAi;
use super::protocols::{Analysis, Channels, Events, Stream};
use super::proxy::Proxy;
use super::respond::{Agent, Respond};
use super::roles::{AdminGrants, AuthorityGrants, ObserverGrants, Roles, RootGrants};
use super::section::Setting;
use super::sessions::Sessions;
use super::table::{Delivery, General, KeyConfig, Limits, Namespace, Timing, settings};
use super::tools::Tool;
use super::worker::Worker;

/// The effective configuration as TOML with the effect of each setting above it. Reading it back gives the same
/// configuration. Contains the hashes of keys, as the file does, and no key.
pub fn to_toml(config: &Config) -> String {
    let mut out = String::from("# The effective configuration of Millrace.\n");
    write_section(&mut out, "", General::SETTINGS, &config.general.show());
    write_section(&mut out, "[limits]", Limits::SETTINGS, &config.limits.show());
    write_section(&mut out, "[proxy]", Proxy::SETTINGS, &config.proxy.show());
    write_section(&mut out, "[timing]", Timing::SETTINGS, &config.timing.show());
    write_section(&mut out, "[delivery]", Delivery::SETTINGS, &config.delivery.show());
    write_section(&mut out, "[stream]", Stream::SETTINGS, &config.stream.show());
    write_section(&mut out, "[events]", Events::SETTINGS, &config.events.show());
    write_section(&mut out, "[channels]", Channels::SETTINGS, &config.channels.show());
    write_section(&mut out, "[analysis]", Analysis::SETTINGS, &config.analysis.show());
    write_section(&mut out, "[sessions]", Sessions::SETTINGS, &config.sessions.show());
    write_section(&mut out, "[respond]", Respond::SETTINGS, &config.respond.show());
    write_agents(&mut out, config);
    write_section(&mut out, "[openai]", OpenAi::SETTINGS, &config.openai.show());
    for (name, tool) in &config.tools.0 {
        write_values(&mut out, &format!("[tools.{}]", quote(name)), Tool::SETTINGS, &tool.show());
    }
    write_section(&mut out, "[worker]", Worker::SETTINGS, &config.worker.show());
    write_section(&mut out, "[auth]", Auth::SETTINGS, &config.auth.show());
    write_section(&mut out, "[jwt]", Jwt::SETTINGS, &config.jwt.show());
    write_section(&mut out, "[webhook]", Webhook::SETTINGS, &config.webhook.show());
    write_roles(&mut out, &config.roles);
    write_section(&mut out, "[namespaces.default]", Namespace::SETTINGS, &config.namespaces.default().show());
    for (pattern, space) in config.namespaces.others() {
        let heading = format!("[namespaces.{}]", quote(pattern.as_str()));
        write_values(&mut out, &heading, Namespace::SETTINGS, &space.show());
    }
    for key in &config.keys {
        write_key(&mut out, key);
    }
    out
}

/// The comments stand above those of the first alone.
fn write_agents(out: &mut String, config: &Config) {
    for (i, (name, agent)) in config.agents.0.iter().enumerate() {
        let write = if i == 0 { write_section } else { write_values };
        write(out, &format!("[agents.{}]", quote(name)), Agent::SETTINGS, &agent.show());
    }
}

fn write_roles(out: &mut String, roles: &Roles) {
    write_section(out, "[roles.observer]", ObserverGrants::SETTINGS, &roles.observer.show());
    write_values(out, "[roles.admin]", AdminGrants::SETTINGS, &roles.admin.show());
    write_values(out, "[roles.authority]", AuthorityGrants::SETTINGS, &roles.authority.show());
    write_values(out, "[roles.root]", RootGrants::SETTINGS, &roles.root.show());
}

/// A key as it stands in the file.
pub fn key_to_toml(key: &KeyConfig) -> String {
    let mut out = String::new();
    write_key(&mut out, key);
    out
}

/// A key that may do what its role may has no lists of its own, and an empty list would be one. A key without a role does not
/// say so.
fn write_key(out: &mut String, key: &KeyConfig) {
    let lists = [&key.publish, &key.subscribe, &key.history, &key.presence];
    let by_role = lists.iter().all(|list| list.is_empty());
    let said = |value: &str| !(value == "\"none\"" || by_role && value == "[]");
    let lines = KeyConfig::SETTINGS.iter().zip(key.show()).filter(|(_, value)| said(value));
    write_heading(out, "[[keys]]");
    lines.for_each(|(setting, value)| out.push_str(&format!("{} = {value}\n", setting.name)));
}

/// Each value under a comment that says what it does.
fn write_section(out: &mut String, heading: &str, settings: &[Setting], values: &[String]) {
    write_heading(out, heading);
    for (setting, value) in settings.iter().zip(values) {
        out.push_str(&format!("#{}\n{} = {value}\n", setting.effect, setting.name));
    }
}

/// Values alone, where the comments stand above already.
fn write_values(out: &mut String, heading: &str, settings: &[Setting], values: &[String]) {
    write_heading(out, heading);
    for (setting, value) in settings.iter().zip(values) {
        out.push_str(&format!("{} = {value}\n", setting.name));
    }
}

fn write_heading(out: &mut String, heading: &str) {
    out.push('\n');
    if !heading.is_empty() {
        out.push_str(&format!("{heading}\n"));
    }
}

/// The reference of all settings as a Markdown table, for docs/OPERATING.md.
pub fn to_markdown() -> String {
    let head = "| setting | kind | default | effect | environment |\n|---|---|---|---|---|\n";
    settings().fold(head.to_owned(), |table, setting| table + &row(setting))
}

fn row(setting: &Setting) -> String {
    let env = setting.env().map_or_else(|| "file only".into(), |env| format!("`{env}`"));
    let key = setting
        .key()
        .replace("namespaces.default.", "namespaces.*.")
        .replace("agents.", "agents.*.")
        .replace("tools.", "tools.*.");
    let default =
        if setting.section == "keys" { String::new() } else { format!("`{}`", (setting.default)()) };
    let effect = setting.effect.trim();
    format!("| `{key}` | {} | {default} | {effect} | {env} |\n", setting.kind.trim())
}
