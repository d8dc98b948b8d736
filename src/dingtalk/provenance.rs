//! Where the answer to an RPC came from.

use std::sync::atomic::{AtomicU8, Ordering};

/// Where an answer came from, the best first: of several, the worst stands for the RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provenance {
    /// From memory.
    Hit,
    /// From memory, and older than callers get who say nothing of staleness.
    Stale,
    /// From DingTalk, by a call of this RPC or by one that it shared.
    Miss,
}

impl Provenance {
    /// The name in trailing metadata.
    pub fn name(self) -> &'static str {
        match self {
            Provenance::Hit => "hit",
            Provenance::Stale => "stale",
            Provenance::Miss => "miss",
        }
    }
}

/// The worst of what was noted.
#[derive(Debug, Default)]
pub(super) struct Worst(AtomicU8);

impl Worst {
    pub(super) fn note(&self, provenance: Provenance) {
        self.0.fetch_max(provenance as u8 + 1, Ordering::Relaxed);
    }

    /// None where nothing was noted.
    pub(super) fn get(&self) -> Option<Provenance> {
        let noted = self.0.load(Ordering::Relaxed);
        [Provenance::Miss, Provenance::Stale, Provenance::Hit]
            .into_iter()
            .find(|provenance| *provenance as u8 + 1 == noted)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Provenance::{Hit, Miss, Stale},
        Worst,
    };

    #[test]
    fn the_worst_of_several_stands_for_all() {
        let worst = Worst::default();
        assert_eq!(worst.get(), None);
        for (noted, stands) in [(Hit, Hit), (Stale, Stale), (Hit, Stale), (Miss, Miss), (Stale, Miss)] {
            worst.note(noted);
            assert_eq!(worst.get(), Some(stands), "after {noted:?}");
        }
    }
}
