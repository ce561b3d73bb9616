//! Who says something to whom, and what of it has arrived: between the troubles and through them.
//!
//! A voice says on until enough is under way. Whoever holds its turn keeps it silent.

use std::{sync::Arc, time::Duration};

use startalk_client::content;
use startalk_e2e::{Person, Tally};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::JoinHandle,
};

/// Messages of one voice under way above which it says nothing more.
const UNDER_WAY_MAX: u64 = 60;
/// Between two messages: the load is to be mixed, and not a measurement.
const BREATH: Duration = Duration::from_millis(5);

/// Somebody who says things to one other.
pub struct Voice {
    /// Who.
    pub from: Arc<Person>,
    /// To whom.
    pub to: Arc<Person>,
    turn: Arc<Mutex<()>>,
    talking: Option<JoinHandle<()>>,
}

impl Voice {
    /// One that says only what it is told to.
    pub fn quiet(from: &Arc<Person>, to: &Arc<Person>) -> Self {
        Self { from: from.clone(), to: to.clone(), turn: Arc::default(), talking: None }
    }

    /// One that talks until it is dropped.
    pub fn talking(from: &Arc<Person>, to: &Arc<Person>) -> Self {
        let mut voice = Self::quiet(from, to);
        let (from, to, turn) = (from.clone(), to.clone(), voice.turn.clone());
        voice.talking = Some(tokio::spawn(async move {
            loop {
                let its = turn.lock().await;
                if under_way(&from, &to) < UNDER_WAY_MAX {
                    // What its device does not take is said again.
                    let _ = from.say(&to.user).await;
                }
                drop(its);
                tokio::time::sleep(BREATH).await;
            }
        }));
        voice
    }

    /// It is silent as long as this is kept.
    pub async fn silence(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    /// How much of what was said has arrived.
    pub fn arrived(&self) -> u64 {
        arrived(&self.from, &self.to)
    }

    /// How much has not.
    pub fn under_way(&self) -> u64 {
        under_way(&self.from, &self.to)
    }

    /// How much the node has not answered.
    pub fn unanswered(&self) -> u64 {
        self.from.session.status().pending as u64
    }

    /// What is wrong with what arrived, in words.
    pub fn wrong(&self) -> Vec<String> {
        let said = self.from.said.lock().map(|said| said.clone()).unwrap_or_default();
        let what = format!("{} to {}", self.from.user.name, self.to.user.name);
        let wrong = self.to.tally(&self.from.user).wrong(&said).into_iter();
        wrong.map(|wrong| format!("{what}: {wrong}")).collect()
    }

    /// Forgets what was said and heard; numbers begin at 1 again. How many it was.
    pub fn forget(&self) -> u64 {
        self.to.with(|heard| heard.from.remove(&self.from.user.to_string()));
        let said = self.from.said.lock().map(|mut said| std::mem::take(&mut *said)).unwrap_or_default();
        said.len() as u64
    }

    /// Says a text of so many bytes.
    ///
    /// # Errors
    /// If the device does not take it.
    pub async fn say_large(&self, bytes: usize) -> anyhow::Result<()> {
        let number = self.from.said_count() + 1;
        let text = format!("{} {number}: {}", self.from.user.name, "x".repeat(bytes));
        self.from.session.send(self.to.user.clone(), content::text(&text), bytes::Bytes::new()).await?;
        if let Ok(mut said) = self.from.said.lock() {
            said.push(text);
        }
        Ok(())
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        if let Some(talking) = &self.talking {
            talking.abort();
        }
    }
}

fn arrived(from: &Person, to: &Person) -> u64 {
    to.with(|heard| heard.from.get(&from.user.to_string()).map_or(0, Tally::count))
}

fn under_way(from: &Person, to: &Person) -> u64 {
    from.said_count().saturating_sub(arrived(from, to))
}
