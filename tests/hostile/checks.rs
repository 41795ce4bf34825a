//! Checks of a request over the wire.

use shipyard::http::HttpLimits;

use crate::support::front::Front;

/// Caches, proxies and the browser's same-origin rules take such a request for a POST.
#[test]
fn a_form_field_does_not_change_the_method() {
    let front = Front::start(HttpLimits { workers: 2, ..HttpLimits::default() });
    for body in ["_method=delete", "%5Fmethod=delete", "_method=delete&a=b", "_method=DELETE"] {
        let mut client = front.connect();
        let length = body.len();
        client.send(format!(
            "POST /api/ships/1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ));
        assert_eq!(client.answer().expect("a response").status, 405, "{body}");
    }
    front.is_well();
}
