//! The gRPC surface.
mod check;
