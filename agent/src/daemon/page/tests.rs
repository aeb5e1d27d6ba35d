//! Tests of who may see the pages and of what the timeline says. Whole pages are asked for in
//! `agent/tests/program/daemon/page.rs`, and looked at in a browser by `tests/page`.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::net::SocketAddr;

use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::access::Access;

fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_web_site_that_points_its_name_at_this_machine_is_refused() {
    let access = Access::new(address("127.0.0.1:9464"), None).unwrap();
    let knows = |host: &str| access.knows_host(&headers(HOST, host));
    for host in [
        "127.0.0.1:9464",
        "localhost",
        "LOCALHOST:9464",
        "mlark.localhost:80",
        "[::1]:9464",
    ] {
        assert!(knows(host), "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:9464",
        "localhost.evil.example",
        "evillocalhost",
        "10.0.0.4:9464",
        "[2001:db8::1]:9464",
        "",
    ] {
        assert!(!knows(host), "{host}");
    }
    assert!(access.knows_host(&HeaderMap::new()));
    assert!(access.allows(&HeaderMap::new()));
}

#[test]
fn an_address_of_other_machines_needs_a_token_that_is_long_enough() {
    let refused = Access::new(address("0.0.0.0:9464"), None).unwrap_err();
    assert!(refused.next.unwrap().contains("token_file"));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("token");
    std::fs::write(&file, "short\n").unwrap();
    let refused = Access::new(address("0.0.0.0:9464"), Some(&file)).unwrap_err();
    assert!(!refused.lines().contains("short\n"), "{refused:?}");
    std::fs::write(&file, "0123456789abcdef:0\n").unwrap();
    let access = Access::new(address("0.0.0.0:9464"), Some(&file)).unwrap();
    assert!(!format!("{access:?}").contains("0123456789"));
    let allows = |value: &str| access.allows(&headers(AUTHORIZATION, value));
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    assert!(allows("Bearer 0123456789abcdef:0"));
    assert!(allows("bearer  0123456789abcdef:0"));
    assert!(allows(&basic("anyone:0123456789abcdef:0")));
    assert!(!access.allows(&HeaderMap::new()));
    for wrong in [
        "Bearer ",
        "Bearer 0123456789abcdef:1",
        "Bearer 0123456789abcdef",
        "0123456789abcdef:0",
        "Basic !!",
    ] {
        assert!(!allows(wrong), "{wrong}");
    }
    assert!(!allows(&basic("0123456789abcdef:0")));
}
