//! Times as people read them, in the machine's own zone.
//!
//! The offset is asked of `date` once at the start (the standard library knows no zones, and no library for it is in
//! the tree); a change to summer time shows after a restart.

/// Seconds that local time is ahead of UTC; 0 where it cannot be found out.
pub fn offset_seconds() -> i64 {
    let output = std::process::Command::new("date").arg("+%z").stderr(std::process::Stdio::null()).output();
    let text = output.ok().and_then(|o| String::from_utf8(o.stdout).ok()).unwrap_or_default();
    parse_offset(text.trim()).unwrap_or(0)
}

fn parse_offset(text: &str) -> Option<i64> {
    let (sign, digits) = text.split_at_checked(1)?;
    let (hours, minutes) = digits.split_at_checked(2)?;
    let seconds = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
    match sign {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

/// A moment, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Days since 1970, local.
    pub day: i64,
    /// Local.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub date: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
}

impl Moment {
    /// From milliseconds since 1970.
    pub fn of(time_ms: i64, offset_seconds: i64) -> Self {
        let seconds = time_ms.div_euclid(1000) + offset_seconds;
        let (day, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Howard Hinnant's civil_from_days.
        let z = day + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        Self { day, year, month, date: doy - (153 * mp + 2) / 5 + 1, hour: rest / 3600, minute: rest % 3600 / 60 }
    }

    /// `14:05`
    pub fn clock(&self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    /// `2026-01-31`
    pub fn calendar(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.date)
    }

    /// In a list: the clock today, else month and day, else the year too.
    pub fn short(&self, now: &Self) -> String {
        if self.day == now.day {
            self.clock()
        } else if self.year == now.year {
            format!("{:02}-{:02}", self.month, self.date)
        } else {
            self.calendar()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        let moment = Moment::of(1_709_164_799_000, 0);
        assert_eq!((moment.calendar().as_str(), moment.clock().as_str()), ("2024-02-28", "23:59"));
        let moment = Moment::of(1_709_164_800_000, 8 * 3600);
        assert_eq!((moment.calendar().as_str(), moment.clock().as_str()), ("2024-02-29", "08:00"));
        assert_eq!(Moment::of(0, -3600).calendar(), "1969-12-31");
        assert_eq!(moment.short(&Moment::of(1_709_200_000_000, 8 * 3600)), "08:00");
        assert_eq!(moment.short(&Moment::of(1_712_000_000_000, 0)), "02-29");
        assert_eq!(moment.short(&Moment::of(1_800_000_000_000, 0)), "2024-02-29");
    }

    #[test]
    fn offsets_are_read() {
        assert_eq!(parse_offset("+0800"), Some(28_800));
        assert_eq!(parse_offset("-0330"), Some(-12_600));
        assert_eq!(parse_offset(""), None);
        assert_eq!(parse_offset("0800"), None);
    }
}
