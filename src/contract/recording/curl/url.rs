//! URL of a curl line, as curl sends it.

use std::net::{Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::contract::recording::placeholders::placeholders;

/// Where a curl line sends its request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// The Host header.
    pub(super) host: String,
    /// The path, with its query if it has one.
    pub(super) target: String,
}

/// Why a URL cannot be sent as curl sends it: curl refuses it, or changes it in a way that is not implemented here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum UrlError {
    /// Another scheme, or none.
    #[error("{0:?}: expected http://")]
    Scheme(String),
    /// A character that a URL cannot have.
    #[error("{0:?} in the address: percent-encode it")]
    Character(char),
    /// The same in the data of `-G`.
    #[error("{0:?} in the data that -G puts into the address: percent-encode it")]
    CharacterOfData(char),
    /// A dot segment, which curl removes.
    #[error("{segment:?} in the path, which curl takes out: write the path that it asks for{alternative}")]
    DotSegment {
        /// `.` or `..`.
        segment: String,
        /// What else can be done.
        alternative: &'static str,
    },
    /// A pattern from which curl makes several URLs.
    #[error(
        "{character:?} in the address, a {kind} of addresses to curl: give --globoff, or percent-encode it"
    )]
    Glob {
        /// The bracket or brace.
        character: char,
        /// What it is to curl.
        kind: &'static str,
    },
    /// User information before the host.
    #[error("a name and a password in the address; give them with -u")]
    UserInfo,
    /// Not a host as it is commonly written.
    #[error("{0:?}: expected the name of a host, or an IP address as it is commonly written")]
    Host(String),
    /// Not a port.
    #[error("{0:?}: expected a port from 1 to 65535")]
    Port(String),
}

/// Reads the URL in a word. `globoff` and `path_as_is` are the options with these names; `query` is what `-G` appends.
///
/// # Errors
/// [`UrlError`].
pub(super) fn parse(
    word: &str,
    globoff: bool,
    path_as_is: bool,
    query: Option<&str>,
) -> Result<Url, UrlError> {
    let unglobbed = if globoff { word.to_owned() } else { without_globs(word)? };
    let text = unglobbed.as_str();
    let scheme = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let rest = scheme.and_then(|scheme| text.get(scheme.len()..));
    let rest = rest.ok_or_else(|| UrlError::Scheme(shown(text).to_owned()))?;
    // Clients do not send the fragment.
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let mut target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    if let Some(query) = query {
        target = with_query(&target, query)?;
    }
    if let Some(other) = target.chars().find(|character| !matches!(character, '!'..='~')) {
        return Err(UrlError::Character(other));
    }
    let path = target.split('?').next().unwrap_or_default();
    if let Some(dots) = path
        .split('/')
        .find(|segment| matches!(*segment, "." | ".."))
        .filter(|_| !path_as_is || query.is_some())
    {
        let alternative = if query.is_some() { "" } else { ", or give --path-as-is" };
        return Err(UrlError::DotSegment { segment: dots.to_owned(), alternative });
    }
    Ok(Url { host: host(authority)?, target })
}

/// The target with what `-G` appends. curl then parses the URL again and removes dot segments in spite of --path-as-is.
fn with_query(target: &str, added: &str) -> Result<String, UrlError> {
    if let Some(other) = added.chars().find(|character| !matches!(character, '!'..='~')) {
        return Err(UrlError::CharacterOfData(other));
    }
    let (path, own) = target.split_once('?').unwrap_or((target, ""));
    let parted = if own.is_empty() || own.ends_with('&') { "" } else { "&" };
    let query = format!("{own}{parted}{}", with_small_digits(added));
    // curl leaves out an empty query, and does not send the fragment.
    let mark = if query.is_empty() { "" } else { "?" };
    let query = query.split('#').next().unwrap_or_default();
    Ok(format!("{path}{mark}{query}"))
}

/// The text with lower-case hexadecimal digits in percent-encoded bytes, as curl writes them there.
fn with_small_digits(text: &str) -> String {
    let mut rest = text;
    let mut written = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once('%') {
        written.extend([before, "%"]);
        let digits = after.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        written.push_str(&digits.unwrap_or_default().to_ascii_lowercase());
        rest = after.get(digits.map_or(0, str::len)..).unwrap_or_default();
    }
    written + rest
}

/// The part of a URL that may be shown: no password before the host, no query.
pub(super) fn shown(word: &str) -> &str {
    let end = word.find(['@', '?', '#']).unwrap_or(word.len());
    let (start, rest) = word.split_at(end);
    match start.find("://") {
        Some(scheme) if rest.starts_with('@') => start.get(..scheme + 3).unwrap_or_default(),
        None if rest.starts_with('@') => "",
        _ => start,
    }
}

/// The word without the backslashes before brackets and braces. Unescaped ones are errors: curl makes several URLs of
/// them.
fn without_globs(word: &str) -> Result<String, UrlError> {
    let mut plain = String::with_capacity(word.len());
    // The brackets around an IPv6 address are not a range.
    let in_host = |at: usize| {
        let start = word.find("://").map_or(0, |start| start + 3);
        let end = word
            .get(start..)
            .and_then(|rest| rest.find(['/', '?', '#']))
            .map_or(word.len(), |end| start + end);
        (start..end).contains(&at)
    };
    let secrets = placeholders(word);
    let mut characters = word.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if secrets.iter().any(|(range, _)| range.contains(&at)) {
            plain.push(character);
            continue;
        }
        match character {
            '\\' => match characters.next_if(|(_, next)| matches!(next, '[' | ']' | '{' | '}')) {
                Some((_, escaped)) => plain.push(escaped),
                None => plain.push('\\'),
            },
            '[' | ']' if in_host(at) => plain.push(character),
            '[' | ']' => return Err(UrlError::Glob { character, kind: "range" }),
            '{' | '}' => return Err(UrlError::Glob { character, kind: "list" }),
            other => plain.push(other),
        }
    }
    Ok(plain)
}

/// The Host header for an authority.
fn host(authority: &str) -> Result<String, UrlError> {
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if !is_host(host) {
        return Err(UrlError::Host(authority.to_owned()));
    }
    let port = match port {
        None | Some("") => 80,
        Some(port) => {
            let number = port.parse::<u16>().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()));
            number.filter(|&number| number != 0).ok_or_else(|| UrlError::Port(authority.to_owned()))?
        }
    };
    // curl leaves out the default port.
    Ok(if port == 80 { host.to_owned() } else { format!("{host}:{port}") })
}

/// Whether curl sends a host as it is written. It rewrites some addresses, such as 127.1.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address);
    }
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with(|first: char| first.is_ascii_digit())
        && (last.bytes().all(|byte| byte.is_ascii_digit())
            || last.starts_with("0x")
            || last.starts_with("0X"));
    !host.is_empty() && is_name && (!is_number || host.parse::<Ipv4Addr>().is_ok())
}
