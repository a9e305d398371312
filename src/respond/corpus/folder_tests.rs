//! What of a folder is read.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn names(folder: &Path) -> Vec<String> {
    read(folder).unwrap().into_iter().map(|document| document.name).collect()
}

#[test]
fn documents_are_read_with_their_paths_below_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("b/c")).unwrap();
    for (name, text) in [
        ("z.md", "z\r\ny"),
        ("b/c/x.TXT", "x"),
        ("b/a.markdown", "a"),
        ("b/code.rs", "no"),
        (".hidden.md", "no"),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    assert_eq!(names(dir.path()), ["b/a.markdown", "b/c/x.TXT", "z.md"]);
    assert_eq!(read(dir.path()).unwrap()[2].text, "z\ny");
}

#[test]
fn what_cannot_be_read_is_left_out_and_the_rest_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.md"), "secret").unwrap();
    symlink(outside.path().join("secret.md"), dir.path().join("link.md")).unwrap();
    symlink(outside.path(), dir.path().join("folder")).unwrap();
    symlink(dir.path(), dir.path().join("loop")).unwrap();
    fs::write(dir.path().join("bytes.md"), [0xff, 0xfe, b'a']).unwrap();
    fs::write(dir.path().join("binary.md"), "a\0b").unwrap();
    fs::write(dir.path().join("large.md"), "x".repeat(DOCUMENT_BYTES_MAX + 1)).unwrap();
    fs::write(dir.path().join("largest.md"), "x".repeat(DOCUMENT_BYTES_MAX)).unwrap();
    fs::create_dir(dir.path().join("folder.md")).unwrap();
    fs::write(dir.path().join("good.md"), "good").unwrap();
    assert_eq!(names(dir.path()), ["good.md", "largest.md"]);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe.md");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(names(dir.path()).is_empty());
}

#[test]
fn folders_are_entered_to_a_depth() {
    let dir = tempfile::tempdir().unwrap();
    let mut path = dir.path().to_owned();
    for depth in 0..CORPUS_DEPTH_MAX + 2 {
        fs::write(path.join(format!("{depth}.md")), "x").unwrap();
        path = path.join("d");
        fs::create_dir(&path).unwrap();
    }
    assert_eq!(names(dir.path()).len(), CORPUS_DEPTH_MAX + 1);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    assert!(read(Path::new("/nonexistent/documents")).is_err());
}
