//! Rates, queues and caps.
