//! Parsing of requests.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn call(uri: &str) -> Option<Call> {
    let request = http::Request::builder()
        .uri(uri)
        .body(Bytes::new())
        .unwrap();
    Call::parse(
        request,
        &Cloud::new("sim.localhost", Some(8443)),
        Timestamp::UNIX_EPOCH,
    )
}

#[test]
fn host_names_the_service_and_its_label() {
    let blob =
        call("https://acct.blob.core.sim.localhost:8443/c/a%20b/%C3%BC?comp=list&Prefix=x%2Fy")
            .unwrap();
    assert_eq!((blob.service, blob.label.as_str()), (Service::Blob, "acct"));
    assert_eq!(blob.segments, ["c", "a b", "ü"]);
    assert_eq!(blob.rest(1), "a b/ü");
    assert_eq!(blob.query.get("prefix"), Some("x/y"));
    let data = call("https://westeurope.api.sim.localhost/discovery").unwrap();
    assert_eq!(
        (data.service, data.label.as_str()),
        (Service::Data, "westeurope")
    );
    assert!(call("https://management.azure.com/").is_none());
    assert!(call("https://evilsim.localhost/").is_none());
}

#[test]
fn broken_escapes_are_kept() {
    assert_eq!(percent_decode("100%"), "100%");
    assert_eq!(percent_decode("%zz%41"), "%zzA");
}
