//! Headers of tokens.
//!
//! `kid` values that are not strings are here; `tests/hostile/key_rotation.rs` tests those that name a key.

use hmac::Hmac;
use serde_json::{json, Value};
use sha2::{Sha384, Sha512};

use super::{segment, Bad};
use test_support::forge::{claims, header, hs256, mac, sign, sign_text};
use test_support::server::SECRET;

const HEADER: &str = "Invalid header string";
const ALGORITHM: &str = "The specified alg value is not allowed";
const CRITICAL: &str = "Unsupported critical header (crit)";
const SIGNATURE: &str = "Signature verification failed";

/// Headers that are not valid JSON objects.
pub(super) fn headers(kind: &str) -> Vec<Bad> {
    let claims = claims(kind).to_string();
    let texts: &[(&str, &[u8])] = &[
        ("header is a space", b" "),
        ("header is null", b"null"),
        ("header is a text", br#""HS256""#),
        ("header is a number", b"256"),
        // In the order in which a parser might read the members.
        ("header is a list of values", br#"["HS256",null]"#),
        ("header is a list of objects", br#"[{"typ":"JWT","alg":"HS256"}]"#),
        ("header is not closed", br#"{"typ":"JWT","alg":"HS256""#),
        ("header has a trailing comma", br#"{"typ":"JWT","alg":"HS256",}"#),
        ("header has single quotes", b"{'typ':'JWT','alg':'HS256'}"),
        ("header has no quotes", b"{typ:JWT,alg:HS256}"),
        ("header has a comment", br#"{"alg":"HS256"/* */}"#),
        ("header twice", br#"{"alg":"HS256"}{"alg":"HS256"}"#),
        ("something behind the header", br#"{"alg":"HS256"}x"#),
        ("NUL behind the header", b"{\"alg\":\"HS256\"}\0"),
        ("byte order mark before the header", b"\xef\xbb\xbf{\"alg\":\"HS256\"}"),
        ("header in UTF-16", b"{\0\"\0a\0l\0g\0\"\0:\0\"\0H\0S\x002\x005\x006\0\"\0}\0"),
        ("header is not UTF-8", b"{\"alg\":\"HS256\",\"x\":\"\xff\"}"),
        ("control character in the header", b"{\"alg\":\"HS256\",\"x\":\"\x01\"}"),
        ("half a surrogate pair in the header", br#"{"alg":"HS256","x":"\ud800"}"#),
        ("alg twice, the same", br#"{"alg":"HS256","alg":"HS256"}"#),
        ("alg twice, none first", br#"{"alg":"none","alg":"HS256"}"#),
        ("alg twice, none last", br#"{"alg":"HS256","alg":"none"}"#),
        ("alg twice, once escaped", br#"{"alg":"HS256","\u0061lg":"none"}"#),
        ("typ twice", br#"{"typ":"JWT","typ":"JWE","alg":"HS256"}"#),
        ("crit twice", br#"{"alg":"HS256","crit":[],"crit":["exp"]}"#),
        ("kid twice", br#"{"alg":"HS256","kid":1,"kid":2}"#),
        ("a name twice, deep in the header", br#"{"alg":"HS256","x":{"a":1,"a":2}}"#),
        ("number beyond a double in the header", br#"{"alg":"HS256","x":1e999}"#),
    ];
    let mut rows: Vec<Bad> =
        texts.iter().map(|&(what, text)| Bad::refused(what, &sign_text(text, &claims), HEADER)).collect();
    let nested = format!(r#"{{"alg":"HS256","x":{}}}"#, "[".repeat(4000) + &"]".repeat(4000));
    rows.push(Bad::refused("4,000 lists in the header", &sign_text(nested, &claims), HEADER));
    rows
}

/// Every algorithm but HS256, in every spelling: signed accordingly where the one key that an attacker may know allows
/// it, unsigned, and with the HMAC of the server's own key, which shows that the name alone is rejected.
pub(super) fn algorithms(kind: &str) -> Vec<Bad> {
    let mut rows = Vec::new();
    let message =
        |alg: &Value| format!("{}.{}", segment(&json!({"typ": "JWT", "alg": alg})), segment(&claims(kind)));
    for alg in [
        "none",
        "None",
        "NONE",
        "nOnE",
        "none ",
        " none",
        "",
        "hs256",
        "Hs256",
        "HS256 ",
        " HS256",
        "HS256\0",
        "HS256\n",
        "HS-256",
        "HMACSHA256",
        "SHA256",
        "HS1",
        "HS384",
        "HS512",
        "hs512",
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS512",
        "ES256",
        "ES256K",
        "ES384",
        "ES512",
        "EdDSA",
        "Ed25519",
        "RSA1_5",
        "RSA-OAEP",
        "dir",
        "A128KW",
        "A256GCMKW",
        "PBES2-HS256+A128KW",
        "ECDH-ES",
        "ＨＳ256",
        "HS256,none",
    ] {
        let message = message(&json!(alg));
        rows.push(Bad::refused(
            format!("alg {alg:?}, with the HMAC of the key"),
            &format!("{message}.{}", hs256(&message, SECRET)),
            ALGORITHM,
        ));
        if alg.trim().eq_ignore_ascii_case("none") || alg.is_empty() {
            rows.push(Bad::refused(format!("alg {alg:?}, unsigned"), &format!("{message}."), ALGORITHM));
        }
    }
    for alg in
        [json!(null), json!(256), json!(true), json!([]), json!(["HS256"]), json!({"HS256": 1}), json!(0.5)]
    {
        let message = message(&alg);
        let token = format!("{message}.{}", hs256(&message, SECRET));
        rows.push(Bad::refused(format!("alg is {alg}"), &token, ALGORITHM));
    }
    for (alg, sign) in
        [("HS384", mac::<Hmac<Sha384>> as fn(&str, &[u8]) -> String), ("HS512", mac::<Hmac<Sha512>>)]
    {
        let message = message(&json!(alg));
        let token = format!("{message}.{}", sign(&message, SECRET));
        rows.push(Bad::refused(format!("alg {alg}, with its own HMAC"), &token, ALGORITHM));
    }
    for (what, header) in [
        ("no alg", json!({"typ": "JWT"})),
        ("no member at all", json!({})),
        ("ALG", json!({"ALG": "HS256"})),
        ("alg deeper", json!({"header": {"alg": "HS256"}})),
        ("alg with a space in its name", json!({"alg ": "HS256"})),
    ] {
        rows.push(Bad::refused(what, &sign(&header, &claims(kind)), ALGORITHM));
    }
    rows
}

/// Other header parameters.
pub(super) fn parameters(kind: &str) -> Vec<Bad> {
    let with = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        header
    };
    let mut rows: Vec<Bad> = [
        json!(["exp"]),
        json!(["b64"]),
        json!(["alg"]),
        json!(["http://example.com/unknown"]),
        json!([]),
        json!([1]),
        json!("exp"),
        json!(""),
        json!({}),
        json!(null),
        json!(false),
        json!(0),
    ]
    .into_iter()
    .map(|crit| {
        let what = format!("crit is {crit}");
        Bad::refused(what, &sign(&with("crit", crit), &claims(kind)), CRITICAL)
    })
    .collect();
    let mut unencoded = with("b64", json!(false));
    unencoded["crit"] = json!(["b64"]);
    rows.push(Bad::refused(
        "b64 and crit, payload unencoded (RFC 7797)",
        &signed_with(&unencoded, &claims(kind).to_string(), SECRET),
        CRITICAL,
    ));
    rows.push(Bad::refused(
        "b64 without crit, payload unencoded",
        &signed_with(&with("b64", json!(false)), &claims(kind).to_string(), SECRET),
        "Invalid payload string",
    ));
    rows.push(Bad::refused(
        "zip",
        // Deflated `{}`.
        &sign_text(with("zip", json!("DEF")).to_string(), b"\xab\xae\x05\x00"),
        "Invalid payload string",
    ));
    // No key of this server has an id. A key id must be a string.
    for kid in [
        "",
        "a",
        "0",
        "default",
        "../../../../dev/null",
        "/proc/self/environ",
        "' OR '1'='1",
        "k\0",
        "HS256",
        "http://127.0.0.1:9/",
    ] {
        let token = sign(&with("kid", json!(kid)), &claims(kind));
        rows.push(Bad::refused(format!("kid {kid:?}"), &token, SIGNATURE));
    }
    for kid in [json!(null), json!(1), json!(0.5), json!(true), json!([]), json!(["a"]), json!({"a": 1})] {
        let what = format!("kid is {kid}");
        rows.push(Bad::refused(what, &sign(&with("kid", kid), &claims(kind)), HEADER));
    }
    // jsonwebtoken checks the types of these parameters (RFC 7515, section 4.1).
    for (name, value) in
        [("typ", json!(1)), ("cty", json!([])), ("x5c", json!("MIIB")), ("jwk", json!("key"))]
    {
        let what = format!("{name} is {value}");
        rows.push(Bad::refused(what, &sign(&with(name, value), &claims(kind)), HEADER));
    }
    // Keys inside a token are not trusted.
    let own = b"the attacker's own key, brought along";
    for (what, header) in [
        (
            "jwk with its key",
            with("jwk", json!({"kty": "oct", "k": "dGhlIGF0dGFja2VyJ3Mgb3duIGtleSwgYnJvdWdodCBhbG9uZw"})),
        ),
        ("jku", with("jku", json!("http://127.0.0.1:9/jwks.json"))),
        ("x5u", with("x5u", json!("http://127.0.0.1:9/key.pem"))),
        ("x5c", with("x5c", json!(["MIIB"]))),
        ("x5t", with("x5t", json!("AAAA"))),
        ("k", with("k", json!("dGhlIGF0dGFja2VyJ3Mgb3duIGtleSwgYnJvdWdodCBhbG9uZw"))),
    ] {
        rows.push(Bad::refused(what, &signed_with(&header, &segment(&claims(kind)), own), SIGNATURE));
    }
    rows
}

/// This header and payload, with an HMAC of this key.
fn signed_with(header: &Value, payload: &str, key: &[u8]) -> String {
    let message = format!("{}.{payload}", segment(header));
    format!("{message}.{}", hs256(&message, key))
}

/// Unknown header parameters are ignored (RFC 7515, section 4), wherever they point to: only the server's own key
/// counts.
pub(super) fn unusual(kind: &str) -> Vec<(&'static str, String)> {
    let headers = [
        ("alg alone", r#"{"alg":"HS256"}"#),
        ("escaped alg", r#"{"\u0061lg":"\u0048S256"}"#),
        ("white space around the header", " {\r\n\t\"alg\" : \"HS256\" } "),
        ("typ of another case", r#"{"alg":"HS256","typ":"jwt"}"#),
        ("typ at+jwt", r#"{"alg":"HS256","typ":"at+jwt"}"#),
        ("cty", r#"{"alg":"HS256","cty":"JWT"}"#),
        ("jku", r#"{"alg":"HS256","jku":"http://127.0.0.1:9/jwks.json"}"#),
        ("x5u", r#"{"alg":"HS256","x5u":"http://127.0.0.1:9/key.pem"}"#),
        ("jwk", r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#),
        ("zip that is not used", r#"{"alg":"HS256","zip":"DEF"}"#),
        ("enc", r#"{"alg":"HS256","enc":"A256GCM"}"#),
        ("b64 true", r#"{"alg":"HS256","b64":true}"#),
        ("b64 false without crit", r#"{"alg":"HS256","b64":false}"#),
        ("CRIT", r#"{"alg":"HS256","CRIT":["exp"]}"#),
        ("claims in the header", r#"{"alg":"HS256","identity":2,"exp":0}"#),
    ];
    let token = |header: &str| format!("Bearer {}", sign_text(header, claims(kind).to_string()));
    headers.iter().map(|&(what, header)| (what, token(header))).collect()
}
