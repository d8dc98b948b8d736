//! What is counted for every RPC: series that are found once, and not anew by their labels each time.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use foldhash::fast::RandomState;
use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, BoundHistogram, Counter, Histogram},
};

/// The series of one instrument, by what their labels are made of: as many as labels can be told apart.
pub(super) struct Series<I, K, B> {
    instrument: I,
    bound: RwLock<HashMap<K, B, RandomState>>,
}

/// Durations.
pub(super) type Durations<K> = Series<Histogram<f64>, K, BoundHistogram<f64>>;
/// Things that are counted.
pub(super) type Counts<K> = Series<Counter<u64>, K, BoundCounter<u64>>;

impl<I, K: Eq + Hash, B> Series<I, K, B> {
    pub(super) fn of(instrument: I) -> Self {
        Self { instrument, bound: RwLock::default() }
    }

    fn with(&self, key: K, bind: impl FnOnce(&I, &K) -> B, count: impl FnOnce(&B)) {
        if let Some(bound) = self.bound.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return count(bound);
        }
        let new = bind(&self.instrument, &key);
        let mut all = self.bound.write().unwrap_or_else(PoisonError::into_inner);
        count(all.entry(key).or_insert(new));
    }
}

impl<K: Eq + Hash> Durations<K> {
    /// It took that long.
    pub(super) fn record<const N: usize>(
        &self,
        key: K,
        took: Duration,
        labels: impl FnOnce(&K) -> [KeyValue; N],
    ) {
        self.with(
            key,
            |histogram, key| histogram.bind(&labels(key)),
            |series| series.record(took.as_secs_f64()),
        );
    }
}

impl<K: Eq + Hash> Counts<K> {
    /// One more.
    pub(super) fn add<const N: usize>(&self, key: K, labels: impl FnOnce(&K) -> [KeyValue; N]) {
        self.with(key, |counter, key| counter.bind(&labels(key)), |series| series.add(1));
    }
}

impl<I: fmt::Debug, K, B> fmt::Debug for Series<I, K, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.instrument.fmt(f)
    }
}
