//! Payloads of tokens.

use serde_json::{json, Value};

use super::{unknown_user, Bad};
use test_support::forge::{claims, header, sign, sign_text, with_claim, without_claim};
use test_support::server::NOW;

const PAYLOAD: &str = "Invalid payload string";
const TYPE: &str = "Missing or invalid claim: type";

/// The id of the valid token, in every spelling of a UUID that RFC 9562, section 4, and its parser allow.
pub(super) fn spellings() -> Vec<String> {
    let id = claims("access")["jti"].as_str().unwrap().to_owned();
    let bare = id.replace('-', "");
    vec![id.to_uppercase(), format!("{{{id}}}"), format!("urn:uuid:{id}"), bare.to_uppercase(), bare, id]
}

/// The text of a valid payload with `more` before its end.
fn with_text(kind: &str, more: &str) -> String {
    let text = claims(kind).to_string();
    format!("{}{more}}}", text.strip_suffix('}').unwrap())
}

/// The text of a valid payload with another number, in any notation, for a claim.
fn with_number(kind: &str, name: &str, number: &str) -> String {
    const MARK: i64 = -77;
    let mut claims = claims(kind);
    claims[name] = json!(MARK);
    claims.to_string().replace(&MARK.to_string(), number)
}

fn invalid(name: &str) -> String {
    format!("Invalid claim: {name}")
}

