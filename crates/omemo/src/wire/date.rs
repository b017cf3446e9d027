//! Dates and times as XEP-0082 §3.2 writes them, to and from milliseconds since 1970. Proleptic Gregorian, no leap seconds.
use super::{WireError, write};
use subrosa_engine::Time;

const DAY: u64 = 86_400_000;
/// The last millisecond of the year 9999.
const LAST: u64 = 253_402_300_799_999;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: u64 = 719_468;
/// Days in 400 years.
const ERA: u64 = 146_097;

/// `1969-07-21T02:56:15Z`, with milliseconds where there are any. What lies behind the year 9999 becomes its last moment.
#[allow(clippy::arithmetic_side_effects, reason = "the year is at most 9999, and no divisor is 0")]
pub(super) fn write(out: &mut Vec<u8>, time: Time) {
    let time = time.0.min(LAST);
    let (day, in_day) = (time / DAY, time % DAY);
    // years that begin in March have their leap day at the end
    let shifted = day + EPOCH;
    let (era, of_era) = (shifted / ERA, shifted % ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    for (before, value, width) in [
        (None, year, 4),
        (Some(b'-'), month, 2),
        (Some(b'-'), day_of_month, 2),
        (Some(b'T'), in_day / 3_600_000, 2),
        (Some(b':'), in_day / 60_000 % 60, 2),
        (Some(b':'), in_day / 1_000 % 60, 2),
    ] {
        out.extend(before);
        padded(out, value, width);
    }
    if in_day % 1_000 != 0 {
        out.push(b'.');
        padded(out, in_day % 1_000, 3);
    }
    out.push(b'Z');
}

fn padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = Vec::with_capacity(width);
    write::number(&mut digits, u32::try_from(value).unwrap_or(u32::MAX));
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.append(&mut digits);
}

/// Reads a date and time with any offset from UTC. Digits behind the milliseconds are dropped.
pub(super) fn parse(text: &str) -> Result<Time, WireError> {
    read(text.trim().as_bytes()).ok_or(WireError::BadTime)
}

#[allow(clippy::arithmetic_side_effects, reason = "every number is checked against its range before it is used")]
fn read(mut text: &[u8]) -> Option<Time> {
    let year = digits(&mut text, 4, 1970..=9999)?;
    expect(&mut text, b'-')?;
    let month = digits(&mut text, 2, 1..=12)?;
    expect(&mut text, b'-')?;
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = digits(&mut text, 2, 1..=days)?;
    expect(&mut text, b'T')?;
    let hour = digits(&mut text, 2, 0..=23)?;
    expect(&mut text, b':')?;
    let minute = digits(&mut text, 2, 0..=59)?;
    expect(&mut text, b':')?;
    // a leap second counts as the last of its minute
    let second = digits(&mut text, 2, 0..=60)?.min(59);
    let mut milliseconds = 0;
    if text.first() == Some(&b'.') {
        expect(&mut text, b'.')?;
        let len = text.iter().take_while(|b| b.is_ascii_digit()).count();
        let (fraction, rest) = text.split_at_checked(len)?;
        fraction.first()?;
        milliseconds = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(3).fold(0, |n, d| n * 10 + u64::from(d - b'0'));
        text = rest;
    }
    let offset = match text.split_first()? {
        (b'Z', []) => 0,
        (sign @ (b'+' | b'-'), mut rest) => {
            let hours = digits(&mut rest, 2, 0..=23)?;
            expect(&mut rest, b':')?;
            let minutes = digits(&mut rest, 2, 0..=59)?;
            let offset = i64::try_from((hours * 60 + minutes) * 60_000).ok()?;
            if !rest.is_empty() {
                return None;
            }
            if *sign == b'+' { -offset } else { offset }
        }
        _ => return None,
    };
    let year_from_march = year - u64::from(month <= 2);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_era = year_from_march % 400;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let shifted = year_from_march / 400 * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let local = shifted.checked_sub(EPOCH)? * DAY + hour * 3_600_000 + minute * 60_000 + second * 1_000 + milliseconds;
    local.checked_add_signed(offset).filter(|t| *t <= LAST).map(Time)
}

fn expect(text: &mut &[u8], byte: u8) -> Option<()> {
    *text = text.strip_prefix(&[byte])?;
    Some(())
}

/// Exactly `n` (at most 4) decimal digits, in a range.
fn digits(text: &mut &[u8], n: usize, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
    let (number, rest) = text.split_at_checked(n)?;
    *text = rest;
    if !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(number).ok()?.parse().ok().filter(|n| range.contains(n))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
    use super::*;
    use proptest::prelude::*;

    fn written(time: u64) -> String {
        let mut out = Vec::new();
        write(&mut out, Time(time));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_times() {
        for (text, time) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799_000),
            ("2000-03-01T00:00:00Z", 951_868_800_000),
            ("2026-11-21T11:20:36.007Z", 1_795_260_036_007),
            ("2100-02-28T12:00:00Z", 4_107_499_200_000),
            ("9999-12-31T23:59:59.999Z", LAST),
        ] {
            assert_eq!(written(time), text);
            assert_eq!(parse(text), Ok(Time(time)));
        }
        // the same moment, written differently (XEP-0082 §3.2)
        for text in ["1969-12-31T16:00:00-08:00", "1970-01-01T05:30:00+05:30", "1970-01-01T00:00:00.000999999Z", " 1970-01-01T00:00:00+00:00\n"] {
            match parse(text) {
                Ok(time) => assert_eq!(time, Time(0), "{text}"),
                Err(error) => assert_eq!((text.starts_with("1969"), error), (true, WireError::BadTime)),
            }
        }
        assert_eq!(written(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn not_times() {
        for text in [
            "",
            "2026",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00ZZ",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+01:000",
            "2026-01-01 00:00:00Z",
            "+026-01-01T00:00:00Z",
            "1969-07-21T02:56:15Z",
            "1970-01-01T00:00:00+01:00",
            "20260101T00:00:00",
        ] {
            assert_eq!(parse(text), Err(WireError::BadTime), "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(time in 0..=LAST) {
            prop_assert_eq!(parse(&written(time)), Ok(Time(time)));
        }
        #[test]
        fn order_is_kept(a in 0..=LAST, b in 0..=LAST) {
            let (a, b) = (a / 1000 * 1000, b / 1000 * 1000);
            prop_assert_eq!(a.cmp(&b), written(a).cmp(&written(b)));
        }
        #[test]
        fn anything(text in ".{0,40}", bytes in "[0-9TZ:.+ -]{0,40}") {
            let _ = (parse(&text), parse(&bytes));
        }
    }
}
