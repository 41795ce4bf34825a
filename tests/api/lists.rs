//! Lists with parameters: pages, order, conditions, and what is refused.

use std::cmp::Ordering;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use rocket::http::{Method, RawStr};
use serde_json::{json, Value};
use shipyard::config::Settings;

use test_support::server::{settings, Answer, Ask, Server};

const AFFILIATIONS: [&str; 5] = ["Empire", "empire", "Rebel Alliance", "\u{dc}nion", ""];
const MODELS: [&str; 6] = ["a", "b", "B", "\u{e9}", "a\"\u{1}b", "x,y&z=1 +%20#"];
const ROLES: [&str; 4] = ["Carrier", "carrier", "Destroyer", ""];

fn ships() -> impl Strategy<Value = Value> {
    let roles = subsequence(ROLES.to_vec(), 0..=3).prop_shuffle();
    (select(&AFFILIATIONS), select(&MODELS), roles, 1..6, 1..4).prop_map(
        |(affiliation, model, roles, crew, length)| {
            json!({
                "affiliation": affiliation, "category": "c", "crew": crew, "length": length,
                "manufacturer": "m", "model": model, "roles": roles, "ship_class": "s",
            })
        },
    )
}

#[derive(Clone, Debug)]
struct ListQuery {
    limit: usize,
    sort: Vec<(&'static str, bool)>,
    filters: Vec<(&'static str, Value)>,
    search: Option<&'static str>,
}

fn queries() -> impl Strategy<Value = ListQuery> {
    let fields = vec!["affiliation", "crew", "id", "length", "model"];
    let sort = (subsequence(fields, 0..=3).prop_shuffle(), prop::collection::vec(any::<bool>(), 3))
        .prop_map(|(fields, descending)| fields.into_iter().zip(descending).collect());
    let filter = prop_oneof![
        select(&AFFILIATIONS).prop_map(|text| ("affiliation", json!(text))),
        select(&MODELS).prop_map(|text| ("model", json!(text))),
        select(&ROLES).prop_map(|text| ("roles", json!(text))),
        (
            select(vec!["crew", "crew.gte", "crew.gt", "crew.lte", "crew.lt", "length.gt", "id", "id.lte"]),
            1..7
        )
            .prop_map(|(name, number)| (name, json!(number))),
    ];
    let filters = prop::collection::vec(filter, 0..4);
    let search = prop::option::of(select(vec!["e", "EMPIRE", "carr", "\u{dc}", "B", "x,", "zz", "\""]));
    (1..5_usize, sort, filters, search).prop_map(|(limit, sort, filters, search)| ListQuery {
        limit,
        sort,
        filters,
        search,
    })
}

fn encoded(text: &str) -> String {
    RawStr::new(text).percent_encode().to_string().replace('&', "%26").replace('+', "%2B").replace('=', "%3D")
}

impl ListQuery {
    fn target(&self) -> String {
        let sort: Vec<String> =
            self.sort.iter().map(|(name, down)| format!("{}{name}", if *down { "-" } else { "" })).collect();
        let mut parameters = vec![format!("limit={}", self.limit)];
        if !sort.is_empty() {
            parameters.push(format!("sort={}", sort.join(",")));
        }
        for (name, value) in &self.filters {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            parameters.push(format!("{name}={}", encoded(&value)));
        }
        parameters.extend(self.search.map(|text| format!("q={}", encoded(text))));
        format!("/api/ships?{}", parameters.join("&"))
    }

    /// Whether the ship meets all conditions. Values of one field are alternatives.
    fn wants(&self, ship: &Value) -> bool {
        let meets = |name: &str, value: &Value| match name.split_once('.') {
            None if name == "roles" => ship[name].as_array().unwrap().contains(value),
            None => &ship[name] == value,
            Some((name, bound)) => {
                let ordering = ship[name].as_i64().cmp(&value.as_i64());
                match bound {
                    "gte" => ordering.is_ge(),
                    "gt" => ordering.is_gt(),
                    "lte" => ordering.is_le(),
                    _ => ordering.is_lt(),
                }
            }
        };
        let filtered = self.filters.iter().all(|(name, value)| {
            let alternatives = self.filters.iter().filter(|(other, _)| other == name);
            if name.contains('.') {
                meets(name, value)
            } else {
                { alternatives }.any(|(name, value)| meets(name, value))
            }
        });
        let texts = ship.as_object().unwrap().values().flat_map(|value| match value {
            Value::Array(items) => items.clone(),
            other => vec![other.clone()],
        });
        let contains = |part: &str| {
            let part = part.to_ascii_lowercase();
            { texts }.any(|text| text.as_str().is_some_and(|text| text.to_ascii_lowercase().contains(&part)))
        };
        filtered && self.search.is_none_or(contains)
    }

    fn compare(&self, one: &Value, other: &Value) -> Ordering {
        let by_keys = self.sort.iter().map(|(name, down)| {
            let ordering = match (&one[*name], &other[*name]) {
                (Value::String(one), Value::String(other)) => one.cmp(other),
                (one, other) => one.as_i64().cmp(&other.as_i64()),
            };
            if *down {
                ordering.reverse()
            } else {
                ordering
            }
        });
        by_keys.fold(Ordering::Equal, Ordering::then).then(one["id"].as_i64().cmp(&other["id"].as_i64()))
    }
}

fn items(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().as_array().expect("a list").clone()
}

/// The target of the next page.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("Link")?;
    let url = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).expect("a link");
    Some(
        url.split_once("//")
            .and_then(|(_, rest)| rest.split_once('/'))
            .map(|(_, path)| format!("/{path}"))
            .unwrap(),
    )
}

