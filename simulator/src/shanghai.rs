//! Dates as DingTalk reckons and writes them: Asia/Shanghai, which is UTC+8 all year.

use std::time::Duration;

const OFFSET: u64 = 8 * 60 * 60;
const DAY: u64 = 24 * 60 * 60;

/// A year and a month of it, from 1.
pub(crate) type Month = (u64, u64);

/// The month of a time since 1970.
pub(crate) fn month(unix: Duration) -> Month {
    let (year, month, _) = date((unix.as_secs() + OFFSET) / DAY);
    (year, month)
}

/// `yyyy-MM-dd HH:mm:ss`; a begun second counts as over.
pub(crate) fn text(unix: Duration) -> String {
    let seconds = unix.as_secs() + u64::from(unix.subsec_nanos() > 0) + OFFSET;
    let ((year, month, day), second) = (date(seconds / DAY), seconds % DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a number of days since 1970.
///
/// Years are taken from March to February, so that a leap day is the last of its year, in cycles of 400 years.
fn date(days: u64) -> (u64, u64, u64) {
    const CYCLE: u64 = 146_097;
    const FROM_0000_03_01: u64 = 719_468;
    let days = days + FROM_0000_03_01;
    let (cycle, day) = (days / CYCLE, days % CYCLE);
    let year = (day - day / 1460 + day / 36_524 - day / (CYCLE - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (cycle * 400 + year, month + 3);
    if month > 12 { (year + 1, month - 12, day_of_month) } else { (year, month, day_of_month) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_shanghai() {
        let at = Duration::from_secs;
        assert_eq!(text(at(0)), "1970-01-01 08:00:00");
        assert_eq!(text(at(951_840_000)), "2000-03-01 00:00:00");
        assert_eq!(text(at(951_839_999)), "2000-02-29 23:59:59");
        assert_eq!(text(Duration::from_millis(1_798_732_799_001)), "2027-01-01 00:00:00");
        assert_eq!((month(at(1_798_732_799)), month(at(1_798_732_800))), ((2026, 12), (2027, 1)));
    }
}