/// Payloads that are not valid JSON objects.
pub(super) fn payloads(kind: &str) -> Vec<Bad> {
    let good = claims(kind);
    let text = good.to_string();
    let values = ["iat", "nbf", "jti", "exp", "identity", "type"].map(|name| good[name].clone());
    let mut rows = Vec::new();
    for (what, payload) in [
        ("payload is a number", json!(1)),
        ("payload is a text", json!("{}")),
        ("payload is null", Value::Null),
        ("payload is true", json!(true)),
        ("payload is an empty list", json!([])),
        ("payload is a list of the claims", json!([good])),
        // In the order in which the server checks them.
        ("payload is a list of values", Value::Array(values.into())),
        ("payload is a token", json!(sign(&header(), &good))),
    ] {
        rows.push(Bad::refused(what, &sign(&header(), &payload), PAYLOAD));
    }
    rows.push(Bad::refused(
        "nested token",
        &sign_text(header().to_string(), sign(&header(), &good)),
        PAYLOAD,
    ));
    let nested =
        |depth: usize| with_text(kind, &format!(r#","x":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    let mut broken: Vec<u8> = text.clone().into_bytes();
    broken.splice(1..1, *b"\"x\":\"\xc3\x28\",");
    let texts: Vec<(&str, Vec<u8>)> = vec![
        ("payload is not closed", text.strip_suffix('}').unwrap().into()),
        ("payload twice", format!("{text}{text}").into()),
        ("something behind the payload", format!("{text}x").into()),
        ("NUL behind the payload", format!("{text}\0").into()),
        ("NUL before the payload", format!("\0{text}").into()),
        ("byte order mark before the payload", format!("\u{feff}{text}").into()),
        ("no-break space before the payload", format!("\u{a0}{text}").into()),
        ("payload in UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("payload is not UTF-8", broken),
        ("control character in the payload", with_text(kind, ",\"x\":\"\u{1}\"").into()),
        ("half a surrogate pair in the payload", with_text(kind, r#","x":"\udc00""#).into()),
        ("NaN", with_number(kind, "exp", "NaN").into()),
        ("Infinity", with_number(kind, "exp", "Infinity").into()),
        ("a number with a leading zero", with_number(kind, "exp", "01795393000").into()),
        ("a number with a plus sign", with_number(kind, "exp", "+1795393000").into()),
        ("a number in hexadecimal", with_number(kind, "exp", "0x7fffffff").into()),
        ("a number with an underscore", with_number(kind, "exp", "1_795_393_000").into()),
        ("a number beyond a double", with_number(kind, "exp", "1e999").into()),
        ("trailing comma in the payload", with_text(kind, ",").into()),
        ("200 lists in a claim", nested(200).into()),
        ("10,000 lists in a claim", nested(10_000).into()),
        ("exp twice, the same", with_text(kind, &format!(r#","exp":{}"#, NOW + 901)).into()),
        ("exp twice", with_text(kind, r#","exp":9999999999"#).into()),
        ("identity twice", with_text(kind, r#","identity":2"#).into()),
        ("identity twice, once escaped", with_text(kind, r#","\u0069dentity":2"#).into()),
        ("type twice", with_text(kind, r#","type":"access""#).into()),
        ("jti twice", with_text(kind, r#","jti":"0d6fe1b4-6f0e-4c0a-9f4e-3b0f5b9f0a01""#).into()),
        ("fresh twice", with_text(kind, r#","fresh":true"#).into()),
        ("an unknown claim twice", with_text(kind, r#","x":1,"x":2"#).into()),
        ("a name twice, deep in a claim", with_text(kind, r#","x":{"a":1,"a":2}"#).into()),
        // RFC 7519, section 4.1.2: a string. This server does not use it, but jsonwebtoken parses it.
        ("sub is a list", with_text(kind, r#","sub":[1]"#).into()),
        ("sub is an object", with_text(kind, r#","sub":{"a":1}"#).into()),
    ];
    rows.extend(
        texts
            .into_iter()
            .map(|(what, text)| Bad::refused(what, &sign_text(header().to_string(), text), PAYLOAD)),
    );
    rows
}

pub(super) fn missing(kind: &str) -> Vec<Bad> {
    let mut rows = vec![Bad::refused("no claim at all", &sign(&header(), &json!({})), "Missing claim: exp")];
    for name in ["iat", "jti", "exp", "identity", "type"] {
        let error = format!("Missing claim: {name}");
        rows.push(Bad::refused(format!("no {name}"), &without_claim(kind, name), &error));
        // The original takes null for missing, except in `type`.
        let null = if name == "type" { TYPE } else { &error };
        rows.push(Bad::refused(format!("{name} is null"), &with_claim(kind, name, Value::Null), null));
        let mut claims = claims(kind);
        let value = claims.as_object_mut().unwrap().remove(name).unwrap();
        claims[name.to_uppercase()] = value;
        rows.push(Bad::refused(format!("{name} in upper case"), &sign(&header(), &claims), &error));
    }
    rows
}

pub(super) fn of_another_type(kind: &str) -> Vec<Bad> {
    let mut rows = Vec::new();
    for name in ["iat", "nbf", "jti", "exp", "identity", "type"] {
        for value in [json!([]), json!([1]), json!({}), json!(true), json!(-1), json!(1.5), json!("1")] {
            if name == "type" && value.is_string() {
                continue;
            }
            let what = format!("{name} is {value}");
            let error = if name == "type" { TYPE.to_owned() } else { invalid(name) };
            rows.push(Bad::refused(what, &with_claim(kind, name, value), error));
        }
    }
    for name in ["iat", "nbf", "exp", "identity"] {
        for number in
            ["1.0", "1e3", "1E3", "1.5e3", "-0.0", "1e308", "18446744073709551616", "-9223372036854775809"]
        {
            let token = sign_text(header().to_string(), with_number(kind, name, number));
            rows.push(Bad::refused(format!("{name} is {number}"), &token, invalid(name)));
        }
    }
    for (name, text) in [
        ("exp", "2100-01-01T00:00:00Z"),
        ("exp", "1795393000"),
        ("identity", "user"),
        ("identity", "1 OR 1=1"),
    ] {
        rows.push(Bad::refused(
            format!("{name} is {text:?}"),
            &with_claim(kind, name, json!(text)),
            invalid(name),
        ));
    }
    rows
}

/// The clock shows NOW + 1; the server started at NOW.
pub(super) fn times(kind: &str) -> Vec<Bad> {
    let now = NOW + 1;
    let expired = json!({"error": "Token has expired"});
    let revoked = json!({"error": "Token has been revoked"});
    let row = |what: &str, name, value: u64, status, body| {
        Bad::token(what, &with_claim(kind, name, json!(value)), status, body)
    };
    let not_yet = |what: &str, value: u64| {
        row(what, "nbf", value, 422, json!({"error": "The token is not yet valid (nbf)"}))
    };
    // Otherwise a revocation of all tokens issued so far would not cover these.
    let not_issued = |what: &str, value: u64| {
        row(what, "iat", value, 422, json!({"error": "The token is not yet valid (iat)"}))
    };
    let mut both = claims(kind);
    both["nbf"] = json!(now + 1);
    both["exp"] = json!(now);
    vec![
        row("expires now", "exp", now, 401, expired.clone()),
        row("expired by one second", "exp", now - 1, 401, expired.clone()),
        row("expired in 1970", "exp", 0, 401, expired.clone()),
        row("expired in 1970, a second in", "exp", 1, 401, expired.clone()),
        Bad::token(
            "exp is minus zero",
            &sign_text(header().to_string(), with_number(kind, "exp", "-0")),
            422,
            json!({"error": invalid("exp")}),
        ),
        row("exp in the last second of 32 bits, as unsigned wraps it", "exp", 1 << 30, 401, expired),
        not_yet("valid in a second", now + 1),
        not_yet("valid in milliseconds", now * 1000),
        not_yet("valid beyond 63 bits", i64::MAX as u64 + 1),
        not_yet("valid at the end of time", u64::MAX),
        Bad::refused(
            "expired before it is valid",
            &sign(&header(), &both),
            "The token is not yet valid (nbf)",
        ),
        not_issued("issued in a second", now + 1),
        not_issued("issued at the end of time", u64::MAX),
        row("from before the start", "iat", NOW - 1, 401, revoked.clone()),
        row("from 1970", "iat", 0, 401, revoked.clone()),
        row("from the second of the start, but not of this server", "iat", NOW, 401, revoked),
    ]
}

pub(super) fn identities(kind: &str) -> Vec<Bad> {
    [0, 3, 99, 2_147_483_647, 2_147_483_648, 4_294_967_297, i64::MAX as u64, u64::MAX]
        .into_iter()
        .map(|id| {
            let token = with_claim(kind, "identity", json!(id));
            Bad::token(format!("of user {id}, who does not exist"), &token, 401, unknown_user())
        })
        .collect()
}

pub(super) fn ids(kind: &str) -> Vec<Bad> {
    let id = claims(kind)["jti"].as_str().unwrap().to_owned();
    let (most, last) = id.split_at(id.len() - 1);
    [
        String::new(),
        "x".repeat(36),
        most.to_owned(),
        format!("{id}0"),
        format!(" {id}"),
        format!("{id} "),
        format!("{id}\0"),
        format!("{most}g"),
        format!("{{{id}"),
        format!("({id})"),
        format!("urn:uuid:{{{id}}}"),
        format!("urn:oid:{id}"),
        id.replace('-', "_"),
        id.replacen('-', "", 1),
        // The last digit is a full-width digit.
        format!("{most}{}", char::from_u32(u32::from(last.as_bytes()[0]) - 0x30 + 0xff10).unwrap()),
        "a".repeat(10_000),
    ]
    .into_iter()
    .map(|id| {
        let what = format!("jti is {:.40?}, {} bytes", id, id.len());
        Bad::refused(what, &with_claim(kind, "jti", json!(id)), invalid("jti"))
    })
    .collect()
}

/// Claims of refresh rotation. An access token has none, and its are ignored.
pub(super) fn families(kind: &str) -> Vec<Bad> {
    if kind == "access" {
        return Vec::new();
    }
    let id = claims(kind)["jti"].clone();
    let row = |what: &str, family: Value, generation: Value, status, error: &str| {
        let mut claims = claims(kind);
        claims["family"] = family;
        claims["generation"] = generation;
        Bad::token(what, &sign(&header(), &claims), status, json!({"error": error}))
    };
    let mut rows = vec![
        Bad::refused(
            "a generation without a family",
            &with_claim(kind, "generation", json!(0)),
            "Missing claim: family",
        ),
        Bad::refused(
            "a family without a generation",
            &with_claim(kind, "family", id.clone()),
            "Missing claim: generation",
        ),
        row("a family that is null", Value::Null, json!(0), 422, "Missing claim: family"),
        row("a generation that is null", id.clone(), Value::Null, 422, "Missing claim: generation"),
        row("a family that never logged in", id.clone(), json!(0), 401, "Token has been revoked"),
        row("a later generation of it", id.clone(), json!(u32::MAX), 401, "Token has been revoked"),
    ];
    for family in [json!(1), json!([id]), json!(""), json!("x"), json!(true)] {
        rows.push(row(&format!("family is {family}"), family, json!(0), 422, &invalid("family")));
    }
    for generation in
        [json!(-1), json!(1.5), json!("0"), json!([]), json!(u64::from(u32::MAX) + 1), json!(true)]
    {
        let what = format!("generation is {generation}");
        rows.push(row(&what, id.clone(), generation, 422, &invalid("generation")));
    }
    rows
}

pub(super) fn kinds(kind: &str) -> Vec<Bad> {
    let other = if kind == "access" { "refresh" } else { "access" };
    let unknown = [
        kind.to_uppercase(),
        format!("{}{}", kind[..1].to_uppercase(), &kind[1..]),
        format!("{kind} "),
        format!(" {kind}"),
        format!("{kind}\0"),
        format!("{kind},{other}"),
        kind[..3].to_owned(),
        "id".to_owned(),
        String::new(),
        // The first letter is from another alphabet.
        kind.replacen('a', "\u{430}", 1).replacen('e', "\u{435}", 1),
    ];
    let row = |of: &str, error: &str| {
        Bad::refused(format!("type is {of:?}"), &with_claim(kind, "type", json!(of)), error)
    };
    let mut rows = vec![row(other, &format!("Only {kind} tokens are allowed"))];
    rows.extend(unknown.iter().map(|of| row(of, TYPE)));
    rows
}

/// Claims that are not checked, and values at the limits of validity.
pub(super) fn unusual(kind: &str) -> Vec<(&'static str, String)> {
    let now = NOW + 1;
    let mut rows: Vec<(&str, String)> = vec![
        ("expires in a second", with_claim(kind, "exp", json!(now + 1))),
        ("expires beyond 63 bits", with_claim(kind, "exp", json!(i64::MAX as u64 + 1))),
        ("expires at the end of time", with_claim(kind, "exp", json!(u64::MAX))),
        ("valid from now on", with_claim(kind, "nbf", json!(now))),
        ("valid since 1970", with_claim(kind, "nbf", json!(0))),
        // RFC 7519, section 4.1.5: nbf is optional.
        ("no nbf", without_claim(kind, "nbf")),
        ("nbf is null", with_claim(kind, "nbf", Value::Null)),
        ("issued now", with_claim(kind, "iat", json!(now))),
        ("no fresh", {
            let mut claims = claims(kind);
            claims.as_object_mut().unwrap().remove("fresh");
            sign(&header(), &claims)
        }),
        ("fresh is true", with_claim(kind, "fresh", json!(true))),
        ("fresh is a text", with_claim(kind, "fresh", json!("yes"))),
        ("fresh is null", with_claim(kind, "fresh", Value::Null)),
        ("another audience", with_claim(kind, "aud", json!("somebody else"))),
        ("a claim for administrators", with_claim(kind, "admin", json!(true))),
        ("nil jti", with_claim(kind, "jti", json!("00000000-0000-0000-0000-000000000000"))),
        ("jti of version 1", with_claim(kind, "jti", json!("c232ab00-9414-11ec-b3c8-9f6bdeced846"))),
        ("greatest jti", with_claim(kind, "jti", json!("ffffffff-ffff-ffff-ffff-ffffffffffff"))),
        ("a text of 10 KB", with_claim(kind, "x", json!("x".repeat(10_000)))),
        ("a claim whose name has 10 KB", with_claim(kind, &"x".repeat(10_000), json!(1))),
        ("1,000 claims", {
            let more: String = (0..1000).map(|number| format!(r#","x{number}":{number}"#)).collect();
            sign_text(header().to_string(), with_text(kind, &more))
        }),
        ("100 lists in a claim", {
            let nested = format!(r#","x":{}{}"#, "[".repeat(100), "]".repeat(100));
            sign_text(header().to_string(), with_text(kind, &nested))
        }),
        (
            "white space around the payload",
            sign_text(header().to_string(), format!(" \r\n\t{} ", claims(kind))),
        ),
        ("a claim with an empty name", sign_text(header().to_string(), with_text(kind, r#","":1"#))),
        ("NUL in the name of a claim", sign_text(header().to_string(), with_text(kind, r#","exp\u0000":1"#))),
        ("a proto claim", sign_text(header().to_string(), with_text(kind, r#","__proto__":{"identity":2}"#))),
    ];
    rows.extend(
        spellings().into_iter().map(|id| ("another spelling of jti", with_claim(kind, "jti", json!(id)))),
    );
    rows.into_iter().map(|(what, token)| (what, format!("Bearer {token}"))).collect()
}
