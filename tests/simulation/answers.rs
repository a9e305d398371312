//! Checks of what answers a request: beginnings and ends of subscriptions, publications, presence.

use std::collections::BTreeMap;

use millrace::dialect::Start;
use millrace::engine::SlowPolicy;

use super::{Asked, Check, Message, Spec, Sub, Truth, Verdict, ensure};
use crate::chaos::UNIX_MS;

impl Check {
    pub(super) fn subscribed(&mut self, message: &Message, truth: &Truth<'_>) -> Verdict {
        if let (Some(pattern), None) = (&message.pattern, &message.topic) {
            return self.watching(pattern, message, truth);
        }
        let topic = message.topic.as_deref().ok_or("no topic")?;
        if let Some(reference) = message.reference {
            let Asked::Subscribe(spec) = self.answer(reference)? else { return Err("not asked for".into()) };
            self.specs.push(spec);
        }
        let wanted = message.pattern.as_deref().unwrap_or(topic);
        let spec = self.specs.iter().rev().find(|spec| spec.name == wanted).ok_or("not asked for")?;
        ensure(!self.subs.contains_key(topic), || "it is read already".into())?;
        let (epoch, offset) = (message.epoch.ok_or("no epoch")?, message.offset.ok_or("no offset")?);
        begins(spec, topic, message, truth)?;
        let conflate = spec.conflate || truth.policy(topic) == Some(SlowPolicy::Conflate);
        let pattern = message.pattern.clone();
        let sub = Sub { epoch, cursor: offset, only: spec.only, conflate, pattern };
        self.subs.insert(topic.into(), sub);
        Ok(())
    }

    fn watching(&mut self, pattern: &str, message: &Message, truth: &Truth<'_>) -> Verdict {
        if let Some(reference) = message.reference {
            let Asked::Subscribe(spec) = self.answer(reference)? else { return Err("not asked for".into()) };
            self.specs.push(spec);
        }
        let spec = self.specs.iter_mut().rev().find(|spec| spec.name == pattern).ok_or("not asked for")?;
        spec.answered = Some(heads(truth));
        Ok(())
    }

    fn answer(&mut self, reference: u64) -> Result<Asked, String> {
        match self.asked.pop_front() {
            Some((asked, what)) if asked == reference => Ok(what),
            other => Err(format!("an answer out of order: {other:?} is next")),
        }
    }

    pub(super) fn answered(&mut self, message: &Message, truth: &Truth<'_>) -> Verdict {
        let asked = self.answer(message.reference.ok_or("nobody asked for this")?)?;
        match (&*message.kind, asked) {
            ("pong", Asked::Ping) => Ok(()),
            ("presence", Asked::Presence) => {
                let listed = message.members.as_ref().map(Vec::len);
                ensure(listed == message.count, || "the count is wrong".into())
            }
            ("published", Asked::Publish(topic, data)) => published(&topic, &data, message, truth),
            ("unsubscribed", Asked::Unsubscribe(name)) => {
                self.specs.retain(|spec| spec.name != name);
                self.subs.retain(|topic, sub| *topic != name && sub.pattern.as_ref() != Some(&name));
                Ok(())
            }
            ("error", asked) => self.refused(message, asked),
            (_, asked) => Err(format!("no answer to {asked:?}")),
        }
    }

    fn refused(&self, message: &Message, asked: Asked) -> Verdict {
        let code = message.code.as_ref().and_then(|code| code.as_str()).unwrap_or_default();
        let reads = |name: &str| {
            self.subs.contains_key(name)
                || self.specs.iter().any(|spec| spec.name == name && name.contains('*'))
        };
        let right = match (&asked, code) {
            (Asked::Subscribe(spec), "already_subscribed") => reads(&spec.name),
            (Asked::Unsubscribe(name), "not_subscribed") => !reads(name),
            (Asked::Presence, "no_presence") => true,
            _ => false,
        };
        ensure(right, || format!("{asked:?} was refused"))
    }
}

/// Epoch and head of every topic there is.
pub fn heads(truth: &Truth<'_>) -> BTreeMap<String, (u64, u64)> {
    let all = truth.registry.list("", "", usize::MAX);
    all.into_iter().map(|topic| (topic.name().to_string(), (topic.epoch(), topic.head()))).collect()
}

