//! Times as people read them. The zone is passed in: minutes by which local time is ahead of UTC at that moment.
use crate::words;
use subrosa_web_api::Millis;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1440 * MINUTE;

/// A moment in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local(i64);

impl Local {
    /// From the clock of the engine.
    pub fn new(at: Millis, ahead: i32) -> Self {
        Local(i64::try_from(at).unwrap_or(i64::MAX).saturating_add(i64::from(ahead).saturating_mul(MINUTE)))
    }
    /// Days since 1970 there: equal within a day.
    pub fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }
    /// `14:05`.
    pub fn time(self) -> String {
        let minutes = self.0.rem_euclid(DAY).div_euclid(MINUTE);
        format!("{:02}:{:02}", minutes.div_euclid(60), minutes.rem_euclid(60))
    }
    /// `Today`, `Monday`, `3 March`, `3 March 2025`, as seen from `now`.
    pub fn date(self, now: Local) -> String {
        let (year, month, day) = civil(self.day());
        match now.day().saturating_sub(self.day()) {
            0 => words::TODAY.into(),
            1 => words::YESTERDAY.into(),
            2..=6 => words::weekday(self.day().saturating_add(3).rem_euclid(7)).into(), // day 0 was a Thursday
            _ if civil(now.day()).0 == year => words::day_of_year(day, month),
            _ => words::full_date(day, month, year),
        }
    }
    /// Short, for lists: the time today, otherwise the date.
    pub fn short(self, now: Local) -> String {
        if self.day() == now.day() { self.time() } else { self.date(now) }
    }
    /// `Today, 14:05`.
    pub fn long(self, now: Local) -> String {
        format!("{}, {}", self.date(now), self.time())
    }
}

/// Year, month (1–12) and day of a day since 1970 in the Gregorian calendar; Howard Hinnant's `civil_from_days`.
fn civil(day: i64) -> (i64, i64, i64) {
    let z = day.saturating_add(719_468);
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = doe.saturating_sub(doe / 1460).saturating_add(doe / 36_524).saturating_sub(doe / 146_096) / 365;
    let doy = doe.saturating_sub(365_i64.saturating_mul(yoe).saturating_add(yoe / 4).saturating_sub(yoe / 100));
    let mp = 5_i64.saturating_mul(doy).saturating_add(2) / 153;
    let d = doy.saturating_sub(153_i64.saturating_mul(mp).saturating_add(2) / 5).saturating_add(1);
    let m = if mp < 10 { mp.saturating_add(3) } else { mp.saturating_sub(9) };
    (yoe.saturating_add(era.saturating_mul(400)).saturating_add(i64::from(m <= 2)), m, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_784), (2026, 11, 27));
    }
    #[test]
    fn what_is_read() {
        let at = 1_795_774_020_000; // Friday 2026-11-27 10:07 UTC
        let now = Local::new(at, 60);
        assert_eq!(now.time(), "11:07");
        assert_eq!(now.short(now), "11:07");
        let ago = |days: u64, ahead| Local::new(at - days * DAY as u64, ahead).date(now);
        assert_eq!(ago(0, 60), "Today");
        assert_eq!(ago(1, 60), "Yesterday");
        assert_eq!(ago(3, 60), "Tuesday");
        assert_eq!(ago(7, 60), "20 November");
        assert_eq!(ago(365, 60), "27 November 2025");
        assert_eq!(Local::new(at + 14 * 3_600_000, 60).date(now), "28 November", "a clock that is ahead is not called today");
    }
    #[test]
    fn no_clock_is_too_strange() {
        for at in [0, 1, u64::MAX, i64::MAX as u64] {
            let there = Local::new(at, -720);
            assert!(!there.long(Local::new(u64::MAX - at, 840)).is_empty());
        }
    }
}
