//! Where blobs lie, and what a server finds and leaves there.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::http::{Http, get, put};
use super::support::{Running, eventually};

/// Names in a folder, but for the lock.
fn files(folder: &Path) -> Vec<String> {
    let Ok(found) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "millrace.lock").collect()
}

#[test]
fn a_configured_folder_has_a_file_for_each_blob_and_no_names() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("made/by/the/server");
    let server = Running::start(&format!("[blobs]\nfolder = {folder:?}"));
    put(&server, "/v1/blobs/secret-name", "", b"content");
    let found = files(&folder);
    assert!(found.len() == 1 && found[0].len() == 64 + 5 && found[0].ends_with(".blob"), "{found:?}");
    assert_eq!(std::fs::read(folder.join(&found[0])).unwrap(), b"content");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(folder.join(&found[0])).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let mut broken = Http::upload(&server, "/v1/blobs/b", "");
    broken.chunk(b"x");
    eventually("both are there", || files(&folder).len() == 2);
    drop(broken);
    eventually("the broken one is gone", || files(&folder) == found);
    drop(server);
    assert!(files(&folder).is_empty(), "what nobody knows any longer is not left");
}

#[test]
fn two_servers_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let said = format!("[blobs]\nfolder = {:?}", folder.path());
    let _first = Running::start(&said);
    let config =
        millrace::config::Config::from_toml("test", &format!("listen = [\"127.0.0.1:0\"]\n{said}")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let second = runtime
        .block_on(async { millrace::server::Server::bind(config).err().map(|error| format!("{error:#}")) });
    let why = second.unwrap();
    assert!(why.contains("blobs.folder cannot be used") && why.contains("another server uses it"), "{why}");
}

/// A server in a process of its own, whose temporary folder is `temporary`.
fn process(temporary: &Path, config: &Path) -> (Child, Running) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--config"]).arg(config);
    let mut child = command.env("TMPDIR", temporary).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
    (child, Running::at(&address))
}

#[test]
fn what_a_killed_server_has_left_goes_with_the_next_start() {
    let temporary = tempfile::tempdir().unwrap();
    let named = temporary.path().join("named");
    let (private, configured) = (temporary.path().join("a.toml"), temporary.path().join("b.toml"));
    std::fs::write(&private, "").unwrap();
    std::fs::write(&configured, format!("[blobs]\nfolder = {named:?}\n")).unwrap();
    let folders =
        || files(temporary.path()).iter().filter(|name| name.starts_with("millrace-blobs-")).count();
    for config in [&private, &configured] {
        let (mut child, server) = process(temporary.path(), config);
        assert_eq!(put(&server, "/v1/blobs/a", "", b"content").status(), 201);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(files(&named).len(), 1);
    assert_eq!(folders(), 0, "the second server has removed what the first has left");
    let (mut child, server) = process(temporary.path(), &configured);
    assert!(files(&named).is_empty());
    assert_eq!(get(&server, "/v1/blobs/a", "").status(), 404);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_private_folder_goes_with_its_server() {
    let temporary = tempfile::tempdir().unwrap();
    let config = temporary.path().join("a.toml");
    std::fs::write(&config, "").unwrap();
    let folders =
        || files(temporary.path()).iter().filter(|name| name.starts_with("millrace-blobs-")).count();
    let (mut child, server) = process(temporary.path(), &config);
    assert_eq!(folders(), 0, "none is made before there is a blob");
    put(&server, "/v1/blobs/a", "", b"content");
    assert_eq!(folders(), 1);
    let ended = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(ended.success() && child.wait().unwrap().success());
    assert_eq!(folders(), 0);
}
