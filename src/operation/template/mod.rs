//! Templates, put into force and out of it. There is no newer form for ordinary apps.

mod disable;
mod enable;

pub use disable::DisableTemplate;
pub use enable::EnableTemplate;
