use std::io::{Read, Write};
use std::net::TcpListener;

use crate::harness::{failure, fixtures, rows};

/// SHA-256 of `azure.csv`.
const AZURE: &str = "734866290003bc6bdfa7e6a49a5cc9f502efb55e656ad33c7f2ab548f99d3863";

/// Serves `azure.csv` once; gives the address.
fn served() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let body = std::fs::read(fixtures().join("azure.csv")).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).unwrap() > 0);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
    });
    format!("http://{address}/azure.csv")
}

#[test]
fn fetched_trace_reads_like_a_file() {
    let with = format!(
        "url = \"{}\"\nsha256 = \"{AZURE}\"\nrequests = 4\ndraws = 1",
        served()
    );
    assert_eq!(
        rows(&with),
        rows("trace = \"azure.csv\"\nrequests = 4\ndraws = 1")
    );
}

#[test]
fn other_bytes_than_expected_are_refused_with_both_digests() {
    let expected = "ab".repeat(32);
    let message = failure(&format!("url = \"{}\"\nsha256 = \"{expected}\"", served()));
    assert!(
        message.contains(AZURE) && message.contains(&expected),
        "{message}"
    );
}

#[test]
fn unreachable_server_is_named_with_the_cause() {
    let with = format!("url = \"http://127.0.0.1:1/x\"\nsha256 = \"{AZURE}\"");
    let message = failure(&with);
    assert!(
        message.starts_with("cannot fetch http://127.0.0.1:1/x: "),
        "{message}"
    );
    assert!(message.contains("refused"), "{message}");
}
