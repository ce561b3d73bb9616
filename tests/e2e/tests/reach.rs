//! Whether a domain can be reached, walked step by step: by its own node through a hub, by a hub for whoever asks, and from a
//! machine without a node. What is in the way is named.

use anyhow::Context as _;
use serde_json::Value;
use startalk_e2e::{Node, World, until};

/// `(check, state)` of each finding, in order.
fn states(answer: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    answer["findings"].as_array().into_iter().flatten().map(|f| (text(&f["check"]), text(&f["state"]))).collect()
}

fn words<'a>(answer: &'a Value, check: &str) -> &'a str {
    let mut all = answer["findings"].as_array().into_iter().flatten();
    all.find(|f| f["check"] == check).and_then(|f| f["words"]["en"].as_str()).unwrap_or_default()
}

fn expect(answer: &Value, wanted: &[(&str, &str)]) -> anyhow::Result<()> {
    let seen = states(answer);
    let seen: Vec<(&str, &str)> = seen.iter().map(|(check, state)| (check.as_str(), state.as_str())).collect();
    anyhow::ensure!(seen == wanted, "{answer:#}");
    Ok(())
}

fn walk(from: &Node, domain: &str, hub: &str) -> anyhow::Result<Value> {
    // A name server that answers nothing: nobody outside this machine is asked.
    from.ask(&["doctor", "--domain", domain, "--hub", hub, "--allow-private-addresses", "--name-server", "127.0.0.1:1"])
}

/// What a hub answers: status and text.
fn get(url: &str, language: &str) -> anyhow::Result<(String, String)> {
    let asked = std::process::Command::new("curl")
        .args([
            "-sS",
            "--insecure",
            "--max-time",
            "30",
            "-H",
            &format!("accept-language: {language}"),
            "-w",
            "\n%{http_code}",
            url,
        ])
        .output()?;
    let said = String::from_utf8(asked.stdout)?;
    let (text, status) = said.rsplit_once('\n').context("a status")?;
    Ok((status.to_owned(), text.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_to_a_server_is_walked_and_what_is_in_the_way_is_named() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut a = world.node("a")?;
    let hub = world.hub_url.split('#').next().unwrap_or_default().to_owned();
    let domain = a.domain.clone();
    let good = [("name", "good"), ("record", "good"), ("quic", "good"), ("tls", "good"), ("browser", "warning")];
    until("the hub to know it", async || {
        let found = walk(&a, &domain, &world.hub_url).map(|w| words(&w, "name").contains("is found")).unwrap_or_default();
        (found, u64::from(found))
    })
    .await?;

    // From here; a self-made certificate is no obstacle but for browsers.
    let walked = walk(&a, &domain, &world.hub_url)?;
    expect(&walked, &good)?;
    anyhow::ensure!(words(&walked, "browser").contains("--acme"), "{walked:#}");

    // By its own node, which asks the hub.
    let own = a.ask(&["doctor"])?;
    let outside: Vec<_> = states(&own).into_iter().filter(|(check, _)| check == "outside").map(|(_, state)| state).collect();
    anyhow::ensure!(outside == good.map(|(_, state)| state), "{own:#}");

    // By the hub, for whoever asks.
    let (status, page) = get(&format!("{hub}/check?domain=alice@{domain}"), "zh")?;
    anyhow::ensure!(
        status == "200" && page.contains("可以到达") && page.matches("class=\"good\"").count() == 4,
        "{status} {page}"
    );
    let (status, _) = get(&format!("{hub}/v1/check/{domain}"), "en")?;
    anyhow::ensure!(status == "200", "{status}");
    let (status, page) = get(&format!("{hub}/check?domain=%3Cb%3Enobody.example"), "en")?;
    anyhow::ensure!(status == "404" && page.contains("--via") && !page.contains("<b>nobody"), "{status} {page}");
    for _ in 0..6 {
        let _ = get(&format!("{hub}/v1/check/{domain}"), "en")?;
    }
    let (status, _) = get(&format!("{hub}/v1/check/{domain}"), "en")?;
    anyhow::ensure!(status == "429", "{status}");

    // Another server where a record says that the domain is.
    let place = format!("127.0.0.1:{}", a.port);
    let mut b = world.unstarted("b", &["--hub", &world.hub_url, "--allow-private-addresses", "--public", &place]);
    b.start()?;
    let other = b.domain.clone();
    until("the hub to know the other", async || {
        let found = walk(&b, &other, &world.hub_url).map(|w| words(&w, "name").contains("is found")).unwrap_or_default();
        (found, u64::from(found))
    })
    .await?;
    let walked = walk(&b, &other, &world.hub_url)?;
    expect(&walked, &[("name", "good"), ("record", "good"), ("quic", "bad"), ("tls", "bad"), ("browser", "warning")])?;
    anyhow::ensure!(words(&walked, "tls").contains("another key"), "{walked:#}");

    // A server that is down; its record is still there.
    a.stop()?;
    let walked = walk(&b, &domain, &world.hub_url)?;
    expect(&walked, &[("name", "good"), ("record", "good"), ("quic", "bad"), ("tls", "bad"), ("browser", "bad")])?;
    anyhow::ensure!(words(&walked, "tls").contains("refused"), "{walked:#}");

    // A name that nobody has.
    let nobody = walk(&b, "nobody.invalid", &world.hub_url)?;
    expect(&nobody, &[("name", "bad")])?;
    b.stop()?;
    world.done();
    Ok(())
}
