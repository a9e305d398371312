//! The paths of the protocol.

use crate::wire::percent::decode;

/// What a path names. Ids are decoded and not yet checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// The events of an analysis, over WebSocket.
    Stream(String),
    /// Publishing to it.
    Events(String),
    /// What is known of it.
    Status(String),
    /// What is known of all.
    Stats,
}

/// What `path` names, if it is one of the protocol's.
pub(super) fn parse(path: &str) -> Option<Path> {
    let path = path.strip_prefix("/api/v1/ws/")?;
    if path == "stats" {
        return Some(Path::Stats);
    }
    let path = path.strip_prefix("analysis/")?;
    let (id, rest) = path.split_once('/').unwrap_or((path, ""));
    let id = decode(id);
    match rest {
        _ if id.is_empty() => None,
        "" => Some(Path::Stream(id)),
        "events" => Some(Path::Events(id)),
        "status" => Some(Path::Status(id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_an_analysis_or_all() {
        let stream = |id: &str| Some(Path::Stream(id.into()));
        assert_eq!(parse("/api/v1/ws/analysis/a-1"), stream("a-1"));
        assert_eq!(parse("/api/v1/ws/analysis/a%3a%40b"), stream("a:@b"));
        assert_eq!(parse("/api/v1/ws/analysis/a%2fb%zz%"), stream("a/b%zz%"));
        assert_eq!(parse("/api/v1/ws/analysis/a/status"), Some(Path::Status("a".into())));
        assert_eq!(parse("/api/v1/ws/analysis/a/events"), Some(Path::Events("a".into())));
        assert_eq!(parse("/api/v1/ws/stats"), Some(Path::Stats));
        for other in ["/api/v1/ws", "/api/v1/ws/analysis", "/api/v1/ws/analysis/", "/api/v1/ws/analysis/a/b"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
