//! Encoding of tokens, and the Authorization header around them.

use hmac::Hmac;
use serde_json::json;
use sha2::{Sha384, Sha512};

use super::{segment, Bad};
use test_support::forge::{claims, header, hs256, mac, sign, sign_text, signed, with_claim};
use test_support::server::SECRET;

const MALFORMED: &str = "Bad Authorization header. Expected value 'Bearer <JWT>'";
const SIGNATURE: &str = "Signature verification failed";
const SEGMENTS: &str = "Not enough segments";
const HEADER: &str = "Invalid header string";
const PAYLOAD: &str = "Invalid payload string";

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn good(kind: &str) -> String {
    sign(&header(), &claims(kind))
}

/// A segment with the lowest bit of its last character set. If the segment's length leaves unused bits, a lenient
/// decoder reads the same bytes.
fn with_trailing_bit(segment: &str) -> String {
    let (rest, last) = segment.split_at(segment.len() - 1);
    let value = ALPHABET.iter().position(|&known| known == last.as_bytes()[0]).unwrap();
    assert_eq!(value & 1, 0, "no bit is left over in {segment}");
    format!("{rest}{}", char::from(ALPHABET[value | 1]))
}

pub(super) fn headers(kind: &str) -> Vec<Bad> {
    let good = good(kind);
    let bearer = format!("Bearer {good}");
    let missing = |what, headers: &[&str]| {
        Bad::headers(what, headers, 401, json!({"error": "Missing Authorization Header"}))
    };
    let mut rows = vec![
        missing("no header", &[]),
        missing("empty header", &[""]),
        missing("header of spaces", &["   "]),
        missing("header of a tab", &["\t"]),
    ];
    let malformed =
        |what: &str, headers: &[&str]| Bad::headers(what, headers, 422, json!({"error": MALFORMED}));
    for (what, header) in [
        ("Basic", "Basic dXNlcjpwYXNzd29yZA==".to_owned()),
        ("Basic with the token", format!("Basic {good}")),
        ("Token", format!("Token {good}")),
        ("JWT", format!("JWT {good}")),
        ("Digest", format!("Digest username=\"user\", response=\"{good}\"")),
        ("DPoP", format!("DPoP {good}")),
        ("bearer", format!("bearer {good}")),
        ("BEARER", format!("BEARER {good}")),
        ("bEARER", format!("bEARER {good}")),
        ("scheme alone", "Bearer".to_owned()),
        ("scheme and spaces", "Bearer   ".to_owned()),
        ("scheme twice", format!("Bearer Bearer {good}")),
        ("token alone", good.clone()),
        ("two tokens", format!("Bearer {good} {good}")),
        ("a word behind the token", format!("Bearer {good} x")),
        ("comma behind the scheme", format!("Bearer, {good}")),
        ("colon behind the scheme", format!("Bearer: {good}")),
        ("equals sign behind the scheme", format!("Bearer={good}")),
        ("list of schemes, Basic first", format!("Basic dXNlcjp4, Bearer {good}")),
        ("list of schemes, Bearer first", format!("Bearer {good}, Basic dXNlcjp4")),
        ("list of tokens", format!("Bearer {good}, Bearer {good}")),
        ("no space", format!("Bearer{good}")),
        ("no-break space", format!("Bearer\u{a0}{good}")),
        ("ideographic space", format!("Bearer\u{3000}{good}")),
        ("zero-width space before the scheme", format!("\u{200b}Bearer {good}")),
        ("Cyrillic look-alike of the scheme", format!("B\u{435}arer {good}")),
        ("quoted header", format!("\"Bearer {good}\"")),
    ] {
        rows.push(malformed(what, &[&header]));
    }
    rows.extend([
        malformed("the same header twice", &[&bearer, &bearer]),
        malformed("garbage in a second header", &[&bearer, "Bearer garbage"]),
        malformed("garbage in a first header", &["Bearer garbage", &bearer]),
        malformed("an empty second header", &[&bearer, ""]),
        malformed("an empty first header", &["", &bearer]),
        malformed("two empty headers", &["", ""]),
        malformed("Basic in a second header", &[&bearer, "Basic dXNlcjpwYXNzd29yZA=="]),
        malformed("three headers", &[&bearer, &bearer, &bearer]),
        Bad::refused("quoted token", &format!("\"{good}\""), HEADER),
        Bad::refused("quotation mark before the token", &format!("\"{good}"), HEADER),
        Bad::refused("comma behind the token", &format!("{good},"), SIGNATURE),
        Bad::refused("semicolon behind the token", &format!("{good};"), SIGNATURE),
        Bad::refused("no-break space behind the token", &format!("{good}\u{a0}"), SIGNATURE),
        Bad::refused("token in angle brackets", &format!("<{good}>"), HEADER),
        Bad::refused("percent-encoded dots", &good.replace('.', "%2E"), SEGMENTS),
    ]);
    rows
}

