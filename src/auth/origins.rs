//! Which pages may open streams. A browser says by `Origin` whose page makes a request; other clients may say anything, so
//! this protects users of browsers and nothing else.

/// The origins that are let in.
#[derive(Clone, Debug)]
pub struct Origins {
    listed: Vec<String>,
    /// A cookie is a credential, which a browser sends whatever page asks it to.
    cookies: bool,
}

impl Origins {
    /// Those of `listed`; when it is empty all, or with `cookies` those of the server itself.
    pub fn new(listed: &[String], cookies: bool) -> Self {
        Self { listed: listed.to_vec(), cookies }
    }

    /// Whether a page of `origin` is let in by a server that it has reached as `host`.
    pub fn allow(&self, origin: &str, host: Option<&str>) -> bool {
        let listed = || self.listed.iter().any(|one| one == "*" || one.eq_ignore_ascii_case(origin));
        match self.listed.is_empty() {
            true => !self.cookies || is_same(origin, host),
            false => listed(),
        }
    }
}

/// The scheme is not compared: behind a proxy that ends TLS the server does not know it.
fn is_same(origin: &str, host: Option<&str>) -> bool {
    let theirs = origin.split_once("://").map(|(_, host)| host);
    theirs.zip(host).is_some_and(|(theirs, ours)| theirs.eq_ignore_ascii_case(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_list_cookies_decide() {
        let allow = |cookies, origin| Origins::new(&[], cookies).allow(origin, Some("a.example:8000"));
        assert!(allow(false, "https://evil.example") && allow(false, "null"));
        assert!(allow(true, "http://a.example:8000") && allow(true, "https://A.example:8000"));
        assert!(
            !allow(true, "https://evil.example") && !allow(true, "null") && !allow(true, "http://a.example")
        );
        assert!(!Origins::new(&[], true).allow("http://a.example", None));
    }

    #[test]
    fn a_list_is_exact() {
        let listed = Origins::new(&["https://app.example.com".into()], true);
        let allow = |origin| listed.allow(origin, Some("stream.example.com"));
        assert!(allow("https://app.example.com"));
        for other in
            ["https://app.example.com.evil", "http://app.example.com", "https://app.example.com:8443", "null"]
        {
            assert!(!allow(other), "{other}");
        }
        assert!(Origins::new(&["*".into()], true).allow("https://evil.example", None));
    }
}
