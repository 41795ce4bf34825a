//! Media types of Content-Type headers (RFC 9110, section 8.3.1).

/// A media type with parameters. Equivalent ones are equal.
#[derive(Debug, PartialEq, Eq)]
struct MediaType {
    essence: String,
    /// Sorted: their order does not matter.
    parameters: Vec<(String, String)>,
}

/// Whether two values of Content-Type are the same media type. Types, names of parameters and charsets are
/// case-insensitive, other values are not. Values may be quoted, and there may be white space around a semicolon.
pub(crate) fn same(a: &str, b: &str) -> bool {
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// Whether a value of Content-Type has this type, whatever its parameters.
pub(crate) fn is(value: &str, essence: &str) -> bool {
    let found = value.split(';').next().unwrap_or_default();
    found.trim_matches(WHITE).eq_ignore_ascii_case(essence)
}

const WHITE: [char; 2] = [' ', '\t'];

fn parse(text: &str) -> Option<MediaType> {
    let (essence, mut rest) = text.split_at(text.find(';').unwrap_or(text.len()));
    let (kind, subtype) = essence.trim_matches(WHITE).split_once('/')?;
    if !is_token(kind) || !is_token(subtype) {
        return None;
    }
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_start_matches(WHITE);
        let Some(after) = rest.strip_prefix(';') else { break };
        rest = after.trim_start_matches(WHITE);
        // An empty parameter is ignored (RFC 9110, section 5.6.6).
        if rest.is_empty() || rest.starts_with(';') {
            continue;
        }
        let (name, after) = rest.split_once('=').filter(|(name, _)| is_token(name))?;
        let (mut value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted_string(quoted)?,
            None => {
                let (value, after) = after.split_at(after.find([';', ' ', '\t']).unwrap_or(after.len()));
                (is_token(value).then(|| value.to_owned())?, after)
            }
        };
        let name = name.to_ascii_lowercase();
        if name == "charset" {
            value = value.to_ascii_lowercase();
        }
        parameters.push((name, value));
        rest = after;
    }
    parameters.sort();
    rest.is_empty()
        .then(|| MediaType { essence: format!("{kind}/{subtype}").to_ascii_lowercase(), parameters })
}

/// The content of a quoted string, from after its first quote, and the rest.
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

/// Whether a text is a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_media_type_may_be_written_in_several_ways() {
        let plain = "application/json; charset=utf-8";
        for other in [
            "application/json;charset=utf-8",
            "Application/JSON; Charset=UTF-8",
            "application/json \t;\tcharset=\"utf-8\"",
            "application/json; charset=\"UTF\\-8\" ;",
            "application/json; ; charset=utf-8",
        ] {
            assert!(same(plain, other) && same(other, plain), "{other}");
        }
        assert!(same("a/b; x=1; y=\"2 ; 3\"", "A/B; Y=\"2 ; 3\"; X=\"1\""));
        for other in [
            "application/json",
            "application/json; charset=utf-16",
            "application/json; charset = utf-8",
            "application/json; charset=utf-8; charset=utf-8",
            "application/json; charset=\"utf-8",
            "application/json; charset=\"utf-8\"x",
            "application/json charset=utf-8",
            "application/j son; charset=utf-8",
            "application; charset=utf-8",
            "text/json; charset=utf-8",
            "",
        ] {
            assert!(!same(plain, other) && !same(other, plain), "{other}");
        }
        // What a boundary is has case.
        assert!(!same("multipart/form-data; boundary=a", "multipart/form-data; boundary=A"));
        assert!(same("no media type", "no media type"));
        assert!(is("Text/HTML ; charset=utf-8", "text/html") && !is("text/html5", "text/html"));
    }
}
