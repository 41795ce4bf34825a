//! Curl lines, sent by this program and by the real curl to the same socket: both send the same request, or this
//! program names the option that it does not support. Needs `curl` and `bash` in the PATH.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

use proptest::prelude::*;
use shipyard::contract::client::wire::Target;
use shipyard::contract::recording::{curl, shell};

use test_support::program::folder;

/// A socket that sends an empty response to every request, and returns its bytes.
struct Socket {
    port: u16,
    requests: Receiver<Vec<u8>>,
}

impl Socket {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let request = read(&mut connection);
                // Before the response, so that the bytes are there when the client has finished.
                if sender.send(request).is_err() {
                    break;
                }
                let _ = connection
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Self { port, requests }
    }

    /// The request that was received, if there was exactly one.
    fn request(&self) -> Option<Sent> {
        let sent = self.requests.recv_timeout(Duration::from_millis(1)).ok()?;
        assert!(self.requests.try_recv().is_err(), "more than one request");
        Some(Sent::from(&sent))
    }
}

fn read(connection: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            if bytes.len() - end - 4 >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                return bytes;
            }
        }
        match connection.read(&mut buffer).unwrap() {
            0 => return bytes,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The parts of a request that are compared.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    line: String,
    /// Sorted, names in lower case.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn from(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.trim_matches([' ', '\t']).to_owned())
        };
        // This program sends its own User-Agent unless the line gives one, and opens a connection for every request.
        // Which encodings curl offers depends on its build.
        let own = |(name, value): &(String, String)| match name.as_str() {
            "user-agent" => value.starts_with("curl/") || value.starts_with("shipyard/"),
            "connection" => true,
            _ => false,
        };
        let mut headers: Vec<_> = lines.map(pair).filter(|header| !own(header)).collect();
        for (name, value) in &mut headers {
            if name == "accept-encoding" && value.starts_with("deflate, gzip") {
                "by curl".clone_into(value);
            }
        }
        headers.sort();
        Self { line, headers, body: bytes[end + 4..].to_vec() }
    }
}

/// A folder where no file matches a pattern and no `.curlrc` applies.
fn empty_folder(name: &str) -> PathBuf {
    folder(name)
}

/// The request that the real curl sends for a line, in which `HOST` is the socket.
fn by_curl(line: &str, socket: &Socket, here: &PathBuf) -> Option<Sent> {
    let line = line.replace("HOST", &format!("localhost:{}", socket.port));
    let done = Command::new("bash")
        .args(["-c", &line])
        .current_dir(here)
        .env("HOME", here)
        .env("LC_ALL", "C.UTF-8")
        .env("no_proxy", "*")
        .output()
        .expect("bash is in the PATH");
    assert_ne!(done.status.code(), Some(127), "curl is in the PATH: {done:?}");
    socket.request()
}

/// The request that this program sends for it.
fn by_this_program(line: &str, socket: &Socket) -> Result<Option<Sent>, String> {
    let host = format!("localhost:{}", socket.port);
    let request = curl::parse(&line.replace("HOST", &host)).map_err(|error| error.to_string())?;
    let target = Target::parse(&format!("http://{host}")).unwrap();
    target.send(&request, Duration::from_secs(10)).unwrap();
    Ok(socket.request())
}

