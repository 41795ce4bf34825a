//! The head of an answer.

use crate::answer::Fault;

/// The most fields in a head.
const MOST_FIELDS: usize = 64;

/// How long the body is.
pub(crate) enum Body {
    Sized(u64),
    Chunked,
    UntilClose,
}

/// What a head says of the rest.
pub(crate) struct Head {
    /// Bytes of the head itself.
    pub(crate) length: usize,
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) keep_alive: bool,
}

impl Head {
    /// The head, if all of it is there.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut parsed = httparse::Response::new(&mut fields);
        let length = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(Fault::Malformed(error.to_string())),
        };
        let status = parsed.code.unwrap_or(0);
        let mut keep_alive = parsed.version == Some(1);
        let mut sized = None;
        let mut chunked = false;
        for field in parsed.headers.iter() {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                sized = Some(number(field.value)?);
            } else if is("transfer-encoding") {
                chunked = field.value.eq_ignore_ascii_case(b"chunked");
            } else if is("connection") {
                keep_alive = !field.value.eq_ignore_ascii_case(b"close")
                    && (keep_alive || field.value.eq_ignore_ascii_case(b"keep-alive"));
            }
        }
        let body = match sized {
            _ if status == 204 || status == 304 => Body::Sized(0),
            _ if chunked => Body::Chunked,
            Some(length) => Body::Sized(length),
            None => Body::UntilClose,
        };
        let keep_alive = keep_alive && !matches!(body, Body::UntilClose);
        Ok(Some(Self { length, status, body, keep_alive }))
    }
}

fn number(value: &[u8]) -> Result<u64, Fault> {
    std::str::from_utf8(value)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Fault::Malformed(format!("Content-Length {:?}", String::from_utf8_lossy(value))))
}
