//! Tokens: claims, kinds; issue, verify, revoke. No HTTP here.
//!
//! A token is a JWT (RFC 7519) signed with HS256 (RFC 7518). Whatever is not plainly in order is refused. jsonwebtoken
//! signs, decodes and verifies; the checks around it are here, since it ignores `crit`, takes names that occur twice in
//! a header, and asks the machine's clock.
//!
//! All times are by this machine's clock. If it is set back behind the start of the server, new tokens are
//! refused, as older than the start, until it has caught up. If it was ahead for a while, tokens are refused that would
//! have expired by then. In both cases the server refuses too many tokens rather than too few, and logs it
//! ([`SetBack`]).

use std::fmt;
use std::sync::Arc;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use parking_lot::RwLock;
use serde::Serialize;
use uuid::Uuid;

use crate::auth::clock::{Clock, SetBack, TokenIds};
use crate::auth::keys::{DecodeError, KeySet};
pub use crate::auth::revocation::CapacityExceeded;
use crate::auth::revocation::Revocations;
use crate::auth::valid_after::ValidAfter;
use crate::internal_error::InternalError;
use crate::json::{Member, Members};
use crate::model::id::Id;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Changes ships and the user's own data.
    Access,
    /// Gets new access tokens.
    Refresh,
}

impl Kind {
    /// The claim `type`.
    fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    /// The kind that the claim `type` names.
    fn of(claims: &Members) -> Result<Self, TokenError> {
        match claims.get("type").ok_or(TokenError::MissingClaim("type"))? {
            Member::Text(name) if name == Self::Access.name() => Ok(Self::Access),
            Member::Text(name) if name == Self::Refresh.name() => Ok(Self::Refresh),
            _ => Err(TokenError::UnknownKind),
        }
    }
}

/// How long tokens live, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of an access token.
    pub access: u64,
    /// Of a refresh token.
    pub refresh: u64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Lifetimes {
    /// 15 minutes and 30 days.
    pub const DEFAULT: Self = Self { access: 15 * 60, refresh: 30 * 24 * 60 * 60 };

    /// The longest lifetime: ten years.
    pub const MAX: u64 = 10 * 365 * 24 * 60 * 60;

    fn of(self, kind: Kind) -> u64 {
        match kind {
            Kind::Access => self.access,
            Kind::Refresh => self.refresh,
        }
    }
}

/// What a verified token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user it was issued to.
    pub identity: Id,
    /// Its id.
    pub jti: Uuid,
    /// When it was issued, in seconds since 1970.
    pub iat: u64,
    /// The first second in which it is no longer valid.
    pub exp: u64,
}

/// A token just issued. Its text cannot be printed with `{:?}`.
pub struct Issued {
    /// Its text.
    pub text: String,
    /// What it says.
    pub claims: Claims,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("claims", &self.claims).finish_non_exhaustive()
    }
}

/// Why a token is refused. The names of claims are those of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table of errors says when each occurs")]
pub enum TokenError {
    NotEnoughSegments,
    MalformedHeader,
    AlgorithmNotAllowed,
    CriticalHeader,
    BadSignature,
    MalformedPayload,
    MissingClaim(&'static str),
    InvalidClaim(&'static str),
    NotYetValid,
    NotYetIssued,
    Expired,
    UnknownKind,
    NotAnAccessToken,
    NotARefreshToken,
    Revoked,
}

/// Issues, verifies and revokes tokens. Clones share everything.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.keys.read())
    }
}

struct Shared {
    /// Held for the microseconds that one signature takes.
    keys: RwLock<KeySet>,
    lifetimes: Lifetimes,
    clock: Clock,
    set_back: SetBack,
    ids: TokenIds,
    /// Tokens from before the start speak of users, ids and revocations that are gone.
    start: ValidAfter,
    revoked: Revocations,
}

/// In the order of the recorded tokens.
#[derive(Serialize)]
struct WireClaims {
    iat: u64,
    nbf: u64,
    jti: String,
    exp: u64,
    identity: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    fresh: Option<bool>,
    r#type: &'static str,
}

