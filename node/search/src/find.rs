//! Asking: people, groups and messages that this account may see, the newest first.
//!
//! Every hit is read from the journal as it is now before it is given out, by the same rule as a page of history; rights
//! were part of the query already.

use std::{collections::HashMap, ops::Bound, ops::Range, sync::Arc};

use startalk_domain::{accounts, contacts, conversations, directory, groups, sync};
use startalk_protocol::{Code, Error, UserId};
use tantivy::{
    Term,
    query::{BooleanQuery, InvertedIndexRangeQuery, Occur, PhraseQuery, Query, TermQuery},
    schema::{Field, IndexRecordOption},
};

use crate::{
    ask::{self, Typed},
    collect::{Newest, Rights, Subjects},
    cut::{Piece, pieces},
    index::{self, Fields},
    names,
    search::Search,
    shows::{self, Excerpt},
    text,
};

/// Pieces of a search that are looked at.
const PIECES_MAX: usize = 16;
/// Hits of one page at most, of each sort.
pub const PAGE_MAX: usize = 50;
/// Conversations of an account that are made part of the query; of more, each hit is asked for its conversation.
const CONVERSATIONS_IN_QUERY: usize = 64;
/// Names that are compared for the best ones.
const NAMES_MAX: usize = 2_000;
/// Words of the index that a beginning may stand for, in each segment.
const BEGINNINGS_MAX: u64 = 2_000;
/// Rounds in which hits are replaced that turned out to be changed a moment ago, or not to be this reader's.
const ROUNDS: usize = 5;
/// From this one on nothing comes that is not this reader's.
const THOROUGH_ROUND: usize = 2;
/// Hits taken in one round at least.
const HITS_AT_ONCE: usize = 64;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// As it was typed.
    pub query: String,
    /// Only these sorts; none: all.
    pub people: bool,
    pub groups: bool,
    pub messages: bool,
    /// Only messages of this conversation, and of people only its members, when they are asked for; 0: all.
    pub conversation: u64,
    /// As `from:`.
    pub from: String,
    /// As `kind:`.
    pub kind: String,
    /// Milliseconds since 1970; 0: no bound.
    pub after_ms: i64,
    pub before_ms: i64,
    /// For dates in the query.
    pub utc_offset_min: i32,
    /// 0: as many as fit.
    pub limit: usize,
    /// Where the page before ended.
    pub next: Vec<u8>,
}

/// Where a message stands among hits: later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// Its conversation.
    pub conversation: u64,
    /// Its number there.
    pub sequence: u64,
}

impl Place {
    fn write(&self) -> Vec<u8> {
        [self.time_ms, self.conversation, self.sequence].iter().flat_map(|n| n.to_be_bytes()).collect()
    }

    /// From a token made by [`Found::next`].
    ///
    /// # Errors
    /// `malformed` for any other length.
    pub fn read(token: &[u8]) -> Result<Self, Error> {
        let whole: [u8; 24] =
            token.try_into().map_err(|_| Error::new(Code::Malformed).with("expected", "where the page before ended"))?;
        let number = |at: usize| u64::from_be_bytes(whole[at * 8..at * 8 + 8].try_into().expect("eight bytes"));
        Ok(Self { time_ms: number(0), conversation: number(1), sequence: number(2) })
    }
}

/// Somebody found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundPerson {
    /// Their number.
    pub person: u64,
    /// Who.
    pub user: UserId,
    /// What they call themselves.
    pub display_name: String,
    /// Places in the display name, or if it is empty in the id.
    pub ranges: Vec<Range<u32>>,
    /// The conversation with them; 0: none yet.
    pub conversation: u64,
    /// What the account itself calls them; empty: nothing.
    pub remark: String,
    /// Places in it.
    pub remark_ranges: Vec<Range<u32>>,
}

/// A group found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundGroup {
    /// Its conversation.
    pub conversation: u64,
    /// Its name.
    pub name: String,
    /// Places in it.
    pub ranges: Vec<Range<u32>>,
    /// How many are in.
    pub members: u64,
}

/// A message found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundMessage {
    /// Where it is.
    pub conversation: u64,
    /// As it is now, for this reader.
    pub message: conversations::Message,
    /// The part that shows why.
    pub excerpt: Excerpt,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Best first.
    pub people: Vec<FoundPerson>,
    /// Best first.
    pub groups: Vec<FoundGroup>,
    /// Newest first.
    pub messages: Vec<FoundMessage>,
    /// For the next page of messages; empty: there is none.
    pub next: Vec<u8>,
    /// Percent, while the index is being built and may lack something.
    pub building: Option<u8>,
}

