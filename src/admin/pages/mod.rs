//! Pages for people, as they stand in the binary: plain files, no build step, nothing from other hosts. What a page may do is said
//! once, in [`POLICY`]: scripts, styles and requests of its own origin, and text that never becomes markup.

/// What browsers let a page do. `'self'` covers WebSockets to the same host.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                          require-trusted-types-for 'script'; trusted-types 'none'";

/// A file of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Asset {
    /// Where it is.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub body: &'static [u8],
    /// Changes with its bytes; an entity tag with its quotes.
    pub tag: Tag,
}

/// An entity tag.
#[derive(Debug, PartialEq, Eq)]
pub struct Tag([u8; 18]);

impl Tag {
    /// FNV-1a: tells versions of one file apart, and nothing depends on its being hard to forge.
    const fn of(body: &[u8]) -> Self {
        let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325_u64, 0);
        while at < body.len() {
            hash = (hash ^ body[at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        let (mut text, mut digit) = ([b'"'; 18], 0);
        while digit < 16 {
            text[1 + digit] = b"0123456789abcdef"[(hash >> (60 - 4 * digit) & 15) as usize];
            digit += 1;
        }
        Self(text)
    }

    /// Its bytes, which are ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a list of tags, as `If-None-Match` has it, names this one.
    pub fn is_in(&self, list: &str) -> bool {
        list.split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one).as_bytes() == self.as_bytes())
    }
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

const fn asset(path: &'static str, content_type: &'static str, body: &'static [u8]) -> Asset {
    Asset { path, content_type, body, tag: Tag::of(body) }
}

macro_rules! chat {
    ($($name:literal $kind:ident),* $(,)?) => {
        &[
            asset("/ws/test", HTML, include_bytes!("chat/index.html")),
            $(asset(concat!("/ws/test/", $name), $kind, include_bytes!(concat!("chat/", $name)))),*
        ]
    };
}

/// All files of all pages.
static ASSETS: &[Asset] = chat! {
    "chat.css" STYLE,
    "icon.svg" IMAGE,
    "announcer.js" SCRIPT,
    "backoff.js" SCRIPT,
    "composer.js" SCRIPT,
    "connection.js" SCRIPT,
    "conversation.js" SCRIPT,
    "dom.js" SCRIPT,
    "main.js" SCRIPT,
    "outbox.js" SCRIPT,
    "panel.js" SCRIPT,
    "place.js" SCRIPT,
    "session.js" SCRIPT,
    "typing.js" SCRIPT,
    "view.js" SCRIPT,
};

/// The file at `path`.
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_served_and_nothing_else() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin/pages/chat");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("/ws/test/{}", entry.unwrap().file_name().to_str().unwrap()))
            .map(|path| path.replace("/index.html", ""))
            .collect();
        let mut served: Vec<_> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
        files.sort_unstable();
        served.sort_unstable();
        assert_eq!(files, served);
    }

    #[test]
    fn nothing_becomes_markup_and_nothing_comes_from_elsewhere() {
        for asset in ASSETS {
            let text = std::str::from_utf8(asset.body).unwrap();
            for forbidden in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                " style=",
                "onclick=",
            ] {
                assert!(!text.contains(forbidden), "{}: {forbidden}", asset.path);
            }
            let addresses = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!addresses.contains("://"), "{}", asset.path);
        }
    }

    #[test]
    fn tags_follow_the_bytes() {
        let (one, two) = (Tag::of(b"one"), Tag::of(b"two"));
        assert_ne!(one, two);
        assert_eq!(Tag::of(b"").as_bytes(), b"\"cbf29ce484222325\"");
        let text = std::str::from_utf8(one.as_bytes()).unwrap();
        assert!(one.is_in(text) && one.is_in(&format!("\"x\", W/{text}")) && one.is_in("*"));
        assert!(!two.is_in(text) && !one.is_in(""));
    }
}
