//! The clocks of places, from the time zone database that comes with the program: the same on every machine, whatever is
//! installed there. Knows no time itself: it is told the moment (decision 0021).

use jiff::{Timestamp, tz::TimeZone};

/// Minutes that the clock of a place ("Europe/Berlin") is ahead of UTC at `at_ms`; `None` for names of no place.
pub fn offset_min(zone: &str, at_ms: u64) -> Option<i32> {
    let at = Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?;
    Some(TimeZone::get(zone).ok()?.to_offset(at).seconds().div_euclid(60))
}

#[cfg(test)]
mod tests {
    use super::offset_min;

    #[test]
    fn places_have_their_clocks_in_summer_and_in_winter() {
        let (winter, summer) = (1_799_625_600_000, 1_815_264_000_000); // 2027-01-11, 2027-07-11
        for (zone, in_winter, in_summer) in [
            ("UTC", Some(0), Some(0)),
            ("Asia/Shanghai", Some(480), Some(480)),
            ("Europe/Berlin", Some(60), Some(120)),
            ("America/New_York", Some(-300), Some(-240)),
            ("Asia/Kolkata", Some(330), Some(330)),
            ("Mars/Olympus", None, None),
            ("", None, None),
            ("../../etc/passwd", None, None),
        ] {
            assert_eq!((offset_min(zone, winter), offset_min(zone, summer)), (in_winter, in_summer), "{zone}");
        }
    }
}