pub(super) fn segments(kind: &str) -> Vec<Bad> {
    let good = good(kind);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    let direct = segment(&json!({"alg": "dir", "enc": "A256GCM"}));
    let algorithm = "The specified alg value is not allowed";
    let row = |what: &str, token: String, error: &str| Bad::refused(what, &token, error);
    vec![
        row("garbage", "garbage".into(), SEGMENTS),
        row("one dot", ".".into(), SEGMENTS),
        row("two dots", "..".into(), HEADER),
        row("three dots", "...".into(), HEADER),
        row("header alone", head.into(), SEGMENTS),
        row("two segments", message.into(), SEGMENTS),
        row("8 KiB without a dot", "a".repeat(8192), SEGMENTS),
        row("16 KiB without a dot", "a".repeat(16384), SEGMENTS),
        row("8 KiB with dots", "a.".repeat(4096), HEADER),
        row("16 KiB of dots", ".".repeat(16384), HEADER),
        row("header segment is empty", signed(&format!(".{payload}")), HEADER),
        row("empty payload", signed(&format!("{head}.")), PAYLOAD),
        row("empty header and empty payload", signed("."), HEADER),
        row("a dot before the token", format!(".{good}"), HEADER),
        row("a dot behind the token", format!("{good}."), SIGNATURE),
        row("two dots behind the header", format!("{head}..{payload}.{signature}"), SIGNATURE),
        row("four segments", format!("{good}.{signature}"), SIGNATURE),
        row("four signed segments", signed(&format!("{message}.x")), SIGNATURE),
        row("four signed segments, one empty", signed(&format!("{message}.")), SIGNATURE),
        row("five signed segments", signed(&format!("{message}.x.y")), SIGNATURE),
        row("JWE", format!("{direct}..aXY.Y2lwaGVy.dGFn"), algorithm),
        row("JWE header, signed", signed(&format!("{direct}.{payload}")), algorithm),
        row("five segments with the header of a JWS", format!("{head}.{payload}.aXY.Y2k.dGFn"), SIGNATURE),
        row("signature, payload, header", format!("{signature}.{payload}.{head}"), HEADER),
        row("payload first", signed(&format!("{payload}.{head}")), algorithm),
        row("JSON serialization", json!({"payload": payload, "protected": head}).to_string(), SEGMENTS),
        row("detached payload", format!("{head}..{signature}"), SIGNATURE),
        row("detached payload, signed", signed(&format!("{head}.")).replacen('.', "..", 1), SIGNATURE),
    ]
}