fn published(topic: &str, data: &str, message: &Message, truth: &Truth<'_>) -> Verdict {
    let (epoch, offset) = (message.epoch.ok_or("no epoch")?, message.offset.ok_or("no offset")?);
    let event = truth.log.life(topic, epoch).get(offset as usize - 1).ok_or("it is not in the log")?;
    ensure(event.data == data.as_bytes(), || "something else is there".into())
}

/// Whether reading may begin where the message says.
fn begins(spec: &Spec, topic: &str, message: &Message, truth: &Truth<'_>) -> Verdict {
    let (epoch, offset) = (message.epoch.unwrap_or(0), message.offset.unwrap_or(0));
    let told = (message.recovered, message.missed);
    ensure(offset <= truth.log.head(topic, epoch), || "it begins in the future".into())?;
    let position = spec.positions.get(topic).copied();
    if let Some((life, after)) = position {
        return if life == epoch {
            resumes(after, topic, message, truth)
        } else {
            anew(topic, message, truth)
        };
    }
    let newborn = || -> Verdict {
        ensure(told == (Some(offset == 0), Some(offset)), || "what a new topic has lost is not told".into())?;
        ensure(truth.is_gone(topic, epoch, offset), || "it leaves out what is kept".into())
    };
    // A slow client may read of a topic that is gone again, so that nobody can tell what it was then.
    let alive = truth.registry.find(topic).is_some_and(|found| found.epoch() == epoch);
    let listed =
        |known: &BTreeMap<String, (u64, u64)>| known.get(topic).is_some_and(|(life, _)| *life == epoch);
    let known = !alive || spec.answered.as_ref().is_none_or(listed);
    if !known || newborn().is_ok() && spec.name.contains('*') {
        return newborn();
    }
    let unknown = told == (Some(false), None)
        && matches!(spec.start, Start::Since(time) if offset > 0 || time < UNIX_MS);
    ensure(unknown || told == (Some(true), Some(0)), || "nothing can be missed".into())?;
    match spec.start {
        Start::Now => {
            let before =
                spec.heads.get(topic).filter(|(life, _)| *life == epoch).map_or(0, |(_, head)| *head);
            ensure(offset >= before, || format!("it begins in the past: the head was {before}"))
        }
        Start::Oldest => ensure(truth.is_gone(topic, epoch, offset), || "it leaves out what is kept".into()),
        Start::Since(time) => {
            let left_out = &truth.log.life(topic, epoch)[..offset as usize];
            let wanted =
                left_out.iter().rposition(|event| event.time_ms >= time).map_or(0, |at| at as u64 + 1);
            ensure(wanted == 0 || unknown, || format!("it leaves out {wanted} and says that it does not"))?;
            ensure(truth.is_gone(topic, epoch, wanted), || format!("it leaves out {wanted}, which is kept"))
        }
        Start::After { .. } => Err("positions are given by topic here".into()),
        #[allow(unreachable_patterns, reason = "the server's own ways to begin are not asked for")]
        _ => Err("clients cannot ask for this".into()),
    }
}

fn resumes(after: u64, topic: &str, message: &Message, truth: &Truth<'_>) -> Verdict {
    let (epoch, offset) = (message.epoch.unwrap_or(0), message.offset.unwrap_or(0));
    let missed = offset.checked_sub(after).ok_or("it repeats what the client has")?;
    let right = (message.recovered, message.missed) == (Some(missed == 0), Some(missed));
    ensure(right, || format!("the client has {after}"))?;
    ensure(missed == 0 || truth.is_gone(topic, epoch, offset), || "it leaves out what is kept".into())
}

fn anew(topic: &str, message: &Message, truth: &Truth<'_>) -> Verdict {
    let (epoch, offset) = (message.epoch.unwrap_or(0), message.offset.unwrap_or(0));
    ensure((message.recovered, message.missed) == (Some(false), None), || "the log began anew".into())?;
    ensure(truth.is_gone(topic, epoch, offset), || "it leaves out what is kept".into())
}