impl Search {
    /// Searches for this account.
    ///
    /// # Errors
    /// What is wrong with the question, or `internal` when the index cannot be read; it is built again then.
    pub fn find(&self, account: u64, question: &Question) -> Result<Found, Error> {
        let mut typed = ask::parse(&question.query, question.utc_offset_min)?;
        if !question.from.is_empty() {
            typed.from = vec![question.from.clone()];
        }
        if !question.kind.is_empty() {
            typed.kind.clone_from(&question.kind);
        }
        typed.after_ms = (question.after_ms > 0).then_some(question.after_ms).or(typed.after_ms);
        typed.before_ms = (question.before_ms > 0).then_some(question.before_ms).or(typed.before_ms);
        let beyond = if question.next.is_empty() { None } else { Some(Place::read(&question.next)?) };
        let mut found = Found { building: self.building(), ..Found::default() };
        let Some((searcher, fields)) = self.searcher().map_err(broken)? else {
            found.building = found.building.or(Some(0));
            return Ok(found);
        };
        let rights = Arc::new(Rights::of(&self.shared.views, account));
        let asking = Asking { search: self, searcher, fields, account, rights };
        let limit = if question.limit == 0 { 20 } else { question.limit.min(PAGE_MAX) };
        let all = !(question.people || question.groups || question.messages);
        let pieces = pieces(&typed.words, PIECES_MAX);
        let filtered = !typed.from.is_empty() || !typed.inside.is_empty() || !typed.kind.is_empty();
        let named = !filtered && !pieces.is_empty();
        if named && question.conversation != 0 && question.people {
            found.people = asking.people(&asking.members(question.conversation, &pieces)?, &pieces, limit);
        }
        if named && question.conversation == 0 && (all || question.people || question.groups) {
            let subjects = asking.subjects(&pieces)?;
            if all || question.people {
                found.people = asking.people(&subjects, &pieces, limit);
            }
            if all || question.groups {
                found.groups = asking.groups(&subjects, &pieces, limit);
            }
        }
        if all || question.messages {
            asking.messages(&typed, &pieces, question.conversation, beyond, limit, &mut found)?;
        }
        Ok(found)
    }
}

fn broken(error: tantivy::TantivyError) -> Error {
    tracing::warn!("the search index cannot be read: {error}");
    Code::Internal.into()
}

struct Asking<'a> {
    search: &'a Search,
    searcher: tantivy::Searcher,
    fields: Fields,
    account: u64,
    rights: Arc<Rights>,
}

