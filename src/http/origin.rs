//! Origin of a request whose head hyper has not parsed. Its error needs CORS headers too: without them, a page sees a network
//! error instead of the reason.

use hyper::header::{HeaderMap, ORIGIN};

/// The Origin of that head, if there is exactly one.
pub(super) fn of_head(headers: &HeaderMap) -> Option<String> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let first = origins.next().filter(|_| origins.next().is_none());
    first.and_then(|origin| origin.to_str().ok()).map(str::to_owned)
}

/// The Origin in the first bytes of a request. `None` if there is no complete Origin line, if there are two, or if another
/// line continues it: readers would differ about its value.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<String> {
    let mut origin = None;
    // Bytes after the last line break are an incomplete line.
    let (complete, rest) = bytes.split_at(bytes.iter().rposition(|&byte| byte == b'\n')?);
    let lines = complete.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    // An empty line before the first is skipped (RFC 9112, section 2.2).
    let fields = lines.skip_while(|line| line.is_empty()).skip(1).take_while(|line| !line.is_empty());
    let mut was_origin = false;
    let is_continuation = |line: &[u8]| matches!(line, [b' ' | b'\t', ..]);
    for line in fields {
        if is_continuation(line) {
            if was_origin {
                return None;
            }
            continue;
        }
        let mut parts = line.splitn(2, |&byte| byte == b':');
        was_origin = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(ORIGIN.as_str().as_bytes()));
        if was_origin {
            let value = std::str::from_utf8(parts.next()?.trim_ascii()).ok()?;
            if origin.replace(value.to_owned()).is_some() {
                return None;
            }
        }
    }
    origin.filter(|_| !(was_origin && is_continuation(rest.get(1..).unwrap_or_default())))
}

/// Whether those bytes begin a request with that method.
pub(super) fn is_head_request(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"HEAD ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_single_complete_line_is_the_origin() {
        let get = |fields: &str| of_bytes(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}").as_bytes());
        let app = Some("https://app.example".to_owned());
        for fields in [
            "Origin: https://app.example\r\n",
            "origin:https://app.example \r\nX: y",
            "ORIGIN:\thttps://app.example\nX: y\n\n",
            "Origin: https://app.example\r\n\r\nOrigin: https://other.example\r\n",
        ] {
            assert_eq!(get(fields), app, "{fields:?}");
        }
        for fields in [
            "",
            "Origin: https://app.example",
            "Origin: https://app.example\r",
            "Origin: https://app.example\r\nOrigin: https://app.example\r\n",
            "Origin: https://app.example\r\n .evil\r\n",
            "Origin: https://app.example\r\n .evil",
            "Origin : https://app.example\r\n",
            " Origin: https://app.example\r\n",
            "X-Origin: https://app.example\r\n",
            "Origin\r\n",
            "\r\nOrigin: https://app.example\r\n",
        ] {
            assert_eq!(get(fields), None, "{fields:?}");
        }
        assert_eq!(of_bytes(b"\r\nGET / HTTP/1.1\r\nOrigin: a\r\n"), Some("a".to_owned()));
        // The first line is not a field, whatever it looks like.
        assert_eq!(of_bytes(b"Origin: a\r\nX: y\r\n"), None);
        assert_eq!(of_bytes(b""), None);
    }

    #[test]
    fn two_origins_count_as_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(of_head(&headers), None);
        headers.append(ORIGIN, "https://app.example".parse().expect("a value"));
        assert_eq!(of_head(&headers), Some("https://app.example".to_owned()));
        headers.append(ORIGIN, "https://app.example".parse().expect("a value"));
        assert_eq!(of_head(&headers), None);
    }
}
