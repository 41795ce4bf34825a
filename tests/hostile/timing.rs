//! What the time of an answer tells.