impl Asking<'_> {
    fn store(&self) -> &startalk_domain::store::Store {
        &self.search.shared.views.store
    }

    fn messages(
        &self,
        typed: &Typed,
        pieces: &[Piece],
        conversation: u64,
        mut beyond: Option<Place>,
        limit: usize,
        found: &mut Found,
    ) -> Result<(), Error> {
        let Some(query) = self.query(typed, pieces, conversation)? else { return Ok(()) };
        let bound = |ms: Option<i64>, none: u64| ms.map_or(none, |ms| u64::try_from(ms).unwrap_or(0));
        let time = (bound(typed.after_ms, 0), bound(typed.before_ms, u64::MAX));
        // Where the page ended says nothing of what lies between: it is a place that was shown.
        let mut shown = beyond;
        for round in 0..ROUNDS {
            let at_once = HITS_AT_ONCE.max(limit + 1);
            let newest = Newest { rights: self.rights.clone(), limit: at_once, beyond, time, thorough: round >= THOROUGH_ROUND };
            let hits = self.searcher.search(&query, &newest).map_err(broken)?;
            let more = hits.len() == at_once;
            for hit in hits {
                beyond = Some(hit.place);
                if !self.rights.may_read(&hit) {
                    continue;
                }
                if found.messages.len() == limit {
                    found.next = shown.map(|s| s.write()).unwrap_or_default();
                    return Ok(());
                }
                shown = beyond;
                found.messages.extend(self.message(hit.place, pieces));
            }
            if !more {
                return Ok(());
            }
        }
        found.next = shown.map(|s| s.write()).unwrap_or_default();
        Ok(())
    }

    /// The message as it is now; `None` if it is not any more what was found.
    fn message(&self, place: Place, pieces: &[Piece]) -> Option<FoundMessage> {
        let views = &self.search.shared.views;
        let (conversation, sequence) = (place.conversation, place.sequence);
        let message = conversations::single_for(&views.store, &*views.journal, self.account, conversation, sequence)?;
        let searched = text::of(message.content.as_deref()?)?;
        let excerpt = shows::excerpt(&searched.text, &shows::ranges(&searched.text, pieces)?);
        Some(FoundMessage { conversation, message, excerpt })
    }

    /// `None` if nothing can be found.
    fn query(&self, typed: &Typed, pieces: &[Piece], conversation: u64) -> Result<Option<BooleanQuery>, Error> {
        let f = &self.fields;
        let mut all: Vec<Box<dyn Query>> = pieces.iter().map(|p| in_text(f.text, p)).collect();
        if !typed.from.is_empty() {
            let authors = self.persons_named(&typed.from)?;
            all.push(any(authors.into_iter().map(|a| Term::from_field_u64(f.author, a))));
        }
        if !typed.kind.is_empty() {
            let number = text::KINDS.iter().find(|k| k.0 == typed.kind).map(|k| k.1);
            let expected = "text, code, link or other";
            let bad = || Error::new(Code::BadValue).with("field", "kind").with("expected", expected);
            all.push(any([Term::from_field_u64(f.kind, number.ok_or_else(bad)?)].into_iter()));
        }
        let nothing = all.is_empty() && typed.after_ms.is_none() && typed.before_ms.is_none();
        if nothing {
            return Ok(None);
        }
        let mut inside: Option<Vec<u64>> = (conversation != 0).then(|| vec![conversation]);
        if !typed.inside.is_empty() {
            let named = self.conversations_named(&typed.inside)?;
            inside = Some(inside.map_or_else(|| named.clone(), |i| i.into_iter().filter(|c| named.contains(c)).collect()));
        }
        let own = self.rights.conversations();
        match inside {
            Some(mut inside) => {
                inside.retain(|c| own.contains(c));
                all.push(any(inside.into_iter().map(|c| Term::from_field_u64(f.conversation, c))));
            }
            None if own.len() <= CONVERSATIONS_IN_QUERY => {
                all.push(any(own.iter().map(|c| Term::from_field_u64(f.conversation, *c))));
            }
            None if all.is_empty() => all.push(Box::new(tantivy::query::AllQuery)),
            None => {}
        }
        Ok(Some(BooleanQuery::new(all.into_iter().map(|q| (Occur::Must, q)).collect())))
    }

    /// Subjects with such a name that are this account's to find.
    fn subjects(&self, pieces: &[Piece]) -> Result<Vec<u64>, Error> {
        let views = self.search.shared.views.clone();
        let (findable, account) = (contacts::findable(&*views.store, self.account), self.account);
        let rights = self.rights.clone();
        let allowed = move |subject: u64| {
            let number = subject >> 1;
            if subject == index::person(number) {
                return findable.has(&*views.store, number);
            }
            rights.conversations().contains(&number) && groups::of_reader(&views.store.snapshot(), number, account).is_ok()
        };
        self.with_names(pieces, allowed, |_| true)
    }

    /// Members of a group with such a name, as far as this account may know who they are: while it is in it.
    fn members(&self, conversation: u64, pieces: &[Piece]) -> Result<Vec<u64>, Error> {
        let views = self.search.shared.views.clone();
        if !self.rights.conversations().contains(&conversation) || !groups::is_member(&*views.store, conversation, self.account) {
            return Ok(Vec::new());
        }
        let is_in = move |number: u64| groups::is_member(&*views.store, conversation, number);
        let allowed = is_in.clone();
        self.with_names(pieces, move |subject| subject == index::person(subject >> 1) && allowed(subject >> 1), is_in)
    }

    /// Subjects that are called so by themselves, as far as they are `allowed`; and persons whom this account calls so, as far
    /// as they are `wanted`: these it knows already.
    fn with_names(
        &self,
        pieces: &[Piece],
        allowed: impl Fn(u64) -> bool + Send + Sync + 'static,
        wanted: impl Fn(u64) -> bool,
    ) -> Result<Vec<u64>, Error> {
        let query = BooleanQuery::new(pieces.iter().map(|p| (Occur::Must, in_name(self.fields.name, p))).collect());
        let subjects = Subjects { allowed: Arc::new(allowed), limit: NAMES_MAX };
        let mut all = self.searcher.search(&query, &subjects).map_err(broken)?;
        for subject in self.remarked(pieces) {
            if wanted(subject >> 1) && !all.contains(&subject) {
                all.push(subject);
            }
        }
        Ok(all)
    }

    /// Persons whom the account itself calls so. Remarks are in no index: they are nobody else's to find.
    fn remarked(&self, pieces: &[Piece]) -> Vec<u64> {
        let mut all = contacts::all_kept(self.store(), self.account);
        let meant = |remark: &str| pieces.iter().all(|p| !places(remark, std::slice::from_ref(p)).is_empty());
        all.retain(|k| !k.remark.is_empty() && !directory::is_gone(self.store(), k.person) && meant(&k.remark));
        all.into_iter().map(|k| index::person(k.person)).collect()
    }

    fn people(&self, subjects: &[u64], pieces: &[Piece], limit: usize) -> Vec<FoundPerson> {
        let store = self.store();
        let mut all: Vec<(u32, u64, FoundPerson)> = Vec::new();
        for number in subjects.iter().filter(|s| **s == index::person(**s >> 1)).map(|s| s >> 1) {
            let Some(user) = directory::user_id(store, number) else { continue };
            let display_name = directory::person(store, number).map(|p| p.profile.display_name.clone()).unwrap_or_default();
            let conversation = conversations::between(store, self.account, number).unwrap_or(0);
            let shown = if display_name.is_empty() { user.to_string() } else { display_name.clone() };
            let ranges = places(&shown, pieces);
            let remark = contacts::kept(store, self.account, number).map(|k| k.remark).unwrap_or_default();
            let remark_ranges = places(&remark, pieces);
            let mut rank = rank(&shown, user.name.as_str(), &ranges, pieces);
            if !remark.is_empty() {
                rank = rank.min(self::rank(&remark, user.name.as_str(), &remark_ranges, pieces));
            }
            let last = startalk_domain::timeline::head(store, conversation).position;
            let person = FoundPerson { person: number, user, display_name, ranges, conversation, remark, remark_ranges };
            all.push((rank, u64::MAX - last, person));
        }
        all.sort_by(|a, b| (a.0, a.1, a.2.user.name.as_str()).cmp(&(b.0, b.1, b.2.user.name.as_str())));
        all.into_iter().take(limit).map(|(_, _, p)| p).collect()
    }

    fn groups(&self, subjects: &[u64], pieces: &[Piece], limit: usize) -> Vec<FoundGroup> {
        let store = self.store();
        let mut all: Vec<(u32, u64, FoundGroup)> = Vec::new();
        for conversation in subjects.iter().filter(|s| **s == index::group(**s >> 1)).map(|s| s >> 1) {
            let Ok(sync::View::Group(view)) = sync::view(&store.snapshot(), self.account, conversation) else { continue };
            let name = view.group.name.clone();
            let ranges = places(&name, pieces);
            let rank = rank(&name, "", &ranges, pieces);
            let last = startalk_domain::timeline::head(store, conversation).position;
            all.push((rank, u64::MAX - last, FoundGroup { conversation, name, ranges, members: view.group.members }));
        }
        all.sort_by_key(|a| (a.0, a.1));
        all.into_iter().take(limit).map(|(_, _, g)| g).collect()
    }

    /// Numbers of those meant by `from:`.
    fn persons_named(&self, all: &[String]) -> Result<Vec<u64>, Error> {
        let store = self.store();
        let mut out = Vec::new();
        for name in all {
            if matches!(name.as_str(), "me" | "我") {
                out.push(self.account);
                continue;
            }
            let subjects = self.subjects(&pieces(name, PIECES_MAX))?;
            let persons = subjects.iter().filter(|s| **s == index::person(**s >> 1)).map(|s| s >> 1);
            let named: Vec<u64> = persons.collect();
            let user = |n: &u64| directory::user_id(store, *n).is_some_and(|u| u.to_string() == *name || u.name.as_str() == name);
            let exact: Vec<u64> = named.iter().copied().filter(user).collect();
            out.extend(if exact.is_empty() { named } else { exact });
        }
        Ok(out)
    }

    /// Numbers of those meant by `in:`.
    fn conversations_named(&self, all: &[String]) -> Result<Vec<u64>, Error> {
        let mut out = Vec::new();
        for name in all {
            let subjects = self.subjects(&pieces(name, PIECES_MAX))?;
            out.extend(subjects.iter().filter_map(|s| {
                let number = s >> 1;
                let is_person = *s == index::person(number);
                if is_person { conversations::between(self.store(), self.account, number) } else { Some(number) }
            }));
        }
        Ok(out)
    }
}

