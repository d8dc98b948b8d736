//! Health, readiness and the graceful stop.