/// All supported syntax.
const TAKEN: &[&str] = &[
    "curl http://HOST",
    "curl -i http://HOST/api/ships/1 -X DELETE -H \"Authorization: Bearer a.b.c\"",
    "curl http://HOST/a -X OPTIONS -I",
    "curl -I http://HOST/a",
    "curl -IG http://HOST/a -d b",
    "curl http://HOST/a -X GET -d b",
    "curl http://HOST/a -X PATCH --data-ascii b",
    "curl http://HOST/a -d a -d b=c -d ''",
    "curl http://HOST/a --data-raw @b",
    "curl http://HOST/a --data-binary 'a b'",
    "curl http://HOST/a -d 'a\\b\\\\' -d \"a\\b\\\\\\\"\"",
    "curl http://HOST/a --json '{\"a\": 1}'",
    "curl http://HOST/a --json '{' --json '}' -H 'accept: a/b' -H 'content-type: c/d'",
    "curl http://HOST/a -d a --json b",
    "curl http://HOST/a --json a -d b",
    "curl http://HOST/a --json a -G",
    "curl http://HOST/a -G -d b=c -d d",
    "curl 'http://HOST/a?b' -G -d c",
    "curl 'http://HOST/a?' -G -d c",
    "curl 'http://HOST?a' -G -d c",
    "curl http://HOST/a -G -d ''",
    "curl 'http://HOST/a?' -G -d ''",
    "curl 'http://HOST/a?b' -G -d ''",
    "curl 'http://HOST/a#b' -G -d c",
    "curl -G -d 'a#b' http://HOST/a",
    "curl -G -d '#b' http://HOST/a",
    "curl -G -d 'a#b' 'http://HOST/a?x=1#c'",
    "curl -G -d 'a=%2F%aB%zZ%Z%4a%' 'http://HOST/%2F?x=%2F'",
    "curl -G -d '' 'http://HOST/%2F?x=%AB'",
    "curl -G -d b 'http://HOST/a?x=1&'",
    "curl -G -d '' 'http://HOST/a?x=1&'",
    "curl -G -d '&b' 'http://HOST/a?x&&'",
    "curl -G -d b 'http://HOST/a?&'",
    "curl -G -d 'q=/../x?y' http://HOST/a",
    "curl -G --path-as-is http://HOST/a/../b",
    "curl http://HOST/a -b ' @a=b'",
    "curl http://HOST/~a/b~ -d a='~' -d a=\\~",
    "curl http://HOST/a -u me:secret",
    "curl http://HOST/a -u me: -H 'Authorization: Bearer x'",
    "curl http://HOST/a -u me:secret -H 'authorization:'",
    "curl http://HOST/a -b a=b -b 'c=d; e=f'",
    "curl http://HOST/a -b a=b -H 'Cookie: c=d'",
    "curl http://HOST/a --compressed",
    "curl http://HOST/a --compressed -H 'accept-encoding: identity'",
    "curl http://HOST/a -A me -e http://there/",
    "curl http://HOST/a -A me -H 'User-Agent: you' -e a -H 'referer: b'",
    "curl http://HOST/a -H 'X-A:b' -H 'X-B;' -H 'X-C:' -H 'X-D:  ' -H 'X-E:  f \t' -H X-F:g:h",
    "curl http://HOST/a -H 'X-A: b' -H 'x-a: c'",
    "curl http://HOST/a -d b -H 'Content-Type:'",
    "curl http://HOST/a -d b -H 'content-type;'",
    "curl http://HOST/a -d b -H 'Content-Type: text/plain'",
    "curl http://HOST/a -d abc -H 'Content-Length: 3'",
    "curl http://HOST/a -X POST -H 'Content-Length: 0'",
    "curl http://HOST/a -X PUT",
    "curl -H 'Connection: keep-alive' http://HOST/a",
    "curl 'http://HOST/a#b?c'",
    "curl 'http://HOST#b'",
    "curl http://HOST/a?b=/../c",
    "curl http://HOST/a?",
    "curl http://HOST//a///b/",
    "curl http://HOST/a/...//.b/..c",
    "curl http://HOST/%41%2f%zz",
    "curl --path-as-is http://HOST/a/../b/./c/..",
    "curl -g 'http://HOST/[a]{b}'",
    "curl --globoff http://HOST/a[1-3]",
    "curl 'http://HOST/a?b\\[\\]=\\{c\\}\\d'",
    "curl 'http://HOST/a|b^c\"d<e>f`g'",
    "curl HTTP://HOST/A",
    "curl --url http://HOST/a",
    "curl -- http://HOST/a",
    "curl -sSiXPOST -HA:b -dc http://HOST/a",
    "curl -kvsN -# --http1.1 -o /dev/null http://HOST/a",
    "curl http://HOST/\"a\"'b'\\c -d $'d\\'\\u00e9\\n\\\\'",
    "curl http://HOST/a -d é -d '$b `c` |;&' -d a\\$b -d \"\\$b\" -d \"a $ b\"",
    "curl http://HOST/a \\\n  -H 'A: b' \\\n  --data-raw 'c'",
    // As browsers copy requests.
    "curl 'http://HOST/api/ships?q=\\[1\\]' \\\n  -H 'Accept: */*' \\\n  -H 'Accept-Language: en-GB,en;q=0.9' \\\n  \
     -H 'Connection: keep-alive' \\\n  -H 'Content-Type: application/json' \\\n  -b 'a=b; c=d' \\\n  \
     -H 'Origin: http://HOST' \\\n  -H 'User-Agent: Mozilla/5.0 (X11; Linux x86_64)' \\\n  \
     -H 'sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"' \\\n  \
     --data-raw $'{\"name\":\"it\\'s \\u0021 \\u00e9\"}' \\\n  --insecure",
    "curl 'http://HOST/auth/login' -X POST -H 'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)' \
     -H 'Accept: application/json' -H 'Accept-Language: en-US,en;q=0.5' --compressed \
     -H 'Content-Type: application/json' -H 'Origin: http://HOST' -H 'Connection: keep-alive' \
     -H 'Priority: u=0' --data-raw '{\"username\":\"user\"}'",
    "curl 'http://HOST/api/users' --compressed -X POST -H 'Content-Type: application/json' \
     --data-raw $'{\"name\":\"a\\'b\\\\n\\u00e9\"}'",
];

#[test]
fn sends_supported_options_as_curl_does() {
    let (here, socket) = (empty_folder("curl_lines"), Socket::open());
    for line in TAKEN {
        let curl = by_curl(line, &socket, &here).unwrap_or_else(|| panic!("{line}: curl has sent nothing"));
        assert_eq!(by_this_program(&line.replace("\\\n", ""), &socket), Ok(Some(curl)), "{line}");
    }
}

/// Syntax of curl or the shell that is not supported, and its name in the error.
const REFUSED: &[(&str, &str)] = &[
    ("curl http://HOST/a -X delete", "delete is no method"),
    ("curl http://HOST/a -X FETCH", "FETCH is no method"),
    ("curl http://HOST/a -Id b", "-I and -d"),
    ("curl http://HOST/api/../api/ships/1", "\"..\" in the path"),
    ("curl http://HOST/api/./ships", "\".\" in the path"),
    ("curl 'http://HOST/a[1-3]'", "a range of addresses"),
    ("curl 'http://HOST/{a,b}'", "a list of addresses"),
    ("curl http://HOST/{a,b}", "a list of words"),
    ("curl http://user:secret@HOST/a", "a name and a password in the address"),
    ("curl http://user@HOST/a", "a name and a password in the address"),
    ("curl https://HOST/a", "expected http://"),
    ("curl HOST/a", "expected http://"),
    ("curl ftp://HOST/a", "expected http://"),
    ("curl http:///a", "the name of a host"),
    ("curl http://127.1/a", "an IP address as it is commonly written"),
    ("curl http://0x7f000001/a", "an IP address as it is commonly written"),
    ("curl http://2130706433/a", "an IP address as it is commonly written"),
    ("curl http://[::0001]/a", "an IP address as it is commonly written"),
    ("curl http://localhost:0/a", "a port from 1 to 65535"),
    ("curl http://localhost:99999/a", "a port from 1 to 65535"),
    ("curl http://localhost:+80/a", "a port from 1 to 65535"),
    ("curl 'http://HOST/a b'", "percent-encode it"),
    ("curl http://HOST/é", "percent-encode it"),
    ("curl -G -d 'a b' http://HOST/", "percent-encode it"),
    ("curl http://HOST/a http://HOST/b", "a second address"),
    ("curl http://HOST/a --url http://HOST/b", "a second address"),
    ("curl http://HOST/a --next http://HOST/b", "--next is not known"),
    ("curl -H 'Host:' http://HOST/a", "always sent here"),
    ("curl -H 'Accept:' http://HOST/a", "always sent here"),
    ("curl -H 'user-agent:' http://HOST/a", "always sent here"),
    ("curl -d a -H 'Content-Length:' http://HOST/a", "always sent here"),
    ("curl -d abc -H 'Content-Length: 2' http://HOST/a", "the body has 3 bytes"),
    ("curl -d a -H 'Transfer-Encoding: chunked' http://HOST/a", "a body is sent whole here"),
    ("curl -H 'A' http://HOST/a", "expected `Name: value`"),
    ("curl -H 'A; b' http://HOST/a", "expected `Name: value`"),
    ("curl -H 'A b: c' http://HOST/a", "the name of a header"),
    ("curl -H @file http://HOST/a", "expected `Name: value`"),
    ("curl -H $'A: b\\r\\nC: d' http://HOST/a", "a control character"),
    ("curl -d @file http://HOST/a", "not a file"),
    ("curl --json @file http://HOST/a", "not a file"),
    ("curl --data-binary @- http://HOST/a", "not a file"),
    ("curl --data-urlencode a http://HOST/a", "--data-urlencode is not known"),
    ("curl -F a=b http://HOST/a", "-F is not known"),
    ("curl -T file http://HOST/a", "-T is not known"),
    ("curl -K file http://HOST/a", "-K is not known"),
    ("curl -L http://HOST/a", "-L is not known"),
    ("curl -f http://HOST/a", "-f is not known"),
    ("curl -0 http://HOST/a", "-0 is not known"),
    ("curl -x there http://HOST/a", "-x is not known"),
    ("curl -w x http://HOST/a", "-w is not known"),
    ("curl -siL http://HOST/a", "-L is not known"),
    ("curl --heade 'A: b' http://HOST/a", "--heade is not known"),
    ("curl -u me http://HOST/a", "for which curl asks"),
    ("curl -b file http://HOST/a", "not a file"),
    ("curl -b @a=b http://HOST/a", "not a file"),
    ("curl -G --path-as-is -d q http://HOST/a/../b", "\"..\" in the path"),
    ("curl -G --path-as-is -d '' http://HOST/a/./b", "\".\" in the path"),
    ("curl -G -d 'a#b c' http://HOST/", "percent-encode it"),
    ("curl -d a=~/x http://HOST/a", "a home folder"),
    ("curl -d a=b:~ http://HOST/a", "a home folder"),
    ("curl -d $'\\x{41}' http://HOST/a", "`\\x{`"),
    ("curl -A '' http://HOST/a", "is not understood here"),
    ("curl http://HOST/a; ls", "the end of a command"),
    ("curl http://HOST/a | cat", "a pipe"),
    ("curl http://HOST/a > file", "a redirection"),
    ("curl http://HOST/a 2>&1", "a redirection"),
    ("curl http://HOST/a?b&c", "in the background"),
    ("curl http://HOST/a # b", "a comment"),
    ("curl -H \"Authorization: Bearer $TOKEN\" http://HOST/a", "`$TOKEN` is a variable"),
    ("curl -d `date` http://HOST/a", "a command to run"),
    ("curl -d $(date) http://HOST/a", "an expansion"),
    ("curl -d ~ http://HOST/a", "a home folder"),
    ("curl -H Accept:*/* http://HOST/a", "a pattern"),
    ("wget http://HOST/a", "begins with `curl`"),
    ("A=b curl http://HOST/a", "begins with `curl`"),
];

#[test]
fn rejects_unsupported_options_by_name() {
    for (line, name) in REFUSED {
        let parsed = curl::parse(&line.replace("HOST", "localhost:5000"));
        assert!(parsed.as_ref().is_err_and(|error| error.to_string().contains(name)), "{line}: {parsed:?}");
    }
}

/// A piece of a word, unquoted or in one of the shell's quotes.
fn piece() -> impl Strategy<Value = String> {
    let text = proptest::collection::vec(
        prop_oneof![
            "[a-z]{1,3}",
            "[ -~]",
            "[a=:~]{1,3}",
            Just("é".to_owned()),
            Just("\\".to_owned()),
            Just("$".to_owned()),
            Just("'".to_owned()),
            Just("\"".to_owned()),
        ],
        0..5,
    );
    (0..5_usize, text).prop_map(|(kind, parts)| {
        let text = parts.concat();
        match kind {
            0 => format!("'{text}'"),
            1 => format!("\"{text}\""),
            2 => format!("$'{text}'"),
            3 => shell::escaped(&text, false),
            _ => text,
        }
    })
}

/// Words with separators.
fn command() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![3 => piece(), 1 => Just(" ".to_owned())], 1..8)
        .prop_map(|pieces| pieces.concat())
}