/// Whether an account may search at all.
pub fn may_search(views: &startalk_domain::Views, account: u64) -> bool {
    accounts::account(&*views.store, account).is_some_and(|a| a.is_live())
}

/// Less is better: the id itself, the name from its beginning, within it, by pinyin or in the id.
fn rank(shown: &str, id: &str, ranges: &[Range<u32>], pieces: &[Piece]) -> u32 {
    let whole = matches!(pieces, [Piece::Word(word)] if *word == id);
    let written = shows::ranges(shown, pieces).is_some();
    match (whole, written, ranges.first().is_some_and(|r| r.start == 0)) {
        (true, ..) => 0,
        (_, true, true) => 1,
        (_, true, _) => 2,
        (_, _, true) => 3,
        _ => 4,
    }
}

/// Places in a name, as it is written or as it is read.
fn places(name: &str, pieces: &[Piece]) -> Vec<Range<u32>> {
    let of_piece = |piece: &Piece| {
        shows::ranges(name, std::slice::from_ref(piece)).or_else(|| match piece {
            Piece::Word(word) => names::read_as(name, word).map(|(from, count)| std::iter::once(from..from + count).collect()),
            Piece::Run(_) => None,
        })
    };
    let mut all: Vec<Range<u32>> = pieces.iter().filter_map(of_piece).flatten().collect();
    all.sort_by_key(|r| (r.start, r.end));
    all.dedup();
    let mut seen: HashMap<u32, ()> = HashMap::new();
    all.retain(|r| (r.start..r.end).all(|c| seen.insert(c, ()).is_none()));
    all
}

