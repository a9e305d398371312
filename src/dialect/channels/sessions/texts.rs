//! Sessions, answers and faults as JSON.

use crate::dialect::protocol::Fault;
use crate::dialect::sessions::Session;
use crate::dialect::text::{put, put_number, put_string};
use crate::json::members::members;
use crate::json::text::write_string;
use crate::json::time;

/// A fault with the document's word for it.
pub fn fault(fault: Fault) -> Fault {
    let code = match fault.status {
        400 | 413 | 422 => "INVALID_MESSAGE",
        401 | 403 => "AUTH_FAILED",
        404 => "NOT_FOUND",
        409 => "SESSION_BUSY",
        429 => "RATE_LIMITED",
        503 => "CONNECTION_LOST",
        _ => fault.code,
    };
    Fault { code, ..fault }
}

/// The status of an answer whose turn has failed with this code.
fn status(code: &str) -> u16 {
    match code {
        "RATE_LIMITED" => 429,
        "TIMEOUT" => 504,
        "CONNECTION_LOST" => 503,
        _ => 502,
    }
}

/// A session as it is now.
pub fn session(session: &Session) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put_string(&mut out, "{\"id\":", &session.id);
    put_string(&mut out, ",\"session_id\":", &session.id);
    put(&mut out, ",\"agent_id\":");
    match session.agent.as_deref().filter(|agent| !agent.is_empty()) {
        Some(agent) => write_string(&mut out, agent),
        None => put(&mut out, "null"),
    }
    put_string(&mut out, ",\"status\":", session.status.name());
    put(&mut out, ",\"context\":");
    put(&mut out, session.context.as_deref().unwrap_or("{}"));
    put(&mut out, ",\"created_at\":\"");
    time::write(&mut out, session.created_ms);
    put_number(&mut out, "\",\"position\":", session.position);
    put_number(&mut out, ",\"turns\":", session.turns);
    put(&mut out, ",\"last\":");
    match &session.ended {
        Some(ended) => put_at(&mut out, &ended.data, ended.position),
        None => put(&mut out, "null"),
    }
    out.push(b'}');
    out
}

/// Appends the object `data` with a position.
fn put_at(out: &mut Vec<u8>, data: &str, position: u64) {
    put(out, data.trim_end().strip_suffix('}').unwrap_or("{\"type\":\"done\""));
    put_number(out, ",\"position\":", position);
    out.push(b'}');
}

/// The whole answer to a question, by the event that ended its turn.
pub fn answer(session: &str, is_error: bool, data: &str, position: u64) -> (u16, Vec<u8>) {
    let mut out = Vec::with_capacity(data.len() + 96);
    if !is_error {
        put_at(&mut out, data, position);
        return (200, out);
    }
    let (mut code, mut said) = (String::new(), Vec::new());
    for member in members(data).into_iter().flatten().filter(|member| member.name != "type") {
        if member.name == "code" {
            code = member.value.trim_matches('"').into();
        }
        said.push(member.text);
    }
    put(&mut out, &format!("{{\"error\":{{{}}}", said.join(",")));
    put_string(&mut out, ",\"session_id\":", session);
    put_number(&mut out, ",\"position\":", position);
    out.push(b'}');
    (status(&code), out)
}

/// There is no answer yet, and this request waits no longer.
pub fn unanswered(session: &str, position: u64) -> (u16, Vec<u8>) {
    let message = "the answer has not come as long as this request could wait; go on with resume_from";
    let mut data = Vec::new();
    put_string(&mut data, "{\"code\":\"CONNECTION_LOST\",\"message\":", message);
    data.push(b'}');
    answer(session, true, &String::from_utf8_lossy(&data), position)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text((status, body): (u16, Vec<u8>)) -> (u16, String) {
        (status, String::from_utf8(body).unwrap())
    }

    #[test]
    fn answers_have_what_ended_their_turn() {
        let done = r#"{"type":"done","session_id":"s","output":"o"}"#;
        let wanted = r#"{"type":"done","session_id":"s","output":"o","position":9}"#;
        assert_eq!(text(answer("s", false, done, 9)), (200, wanted.into()));
        let cases =
            [("RATE_LIMITED", 429), ("TIMEOUT", 504), ("CONNECTION_LOST", 503), ("PROCESSING_ERROR", 502)];
        for (code, status) in cases {
            let error = format!(r#"{{"type":"error","code":"{code}","message":"m","retry_after":1.500}}"#);
            let wanted = format!(
                r#"{{"error":{{"code":"{code}","message":"m","retry_after":1.500}},"session_id":"s","position":9}}"#
            );
            assert_eq!(text(answer("s", true, &error, 9)), (status, wanted));
        }
        assert_eq!(unanswered("s", 3).0, 503);
    }

    #[test]
    fn faults_have_the_documents_words() {
        let code = |status| fault(Fault::new(status, "other", "")).code;
        let codes = [400, 401, 404, 409, 413, 429, 503, 500].map(code);
        let wanted = ["INVALID_MESSAGE", "AUTH_FAILED", "NOT_FOUND", "SESSION_BUSY", "INVALID_MESSAGE"];
        assert_eq!(
            (&codes[..5], &codes[5..]),
            (&wanted[..], &["RATE_LIMITED", "CONNECTION_LOST", "other"][..])
        );
    }
}
