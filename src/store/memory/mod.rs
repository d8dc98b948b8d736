//! The store of one replica: everything in the memory of the process, and all of it bounded.

mod budgets;
mod facts;
mod notices;
mod outcomes;

pub use self::{
    budgets::MemoryBudgets, facts::MemoryFacts, notices::MemoryNotices, outcomes::MemoryOutcomes,
};
