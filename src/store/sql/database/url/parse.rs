//! Reading of a database URL.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{DatabaseUrl, Endpoint, Host, UrlError};

const DEFAULT_PORT: u16 = 5432;

/// What `sslmode` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    /// `prefer` and `allow`.
    FallBack,
    /// `verify-full`, and what is weaker and therefore not offered: `require`, `verify-ca`.
    Verify,
}

/// The parts as they are written, decoded.
#[derive(Default)]
struct Parts {
    user: Option<String>,
    password: Option<Zeroizing<String>>,
    /// Each with the port behind it.
    hosts: Vec<(String, Option<u16>)>,
    ports: Vec<u16>,
    database: Option<String>,
    mode: Option<Mode>,
    root_certificates: Option<PathBuf>,
    application_name: Option<String>,
    connect_timeout: Option<Duration>,
    read_only_too: bool,
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or(UrlError::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        // From here on a message may name what the URL says: no piece of a password is taken for something else.
        if rest.contains('@') {
            return Err(UrlError::Unescaped);
        }
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parts = Parts::default();
        let hosts = match authority.rsplit_once('@') {
            Some((login, hosts)) => {
                parts.login(login)?;
                hosts
            }
            None => authority,
        };
        parts.hosts(hosts)?;
        let database = path.strip_prefix('/').unwrap_or(path);
        if !database.is_empty() {
            parts.database = Some(decode(database, "database")?);
        }
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            parts.parameter(parameter)?;
        }
        parts.finish()
    }
}

impl Parts {
    fn login(&mut self, login: &str) -> Result<(), UrlError> {
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        if !user.is_empty() {
            self.user = Some(decode(user, "user")?);
        }
        self.password = password.map(|text| decode(text, "password").map(Zeroizing::new)).transpose()?;
        Ok(())
    }

    /// `a:1,[::1]:2,%2Frun%2Fpostgresql`.
    fn hosts(&mut self, hosts: &str) -> Result<(), UrlError> {
        for host in hosts.split(',').filter(|_| !hosts.is_empty()) {
            let (name, port) = match host.strip_prefix('[') {
                Some(bracketed) => {
                    let (address, rest) = bracketed.split_once(']').ok_or(UrlError::Bracket)?;
                    address.parse::<std::net::Ipv6Addr>().map_err(|_| UrlError::Bracket)?;
                    let port = if rest.is_empty() {
                        None
                    } else {
                        Some(rest.strip_prefix(':').ok_or(UrlError::Bracket)?)
                    };
                    (address, port)
                }
                None => match host.split_once(':') {
                    Some((name, port)) => (name, Some(port)),
                    None => (host, None),
                },
            };
            let port = port.map(parse_port).transpose()?;
            self.hosts.push((decode(name, "host")?, port));
        }
        Ok(())
    }

    fn parameter(&mut self, parameter: &str) -> Result<(), UrlError> {
        let (name, value) = parameter.split_once('=').ok_or(UrlError::Unknown(None))?;
        match name {
            "user" => once(&mut self.user, decode(value, "user")?, "user"),
            "password" => once(&mut self.password, Zeroizing::new(decode(value, "password")?), "password"),
            "dbname" => once(&mut self.database, decode(value, "dbname")?, "dbname"),
            "host" => self.host_parameter(&decode(value, "host")?),
            "port" => {
                let ports = decode(value, "port")?;
                self.ports = ports.split(',').map(parse_port).collect::<Result<_, _>>()?;
                Ok(())
            }
            "sslmode" => once(&mut self.mode, parse_mode(value)?, "sslmode"),
            "sslrootcert" => {
                let file = PathBuf::from(decode(value, "sslrootcert")?);
                once(&mut self.root_certificates, file, "sslrootcert")
            }
            "application_name" => {
                once(&mut self.application_name, decode(value, "application_name")?, "application_name")
            }
            "connect_timeout" => {
                let seconds = value.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
                let expected = "a number of seconds from 1 to 3600";
                let seconds = seconds.ok_or(UrlError::Value { name: "connect_timeout", expected })?;
                once(&mut self.connect_timeout, Duration::from_secs(seconds), "connect_timeout")
            }
            "target_session_attrs" => {
                let expected = "read-write or any: a standby answers from old data, and takes no writes";
                self.read_only_too = match value {
                    "any" => true,
                    "read-write" | "primary" => false,
                    _ => return Err(UrlError::Value { name: "target_session_attrs", expected }),
                };
                Ok(())
            }
            _ => {
                let plain =
                    name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                Err(UrlError::Unknown(plain.then(|| name.to_owned())))
            }
        }
    }

