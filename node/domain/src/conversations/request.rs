//! First contact from another domain: it waits until the person decides.

use startalk_protocol::{Code, Error, pb::events as pb};

use super::{Direct, of_member};
use crate::{
    accounts,
    command::Answer,
    event::Event,
    store::{New, Tx},
};

/// Messages that a stranger may leave before the person decides.
pub(super) const MESSAGES_MAX: u32 = 20;

pub(crate) fn decide(tx: &mut Tx, account: u64, conversation: u64, accepted: bool) -> Result<Answer, Error> {
    let direct = of_member(tx, conversation, account)?;
    if direct.a != account || !(direct.request || direct.refused) {
        return Err(Error::new(Code::NotAllowedHere).with("what", "deciding what is no request"));
    }
    if direct.request || accepted {
        emit(tx, &direct, accepted);
    }
    Ok(Answer::Done)
}

pub(super) fn accept(tx: &mut Tx, direct: &Direct) {
    emit(tx, direct, true);
}

fn emit(tx: &mut Tx, direct: &Direct, accepted: bool) {
    let stream = accounts::account(tx, direct.a).map_or(0, |a| a.stream);
    let facts = pb::RequestDecided { conversation: direct.conversation, account: direct.a, accepted };
    tx.emit(New { conversation: stream, event: Event::RequestDecided(facts, None) });
}
