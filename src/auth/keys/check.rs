//! Code of a key: it tells whether two nodes have the same key, and no one can make the key from it.

use hmac::Mac;

use super::{Hs256, Key, KeyId};

/// What the code is a MAC of. No token has this text in front of its signature: it has no dot.
const TEXT: &[u8] = b"shipyard: the same key on each node";

/// The name and the code of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCheck {
    /// The id of the key. Without one, a name made from the code.
    pub name: String,
    /// HMAC-SHA-256 of a fixed text. A key has at least 32 bytes, so that no one can try all.
    pub code: Vec<u8>,
}

impl KeyCheck {
    /// The code of that key; `None` for an empty key, which signs nothing.
    pub(super) fn of(key: &Key) -> Option<Self> {
        let code = Hs256::new(key.secret.bytes())?.mac(TEXT).finalize().into_bytes().to_vec();
        let name = match &key.id {
            Some(KeyId(id)) => id.clone(),
            // An id has no space.
            None => {
                code.iter().take(4).fold("without id ".to_owned(), |name, byte| format!("{name}{byte:02x}"))
            }
        };
        Some(Self { name, code })
    }
}