    fn host_parameter(&mut self, hosts: &str) -> Result<(), UrlError> {
        if !self.hosts.is_empty() {
            return Err(UrlError::Twice("host"));
        }
        self.hosts = hosts.split(',').map(|host| (host.to_owned(), None)).collect();
        Ok(())
    }

    fn finish(self) -> Result<DatabaseUrl, UrlError> {
        if self.hosts.is_empty() || self.hosts.iter().any(|(name, _)| name.is_empty()) {
            return Err(UrlError::NoHost);
        }
        if self.ports.len() > 1 && self.ports.len() != self.hosts.len() {
            return Err(UrlError::Ports);
        }
        let port_of = |index: usize| self.ports.get(index).or(self.ports.first()).copied();
        let endpoint = |(index, (name, port)): (usize, (String, Option<u16>))| {
            let port = port.or_else(|| port_of(index)).unwrap_or(DEFAULT_PORT);
            let host = if name.starts_with('/') { Host::Unix(name.into()) } else { Host::Tcp(name) };
            Ok(Endpoint { tls: uses_tls(&host, self.mode)?, host, port })
        };
        Ok(DatabaseUrl {
            hosts: self.hosts.into_iter().enumerate().map(endpoint).collect::<Result<_, _>>()?,
            user: self.user,
            password: self.password,
            database: self.database,
            application_name: self.application_name,
            connect_timeout: self.connect_timeout,
            // `system`, as in libpq, means the certificates that the machine trusts, which is the default here.
            root_certificates: self.root_certificates.filter(|file| file.as_os_str() != "system"),
            writable: !self.read_only_too,
        })
    }
}

/// Whether to use TLS for a host: unless the URL says otherwise, for each on the network.
fn uses_tls(host: &Host, mode: Option<Mode>) -> Result<bool, UrlError> {
    match (mode, host) {
        (Some(Mode::Disable), _) => Ok(false),
        (None | Some(Mode::FallBack), host) if host.is_local() => Ok(false),
        (Some(Mode::FallBack), host) => Err(UrlError::FallsBack(host.to_string())),
        (Some(Mode::Verify), Host::Unix(_)) => Err(UrlError::TlsOverSocket),
        (None | Some(Mode::Verify), _) => Ok(true),
    }
}

fn parse_mode(value: &str) -> Result<Mode, UrlError> {
    match value {
        "disable" => Ok(Mode::Disable),
        "allow" | "prefer" => Ok(Mode::FallBack),
        "require" | "verify-ca" | "verify-full" => Ok(Mode::Verify),
        _ => Err(UrlError::Value {
            name: "sslmode",
            expected: "verify-full, disable, or on this machine prefer",
        }),
    }
}

fn parse_port(text: &str) -> Result<u16, UrlError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0).ok_or(UrlError::Port)
}

/// Sets a part that may be given once.
fn once<T>(part: &mut Option<T>, value: T, name: &'static str) -> Result<(), UrlError> {
    match part.replace(value) {
        Some(_) => Err(UrlError::Twice(name)),
        None => Ok(()),
    }
}

/// Decodes percent-encoded text. A `+` is a plus sign.
fn decode(text: &str, what: &'static str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let decoded = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(decoded.ok_or(UrlError::Encoding(what))?);
    }
    let text = String::from_utf8(bytes).map_err(|_| UrlError::Encoding(what))?;
    if text.contains('\0') {
        return Err(UrlError::Encoding(what));
    }
    Ok(text)
}
