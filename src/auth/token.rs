//! Token service: issues and verifies tokens. Whether a token was revoked, the store knows.
//!
//! A token is a JWT (RFC 7519) signed with HS256 (RFC 7518). jsonwebtoken signs, decodes and verifies the signature.
//! The other checks are here: jsonwebtoken ignores `crit`, accepts a header with duplicate names, and reads the
//! machine's clock.
//!
//! All times come from the clock that is passed in. If it is set back to before the start of the store, new tokens are
//! rejected as older than the start until the clock has caught up. If it was ahead for a while, tokens are rejected that
//! would have expired by then. In both cases the server rejects too many tokens rather than too few, and logs it
//! ([`ClockMonitor`]).

mod claims;

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use thiserror::Error;

use self::claims::{key_id, u64_claim, uuid_claim, Segments, WireClaims};
pub use self::claims::{Claims, Family, Kind, Lifetimes};
use crate::auth::clock::{Clock, ClockMonitor, TokenIds};
use crate::auth::keys::{DecodeError, KeyCheck, KeySet};
use crate::internal_error::InternalError;
use crate::json::Members;
use crate::model::id::Id;

/// A token that has just been issued. `{:?}` does not print its text.
pub struct Issued {
    /// The encoded token.
    pub text: String,
    /// The token's claims.
    pub claims: Claims,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("claims", &self.claims).finish_non_exhaustive()
    }
}

/// Why a token is rejected. A claim is named as in the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages describe them")]
pub enum TokenError {
    #[error("fewer than three segments")]
    NotEnoughSegments,
    #[error("the header is not base64url-encoded JSON")]
    MalformedHeader,
    #[error("not signed with HS256")]
    AlgorithmNotAllowed,
    #[error("the header has `crit`")]
    CriticalHeader,
    #[error("the signature does not match")]
    BadSignature,
    #[error("the payload is not a base64url-encoded JSON object")]
    MalformedPayload,
    #[error("missing claim: {0}")]
    MissingClaim(&'static str),
    #[error("invalid claim: {0}")]
    InvalidClaim(&'static str),
    #[error("`nbf` is in the future")]
    NotYetValid,
    #[error("`iat` is in the future")]
    NotYetIssued,
    #[error("expired")]
    Expired,
    #[error("`type` is neither `access` nor `refresh`")]
    UnknownKind,
    #[error("not an access token")]
    NotAnAccessToken,
    #[error("not a refresh token")]
    NotARefreshToken,
}

/// Issues and verifies tokens. Clones share their keys.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.keys.read())
    }
}

struct Shared {
    /// A lock is held for the microseconds that one signature takes.
    keys: RwLock<KeySet>,
    lifetimes: Lifetimes,
    clock: Clock,
    clock_monitor: ClockMonitor,
    ids: TokenIds,
    /// How many seconds a token's issuer may be ahead.
    leeway: u64,
}

impl Tokens {
    /// A token service with these keys, whose own clock alone issues tokens.
    #[must_use]
    pub fn new(keys: impl Into<KeySet>, lifetimes: Lifetimes, clock: Clock, ids: TokenIds) -> Self {
        Self::with_leeway(keys, lifetimes, clock, ids, 0)
    }

    /// A token service with these keys, which several servers have. It accepts tokens from up to `leeway` seconds in the
    /// future: the clock of the server that issued them may be ahead (RFC 7519, section 4.1.5). Expiry has no leeway.
    #[must_use]
    pub fn with_leeway(
        keys: impl Into<KeySet>,
        lifetimes: Lifetimes,
        clock: Clock,
        ids: TokenIds,
        leeway: u64,
    ) -> Self {
        let now = clock.now();
        Self(Arc::new(Shared {
            keys: RwLock::new(keys.into()),
            lifetimes,
            clock,
            clock_monitor: ClockMonitor::new(now),
            ids,
            leeway,
        }))
    }

    /// The codes of the keys, that of the signing key first.
    #[must_use]
    pub fn key_checks(&self) -> Vec<KeyCheck> {
        self.0.keys.read().checks().to_vec()
    }

    /// Replaces all keys.
    pub fn change_keys(&self, keys: KeySet) {
        let old = std::mem::replace(&mut *self.0.keys.write(), keys);
        // Drops the old keys, which overwrites them, after the lock is released.
        drop(old);
    }