/// The claim of that name; one that is null is not there.
fn claim<'a>(claims: &'a Members, name: &'static str) -> Result<&'a Member, TokenError> {
    claims.get(name).filter(|value| **value != Member::Null).ok_or(TokenError::MissingClaim(name))
}

fn u64_claim(claims: &Members, name: &'static str) -> Result<u64, TokenError> {
    match claim(claims, name)? {
        Member::Whole(number) => Ok(*number),
        _ => Err(TokenError::InvalidClaim(name)),
    }
}

fn str_claim<'a>(claims: &'a Members, name: &'static str) -> Result<&'a str, TokenError> {
    match claim(claims, name)? {
        Member::Text(text) => Ok(text),
        _ => Err(TokenError::InvalidClaim(name)),
    }
}

impl Tokens {
    /// Tokens signed and verified with those keys. Those issued before this call are refused.
    #[must_use]
    pub fn new(
        keys: impl Into<KeySet>,
        lifetimes: Lifetimes,
        max_revocations: usize,
        clock: Clock,
        ids: TokenIds,
    ) -> Self {
        let now = clock.now();
        let start = ValidAfter::at(now, ValidAfter::SERVER_CAPACITY);
        Self(Arc::new(Shared {
            keys: RwLock::new(keys.into()),
            lifetimes,
            clock,
            set_back: SetBack::new(now),
            ids,
            start,
            revoked: Revocations::new(max_revocations),
        }))
    }

    /// From now on, tokens are signed and verified with those keys and no others.
    pub fn change_keys(&self, keys: KeySet) {
        let old = std::mem::replace(&mut *self.0.keys.write(), keys);
        // Overwritten once it is no longer used.
        drop(old);
    }

    /// The time by which tokens are judged, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        let now = self.0.clock.now();
        self.0.set_back.watch(now);
        now
    }

    /// Issues a token of that kind to that user.
    ///
    /// # Errors
    /// [`InternalError`] where signing fails.
    pub fn issue(&self, kind: Kind, identity: Id) -> Result<Issued, InternalError> {
        let iat = self.now();
        let claims = Claims {
            identity,
            jti: self.0.ids.next()?,
            iat,
            exp: iat.saturating_add(self.0.lifetimes.of(kind)),
        };
        let wire = WireClaims {
            iat,
            nbf: iat,
            jti: claims.jti.to_string(),
            exp: claims.exp,
            identity,
            fresh: (kind == Kind::Access).then_some(false),
            r#type: kind.name(),
        };
        let text = self.0.keys.read().sign(&wire)?;
        self.0.start.record(iat, claims.jti);
        Ok(Issued { text, claims })
    }

    /// What `token` says, if it is in order, of that kind, valid now, issued since the start, and not revoked.
    ///
    /// # Errors
    /// [`TokenError`]: the first thing that is wrong, in the order in which the original looks.
    pub fn verify(&self, token: &str, kind: Kind) -> Result<Claims, TokenError> {
        let segments = Segments::of(token)?;
        match self.decode(&segments)? {
            Some(given) => self.accept(&given, kind),
            // Signed with a key of this server. What is wrong with it is said, and no more done with it.
            None => Err(self.accept(&segments.claims()?, kind).err().unwrap_or(TokenError::MalformedPayload)),
        }
    }

    /// What the claims of an authentic token say, if they are in order.
    fn accept(&self, given: &Members, kind: Kind) -> Result<Claims, TokenError> {
        let now = self.now();
        let exp = u64_claim(given, "exp")?;
        // Without nbf a token is valid from the start (RFC 7519, section 4.1.5).
        match u64_claim(given, "nbf") {
            Ok(nbf) if nbf > now => return Err(TokenError::NotYetValid),
            Ok(_) | Err(TokenError::MissingClaim(_)) => {}
            Err(error) => return Err(error),
        }
        // RFC 7519, section 4.1.4: not to be accepted on or after exp. There is no leeway: the clock that
        // issues is the clock that verifies.
        if exp <= now {
            return Err(TokenError::Expired);
        }
        let identity = Id::new(u64_claim(given, "identity")?);
        let given_kind = Kind::of(given)?;
        let jti = str_claim(given, "jti")?;
        let claims = Claims {
            identity,
            jti: Uuid::try_parse(jti).map_err(|_| TokenError::InvalidClaim("jti"))?,
            iat: u64_claim(given, "iat")?,
            exp,
        };
        match (kind, given_kind) {
            (Kind::Access, Kind::Access) | (Kind::Refresh, Kind::Refresh) => {}
            (Kind::Access, Kind::Refresh) => return Err(TokenError::NotAnAccessToken),
            (Kind::Refresh, Kind::Access) => return Err(TokenError::NotARefreshToken),
        }
        // What ends all tokens issued until a moment would not end one that claims to be issued after it.
        if claims.iat > now {
            return Err(TokenError::NotYetIssued);
        }
        if !self.0.start.allows(claims.iat, claims.jti) || self.0.revoked.contains(claims.jti, claims.exp) {
            return Err(TokenError::Revoked);
        }
        Ok(claims)
    }

    /// Ends that token, so long as no more than `most` are to be remembered then.
    ///
    /// # Errors
    /// [`CapacityExceeded`]: the token goes on.
    pub fn revoke(&self, claims: &Claims) -> Result<(), CapacityExceeded> {
        self.0.revoked.revoke(claims.jti, claims.exp, self.now())
    }

    /// The claims of a token that was signed with a key that verifies it, as jsonwebtoken decodes them. What it does not
    /// look at is checked before (`kid`, `crit`, the names of the header) or as it reads them ([`Members`]). `None` if it
    /// cannot read them.
    fn decode(&self, segments: &Segments<'_>) -> Result<Option<Members>, TokenError> {
        let keys = self.0.keys.read();
        // A header that this server writes needs no reading.
        let decoded = if keys.is_own_header(segments.header) {
            keys.decode(segments.token, keys.id())
        } else {
            let header = base64url(segments.header).and_then(|header| Members::read(&header));
            let header = header.ok_or(TokenError::MalformedHeader)?;
            keys.decode(segments.token, key_id(&header)?)
        };
        drop(keys);
        match decoded {
            Ok(claims) => Ok(Some(claims)),
            Err(DecodeError::Unreadable) => segments.fault().map_or(Ok(None), Err),
            Err(DecodeError::Signature) => Err(TokenError::BadSignature),
        }
    }
}

