//! What the model is told: who it is, what is known, what was said before, and the question.

use std::fmt::Write;

use serde_json::{Value, json};

use super::passages::Passage;
use super::reply::Reply;
use super::tools::Call;
use crate::limits::OPENAI_PASSAGE_BYTES_MAX;
use crate::respond::Job;
use crate::respond::words::beginning;

/// The conversation so far, up to the question.
pub fn messages(prompt: &str, job: &Job, passages: &[Passage]) -> Vec<Value> {
    // In one message, since many models take no second one of the system.
    let mut messages = vec![json!({"role": "system", "content": system(prompt, job, passages)})];
    for exchange in &job.history {
        messages.push(json!({"role": "user", "content": &*exchange.question}));
        messages.push(json!({"role": "assistant", "content": &*exchange.answer}));
    }
    messages.push(json!({"role": "user", "content": &job.question.text}));
    messages
}

fn system(prompt: &str, job: &Job, passages: &[Passage]) -> String {
    let mut text = prompt.to_owned();
    let mut add = |about: std::fmt::Arguments<'_>| {
        let gap = if text.is_empty() { "" } else { "\n\n" };
        // Writing into a string does not fail.
        let _written = text.write_str(gap).and_then(|()| text.write_fmt(about));
    };
    if !job.agent.description.is_empty() {
        add(format_args!("You are the agent \"{}\": {}", job.agent.name, job.agent.description));
    }
    if let Some(customer) = &job.question.customer {
        add(format_args!("The question is asked on behalf of the customer {customer:?}."));
    }
    if let Some(context) = &job.context {
        add(format_args!("The context of this conversation, as JSON:\n{context}"));
    }
    if !passages.is_empty() {
        add(format_args!("Passages from documents that may help, each behind its source:"));
    }
    for (number, passage) in passages.iter().enumerate() {
        let text = beginning(&passage.text, OPENAI_PASSAGE_BYTES_MAX);
        add(format_args!("[{}] {}\n{text}", number + 1, passage.source));
    }
    text
}

/// What the model has said when it wanted something done.
pub fn called(reply: &Reply) -> Value {
    let calls: Vec<Value> = reply
        .calls
        .all()
        .map(|call| {
            let function = json!({"name": call.name, "arguments": call.args()});
            json!({"id": call.id, "type": "function", "function": function})
        })
        .collect();
    let content = if reply.text.is_empty() { Value::Null } else { reply.text.as_str().into() };
    json!({"role": "assistant", "content": content, "tool_calls": calls})
}

/// What came of it.
pub fn returned(call: &Call, result: &str) -> Value {
    json!({"role": "tool", "tool_call_id": call.id, "content": result})
}