    /// The time against which tokens are checked, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        let now = self.0.clock.now();
        self.0.clock_monitor.observe(now);
        now
    }

    /// Issues a token to a user.
    ///
    /// # Errors
    /// [`InternalError`] if signing fails or the system returns no random bytes.
    pub fn issue(&self, kind: Kind, identity: Id) -> Result<Issued, InternalError> {
        let iat = self.now();
        let exp = iat.saturating_add(self.0.lifetimes.get(kind));
        self.sign(kind, Claims { identity, jti: self.0.ids.next()?, iat, exp, family: None })
    }

    /// Issues the first refresh token of a family to a user.
    ///
    /// # Errors
    /// As [`Tokens::issue`].
    pub fn issue_first_of_family(&self, identity: Id) -> Result<Issued, InternalError> {
        let (iat, jti) = (self.now(), self.0.ids.next()?);
        let exp = iat.saturating_add(self.0.lifetimes.refresh);
        self.sign(
            Kind::Refresh,
            Claims { identity, jti, iat, exp, family: Some(Family { id: jti, generation: 0 }) },
        )
    }

    /// Issues the refresh token that follows `spent` in its family. It expires with that token: rotation does not prolong a
    /// login.
    ///
    /// # Errors
    /// As [`Tokens::issue`].
    pub fn issue_next_of_family(&self, spent: &Claims, family: Family) -> Result<Issued, InternalError> {
        let (iat, jti) = (self.now(), self.0.ids.next()?);
        self.sign(Kind::Refresh, Claims { jti, iat, family: Some(family.next()), ..*spent })
    }

    fn sign(&self, kind: Kind, claims: Claims) -> Result<Issued, InternalError> {
        let wire = WireClaims {
            iat: claims.iat,
            nbf: claims.iat,
            jti: claims.jti.to_string(),
            exp: claims.exp,
            identity: claims.identity,
            fresh: (kind == Kind::Access).then_some(false),
            r#type: kind.name(),
            family: claims.family.map(|family| family.id.to_string()),
            generation: claims.family.map(|family| family.generation),
        };
        let text = self.0.keys.read().sign(&wire)?;
        Ok(Issued { text, claims })
    }

    /// The claims of a token of this kind that is valid now.
    ///
    /// # Errors
    /// [`TokenError`]: the first check that fails, in the order of the original API.
    pub fn verify(&self, token: &str, kind: Kind) -> Result<Claims, TokenError> {
        let segments = Segments::split(token)?;
        match self.decode(&segments)? {
            Some(claims) => self.check_claims(&claims, kind),
            // Signed with a key of this server, but malformed: the token is rejected, with the most precise error.
            None => Err(self
                .check_claims(&segments.claims()?, kind)
                .err()
                .unwrap_or(TokenError::MalformedPayload)),
        }
    }

    /// Checks the claims of a token whose signature is verified.
    fn check_claims(&self, members: &Members, kind: Kind) -> Result<Claims, TokenError> {
        let now = self.now();
        let latest = now.saturating_add(self.0.leeway);
        let exp = u64_claim(members, "exp")?;
        // nbf is optional (RFC 7519, section 4.1.5).
        match u64_claim(members, "nbf") {
            Ok(nbf) if nbf > latest => return Err(TokenError::NotYetValid),
            Ok(_) | Err(TokenError::MissingClaim(_)) => {}
            Err(error) => return Err(error),
        }
        // RFC 7519, section 4.1.4: a token is rejected on or after exp. There is no leeway.
        if exp <= now {
            return Err(TokenError::Expired);
        }
        let identity = Id::new(u64_claim(members, "identity")?);
        let token_kind = Kind::from_claims(members)?;
        let jti = uuid_claim(members, "jti")?;
        let iat = u64_claim(members, "iat")?;
        match (kind, token_kind) {
            (Kind::Access, Kind::Access) | (Kind::Refresh, Kind::Refresh) => {}
            (Kind::Access, Kind::Refresh) => return Err(TokenError::NotAnAccessToken),
            (Kind::Refresh, Kind::Access) => return Err(TokenError::NotARefreshToken),
        }
        let family = if kind == Kind::Refresh { Family::from_claims(members)? } else { None };
        let claims = Claims { identity, jti, iat, exp, family };
        // Tokens are revoked by their time of issue: one from the future would escape that.
        if claims.iat > latest {
            return Err(TokenError::NotYetIssued);
        }
        Ok(claims)
    }

    /// Verifies the signature of a token and decodes its claims; `None` if they cannot be decoded. The checks that
    /// jsonwebtoken leaves out come before (`kid`, `crit`, duplicate names in the header) or while it decodes
    /// ([`Members`]).
    fn decode(&self, segments: &Segments<'_>) -> Result<Option<Members>, TokenError> {
        let keys = self.0.keys.read();
        // The header that this server writes need not be parsed.
        let decoded = if keys.is_own_header(segments.header) {
            keys.decode(segments.token, keys.id())
        } else {
            keys.decode(segments.token, key_id(&segments.header()?)?)
        };
        drop(keys);
        match decoded {
            Ok(claims) => Ok(Some(claims)),
            Err(DecodeError::Unreadable) => segments.decode_error().map_or(Ok(None), Err),
            Err(DecodeError::Signature) => Err(TokenError::BadSignature),
        }
    }
}
