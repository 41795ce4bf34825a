//! The address in a curl line, and what curl makes of it.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::contract::recording::placeholders::placeholders;

/// Where a curl line sends its request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// The Host header.
    pub(super) host: String,
    /// The path, with its query if it has one.
    pub(super) target: String,
}

/// The address in a word. `globoff` and `path_as_is` are the options of that name; `query` is what `-G` puts behind it.
///
/// # Errors
/// What curl would refuse, or change in a way that is not implemented here.
pub(super) fn parse(word: &str, globoff: bool, path_as_is: bool, query: Option<&str>) -> Result<Url, String> {
    let unscrambled = if globoff { word.to_owned() } else { without_globs(word)? };
    let text = unscrambled.as_str();
    let scheme = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let rest = scheme.and_then(|scheme| text.get(scheme.len()..));
    let rest = rest.ok_or_else(|| format!("{:?}: expected http://", shown(text)))?;
    // What is behind a # stays with the client.
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let mut target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    if let Some(query) = query {
        target = with_query(&target, query)?;
    }
    if let Some(other) = target.chars().find(|character| !matches!(character, '!'..='~')) {
        return Err(format!("{other:?} in the address: percent-encode it"));
    }
    let path = target.split('?').next().unwrap_or_default();
    if let Some(dots) = path
        .split('/')
        .find(|segment| matches!(*segment, "." | ".."))
        .filter(|_| !path_as_is || query.is_some())
    {
        let or = if query.is_some() { "" } else { ", or give --path-as-is" };
        return Err(format!(
            "{dots:?} in the path, which curl takes out: write the path that it asks for{or}"
        ));
    }
    Ok(Url { host: host(authority)?, target })
}

/// The target with what `-G` puts behind it. curl reads the address again then: it takes dots out of the path, in spite
/// of --path-as-is.
fn with_query(target: &str, added: &str) -> Result<String, String> {
    if let Some(other) = added.chars().find(|character| !matches!(character, '!'..='~')) {
        return Err(format!("{other:?} in the data that -G puts into the address: percent-encode it"));
    }
    let (path, own) = target.split_once('?').unwrap_or((target, ""));
    let parted = if own.is_empty() || own.ends_with('&') { "" } else { "&" };
    let query = format!("{own}{parted}{}", with_small_digits(added));
    // curl leaves out a query that is empty, and what is behind a # stays with it.
    let mark = if query.is_empty() { "" } else { "?" };
    let query = query.split('#').next().unwrap_or_default();
    Ok(format!("{path}{mark}{query}"))
}

/// The text with percent-encoded bytes in lower case, as curl writes them there.
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

/// What of an address may be shown: neither a password before the host nor what is behind the path is for a log.
pub(super) fn shown(word: &str) -> &str {
    let end = word.find(['@', '?', '#']).unwrap_or(word.len());
    let (start, rest) = word.split_at(end);
    match start.find("://") {
        Some(scheme) if rest.starts_with('@') => start.get(..scheme + 3).unwrap_or_default(),
        None if rest.starts_with('@') => "",
        _ => start,
    }
}

/// The word without the backslashes before brackets and braces, of which there may be no others: curl makes several
/// addresses of them.
fn without_globs(word: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(word.len());
    // The brackets around an IPv6 address are no range.
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
            '[' | ']' => return Err(glob(character, "range")),
            '{' | '}' => return Err(glob(character, "list")),
            other => plain.push(other),
        }
    }
    Ok(plain)
}

fn glob(character: char, kind: &str) -> String {
    format!(
        "{character:?} in the address, a {kind} of addresses to curl: give --globoff, or percent-encode it"
    )
}

/// The Host header for an authority.
fn host(authority: &str) -> Result<String, String> {
    if authority.contains('@') {
        return Err("a name and a password in the address; give them with -u".to_owned());
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let wrong = |what: &str| format!("{authority:?}: {what}");
    if !is_host(host) {
        return Err(wrong("expected the name of a host, or an IP address as it is commonly written"));
    }
    let port = match port {
        None | Some("") => 80,
        Some(port) => {
            let number = port.parse::<u16>().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()));
            number.filter(|&number| number != 0).ok_or_else(|| wrong("expected a port from 1 to 65535"))?
        }
    };
    // The port of the scheme is left out.
    Ok(if port == 80 { host.to_owned() } else { format!("{host}:{port}") })
}

/// Whether curl asks for a host as it is written. It has another way to write some addresses, such as 127.1.
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
