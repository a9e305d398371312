//! A blob that a message brings along: who reads the room reads the blob, while it still comes.

use super::access::key;
use super::http::{Http, get, noise};
use super::support::{Client, Running, bearer, eventually, read_head};
use super::{ask, sha256};

#[test]
fn an_attachment_is_read_in_the_room_while_it_is_uploaded() {
    let room = "\"rooms.kitchen\"";
    let keys = [key("ann", room, room), key("bob", "", room), key("eve", "", "\"rooms.cellar\"")];
    let server = Running::start(&keys.concat());
    let mut bob = Client::connect(&server.address, "/ws/chat?token=bob", "");
    bob.text();
    bob.send(r#"{"type":"join","session_id":"room:kitchen"}"#);
    assert!(bob.text().contains("\"joined\""));
    let bytes = noise(100_000, 21);
    let target = "/v1/blobs/song-1?session_id=room:kitchen";
    let mut upload = Http::upload(&server, target, &(bearer("ann") + "content-type: audio/ogg\r\n"));
    upload.chunk(&bytes[..40_000]);
    eventually("it is there", || ask(&server, "HEAD", "/v1/blobs/song-1", &bearer("ann")).status() == 200);
    let mut ann = Client::connect(&server.address, "/ws/chat?token=ann", "");
    ann.text();
    ann.send(r#"{"type":"say","message":"listen","attachments":["song-1"],"session_id":"room:kitchen"}"#);
    let said: serde_json::Value = serde_json::from_str(&bob.text()).unwrap();
    assert_eq!((said["message"].as_str(), said["user"]["id"].as_str()), (Some("listen"), Some("ann")));
    let id = said["attachments"][0].as_str().unwrap();
    let mut reader = Http::begin(&server, "GET", &format!("/v1/blobs/{id}"), &bearer("bob"));
    let head = read_head(&mut reader.0);
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("audio/ogg"), "{head}");
    assert!(head.contains("x-accel-buffering: no"), "{head}");
    let mut read = Vec::new();
    while read.len() < 40_000 {
        read.extend(reader.next_chunk().unwrap());
    }
    assert_eq!(get(&server, &format!("/v1/blobs/{id}"), &bearer("eve")).status(), 404);
    upload.chunk(&bytes[40_000..]);
    assert!(upload.finish().text().contains(&sha256(&bytes)));
    while let Some(chunk) = reader.next_chunk().filter(|chunk| !chunk.is_empty()) {
        read.extend(chunk);
    }
    assert!(read == bytes);
}
