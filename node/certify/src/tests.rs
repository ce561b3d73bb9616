//! When it is asked, by arithmetic.

use crate::{
    Method,
    failure::{Failure, cut},
    schedule::{Pace, Validity, next_after_start, retry_in_ms},
};

const DAY_MS: i64 = 24 * 3600 * 1000;
const HOUR_MS: u64 = 3600 * 1000;

#[test]
fn it_is_renewed_with_a_third_left_and_not_all_at_once() {
    let validity = Validity { not_before_ms: 1000 * DAY_MS, not_after_ms: 1090 * DAY_MS };
    assert_eq!(validity.renew_at_ms(0), 1060 * DAY_MS);
    for random in [1, u64::MAX, 123_456_789_012_345] {
        let at = validity.renew_at_ms(random);
        assert!((1057 * DAY_MS..=1060 * DAY_MS).contains(&at), "{at}");
    }
    assert_ne!(validity.renew_at_ms(5), validity.renew_at_ms(6));
    assert!(!validity.is_pressing(1080 * DAY_MS) && validity.is_pressing(1082 * DAY_MS));
    let never = Validity { not_before_ms: 5, not_after_ms: 5 };
    assert_eq!(never.renew_at_ms(u64::MAX), 5);
}

#[test]
fn failures_are_few_in_an_hour_and_ever_fewer() {
    for pressing in [true, false] {
        let waits: Vec<u64> = (1..30).map(|failures| retry_in_ms(Pace::USUAL, failures, pressing, 0)).collect();
        assert!(waits.windows(2).all(|w| w[0] <= w[1]));
        assert!(waits[0] >= HOUR_MS / 4, "at most four in an hour");
        assert_eq!(*waits.last().unwrap(), if pressing { 2 } else { 12 } * HOUR_MS);
        for random in [1, 77, u64::MAX] {
            let wait = retry_in_ms(Pace::USUAL, 3, pressing, random);
            assert!((HOUR_MS..HOUR_MS * 3 / 2).contains(&wait), "{wait}");
        }
    }
    assert!(retry_in_ms(Pace::USUAL, u32::MAX, false, u64::MAX) < 18 * HOUR_MS);
}

#[test]
fn a_node_that_starts_over_and_over_does_not_ask_each_time() {
    let (tried, quarter) = (1000 * DAY_MS, 15 * 60_000);
    assert_eq!(next_after_start(Pace::USUAL, tried, tried + DAY_MS, false), tried + quarter);
    assert_eq!(next_after_start(Pace::USUAL, tried, tried + DAY_MS, true), tried + DAY_MS, "the authority said when");
    assert_eq!(next_after_start(Pace::USUAL, tried, tried + 60_000, false), tried + 60_000);
}

#[test]
fn words_are_one_line_of_bounded_length_in_both_languages() {
    let said = "line\nbreak\u{1b}[31m".to_owned() + &"x".repeat(5000);
    assert!(cut(&said).chars().count() <= 400 && !cut(&said).contains(['\n', '\u{1b}']));
    let failure = Failure::NotProven { name: "chat.example".into(), said };
    for method in [Method::TlsAlpn, Method::Dns("/bin/hook".into())] {
        let words = failure.words(&method);
        for text in [&words.en, &words.zh] {
            assert!(text.contains("chat.example") && text.chars().count() < 1000, "{text}");
        }
    }
}
