//! Reads documents from a folder: Markdown and text files, to a depth, up to so many and so much. What cannot be read is
//! reported and left out; links are not followed, so that nothing outside of the folder is told.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::cut::Document;
use crate::limits::{
    CORPUS_BYTES_MAX, CORPUS_COMPLAINTS_MAX, CORPUS_DEPTH_MAX, CORPUS_ENTRIES_MAX, CORPUS_FILES_MAX,
    DOCUMENT_BYTES_MAX,
};

/// What documents are called.
const ENDINGS: [&str; 4] = ["md", "markdown", "txt", "text"];

/// The documents of a folder, in the order of their names.
///
/// # Errors
/// The folder itself cannot be read.
pub fn read(folder: &Path) -> io::Result<Vec<Document>> {
    let mut walk = Walk { folder, documents: Vec::new(), bytes: 0, entries: 0, left_out: 0 };
    let mut waiting = vec![(folder.to_owned(), 0)];
    while let Some((path, depth)) = waiting.pop() {
        match entries(&path) {
            Ok(entries) => entries.iter().for_each(|entry| walk.take(entry, depth, &mut waiting)),
            Err(error) if depth == 0 => return Err(error),
            Err(error) => walk.leave(&path, &error.to_string()),
        }
    }
    walk.summarise();
    walk.documents.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(walk.documents)
}

/// What is in a folder, in the order of the names.
fn entries(path: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = fs::read_dir(path)?.take(CORPUS_ENTRIES_MAX).collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

struct Walk<'a> {
    folder: &'a Path,
    documents: Vec<Document>,
    bytes: usize,
    entries: usize,
    left_out: usize,
}

impl Walk<'_> {
    fn take(&mut self, entry: &DirEntry, depth: usize, waiting: &mut Vec<(PathBuf, usize)>) {
        let path = entry.path();
        self.entries += 1;
        if self.entries > CORPUS_ENTRIES_MAX {
            return self.leave(&path, "there are too many files");
        }
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            return;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_symlink() => self.leave(&path, "it is a link, and links are not followed"),
            Ok(kind) if kind.is_dir() && depth >= CORPUS_DEPTH_MAX => self.leave(&path, "it is too deep"),
            Ok(kind) if kind.is_dir() => waiting.push((path, depth + 1)),
            Ok(_) if is_document(&path) => self.document(&path),
            Ok(_) => {}
            Err(error) => self.leave(&path, &error.to_string()),
        }
    }

    fn document(&mut self, path: &Path) {
        if self.documents.len() >= CORPUS_FILES_MAX {
            return self.leave(path, "there are too many documents");
        }
        match text(path) {
            Ok(text) if self.bytes + text.len() > CORPUS_BYTES_MAX => {
                self.leave(path, "the documents are too large together");
            }
            Ok(text) => {
                self.bytes += text.len();
                let name = path.strip_prefix(self.folder).unwrap_or(path).to_string_lossy().into_owned();
                self.documents.push(Document { name, text });
            }
            Err(error) => self.leave(path, &error.to_string()),
        }
    }

    fn leave(&mut self, path: &Path, why: &str) {
        self.left_out += 1;
        if self.left_out <= CORPUS_COMPLAINTS_MAX {
            tracing::warn!(path = %path.display(), why, "left out of the documents");
        }
    }

    fn summarise(&self) {
        if self.left_out > CORPUS_COMPLAINTS_MAX {
            tracing::warn!(folder = %self.folder.display(), count = self.left_out, "left out of the documents in all");
        }
    }
}

fn is_document(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

/// What stands in a file. One that took the place of another meanwhile is no trap: links are not followed, and a pipe is not
/// waited for.
fn text(path: &Path) -> io::Result<String> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let refuse = |why: &str| Err(io::Error::other(why));
    if !file.metadata()?.is_file() {
        return refuse("it is no file");
    }
    let bytes = up_to(file, DOCUMENT_BYTES_MAX + 1)?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return refuse("it is too large");
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => refuse("it is no text"),
        Ok(text) => Ok(text.replace("\r\n", "\n")),
        Err(_) => refuse("it is not UTF-8"),
    }
}

fn up_to(file: File, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
