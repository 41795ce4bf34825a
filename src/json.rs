//! JSON: written sorted, in one of two layouts; read strictly. No HTTP here.
//!
//! Writing follows the recorded exchanges. Reading follows RFC 8259 and refuses what that leaves open (duplicate names, a
//! byte order mark), because two readers of one body must never see two different values.

mod body;
mod encoded;
mod list;
mod members;
mod strict;
mod style;
mod version;

pub use self::body::{JsonBody, JsonStream, PIECE};
pub use self::encoded::EncodedJson;
pub(crate) use self::list::ListWriter;
pub(crate) use self::members::{Member, Members};
pub use self::strict::{parse, text, Malformed};
pub(crate) use self::strict::{parse_with, UniqueKeys};
pub use self::style::Style;
pub use self::version::Version;
