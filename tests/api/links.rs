//! Links of the specification: each leads to the resource that it describes.

use std::collections::BTreeSet;

use serde_json::Value;

use test_support::contract::{operations, Operation};
use test_support::server::{Answer, Ask, Server};
use test_support::snapshots;

struct Link {
    source: Operation,
    status: u16,
    target: Operation,
    value: &'static Value,
}

impl Link {
    fn name(&self) -> String {
        format!("{} {} -> {}", self.source.id(), self.status, self.target.id())
    }

    /// The parameters that the link fills in, by name.
    fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let parameters = self.value["parameters"].as_object().into_iter().flatten();
        parameters.map(|(name, expression)| (name.as_str(), expression.as_str().expect("an expression")))
    }

    /// The target's path, filled in from the response.
    fn path(&self, answer: &Answer) -> String {
        self.parameters().fold(self.target.path.clone(), |path, (name, expression)| {
            let place = expression.strip_prefix("$response.body#").expect("a place in the body");
            let body = answer.json();
            let value = body.pointer(place).unwrap_or_else(|| panic!("{}: no {place}", self.name()));
            path.replace(&format!("{{{name}}}"), &value.to_string())
        })
    }
}

fn operation(id: &str) -> Operation {
    let found = operations().into_iter().find(|operation| operation.id() == id);
    found.unwrap_or_else(|| panic!("a link leads to {id}, which is no operation"))
}

fn links() -> Vec<Link> {
    let mut links = Vec::new();
    for id in operations().iter().map(Operation::id) {
        let responses = operation(id).value["responses"].as_object().unwrap();
        for (status, response) in responses {
            for (_, value) in response["links"].as_object().into_iter().flatten() {
                let target = operation(value["operationId"].as_str().expect("an operationId"));
                links.push(Link { source: operation(id), status: status.parse().unwrap(), target, value });
            }
        }
    }
    links
}

/// The request of an operation on that path, with the body of its example.
fn example(operation: &Operation, path: &str, token: Option<&str>) -> Ask {
    let ask = Ask::new(operation.method.parse().unwrap(), path);
    let ask = token.filter(|_| operation.is_secured()).into_iter().fold(ask, Ask::bearer);
    match operation.body_example() {
        Some(body) => ask.json(body),
        None => ask,
    }
}

/// The token that the target requires: one from the response itself, one of the created user, or one of the user of the
/// example data.
fn token(server: &Server, link: &Link, answer: &Answer) -> String {
    let wanted = link.target.value["security"][0].as_object().and_then(|scheme| scheme.keys().next());
    let member = if wanted.is_some_and(|scheme| scheme == "refreshToken") { 1 } else { 0 };
    let sent = link.source.body_example().unwrap();
    let tokens = if answer.json().get("access_token").is_some() {
        answer.tokens()
    } else if let (Some(name), Some(password)) = (sent["name"].as_str(), sent["password"].as_str()) {
        server.log_in(name, password).tokens()
    } else {
        server.log_in("user", "password").tokens()
    };
    [tokens.0, tokens.1][member].clone()
}

#[test]
fn a_link_fills_in_exactly_the_parameters_of_its_target() {
    for link in links() {
        let all = link.target.value["parameters"].as_array().into_iter().flatten();
        let declared = all.filter(|parameter| parameter["required"] == true);
        let wanted: BTreeSet<&str> = declared.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        let filled: BTreeSet<&str> = link.parameters().map(|(name, _)| name).collect();
        assert_eq!(filled, wanted, "{}", link.name());
    }
}

#[test]
fn following_each_link_succeeds() {
    for link in links() {
        let server = Server::start();
        let (access, _) = server.log_in("user", "password").tokens();
        let answer = server.send(example(&link.source, &link.source.path, Some(&access)));
        assert_eq!(answer.status, link.status, "{}: {answer:?}", link.name());
        let path = link.path(&answer);
        if let Some(location) = answer.header("Location") {
            assert!(location.ends_with(&path), "{}: {path} is not {location}", link.name());
        }
        let token = token(&server, &link, &answer);
        let followed = server.send(example(&link.target, &path, Some(&token)));
        assert!((200..300).contains(&followed.status), "{}: {followed:?}", link.name());
    }
}

#[test]
fn links_match_the_reviewed_snapshot() {
    let line = |link: Link| {
        let parameters: Vec<String> =
            link.parameters().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {}", link.name(), parameters.join(" ")).trim_end().to_owned() + "\n"
    };
    let lines: String = links().into_iter().map(line).collect();
    snapshots().bind(|| insta::assert_snapshot!("spec_links", lines));
}
