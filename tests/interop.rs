//! A WebSocket implementation that is not ours, fastwebsockets, at the other end of the line: events of every size,
//! fragments, pings and closes mean the same to both.
#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

mod support;

use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocket};
use support::Running;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HANDSHAKE: &str = "upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async fn connect(server: &Running, target: &str) -> WebSocket<TcpStream> {
    let mut socket = TcpStream::connect(&server.address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nhost: test\r\n{HANDSHAKE}");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    let mut websocket = WebSocket::after_handshake(socket, Role::Client);
    websocket.set_auto_close(false);
    websocket
}

async fn text(websocket: &mut WebSocket<TcpStream>) -> String {
    let frame = websocket.read_frame().await.unwrap();
    assert_eq!(frame.opcode, OpCode::Text);
    String::from_utf8(frame.payload.to_vec()).unwrap()
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn events_of_every_header_size_arrive() {
    let server = Running::start("");
    run(async {
        let mut reader = connect(&server, "/v1/topics/a").await;
        assert!(text(&mut reader).await.starts_with("{\"type\":\"subscribed\""));
        for size in [0, 1, 120, 126, 65_300, 65_600, 300_000] {
            let data = format!("\"{}\"", "x".repeat(size));
            server.publish("a", &data);
            assert!(text(&mut reader).await.ends_with(&format!("\"data\":{data}}}")), "{size}");
        }
    });
}

#[test]
fn fragments_pings_and_closes_are_understood() {
    let server = Running::start("");
    run(async {
        let mut echo = connect(&server, "/test/echo").await;
        let part =
            |fin, opcode, bytes: &'static [u8]| Frame::new(fin, opcode, None, Payload::Borrowed(bytes));
        echo.write_frame(part(false, OpCode::Text, b"Mill")).await.unwrap();
        echo.write_frame(part(true, OpCode::Ping, b"?")).await.unwrap();
        echo.write_frame(part(true, OpCode::Continuation, b"race")).await.unwrap();
        let pong = echo.read_frame().await.unwrap();
        assert_eq!((pong.opcode, &pong.payload[..]), (OpCode::Pong, &b"?"[..]));
        assert_eq!(text(&mut echo).await, "Millrace");
        echo.write_frame(Frame::close(1000, b"bye")).await.unwrap();
        let close = echo.read_frame().await.unwrap();
        assert_eq!((close.opcode, &close.payload[..2]), (OpCode::Close, &1000u16.to_be_bytes()[..]));
    });
}