/// The parts of a token.
struct Segments<'a> {
    token: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Segments<'a> {
    fn of(token: &'a str) -> Result<Self, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::NotEnoughSegments)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::NotEnoughSegments)?;
        Ok(Self { token, header, payload, signature })
    }

    /// Which part besides the payload jsonwebtoken could not read, if any. It reads the payload last.
    fn fault(&self) -> Option<TokenError> {
        // A dot in the payload is a fourth segment: no such token was ever signed here.
        if self.payload.contains('.') {
            return Some(TokenError::BadSignature);
        }
        if jsonwebtoken::decode_header(self.token).is_err() {
            return Some(TokenError::MalformedHeader);
        }
        base64url(self.signature).is_none().then_some(TokenError::BadSignature)
    }

    fn claims(&self) -> Result<Members, TokenError> {
        let payload = base64url(self.payload).ok_or(TokenError::MalformedPayload)?;
        Members::read(&payload).ok_or(TokenError::MalformedPayload)
    }
}

/// The id of the key that a header names, if it names one, and nothing that is not understood here.
fn key_id(header: &Members) -> Result<Option<&str>, TokenError> {
    // RFC 7515, section 4.1.4: a text, if it is there; null is none.
    let id = match header.get("kid") {
        None => None,
        Some(Member::Text(id)) => Some(id.as_str()),
        Some(_) => return Err(TokenError::MalformedHeader),
    };
    if !matches!(header.get("alg"), Some(Member::Text(alg)) if alg == "HS256") {
        return Err(TokenError::AlgorithmNotAllowed);
    }
    // RFC 7515, section 4.1.11: who does not understand what it lists must refuse the token, and here nothing that
    // it can list is understood.
    if header.get("crit").is_some() {
        return Err(TokenError::CriticalHeader);
    }
    Ok(id)
}

fn base64url(segment: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).ok()
}