pub(super) fn signatures(kind: &str) -> Vec<Bad> {
    let good = good(kind);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let other = sign(&header(), &json!({}));
    let (_, of_another) = other.rsplit_once('.').unwrap();
    let mut forged = claims(kind);
    forged["identity"] = json!(2);
    let mut flipped = signature.to_owned();
    flipped.replace_range(0..1, if signature.starts_with('A') { "B" } else { "A" });
    let with = |what: &str, signature: &str| Bad::refused(what, &format!("{message}.{signature}"), SIGNATURE);
    let with_payload = |what: &str, payload: &str| {
        Bad::refused(what, &format!("{}.{payload}.{signature}", segment(&header())), SIGNATURE)
    };
    let mut prefixed = SECRET.to_vec();
    prefixed.push(0);
    vec![
        with("no signature", ""),
        with("half a signature", &signature[..20]),
        with("signature without its last character", &signature[..42]),
        with("signature without its last byte", &signature[..41]),
        with("one character of a signature", &signature[..1]),
        with("signature with a character more", &format!("{signature}A")),
        with("signature with a byte more", &format!("{signature}AA")),
        with("signature twice", &format!("{signature}{signature}")),
        with("signature of zeros", &"A".repeat(43)),
        with("flipped bit in the signature", &flipped),
        with("signature of another message", of_another),
        with("signature of the payload alone", &hs256(message.split_once('.').unwrap().1, SECRET)),
        with("signature with its dot", &hs256(&format!("{message}."), SECRET)),
        with("HMAC-SHA-384", &mac::<Hmac<Sha384>>(message, SECRET)),
        with("HMAC-SHA-512", &mac::<Hmac<Sha512>>(message, SECRET)),
        with("HMAC-SHA-512, cut to 256 bits", &mac::<Hmac<Sha512>>(message, SECRET)[..43]),
        with("another key", &hs256(message, b"another key of thirty-two bytes, or more")),
        with("an empty key", &hs256(message, b"")),
        with("the beginning of the key", &hs256(message, &SECRET[..32])),
        // RFC 2104 pads a key with zeros: up to a block of 64 bytes it is the same key, so this one is longer.
        with("the key and more", &hs256(message, &[&prefixed[..], &[1; 64]].concat())),
        with("the key in hexadecimal", &hs256(message, hexadecimal(SECRET).as_bytes())),
        with("the usual key of examples", &hs256(message, b"secret")),
        Bad::refused(
            "changed payload",
            &format!("{}.{}.{signature}", segment(&header()), segment(&forged)),
            SIGNATURE,
        ),
        with_payload("no signature of a payload that is no JSON", "bm8"),
        with_payload("no signature of a payload that is not base64url", "***"),
        with_payload("no signature of claims of other types", &segment(&json!({"exp": [], "sub": []}))),
        Bad::refused(
            "changed header",
            &format!("{}.{}.{signature}", segment(&json!({"alg": "HS256"})), segment(&claims(kind))),
            SIGNATURE,
        ),
        Bad::refused(
            "signature in upper case",
            &good.replacen(signature, &signature.to_uppercase(), 1),
            SIGNATURE,
        ),
    ]
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 that RFC 7515, section 2, does not allow. A lenient parser sees two tokens where there is one, and a logout
/// by text would miss the other.
pub(super) fn encodings(kind: &str) -> Vec<Bad> {
    let good = good(kind);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    // These lengths leave unused bits.
    let long = |text: String| text.clone() + &" ".repeat(3 - (text.len() + 2) % 3);
    let head_text = long(header().to_string());
    let payload_text = long(claims(kind).to_string());
    let odd = sign_text(&head_text, &payload_text);
    let mut parts = odd.split('.');
    let (odd_head, odd_payload) = (parts.next().unwrap(), parts.next().unwrap());
    // A text with characters that differ between the two alphabets.
    let mut named = claims(kind);
    named["name"] = json!("???>>>~~~");
    let standard = segment(&named).replace('-', "+").replace('_', "/");
    assert_ne!(standard, segment(&named));
    let row = |what: &str, token: &str, error: &str| Bad::refused(what, token, error);
    vec![
        row("padded header", &signed(&format!("{odd_head}==.{payload}")), HEADER),
        row("padded header, wrongly", &signed(&format!("{head}=.{payload}")), HEADER),
        row("padded payload", &signed(&format!("{head}.{odd_payload}==")), PAYLOAD),
        row("padded payload, half", &signed(&format!("{head}.{odd_payload}=")), PAYLOAD),
        row("padded signature", &format!("{good}="), SIGNATURE),
        row("signature in the standard alphabet", &in_standard_alphabet(kind), SIGNATURE),
        row("payload in the standard alphabet", &signed(&format!("{head}.{standard}")), PAYLOAD),
        row(
            "a bit left over in the header",
            &signed(&format!("{}.{payload}", with_trailing_bit(odd_head))),
            HEADER,
        ),
        row(
            "a bit left over in the payload",
            &signed(&format!("{head}.{}", with_trailing_bit(odd_payload))),
            PAYLOAD,
        ),
        row(
            "a bit left over in the signature",
            &format!("{message}.{}", with_trailing_bit(signature)),
            SIGNATURE,
        ),
        row("impossible length of the header", &signed(&format!("{head}A.{payload}")), HEADER),
        row(
            "impossible length of the payload",
            &signed(&format!("{head}.{}", &odd_payload[..odd_payload.len() - 1])),
            PAYLOAD,
        ),
        row("percent in the payload", &signed(&format!("{head}.%{}", &payload[1..])), PAYLOAD),
        row("a letter beyond ASCII in the header", &signed(&format!("é{head}.{payload}")), HEADER),
        row("a letter beyond ASCII in the payload", &signed(&format!("{head}.{payload}é")), PAYLOAD),
        row("a letter beyond ASCII in the signature", &format!("{good}é"), SIGNATURE),
        row(
            "header in hexadecimal",
            &signed(&format!("{}.{payload}", hexadecimal(header().to_string().as_bytes()))),
            HEADER,
        ),
        row(
            "header as it is",
            &signed(&format!("{}.{payload}", header().to_string().replace(' ', ""))),
            HEADER,
        ),
        row("payload as it is", &signed(&format!("{head}.{}", claims(kind))), PAYLOAD),
        row("payload encoded twice", &sign_text(header().to_string(), payload), PAYLOAD),
    ]
}

/// A token whose signature differs in the standard alphabet. Not every signature does.
fn in_standard_alphabet(kind: &str) -> String {
    let tokens = (0..).map(|count| with_claim(kind, "count", json!(count)));
    let mut respelled = tokens.filter_map(|token| {
        let (message, signature) = token.rsplit_once('.')?;
        let other = signature.replace('-', "+").replace('_', "/");
        (other != signature).then(|| format!("{message}.{other}"))
    });
    respelled.next().unwrap()
}

pub(super) fn unusual_headers(kind: &str) -> Vec<(&'static str, String)> {
    let good = good(kind);
    vec![
        ("as it is", format!("Bearer {good}")),
        ("two spaces", format!("Bearer  {good}")),
        ("a tab", format!("Bearer\t{good}")),
        ("a tab and spaces", format!("Bearer \t {good}")),
        ("spaces behind the token", format!("Bearer {good}  ")),
        ("spaces before the scheme", format!("  Bearer {good}")),
    ]
}
