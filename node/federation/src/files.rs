//! Bytes of files for other domains: whether they may have them is the domain's word, where they are is the program's.
//! federation-spec/08-files.md

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::files;
use startalk_protocol::{
    Code, Error, limits,
    pb::group::{Answer, FileBytes, FileRange, answer},
};

use crate::shared::Shared;

/// The answer to a question for a stretch of a file.
pub(crate) async fn answer(shared: &Shared, peer: u64, group: String, asked: FileRange) -> Result<Bytes, Error> {
    let (views, offset) = (shared.config.views.clone(), asked.offset);
    let wanted = usize::try_from(asked.length).unwrap_or(usize::MAX).min(limits::LINK_FILE_BYTES_MAX);
    // Rights are asked for each stretch: a message may be taken back while its file is on its way.
    let here = tokio::task::spawn_blocking(move || files::for_peer(&views, peer, &group, &asked)).await;
    let here = here.map_err(|_| Code::Internal)??;
    let expected = (here.size.saturating_sub(offset)).min(wanted as u64);
    let bytes = if expected == 0 { Bytes::new() } else { (shared.config.read_file)(here, offset, wanted).await? };
    if bytes.len() as u64 != expected {
        return Err(Code::Internal.into()); // the store has not what the journal says
    }
    Ok(Answer { answer: Some(answer::Answer::File(FileBytes { bytes })) }.encode_to_vec().into())
}
