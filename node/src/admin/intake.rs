//! People from a file or a directory: what would change, the change itself, and the links with which people of a file come in.
//!
//! Owns how a plan is carried out: one command a row, so that each is one recorded act and half a list is no harm. Nothing is
//! kept between looking and doing but in the hands of who looks: the file comes twice, the directory is asked twice, and with it
//! comes what was shown the first time. Links are held in memory for an hour and are nowhere else; whoever loses them makes new ones.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use startalk_domain::{
    Answer, Command,
    accounts::{self, Source},
    administration::{self, Area},
    directory,
};
use startalk_gateway::secrets;
use startalk_intake::{self as intake, Mode, People, Plan, RowError, Step, What};
use startalk_protocol::{
    Code, Error,
    error::Language::{self, Chinese, English},
};
use utoipa::ToSchema;

use super::{
    Backend, Progress,
    directories::Origin,
    http::ErrorBody,
    jobs::{Job, Outcome},
    people::NewLink,
};
use crate::clock;

/// How long the links that a job made can be asked for, milliseconds.
const LINKS_KEPT_MS: u64 = 3_600_000;
/// How long a link is good, in days, unless somebody says otherwise.
pub const LINK_DAYS: u32 = 14;
const DAY_MS: i64 = 86_400_000;

/// A value that becomes different.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChangeShown {
    /// external_id, account, display_name, role, disabled or groups.
    pub column: String,
    pub before: String,
    pub after: String,
}

/// What happens to somebody.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StepShown {
    /// In the file, as a spreadsheet counts, or among the entries of a directory; 0: they are not in it.
    pub row: u32,
    /// add, change, disable, or keep: missing, and left alone because they administer.
    pub what: String,
    /// Before the @.
    pub name: String,
    pub display_name: String,
    pub changes: Vec<ChangeShown>,
}

/// What is wrong with a row.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RowErrorShown {
    pub row: u32,
    /// external_id, account, display_name, role, disabled or groups; null: of the row as a whole.
    pub column: Option<String>,
    /// Who it is about, as far as the row says.
    pub who: String,
    /// A code of federation-spec chapter 6, with parameters.
    pub error: ErrorBody,
    /// In English.
    pub en: String,
    /// 中文。
    pub zh: String,
}

/// What a file or a directory would change.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlanShown {
    /// To be sent back (with the file, if it is one), if this is what is wanted.
    pub digest: String,
    pub added: usize,
    pub changed: usize,
    pub unchanged: usize,
    pub disabled: usize,
    /// Why it cannot be carried out as a whole.
    pub refused: Option<ErrorBody>,
    /// Columns that were not understood.
    pub ignored: Vec<String>,
    pub steps: Vec<StepShown>,
    pub errors: Vec<RowErrorShown>,
}

/// What carrying out has come to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Imported {
    pub job: Job,
    /// Links that can be asked for.
    pub links: usize,
    /// Rows that were shown as possible and were refused all the same.
    pub errors: Vec<RowErrorShown>,
}

/// The ways in of new people.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Links {
    pub items: Vec<NewLink>,
    /// The same for a spreadsheet.
    pub csv: String,
}

/// What a job of this sort leaves behind.
#[derive(Debug, Default)]
pub struct Done {
    links: Vec<NewLink>,
    errors: Vec<RowErrorShown>,
}

impl RowErrorShown {
    fn of(error: RowError) -> Self {
        let RowError { row, column, who, error } = error;
        let column = column.map(|c| c.code().to_owned());
        Self { row, column, who, en: error.words(English), zh: error.words(Chinese), error: error.into() }
    }
}

fn shown(step: Step) -> StepShown {
    let what = match step.what {
        What::Add => "add",
        What::Change => "change",
        What::Disable => "disable",
        What::Keep => "keep",
    };
    let change = |c: intake::Change| ChangeShown { column: c.column.code().into(), before: c.before, after: c.after };
    StepShown {
        row: step.row,
        what: what.into(),
        name: step.name.to_string(),
        display_name: step.display_name,
        changes: step.changes.into_iter().map(change).collect(),
    }
}

impl From<Plan> for PlanShown {
    fn from(plan: Plan) -> Self {
        let [added, changed, disabled] = [What::Add, What::Change, What::Disable].map(|what| plan.count(what));
        Self {
            digest: plan.digest,
            added,
            changed,
            unchanged: plan.unchanged,
            disabled,
            refused: plan.refused.map(Into::into),
            ignored: plan.ignored,
            steps: plan.steps.into_iter().map(shown).collect(),
            errors: plan.errors.into_iter().map(RowErrorShown::of).collect(),
        }
    }
}

