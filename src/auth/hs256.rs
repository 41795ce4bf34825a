//! HMAC-SHA-256 for jsonwebtoken.
//!
//! jsonwebtoken 11 leaves the cryptography to a provider. Of its own two, `rust_crypto` depends on the `rsa` crate,
//! which has an open advisory (RUSTSEC-2023-0071), and `aws_lc_rs` on a C library, for algorithms that this server does
//! not use. Cold release build on 2 cores of a program that verifies one token, and median time of a verification:
//! this provider 20 s (35 crates) and 3.3 µs, `rust_crypto` 45 s (89) and 2.8 µs, `aws_lc_rs` 59 s (25, and C) and
//! 3.5 µs.

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::Algorithm;
use sha2::Sha256;

/// Installs this provider in jsonwebtoken. Calls after the first do nothing.
pub(crate) fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Hs256::provide(*algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| Ok(Box::new(Hs256::provide(*algorithm, key.try_get_as_bytes()?)?)),
        key_utils: KeyUtils::new_unimplemented(),
    };
    // An error means that a provider is already installed. It is this one: no other code installs one.
    let _ = PROVIDER.install_default();
}

/// HMAC state with the key already hashed.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    /// The state for a key; `None` for the empty key, which anyone can use.
    fn new(key: &[u8]) -> Option<Self> {
        if key.is_empty() {
            return None;
        }
        Hmac::new_from_slice(key).ok().map(Self)
    }

    fn provide(algorithm: Algorithm, key: &[u8]) -> Result<Self> {
        let key = if algorithm == Algorithm::HS256 { Self::new(key) } else { None };
        key.ok_or_else(|| ErrorKind::InvalidAlgorithm.into())
    }

    fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(message);
        mac
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.mac(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        // Compares in constant time, and rejects any other length.
        self.mac(message).verify_slice(signature).map_err(|_| Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