/// The words into which bash splits a command; `None` if it is not one command.
fn words_of_bash(command: &str, here: &PathBuf) -> Option<Vec<String>> {
    let done = Command::new("bash")
        .args(["--norc", "-c", &format!("printf '%s\\0' x {command}")])
        .current_dir(here)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("bash is in the PATH");
    let words = String::from_utf8(done.stdout).ok().filter(|_| done.status.success())?;
    Some(words.split_terminator('\0').skip(1).map(str::to_owned).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// Every command that is accepted is split as bash splits it.
    #[test]
    fn splits_words_as_bash_does(command in command()) {
        let here = std::env::temp_dir().join("shipyard-no-files");
        std::fs::create_dir_all(&here).unwrap();
        if let Ok(words) = shell::words(&command) {
            prop_assert_eq!(Some(words), words_of_bash(&command, &here), "{}", command);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Options in any order and with any text: sent as by curl, or rejected.
    #[test]
    fn sends_any_line_as_curl_does_or_rejects_it(
        options in proptest::collection::vec(option(), 0..5),
        path in "[a-c/.?#&]{0,6}",
    ) {
        let socket = Socket::open();
        let here = std::env::temp_dir().join("shipyard-no-files");
        std::fs::create_dir_all(&here).unwrap();
        let line = format!("curl -sm5 {} 'http://HOST/{path}'", options.join(" "));
        // `-m` only limits the time of the real curl.
        if let Ok(sent) = by_this_program(&line.replacen("-sm5", "-s", 1), &socket) {
            prop_assert_eq!(sent, by_curl(&line, &socket, &here), "{}", line);
        }
    }
}

fn option() -> impl Strategy<Value = String> {
    let name = prop_oneof!["X-[A-C]", Just("Content-Type".to_owned()), Just("cookie".to_owned())];
    let header =
        (name, "[:;]", "[ a-c:;\"]{0,4}").prop_map(|(name, mark, value)| format!("-H '{name}{mark}{value}'"));
    let data = ("(-d|--data-raw|--json|--data-binary)", "[a-c=&@#%2F ]{0,4}")
        .prop_map(|(name, data)| format!("{name} '{data}'"));
    let method = "-X (GET|POST|PUT|DELETE|OPTIONS|get)";
    let other = "(-I|-G|-g|--path-as-is|-u a:b|-b c=d|-b e=|-b @h=|-A f|-e g|-i|-k)";
    prop_oneof![3 => header, 3 => data, 1 => method, 2 => other]
}
