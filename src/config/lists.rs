//! Kinds of settings that credentials need: texts that may be empty, lists of texts, lists of words.

use std::marker::PhantomData;

use super::kind::{Kind, Word, quote, read_list, show_list};

/// Text; empty for none.
pub struct MaybeText;

impl Kind for MaybeText {
    type Value = String;
    const NAME: &'static str = "text";

    fn read(word: &Word) -> Result<String, String> {
        match word {
            Word::Text(text) => Ok(text.trim().into()),
            _ => Err("write a text in quotes".into()),
        }
    }

    fn show(value: &String) -> String {
        quote(value)
    }
}

/// An `http://` or `https://` URL; empty for none.
pub struct MaybeUrl;

impl Kind for MaybeUrl {
    type Value = String;
    const NAME: &'static str = "URL";

    fn read(word: &Word) -> Result<String, String> {
        let text = MaybeText::read(word)?;
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let right = host.is_some_and(|host| !host.is_empty() && !host.contains(['@', ' ']));
        if text.is_empty() || right {
            Ok(text)
        } else {
            Err("write a URL such as \"https://login.example.com/jwks.json\", without a password".into())
        }
    }

    fn show(value: &String) -> String {
        quote(value)
    }
}

/// Texts.
pub struct Texts;

impl Kind for Texts {
    type Value = Vec<String>;
    const NAME: &'static str = "list of texts";

    fn read(word: &Word) -> Result<Vec<String>, String> {
        read_list(word, |text| match text {
            "" => Err("write texts that are not empty".into()),
            text => Ok(text.to_owned()),
        })
    }

    fn show(value: &Vec<String>) -> String {
        show_list(value, String::clone)
    }
}

/// Some of the words that `K` reads.
pub struct Words<K>(PhantomData<K>);

impl<K: Kind> Kind for Words<K> {
    type Value = Vec<K::Value>;
    const NAME: &'static str = K::NAME;

    fn read(word: &Word) -> Result<Vec<K::Value>, String> {
        read_list(word, |text| K::read(&Word::Text(text.into())))
    }

    fn show(value: &Vec<K::Value>) -> String {
        let shown: Vec<String> = value.iter().map(K::show).collect();
        format!("[{}]", shown.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::choice::Algorithm;

    fn text(text: &str) -> Word {
        Word::Text(text.into())
    }

    #[test]
    fn urls_have_a_scheme_and_no_password() {
        assert!(MaybeUrl::read(&text("https://a.b/c")).is_ok() && MaybeUrl::read(&text("")).is_ok());
        for wrong in ["a.b/c", "ftp://a", "https://", "https://me:pw@a.b/"] {
            assert!(MaybeUrl::read(&text(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_of_words_know_their_words() {
        let read = Words::<Algorithm>::read(&text("ES256,EdDSA")).unwrap();
        assert_eq!(read, [Algorithm::Es256, Algorithm::EdDsa]);
        assert_eq!(Words::<Algorithm>::show(&read), "[\"ES256\", \"EdDSA\"]");
        assert!(Words::<Algorithm>::read(&text("none")).unwrap_err().contains("\"HS256\""));
    }
}
