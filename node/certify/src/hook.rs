//! The program that sets records in DNS: `PROGRAM present|cleanup NAME VALUE`, run without a shell. Its standard error is read,
//! and quoted if it fails; it is ended when it takes too long.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{io::AsyncReadExt as _, process::Command};

use crate::failure::{Failure, Words};

/// Setting a record, and waiting until it is seen everywhere.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Of its standard error, so many bytes are kept.
const SAID_BYTES_MAX: u64 = 2048;

/// Runs it; `verb` is `present` or `cleanup`, `name` what the record is called, `value` what the TXT record says.
pub(crate) async fn run(program: &Path, verb: &str, name: &str, value: &str) -> Result<(), Failure> {
    let failed = |en: String, zh: String| Failure::Hook(Words { en, zh });
    let mut command = Command::new(program);
    command.args([verb, name, value]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let (shown, cannot) = (program.display(), |e: std::io::Error| e.to_string());
    let mut process = command
        .spawn()
        .map_err(cannot)
        .map_err(|e| failed(format!("{shown} cannot be run: {e}"), format!("{shown} 无法运行：{e}")))?;
    let stderr = process.stderr.take();
    let work = async {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            (&mut stderr).take(SAID_BYTES_MAX).read_to_end(&mut said).await?;
            tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?; // it must not wait for us
        }
        Ok::<_, std::io::Error>((process.wait().await?, said))
    };
    match tokio::time::timeout(TIMEOUT, work).await {
        Ok(Ok((status, _))) if status.success() => Ok(()),
        Ok(Ok((status, said))) => {
            let said = String::from_utf8_lossy(&said);
            Err(failed(format!("{shown} {verb}: {status}: {said}"), format!("{shown} {verb}：{status}：{said}")))
        }
        Ok(Err(e)) => Err(failed(format!("{shown}: {e}"), format!("{shown}：{e}"))),
        Err(_) => Err(failed(format!("{shown} {verb} takes too long"), format!("{shown} {verb} 用时过长"))),
    }
}
