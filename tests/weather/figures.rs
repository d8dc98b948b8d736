//! Arithmetic over samples.

use std::time::Duration;

/// How equal the shares are: 1 is entirely.
pub fn jain(shares: &[f64]) -> f64 {
    let (sum, squares) = (shares.iter().sum::<f64>(), shares.iter().map(|share| share * share).sum::<f64>());
    sum * sum / (shares.len() as f64 * squares)
}

/// The smallest share, of what it were if all were equal.
pub fn least(shares: &[f64]) -> f64 {
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    shares.iter().copied().fold(f64::INFINITY, f64::min) / mean
}

/// The value that this share of the samples does not exceed.
pub fn quantile(samples: &[Duration], share: f64) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort();
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// Very many times, in tenths of milliseconds up to a minute.
#[derive(Debug)]
pub struct Histogram(Vec<u64>);

impl Histogram {
    const LONGEST: usize = 600_000;

    pub fn new() -> Self {
        Self(vec![0; Self::LONGEST + 1])
    }

    pub fn add(&mut self, time: Duration) {
        let tenths = usize::try_from(time.as_micros() / 100).unwrap_or(usize::MAX);
        self.0[tenths.min(Self::LONGEST)] += 1;
    }

    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time that this share of them does not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (self.count() as f64 * share).ceil() as u64;
        let mut so_far = 0;
        let found = self.0.iter().position(|count| {
            so_far += count;
            so_far >= rank
        });
        Duration::from_micros(found.unwrap_or_default() as u64 * 100 + 100)
    }
}

pub fn median(samples: &[Duration]) -> Duration {
    quantile(samples, 0.5)
}

pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

pub fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
