//! What a log line holds, and what it never holds.
