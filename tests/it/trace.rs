//! One trace through the gateway, at a real OTLP receiver.
