//! Somebody looks at a candidate before it has traffic.

use super::stage::Stage;
use super::until;
use crate::releases::ToldVerdict;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long somebody looks. Then a late call can make the preview's rule for a short time only.
const LOOKS: Duration = Duration::from_secs(25);

/// Longer than an installation takes.
const INSTALLED: Duration = Duration::from_secs(60);

/// So many answers in a row come from every node.
const IN_A_ROW: usize = 20;

/// Which release answers through the load balancer, with the preview's header or without one.
async fn answers(stage: &Stage<'_>, header: Option<&str>) -> Result<Option<u32>> {
    let mut stream = TcpStream::connect(stage.cloud().traffic.address()).await?;
    let header = header.map(|value| format!("X-Greenlight-Preview: {value}\r\n")).unwrap_or_default();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nUser-Agent: somebody\r\n{header}Connection: close\r\n\r\n",
        stage.host()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    Ok(answer.lines().find_map(|line| line.strip_prefix("x-release: ")?.trim().parse().ok()))
}

pub(super) async fn somebody_looks(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let live = stage.live().await?;
    let upload = stage.push(0).await?;
    stage.reaches("installing").await?;
    let answer = stage.command("preview").await?;
    let value = answer["preview"]["value"].as_str().with_context(|| format!("no header: {answer}"))?;
    let candidate = Some(upload.number);
    // Each node of the load balancer learns of the rule at its own time.
    until("the candidate answers by the header, again and again", INSTALLED, || async {
        for _ in 0..IN_A_ROW {
            if answers(stage, Some(value)).await? != candidate {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await?;
    stage.display().line("the candidate answers by the preview's header");
    let group = stage.product().target_group(stage.service(), &live.colour)?.to_owned();
    let began = tokio::time::Instant::now();
    while began.elapsed() < LOOKS {
        ensure!(answers(stage, Some(value)).await? == candidate, "the preview is over before it was ended");
        for header in [None, Some("0123456789abcdef0123456789abcdef")] {
            let answered = answers(stage, header).await?;
            ensure!(answered == Some(live.number), "release {answered:?} answers with {header:?}");
        }
        ensure!(stage.carries_all(&group), "the candidate has weight while its preview stands");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let answer = stage.command("resume").await?;
    ensure!(answer["changed"] == true, "{answer}");
    let ended = stage.ended(&upload).await?;
    Ok(Some(ended))
}
