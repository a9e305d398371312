//! What the model can have done: each tool is a URL that is asked by POST. Whatever comes of it is an answer for the model, also
//! that it did not work.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use crate::client::Client;
use crate::limits::TOOL_RESULT_BYTES_MAX;
use crate::respond::Job;

/// Something that can be done.
pub struct Tool {
    client: Client,
    name: String,
    description: String,
    parameters: Value,
    authorization: Option<HeaderValue>,
}

impl Tool {
    /// The tool `name`, done by a POST to `url` within `timeout`. `parameters` is a JSON schema of what it is called with; `token` is
    /// sent with each request.
    ///
    /// # Errors
    /// The URL cannot be asked, there are no certificates to check its server by, or the token cannot be sent.
    pub fn new(
        name: &str,
        url: &str,
        (description, parameters): (&str, Value),
        timeout: Duration,
        token: Option<&str>,
    ) -> anyhow::Result<Self> {
        let authorization = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))).transpose();
        let mut authorization = authorization.context("the token has characters that no token has")?;
        authorization.iter_mut().for_each(|header| header.set_sensitive(true));
        Ok(Self {
            client: Client::new(url, timeout, TOOL_RESULT_BYTES_MAX)?,
            name: name.into(),
            description: description.into(),
            parameters,
            authorization,
        })
    }

    /// Does it; what comes of that, as JSON.
    async fn run(&self, args: &Value, job: &Job) -> anyhow::Result<String> {
        let body = json!({
            "tool": self.name, "arguments": args, "session_id": &*job.session, "agent_id": &*job.agent_name,
            "user_id": job.asker.name,
        });
        let mut request = Request::post("/").header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let (status, body) =
            self.client.send(request.body(Full::new(Bytes::from(body.to_string())))?).await?;
        if !status.is_success() {
            anyhow::bail!("the answer is {status}");
        }
        Ok(serde_json::from_slice(&body)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&body)))
            .to_string())
    }

    fn offered(&self) -> Value {
        let (name, description, parameters) = (&self.name, &self.description, &self.parameters);
        json!({"type": "function", "function": {"name": name, "description": description, "parameters": parameters}})
    }
}

/// Something that the model wants done.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// What its result is known by.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it is called with, as the model has said it: JSON, if all is well.
    pub args: String,
}

impl Call {
    /// What it is called with; `None` where that is no JSON object.
    fn object(&self) -> Option<Value> {
        let text = if self.args.trim().is_empty() { "{}" } else { &self.args };
        serde_json::from_str(text).ok().filter(Value::is_object)
    }

    /// What it is called with, always a JSON object.
    pub fn args(&self) -> String {
        self.object().unwrap_or_else(|| json!({"malformed": self.args})).to_string()
    }
}

/// All tools.
#[derive(Default)]
pub struct Tools(Vec<Tool>);

impl Tools {
    /// These.
    pub fn new(tools: Vec<Tool>) -> Self {
        Self(tools)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the model is told of them.
    pub(super) fn offered(&self) -> Value {
        self.0.iter().map(Tool::offered).collect()
    }

    /// Does what the model wants done; what came of it, as JSON.
    pub(super) async fn call(&self, call: &Call, job: &Job) -> String {
        let Some(tool) = self.0.iter().find(|tool| tool.name == call.name) else {
            return json!({"error": "there is no tool of this name"}).to_string();
        };
        let Some(args) = call.object() else {
            return json!({"error": "the arguments are no JSON object"}).to_string();
        };
        tool.run(&args, job).await.unwrap_or_else(|error| {
            let (why, session) = (format!("{error:#}"), &*job.session);
            tracing::warn!(why, tool = tool.name, session, "a tool has failed");
            json!({"error": "the tool has failed"}).to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_always_an_object() {
        let args = |text: &str| Call { args: text.into(), ..Call::default() }.args();
        assert_eq!(args(""), "{}");
        assert_eq!(args(" {\"a\":\n1} "), "{\"a\":1}");
        assert_eq!(args("{\"a\":"), "{\"malformed\":\"{\\\"a\\\":\"}");
        assert_eq!(args("[1]"), "{\"malformed\":\"[1]\"}");
    }
}