fn planned(backend: &Backend, (source, people): &(Source, People), mode: Mode) -> Plan {
    let (store, now_ms) = (&*backend.views.store, clock::now_ms());
    let filler = super::filler(backend);
    let may_power = administration::may(store, backend.by, Area::Node, true, now_ms).is_ok();
    let named: BTreeSet<&str> = people.wanted.iter().flat_map(|w| &w.groups).map(String::as_str).collect();
    let present = intake::present(store, source, filler, &named, may_power, now_ms);
    intake::plan(people, &present, mode)
}

fn read(backend: &Backend, origin: &Origin) -> Result<(Source, People), Error> {
    match origin {
        Origin::File(bytes) => Ok((Source::file(), intake::people(&intake::read(bytes)?)?)),
        Origin::Directory(id) => backend.directories.people(id),
    }
}

/// What a file or a directory would change.
pub(super) fn look(backend: &Backend, origin: &Origin, mode: Mode) -> Result<PlanShown, Error> {
    Ok(planned(backend, &read(backend, origin)?, mode).into())
}

/// The plan, if it is the one that was looked at and may be carried out.
fn agreed(backend: &Backend, origin: &Origin, mode: Mode, digest: &str) -> Result<(Source, Plan), Error> {
    let read = read(backend, origin)?;
    let mut plan = planned(backend, &read, mode);
    if plan.digest != digest {
        return Err(Code::PlanChanged.into());
    }
    plan.refused.take().map_or(Ok((read.0, plan)), Err)
}

/// Carries out what was looked at: a job.
pub(super) fn begin(backend: &Backend, origin: &Origin, mode: Mode, digest: &str, days: u32) -> Result<Job, Error> {
    let (source, plan) = agreed(backend, origin, mode, digest)?;
    check_days(days)?;
    let own = backend.clone();
    backend.jobs.begin("import", move |progress| carry_out(&own, &source, plan, days, progress).map(outcome))
}

/// New links for everybody who came from a file and has never signed in: a job. The links before are void.
pub(super) fn begin_links(backend: &Backend, days: u32) -> Result<Job, Error> {
    check_days(days)?;
    let own = backend.clone();
    backend.jobs.begin("import", move |progress| links_anew(&own, days, progress).map(outcome))
}

fn outcome(done: Done) -> Outcome {
    Outcome { intake: Some(Arc::new(done)), ..Outcome::default() }
}

pub(super) fn check_days(days: u32) -> Result<(), Error> {
    let good = (1..=366).contains(&days);
    if good { Ok(()) } else { Err(Error::new(Code::BadValue).with("field", "link_days").with("expected", "1 to 366")) }
}

/// Row by row. What stops one stops the rest only if it would stop them too; done again, it goes on with the rest. Who comes
/// from a directory needs no link: its password lets them in.
fn carry_out(backend: &Backend, source: &Source, plan: Plan, days: u32, progress: &Progress) -> Result<Done, Error> {
    let (mut done, total) = (Done::default(), plan.steps.len() as u64);
    for (n, step) in (1..).zip(plan.steps) {
        let (row, what, name) = (step.row, step.what, step.name.to_string());
        let who = if step.display_name.is_empty() { name.clone() } else { step.display_name.clone() };
        let is_out = step.arrival.as_ref().is_some_and(|a| a.disabled == Some(true));
        let made = match step.arrival {
            Some(arrival) => backend.command(Command::Arrive(Box::new(arrival))),
            None if what == What::Disable => {
                backend.command(Command::SetAbsent { account: step.account, source: source.clone() })
            }
            None => Ok(Answer::Done),
        };
        let made = match made {
            Ok(Answer::Account { account, .. }) if what == What::Add && !is_out && !source.is_directory() => {
                link(backend, account, days).map(Some)
            }
            other => other.map(|_| None),
        };
        match made {
            Ok(link) => done.links.extend(link),
            Err(error) if stops_all(&error) => return Err(error),
            Err(error) => done.errors.push(RowErrorShown::of(RowError { row, column: None, who, error })),
        }
        progress(n, total);
    }
    Ok(done)
}

