//! Searching on the screen: what is looked for, what was found, and which of it is chosen.
//!
//! Pure. One search is on its way at a time; what was typed meanwhile is asked when its answer has come.

use startalk_client::wire_types::{Found, FoundGroup, FoundMessage, FoundPerson, Search};

use super::editor::Editor;

/// Hits asked for at a time, of each sort, where all sorts are shown.
const FEW: u32 = 8;
/// Of one sort.
const MANY: u32 = 30;

/// Which sort is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// All of them.
    #[default]
    All,
    /// People.
    People,
    /// Groups.
    Groups,
    /// Messages.
    Messages,
}

impl Sort {
    /// In the order of the tabs.
    pub const ALL: [Self; 4] = [Self::All, Self::People, Self::Groups, Self::Messages];

    fn next(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// One row that can be chosen.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    /// Somebody.
    Person(&'a FoundPerson),
    /// A group.
    Group(&'a FoundGroup),
    /// A message.
    Message(&'a FoundMessage),
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Find {
    /// What is typed.
    pub words: Editor,
    /// Which sort is shown.
    pub sort: Sort,
    /// Messages of this conversation alone.
    pub inside: Option<u64>,
    /// What was found last.
    pub found: Found,
    /// The chosen row.
    pub at: usize,
    /// Enter was pressed before the answer came: the first of it is opened then.
    pub opens: bool,
    /// Why nothing could be found.
    pub error: Option<String>,
    /// What was asked, while it is on its way; whether it is for more messages.
    asked: Option<(Search, bool)>,
    /// What `found` answers.
    answered: Option<Search>,
}

impl Find {
    /// Looks for these words.
    pub fn of(words: &str, inside: Option<u64>) -> Self {
        let sort = if inside.is_some() { Sort::Messages } else { Sort::All };
        Self { words: Editor::of(words), inside, sort, ..Self::default() }
    }

    /// What can be chosen, in order.
    pub fn rows(&self) -> Vec<Row<'_>> {
        let people = self.found.people.iter().map(Row::Person);
        let groups = self.found.groups.iter().map(Row::Group);
        people.chain(groups).chain(self.found.messages.iter().map(Row::Message)).collect()
    }

    /// Whether an answer is to come.
    pub fn is_busy(&self) -> bool {
        self.asked.is_some()
    }

    /// The next sort, or the one before. In one conversation there are messages alone.
    pub fn turn(&mut self, back: bool) {
        if self.inside.is_none() {
            self.sort = self.sort.next(if back { Sort::ALL.len() - 1 } else { 1 });
            self.at = 0;
        }
    }

    /// Everywhere instead of in the conversation, or the other way round.
    pub fn toggle(&mut self, open: Option<u64>) {
        self.inside = if self.inside.is_some() { None } else { open };
        self.sort = if self.inside.is_some() { Sort::Messages } else { Sort::All };
        self.at = 0;
    }

    /// Moves the choice; true: it came to the end of what is here, and there is more.
    pub fn choose(&mut self, by: isize) -> bool {
        let count = self.rows().len();
        self.at = self.at.saturating_add_signed(by).min(count.saturating_sub(1));
        self.at + 1 >= count && !self.found.next.is_empty()
    }

    /// What is to be asked now, if anything is. Local time is ahead of UTC by so many seconds.
    pub fn ask(&mut self, offset_seconds: i64) -> Option<Search> {
        let wanted = self.wanted(offset_seconds);
        if wanted.is_none() {
            (self.found, self.answered, self.error) = (Found::default(), None, None);
        }
        if self.asked.is_some() || wanted == self.answered {
            return None;
        }
        self.asked = wanted.clone().map(|w| (w, false));
        wanted
    }

    /// What is to be asked for the messages after those that are here.
    pub fn ask_more(&mut self) -> Option<Search> {
        let more = Search { next: self.found.next.clone(), ..self.answered.clone()? };
        if self.asked.is_some() || more.next.is_empty() {
            return None;
        }
        self.asked = Some((more.clone(), true));
        Some(more)
    }

    /// The answer to what was asked.
    pub fn answer(&mut self, result: Result<Found, String>) {
        let Some((asked, more)) = self.asked.take() else { return };
        match result {
            Ok(found) if more => {
                self.found.messages.extend(found.messages);
                self.found.next = found.next;
            }
            Ok(found) => (self.found, self.answered, self.error, self.at) = (found, Some(asked), None, 0),
            // The same is not asked again at once.
            Err(words) => {
                (self.found, self.error) = (Found::default(), Some(words));
                self.answered = (!more).then_some(asked);
            }
        }
    }

    fn wanted(&self, offset_seconds: i64) -> Option<Search> {
        let query = self.words.text().trim().to_owned();
        let only = |sort: Sort| self.sort == sort;
        (!query.is_empty()).then(|| Search {
            query,
            people: only(Sort::People),
            groups: only(Sort::Groups),
            messages: only(Sort::Messages),
            conversation: self.inside.unwrap_or(0),
            utc_offset_min: i32::try_from(offset_seconds / 60).unwrap_or(0),
            limit: if only(Sort::All) { FEW } else { MANY },
            ..Search::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(groups: usize, next: &'static [u8]) -> Found {
        Found { groups: vec![FoundGroup::default(); groups], next: next.into(), ..Found::default() }
    }

    #[test]
    fn one_search_is_on_its_way_and_the_newest_words_are_asked_after_it() {
        let mut find = Find::of("", None);
        assert!(find.ask(0).is_none());
        find.words.insert("a");
        assert_eq!(find.ask(3600).unwrap(), Search { query: "a".into(), utc_offset_min: 60, limit: FEW, ..Search::default() });
        find.words.insert("b");
        assert!(find.ask(3600).is_none(), "the first is on its way");
        find.answer(Ok(found(2, b"")));
        assert_eq!(find.rows().len(), 2);
        assert_eq!(find.ask(3600).unwrap().query, "ab");
        find.answer(Err("no".into()));
        assert_eq!((find.rows().len(), find.error.as_deref()), (0, Some("no")));
        assert!(find.ask(3600).is_none(), "what failed is not asked again by itself");
    }

    #[test]
    fn at_the_end_there_is_more_once() {
        let mut find = Find::of("x", Some(7));
        let asked = find.ask(0).unwrap();
        assert_eq!((asked.conversation, asked.messages), (7, true));
        let page =
            |next: &'static [u8]| Found { messages: vec![FoundMessage::default(); 2], next: next.into(), ..Found::default() };
        find.answer(Ok(page(b"n")));
        assert!(!find.choose(0));
        assert!(find.choose(1));
        assert_eq!(find.ask_more().unwrap().next, &b"n"[..]);
        assert!(find.ask_more().is_none());
        find.answer(Ok(page(b"")));
        assert_eq!((find.rows().len(), find.at), (4, 1));
        assert!(!find.choose(9));
        assert_eq!(find.at, 3);
    }
}
