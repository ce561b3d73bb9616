//! What happened last, for whoever reads a failing seed.
//!
//! Owns a ring of lines. Prints them at once where that was asked for. Never decides anything.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

/// Lines kept.
const KEPT: usize = 80;

/// A shared ring of lines.
#[derive(Clone, Default)]
pub struct Trace(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    lines: VecDeque<String>,
    prints: bool,
}

impl Trace {
    /// Prints every line at once if `prints`.
    pub fn new(prints: bool) -> Self {
        Self(Rc::new(RefCell::new(Inner { lines: VecDeque::new(), prints })))
    }

    /// One more line.
    pub fn add(&self, line: String) {
        let mut inner = self.0.borrow_mut();
        if inner.prints {
            println!("{line}");
        }
        if inner.lines.len() >= KEPT {
            inner.lines.pop_front();
        }
        inner.lines.push_back(line);
    }

    /// Whether somebody reads along: then details are worth making.
    pub fn prints(&self) -> bool {
        self.0.borrow().prints
    }

    /// The last lines, oldest first.
    pub fn last(&self) -> Vec<String> {
        self.0.borrow().lines.iter().cloned().collect()
    }
}
