//! What the server publishes of its contract.
