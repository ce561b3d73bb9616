//! At which speeds to try: twice as fast again and again until it does not hold, then in between. Pure.

/// The first speed, messages a second.
const FIRST: f64 = 250.0;
/// Below this it is not worth looking.
const LEAST: f64 = 3.0;
/// Once it is known between which two speeds the limit is, so many more are tried there.
const BETWEEN: usize = 2;

/// What held and what did not.
#[derive(Default)]
pub struct Ladder {
    held: Option<f64>,
    failed: Option<f64>,
    between: usize,
}

impl Ladder {
    /// The speed to try next, if there is any left.
    pub fn next(&mut self) -> Option<f64> {
        match (self.held, self.failed) {
            (None, None) => Some(FIRST),
            (Some(held), None) => Some(held * 2.0),
            (None, Some(failed)) => Some(failed / 4.0).filter(|rate| *rate >= LEAST),
            (Some(held), Some(failed)) if self.between < BETWEEN => {
                self.between += 1;
                Some((held * failed).sqrt())
            }
            _ => None,
        }
    }

    /// Whether it held.
    pub fn tried(&mut self, rate: f64, held: bool) {
        if held {
            self.held = Some(self.held.map_or(rate, |h| h.max(rate)));
        } else {
            self.failed = Some(self.failed.map_or(rate, |f| f.min(rate)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All speeds that are tried on a machine that holds this one.
    fn climbed(limit: f64) -> Vec<f64> {
        let mut ladder = Ladder::default();
        let mut all = Vec::new();
        while let Some(rate) = ladder.next() {
            ladder.tried(rate, rate <= limit);
            all.push(rate.round());
        }
        all
    }

    #[test]
    fn speeds_close_in_on_the_limit() {
        assert_eq!(climbed(1500.0), [250.0, 500.0, 1000.0, 2000.0, 1414.0, 1682.0]);
        assert_eq!(climbed(30.0), [250.0, 63.0, 16.0, 31.0, 22.0]);
        assert_eq!(climbed(0.0), [250.0, 63.0, 16.0, 4.0]);
    }
}
