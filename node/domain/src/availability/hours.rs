//! Whether an account is to be disturbed at a moment: plain questions with plain answers. What it says by hand comes before
//! its schedule; the schedule goes by the clock of a place.

use super::{Said, Schedule, Span};
use crate::{context::Zones, notify, store::Read};

const MINUTE_MS: i64 = 60_000;
const DAY_MIN: i64 = 24 * 60;
/// The first day of 1970 was a Thursday; Monday is 0.
const FIRST_WEEKDAY: i64 = 3;

/// How an account stands, whether it is connected or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it says by hand now; empty: nothing.
    pub state: String,
    /// What it writes beside it.
    pub text: String,
    /// It is one of its hours.
    pub scheduled: bool,
}

impl Standing {
    /// Whether it is not to be disturbed.
    pub fn is_dnd(&self) -> bool {
        self.state == "dnd" || (self.state.is_empty() && self.scheduled)
    }
}

/// How the account stands at `now_ms`.
pub fn standing(read: &impl Read, zones: Zones, account: u64, now_ms: u64) -> Standing {
    standing_of(&super::said(read, account), &hours(read, account), zones, now_ms)
}

/// The same, of values alone.
pub fn standing_of(said: &Said, schedule: &Schedule, zones: Zones, now_ms: u64) -> Standing {
    let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let lasts = said.until_ms == 0 || said.until_ms > now;
    let scheduled = !schedule.spans.is_empty() && {
        // A place that this version does not know any more: better told too much than never.
        zones(&schedule.zone, now_ms).is_some_and(|offset| is_covered(&schedule.spans, offset, now))
    };
    let (state, text) = if lasts { (said.state.clone(), said.text.clone()) } else { (String::new(), String::new()) };
    Standing { state, text, scheduled }
}

/// The account's hours. Until it set a schedule, those that it once gave as quiet ones: every day, by a clock that keeps its
/// distance from UTC.
pub fn hours(read: &impl Read, account: u64) -> Schedule {
    let schedule = super::schedule(read, account);
    if schedule.position != 0 {
        return (*schedule).clone();
    }
    let old = notify::settings(read, account);
    if !old.quiet {
        return Schedule::default();
    }
    // By UTC: moved by the offset, over midnight if need be.
    let moved = |minute: u32| (i64::from(minute) - i64::from(old.offset_min)).rem_euclid(DAY_MIN);
    let (from, until) = (moved(old.quiet_from_min), moved(old.quiet_until_min));
    let minute = |m: i64| u32::try_from(m).unwrap_or_default();
    Schedule {
        zone: "UTC".to_owned(),
        spans: vec![Span { days: 127, from_min: minute(from), until_min: minute(until) }],
        position: 0,
    }
}

/// Whether one of the spans covers a moment, where the clock is so many minutes ahead of UTC.
pub fn is_covered(spans: &[Span], offset_min: i32, now_ms: i64) -> bool {
    let local = now_ms.div_euclid(MINUTE_MS) + i64::from(offset_min);
    let (day, minute) = (local.div_euclid(DAY_MIN), local.rem_euclid(DAY_MIN));
    let on = |span: &Span, day: i64| span.days >> (day + FIRST_WEEKDAY).rem_euclid(7) & 1 == 1;
    spans.iter().any(|span| {
        let (from, until) = (i64::from(span.from_min), i64::from(span.until_min));
        if from < until {
            on(span, day) && (from..until).contains(&minute)
        } else {
            from != until && ((on(span, day) && minute >= from) || (on(span, day - 1) && minute < until))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY_MS: i64 = 1_799_625_600_000; // 2027-01-11 00:00 UTC
    const HOUR_MS: i64 = 3_600_000;
    const WORKDAYS: u32 = 31;

    fn span(days: u32, from_h: u32, until_h: u32) -> Span {
        Span { days, from_min: from_h * 60, until_min: until_h * 60 }
    }

    #[test]
    fn hours_are_of_the_day_on_which_they_begin_and_go_over_midnight() {
        let at = |day: i64, hour: i64| MONDAY_MS + (day * 24 + hour) * HOUR_MS;
        let nights = [span(WORKDAYS, 22, 7)];
        for (day, hour, expected) in [
            (0, 6, false), // Monday before dawn belongs to Sunday's night
            (0, 21, false),
            (0, 22, true),
            (1, 6, true),
            (1, 7, false),
            (4, 23, true),
            (5, 6, true), // Friday's night ends on Saturday
            (5, 22, false),
            (6, 23, false),
        ] {
            assert_eq!(is_covered(&nights, 0, at(day, hour)), expected, "day {day}, hour {hour}");
        }
        let sunday = [span(64, 0, 24)];
        for (day, hour, expected) in [(5, 23, false), (6, 0, true), (6, 23, true), (7, 0, false)] {
            assert_eq!(is_covered(&sunday, 0, at(day, hour)), expected, "day {day}, hour {hour}");
        }
        assert!(!is_covered(&[span(127, 12, 12)], 0, at(2, 12)), "no time at all");
        assert!(!is_covered(&[], 0, at(2, 12)));
        // One minute before seven is the last.
        assert!(is_covered(&nights, 0, at(1, 7) - 1) && !is_covered(&nights, 0, at(1, 7)));
    }

    #[test]
    fn the_clock_of_the_place_says_which_day_it_is() {
        let monday = [span(1, 0, 24)];
        let noon_sunday = MONDAY_MS - 12 * HOUR_MS;
        assert!(!is_covered(&monday, 0, noon_sunday));
        assert!(is_covered(&monday, 13 * 60, noon_sunday), "it is Monday there already");
        assert!(!is_covered(&monday, -60, MONDAY_MS), "and still Sunday elsewhere");
    }

    #[test]
    fn what_is_said_by_hand_comes_before_the_schedule_and_ends_in_its_time() {
        fn berlin(zone: &str, at_ms: u64) -> Option<i32> {
            // Summer time from 2027-03-28 01:00 UTC.
            (zone == "Europe/Berlin").then_some(if at_ms >= 1_806_195_600_000 { 120 } else { 60 })
        }
        let schedule = Schedule { zone: "Europe/Berlin".into(), spans: vec![span(127, 22, 7)], position: 1 };
        let said = |state: &str, until_ms| Said { state: state.into(), until_ms, text: "x".into(), position: 1 };
        let at = |said: &Said, ms: u64| standing_of(said, &schedule, berlin, ms);
        let winter_night = u64::try_from(MONDAY_MS + 21 * HOUR_MS).unwrap(); // 22:00 in Berlin
        assert!(at(&Said::default(), winter_night).is_dnd());
        assert!(!at(&Said::default(), winter_night - 1).is_dnd());
        let summer_night = 1_806_195_600_000 + 19 * 3_600_000; // 20:00 UTC, 22:00 there
        assert!(at(&Said::default(), summer_night).is_dnd() && !at(&Said::default(), summer_night - 1).is_dnd());
        assert!(!at(&said("online", 0), winter_night).is_dnd(), "said by hand");
        assert!(at(&said("dnd", 0), winter_night - 1).is_dnd());
        let until = i64::try_from(winter_night).unwrap();
        assert_eq!(at(&said("busy", until), winter_night - 1).state, "busy");
        let over = at(&said("busy", until), winter_night);
        assert_eq!((over.state.as_str(), over.text.as_str(), over.is_dnd()), ("", "", true));
        let elsewhere = Schedule { zone: "Mars/Olympus".into(), ..schedule.clone() };
        assert!(!standing_of(&Said::default(), &elsewhere, berlin, winter_night).is_dnd(), "of a place that is not known");
    }
}