fn total(answer: &Answer) -> usize {
    answer.header("X-Total-Count").expect("a count").parse().expect("a number")
}

/// All pages, one after the other.
fn pages(server: &Server, target: &str) -> Vec<Answer> {
    let mut pages = vec![server.get(target)];
    while let Some(target) = next(pages.last().unwrap()) {
        pages.push(server.get(&target));
        assert!(pages.len() < 100, "the pages do not end");
    }
    pages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// 128 times 80 queries, with a write after each.
    #[test]
    fn pages_are_those_of_a_naive_list(
        first in prop::collection::vec(ships(), 0..12),
        steps in prop::collection::vec((queries(), ships(), 0..4_usize, any::<prop::sample::Index>()), 80)
    ) {
        let server = Server::started_with(r#"{"users":[{"id":1,"name":"user","password":"password"}],"ships":[]}"#);
        let (token, _) = server.log_in("user", "password").tokens();
        let send = |method, path: &str, body: &Value| {
            server.send(Ask::new(method, path).bearer(&token).json(body)).status
        };
        for ship in &first {
            prop_assert_eq!(send(Method::Post, "/api/ships", ship), 201);
        }
        for (query, ship, write, which) in steps {
            let all = server.get("/api/ships").json().as_array().unwrap().clone();
            let mut wanted: Vec<Value> = all.iter().filter(|ship| query.wants(ship)).cloned().collect();
            wanted.sort_by(|one, other| query.compare(one, other));
            let pages = pages(&server, &query.target());
            prop_assert_eq!(pages.len(), wanted.len().div_ceil(query.limit).max(1), "{}", query.target());
            prop_assert!(pages.iter().all(|page| total(page) == wanted.len()), "{}", query.target());
            prop_assert_eq!(pages.iter().flat_map(items).collect::<Vec<_>>(), wanted, "{}", query.target());
            let path = || format!("/api/ships/{}", all[which.index(all.len())]["id"]);
            match write {
                0 => drop(send(Method::Post, "/api/ships", &ship)),
                1 if !all.is_empty() => drop(send(Method::Put, &path(), &ship)),
                2 if !all.is_empty() => drop(send(Method::Patch, &path(), &json!({"crew": ship["crew"]}))),
                3 if !all.is_empty() => drop(send(Method::Delete, &path(), &json!(null))),
                _ => {}
            }
        }
    }
}

proptest! {
    /// Whatever the parameters are, the response is a page or says which are wrong, and nothing fails.
    #[test]
    fn any_parameters_get_a_page_or_a_reason(
        parameters in prop::collection::vec(
            (
                prop_oneof![
                    select(vec!["limit", "cursor", "sort", "q", "crew", "crew.gte", "crew.lt", "model", "roles", "id"])
                        .prop_map(str::to_owned),
                    "[a-z.%&=+]{0,8}",
                ],
                prop_oneof!["[0-9-]{0,12}", "[ -~]{0,20}", any::<String>(), "(-?[a-z_]{2,6},?){0,3}", "(%[0-9A-Fa-f]{2}){0,6}"],
            ),
            0..8,
        )
    ) {
        let server = Server::start();
        let parameters: Vec<String> = parameters
            .iter()
            .map(|(name, value)| {
                let is_encoded = value.starts_with('%');
                format!("{name}={}", if is_encoded { value.clone() } else { encoded(value) })
            })
            .collect();
        for path in ["/api/ships", "/api/users"] {
            let target = format!("{path}?{}", encoded(&parameters.join("\0")).replace("%00", "&").replace("%3D", "=").replace("%25", "%"));
            if rocket::http::uri::Origin::parse(&target).is_err() {
                continue;
            }
            let response = server.get(&target);
            match response.status {
                200 => prop_assert!(response.json().is_array()),
                400 => prop_assert!(response.json()["message"].is_object(), "{:?}", response),
                status => prop_assert!(false, "{}: {}", target, status),
            }
        }
    }
}

/// As many values as a request has room for cost about as much as one.
#[test]
fn repeated_parameters_are_bounded() {
    let server = Server::start();
    let many = |parameter: &str| vec![parameter; 16 * 1024 / (parameter.len() + 1)].join("&");
    for parameter in ["crew=1", "crew.gte=1", "model=a", "roles=Carrier", "id.lt=9"] {
        assert_eq!(server.get(&format!("/api/ships?{}", many(parameter))).status, 200, "{parameter}");
    }
    let sort = vec!["crew"; 2000].join(",");
    let page = server.get(&format!("/api/ships?limit=1&sort={sort}"));
    let link = next(&page).expect("a next page");
    assert!(link.len() < sort.len() + 100, "{link}");
    assert_eq!(server.get(&link).status, 200);
    // A parameter may be written in another way than in the link.
    let second = next(&server.get("/api/ships?limit=1")).unwrap().replace("cursor=", "%63ursor=");
    let third = next(&server.get(&second)).expect("a next page");
    assert_eq!(items(&server.get(&third))[0]["id"], 3);
    assert_eq!(server.get("/api/ships?crew.gte=0&id.gt=-1&limit=1").status, 200);
}

/// Ships that are written while a client reads the pages make it neither miss nor repeat another.
#[test]
fn pages_are_stable_while_others_write() {
    let server = Server::start();
    let (token, _) = server.log_in("user", "password").tokens();
    let ship = server.get("/api/ships/1").json();
    let send = |method, path: &str, body: Value| {
        assert!(server.send(Ask::new(method, path).bearer(&token).json(&body)).status < 300);
    };
    let all = items(&server.get("/api/ships?sort=-crew"));
    assert!(all.len() > 9, "{all:?}");
    let first = server.get("/api/ships?sort=-crew&limit=4");
    assert_eq!(items(&first), all[..4]);
    // The last ship of the page goes, one of the page changes, and one comes before it.
    send(Method::Delete, &format!("/api/ships/{}", all[3]["id"]), json!(null));
    send(Method::Patch, &format!("/api/ships/{}", all[1]["id"]), json!({"crew": 2_000_000_000}));
    let mut new = ship.as_object().unwrap().clone();
    new.remove("id");
    new.insert("crew".to_owned(), json!(2_000_000_000));
    send(Method::Post, "/api/ships", new.into());
    let rest: Vec<Value> = pages(&server, &next(&first).unwrap()).iter().flat_map(items).collect();
    assert_eq!(rest, all[4..]);
}

#[test]
fn a_list_without_parameters_is_what_it_was() {
    let server = Server::start();
    for path in ["/api/ships", "/api/users"] {
        let list = server.get(path);
        assert_eq!((list.header("Link"), list.header("X-Total-Count")), (None, None));
        for query in
            ["", "a", "a=b", "&", "Limit=2", "crew.other=1", "password=secret", "model.gte=a", "offset=1"]
        {
            assert_eq!(server.get(&format!("{path}?{query}")).body, list.body, "{path}?{query}");
        }
        let page = server.get(&format!("{path}?limit=1000"));
        assert_eq!((page.header("Link"), &page.body), (None, &list.body), "{path}");
    }
}

#[test]
fn a_page_has_a_version_and_a_count_and_a_link() {
    let server = Server::start();
    let target = "/api/ships?limit=2&sort=-crew&a=b";
    let page = server.get(target);
    assert_eq!(total(&page), items(&server.get("/api/ships")).len());
    let link = page.header("Link").unwrap();
    assert!(link.starts_with("<http://127.0.0.1:5000/api/ships?limit=2&sort=-crew&a=b&cursor="), "{link}");
    let head = server.send(Ask::new(Method::Head, target));
    assert_eq!((head.status, head.header("Link"), head.body.as_str()), (200, Some(link), ""));
    let etag = page.header("ETag").unwrap();
    assert_eq!(server.send(Ask::new(Method::Get, target).header("If-None-Match", etag)).status, 304);
    assert_eq!(server.send(Ask::new(Method::Get, target).header("If-Match", "\"0\"")).status, 412);
    let last = server.get("/api/users?limit=5");
    assert_eq!((total(&last), last.header("Link")), (2, None));
    let users = server.get("/api/users?q=GUE&sort=-name");
    assert_eq!(users.json(), json!([{"id": 2, "name": "guest"}]));
}

#[test]
fn a_wrong_value_is_named() {
    let server = Server::start();
    let cursor = |target: &str| {
        let page = server.get(target);
        next(&page).unwrap().split_once("cursor=").unwrap().1.to_owned()
    };
    let by_crew = cursor("/api/ships?sort=crew&limit=1");
    let forged = |json: &str| URL_SAFE_NO_PAD.encode(json);
    for (query, name, message) in [
        ("limit=0", "limit", "Must be greater than or equal to 1."),
        ("limit=1001", "limit", "Must be less than or equal to 1000."),
        ("limit=", "limit", "Not a valid integer."),
        ("limit", "limit", "Not a valid integer."),
        ("limit=1.0", "limit", "Not a valid integer."),
        ("limit=99999999999999999999", "limit", "Not a valid integer."),
        ("limit=1&limit=2", "limit", "Given more than once."),
        ("sort=", "sort", "Not a field to sort by: \"\"."),
        ("sort=crew,nothing", "sort", "Not a field to sort by: \"nothing\"."),
        ("sort=roles", "sort", "Not a field to sort by: \"roles\"."),
        ("sort=--crew", "sort", "Not a field to sort by: \"--crew\"."),
        ("q=", "q", "Shorter than minimum length 1."),
        ("crew=many", "crew", "Not a valid integer."),
        ("crew.gte=many", "crew.gte", "Not a valid integer."),
        ("crew.lt=2147483648", "crew.lt", "Must be less than or equal to 2147483647."),
        ("crew=0", "crew", "Must be greater than or equal to 1."),
        ("id=2147483648", "id", "Must be less than or equal to 2147483647."),
        ("model=%ff", "model", "Not valid UTF-8."),
        ("cursor=x", "cursor", "Not a cursor of this list."),
        ("cursor=", "cursor", "Not a cursor of this list."),
        (
            &format!("sort=crew&cursor={}", forged(r#"["crew",["many"],5]"#)),
            "cursor",
            "Not a cursor of this list.",
        ),
        (
            &format!("sort=crew&cursor={}", forged(r#"["crew",[null],5]"#)),
            "cursor",
            "Not a cursor of this list.",
        ),
        (&format!("sort=crew&cursor={}", forged(r#"["crew",[],5]"#)), "cursor", "Not a cursor of this list."),
        (&format!("cursor={}", forged(r#"["",[],2147483648]"#)), "cursor", "Not a cursor of this list."),
        (&format!("cursor={by_crew}"), "cursor", "Not a cursor of this list."),
        (&format!("sort=-crew&cursor={by_crew}"), "cursor", "Not a cursor of this list."),
    ] {
        let response = server.get(&format!("/api/ships?{query}"));
        let expected = json!({"error": "Bad Request", "message": {name: [message]}});
        assert_eq!((response.status, response.json()), (400, expected), "{query}");
    }
    let both = server.get("/api/ships?limit=0&q=").json();
    assert_eq!(both["message"].as_object().unwrap().len(), 2, "{both}");
    assert_eq!(
        server.get("/api/users?name=x").json()["message"]["name"][0],
        "Shorter than minimum length 2."
    );
}

#[test]
fn a_server_can_refuse_unknown_parameters() {
    let server = Server::configured(Settings { strict_query: true, ..settings() });
    for (query, name) in
        [("a=b", "a"), ("limit=1&Sort=crew", "Sort"), ("password=x", "password"), ("offset=1", "offset")]
    {
        for path in ["/api/ships", "/api/users"] {
            let response = server.get(&format!("{path}?{query}"));
            let message = response.json()["message"][name].clone();
            assert_eq!((response.status, message), (400, json!(["Unknown parameter."])), "{path}?{query}");
        }
    }
    assert_eq!(server.get("/api/ships?limit=1&crew.gt=5&roles=Carrier&sort=-model").status, 200);
}
