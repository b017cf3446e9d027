//! Delay stamps (XEP-0203) and the date format of XEP-0082, read tolerantly and written.
use crate::ns;
use crate::xml::build;
use minidom::Element;
use subrosa_engine::Time;

/// When the stanza was sent, by the latest of its stamps: of what a server put around it.
pub(crate) fn of(stanza: &Element) -> Option<Time> {
    by(stanza, |_| true)
}
/// The same, by the stamps of those whom `believed` names, `None` for one of nobody. The rest is the sender's word. Whoever copies another's
/// name has at least an earlier stamp than the one that the other puts beside it.
pub(crate) fn by(stanza: &Element, believed: impl Fn(Option<&str>) -> bool) -> Option<Time> {
    let stamps = stanza.children().filter(|c| c.is("delay", ns::DELAY) && believed(c.attr("from")));
    stamps.filter_map(|delay| parse(delay.attr("stamp")?)).max()
}
/// How long something may be under way without a word about it, in milliseconds.
const SOON: u64 = 60_000;

/// A message of ours, made then, that leaves now: where that is a minute or more, it says when it was made (XEP-0203), because recipients
/// compare the time of the stanza with the time that was encrypted (XEP-0420 §4).
pub fn late(mut stanza: Element, made: Time, now: Time) -> Element {
    if made != Time(0) && now.0.saturating_sub(made.0) >= SOON {
        stanza.append_child(build("delay", ns::DELAY).attr("stamp", write(made)).end());
    }
    stanza
}
/// `2002-09-10T23:08:25.123Z`, or with an offset. Leap seconds count as the second before.
pub(crate) fn parse(text: &str) -> Option<Time> {
    let text = text.trim();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let is = |at: usize, what: &str| text.get(at..at.checked_add(1)?).filter(|c| what.contains(*c));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    is(4, "-")?;
    is(7, "-")?;
    is(10, "Tt ")?;
    is(13, ":")?;
    is(16, ":")?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("", rest),
    };
    let millis = fraction.bytes().chain(*b"000").take(3).try_fold(0i64, |n, b| n.checked_mul(10)?.checked_add(i64::from(b.checked_sub(b'0')?)))?;
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let sign = match zone.get(0..1)? {
                "+" => 1i64,
                "-" => -1,
                _ => return None,
            };
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let both = |text: &str| -> Option<i64> { (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten().map(i64::from) };
            both(hours)?.checked_mul(60)?.checked_add(both(minutes)?)?.checked_mul(sign)?
        }
    };
    // days since 1970 of the proleptic Gregorian calendar, counted from March
    let (y, m) = if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month.checked_add(9)?) };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = m.checked_mul(153)?.checked_add(2)?.checked_div(5)?.checked_add(day)?.checked_sub(1)?;
    let leaps = of_era.checked_div(4)?.checked_sub(of_era.checked_div(100)?)?;
    let days = of_era.checked_mul(365)?.checked_add(leaps)?.checked_add(of_year)?.checked_add(era.checked_mul(146_097)?)?.checked_sub(719_468)?;
    let minutes = days.checked_mul(1440)?.checked_add(hour.checked_mul(60)?)?.checked_add(minute)?.checked_sub(offset)?;
    let millis = minutes.checked_mul(60)?.checked_add(second.min(59))?.checked_mul(1000)?.checked_add(millis)?;
    u64::try_from(millis).ok().map(Time)
}
/// To the millisecond, in UTC. Times after the year 9999 are its last.
pub(crate) fn write(time: Time) -> String {
    let millis = time.0.min(253_402_300_799_999);
    let part = |by: u64, of: u64| millis.checked_div(by).and_then(|n| n.checked_rem(of)).unwrap_or_default();
    let days = millis.checked_div(86_400_000).unwrap_or_default();
    // the inverse of what `parse` counts: days since the March of year 0
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leaps = [1460, 36_524, 146_096].map(|n| of_era.div_euclid(n));
    let of_era_years = of_era.saturating_sub(leaps[0]).saturating_add(leaps[1]).saturating_sub(leaps[2]).div_euclid(365);
    let before = of_era_years.saturating_mul(365).saturating_add(of_era_years.div_euclid(4)).saturating_sub(of_era_years.div_euclid(100));
    let of_year = of_era.saturating_sub(before);
    let m = of_year.saturating_mul(5).saturating_add(2).div_euclid(153);
    let day = of_year.saturating_sub(m.saturating_mul(153).saturating_add(2).div_euclid(5)).saturating_add(1);
    let month = if m < 10 { m.saturating_add(3) } else { m.saturating_sub(9) };
    let year = era.saturating_mul(400).saturating_add(of_era_years).saturating_add(u64::from(month <= 2));
    let (hour, minute, second, fraction) = (part(3_600_000, 24), part(60_000, 60), part(1000, 60), part(1, 1000));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(millis in 0..253_402_300_800_000u64) {
            prop_assert_eq!(parse(&write(Time(millis))), Some(Time(millis)));
        }
    }

    #[test]
    fn what_leaves_late_says_when_it_was_made() {
        let stanza = || crate::xml::build("message", ns::CLIENT).end();
        let leaves = |made: u64, now: u64| of(&late(stanza(), Time(made), Time(now)));
        let made = 1_700_000_000_000;
        assert_eq!(leaves(made, made + SOON - 1), None);
        assert_eq!(leaves(made, made + SOON), Some(Time(made)));
        assert_eq!(leaves(made, made + 200 * 3_600_000), Some(Time(made)));
        assert_eq!((leaves(0, made), leaves(made + 1, made)), (None, None), "a time that is not known, a clock that went back");
    }
    #[test]
    fn stamps_are_written() {
        assert_eq!(write(Time(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(write(Time(1_709_164_800_123)), "2024-02-29T00:00:00.123Z");
        assert_eq!(write(Time(u64::MAX)), "9999-12-31T23:59:59.999Z");
        for days in [58, 59, 60, 365, 11_016, 11_017, 19_781, 19_782, 47_540, 47_541] {
            let time = Time(days * 86_400_000);
            assert_eq!(parse(&write(time)), Some(time), "{days}");
        }
    }

    #[test]
    fn stamps_are_read() {
        let at = |text: &str| parse(text).map(|t| t.0);
        assert_eq!(at("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(at("2023-11-14T22:13:20Z"), Some(1_700_000_000_000));
        assert_eq!(at("2023-11-14T22:13:20.5Z"), Some(1_700_000_000_500));
        assert_eq!(at("2023-11-14T22:13:20.123456+00:00"), Some(1_700_000_000_123));
        assert_eq!(at("2023-11-15T00:13:20+02:00"), Some(1_700_000_000_000));
        assert_eq!(at("2023-11-14T17:13:20-05:00"), Some(1_700_000_000_000));
        assert_eq!(at("2024-02-29T00:00:00Z"), Some(1_709_164_800_000));
        assert_eq!(at("2016-12-31T23:59:60Z"), at("2016-12-31T23:59:59Z"));
    }

    #[test]
    fn nonsense_is_no_stamp() {
        for bad in [
            "",
            "now",
            "2023-11-14",
            "2023-13-14T22:13:20Z",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20+2",
            "1960-01-01T00:00:00Z",
            "é023-11-14T22:13:20Z",
            "2023-11-14T22:13:20.",
            "+023-11-14T22:13:20Z",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
