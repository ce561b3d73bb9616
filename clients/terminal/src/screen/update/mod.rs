//! What inputs do to the screen's state: keys, what the session tells, answers.
//!
//! Each file is one kind of input; all are methods of `App`.

mod answers;
mod attach;
#[cfg(test)]
mod attach_tests;
mod events;
mod find;
#[cfg(test)]
mod find_tests;
mod form_keys;
mod groups;
mod keys;
mod later;
mod listed;
#[cfg(test)]
mod tests;

pub(super) use groups::QUICK;