fn stops_all(error: &Error) -> bool {
    error.code.retry_helps() || matches!(error.code, Code::NotSignedIn)
}

fn links_anew(backend: &Backend, days: u32, progress: &Progress) -> Result<Done, Error> {
    let store = &*backend.views.store;
    let is_awaited = |number: &u64| {
        let from_file = |a: &accounts::Account| a.external.as_ref().is_some_and(|e| e.source == Source::file().as_str());
        accounts::account(store, *number).is_some_and(|a| a.is_awaited() && from_file(&a))
    };
    let all: Vec<u64> = accounts::list(store).into_iter().filter(is_awaited).collect();
    let (mut done, total) = (Done::default(), all.len() as u64);
    for (n, account) in (1..).zip(all) {
        done.links.push(link(backend, account, days)?);
        progress(n, total);
    }
    Ok(done)
}

/// A link with which somebody signs in once.
pub(super) fn link(backend: &Backend, account: u64, days: u32) -> Result<NewLink, Error> {
    let secret = secrets::invitation(clock::random());
    let token_hash = secrets::sign_in_hash(&secret);
    let command = Command::MakeSignInLink { account, token_hash, valid_ms: i64::from(days) * DAY_MS };
    let Answer::SignInLink { not_after_ms } = backend.command(command)? else { return Err(Code::Internal.into()) };
    let store = &*backend.views.store;
    let user = directory::user_id(store, account).ok_or(Code::NoSuchThing)?;
    let link = secrets::sign_in_link(&backend.public_url, &user.name, &secret);
    let display_name = directory::person(store, account).map(|p| p.profile.display_name.clone()).unwrap_or_default();
    Ok(NewLink { user: user.to_string(), display_name, link, not_after_ms })
}

/// What became of a job.
pub(super) fn outcome_of(backend: &Backend, number: u64) -> Result<Imported, Error> {
    let job = backend.jobs.one(number)?;
    if job.kind != "import" {
        return Err(Code::NoSuchThing.into());
    }
    let done = kept(&job).ok();
    let (links, errors) = done.map_or((0, Vec::new()), |d| (d.links.len(), d.errors.clone()));
    Ok(Imported { job, links, errors })
}

fn kept(job: &Job) -> Result<Arc<Done>, Error> {
    let fresh = job.ended_ms.saturating_add(LINKS_KEPT_MS) > clock::now_ms();
    job.intake.clone().filter(|_| fresh).ok_or_else(|| Code::NoSuchThing.into())
}

/// The links that a job made.
pub(super) fn links_of(backend: &Backend, number: u64, language: Language) -> Result<Links, Error> {
    let done = kept(&backend.jobs.one(number)?)?;
    Ok(Links { csv: csv(&done.links, language), items: done.links.clone() })
}

fn csv(links: &[NewLink], language: Language) -> String {
    let row = |l: &NewLink| intake::Link {
        user: l.user.clone(),
        display_name: l.display_name.clone(),
        link: l.link.clone(),
        until: intake::day(l.not_after_ms),
    };
    intake::links(&links.iter().map(row).collect::<Vec<_>>(), language)
}

/// For the command line: what a file or a directory would change, and, unless it is only looked at, what changing it came to.
pub(super) fn at_once(
    backend: &Backend,
    origin: &Origin,
    mode: Mode,
    apply: Option<u32>,
    language: Language,
    progress: &Progress,
) -> Result<serde_json::Value, Error> {
    let read = read(backend, origin)?;
    let plan = planned(backend, &read, mode);
    let shown = super::value(PlanShown::from(plan.clone()));
    let Some(days) = apply else { return Ok(serde_json::json!({ "plan": shown })) };
    check_days(days)?;
    if let Some(refused) = plan.refused {
        return Err(refused);
    }
    let done = carry_out(backend, &read.0, plan, days, progress)?;
    let links = (!done.links.is_empty()).then(|| csv(&done.links, language));
    Ok(serde_json::json!({ "plan": shown, "refused_rows": done.errors, "made": done.links.len(), "links": links }))
}

/// For the command line: links for all who have never signed in.
pub(super) fn links_at_once(
    backend: &Backend,
    days: u32,
    language: Language,
    progress: &Progress,
) -> Result<serde_json::Value, Error> {
    check_days(days)?;
    let done = links_anew(backend, days, progress)?;
    Ok(serde_json::json!({ "made": done.links.len(), "links": csv(&done.links, language) }))
}
