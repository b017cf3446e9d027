//! Delay stamps (XEP-0203) and the date format of XEP-0082, read tolerantly.
use crate::ns;
use minidom::Element;
use subrosa_engine::Time;

/// When the stanza was sent, by the earliest of its stamps.
pub(crate) fn of(stanza: &Element) -> Option<Time> {
    let stamps = stanza.children().filter(|c| c.is("delay", ns::DELAY));
    stamps.filter_map(|delay| parse(delay.attr("stamp")?)).min()
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

#[cfg(test)]
mod tests {
    use super::*;

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
