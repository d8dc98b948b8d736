//! The store of one replica: everything in the memory of the process, and all of it bounded.

mod budgets;
mod facts;
mod leases;
mod log;
mod notices;
mod outcomes;

pub use self::{
    budgets::MemoryBudgets, facts::MemoryFacts, leases::MemoryLeases, log::MemoryLog, notices::MemoryNotices,
    outcomes::MemoryOutcomes,
};