fn any(terms: impl Iterator<Item = Term>) -> Box<dyn Query> {
    Box::new(BooleanQuery::new(terms.map(|t| (Occur::Should, is(t))).collect()))
}

fn is(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

fn pair(field: Field, run: &[char]) -> Term {
    Term::from_field_text(field, &run.iter().take(2).collect::<String>())
}

fn in_text(field: Field, piece: &Piece) -> Box<dyn Query> {
    match piece {
        Piece::Word(word) => begins(field, word),
        Piece::Run(run) if run.len() == 1 => begins(field, &run[0].to_string()),
        Piece::Run(run) if run.len() == 2 => is(pair(field, run)),
        Piece::Run(run) => {
            // Every second pair, and the last: together they cover the run.
            let starts = (0..run.len() - 1).filter(|at| at % 2 == 0 || *at == run.len() - 2);
            Box::new(PhraseQuery::new_with_offset(starts.map(|at| (at, pair(field, &run[at..]))).collect()))
        }
    }
}

fn in_name(field: Field, piece: &Piece) -> Box<dyn Query> {
    match piece {
        Piece::Word(word) => begins(field, word),
        Piece::Run(run) if run.len() == 1 => begins(field, &run[0].to_string()),
        Piece::Run(run) => {
            let pairs = run.windows(2).map(|w| (Occur::Must, is(pair(field, w))));
            Box::new(BooleanQuery::new(pairs.collect()))
        }
    }
}

/// Words that begin so.
fn begins(field: Field, beginning: &str) -> Box<dyn Query> {
    let mut after: Vec<char> = beginning.chars().collect();
    let next = after.pop().and_then(|c| (c as u32 + 1..=0x10_ffff).find_map(char::from_u32));
    let upper = match next {
        Some(next) => {
            after.push(next);
            Bound::Excluded(Term::from_field_text(field, &after.iter().collect::<String>()))
        }
        None => Bound::Unbounded,
    };
    let mut query = InvertedIndexRangeQuery::new(Bound::Included(Term::from_field_text(field, beginning)), upper);
    query.limit(BEGINNINGS_MAX);
    Box::new(query)
}
