//! `startalk-conformance`: runs the cases against a node of its own, or against one whose address is given.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::Parser;
use startalk_conformance::{
    Ground, cases,
    ground::Elsewhere,
    run::{self, Outcome},
};
use startalk_hostile::Address;
use startalk_protocol::DomainName;

/// Holds a running node to federation-spec. Without --address it starts a node and a hub of its own.
#[derive(Parser, Debug)]
#[command(name = "startalk-conformance", version)]
struct Arguments {
    /// Where the node is
    #[arg(long, value_name = "HOST:PORT", requires = "domain")]
    address: Option<Address>,
    /// Its domain
    #[arg(long, value_name = "NAME", requires = "address")]
    domain: Option<DomainName>,
    /// A link by which two people get an account there, to see what it shows to its people
    #[arg(long, value_name = "LINK", requires = "address")]
    join_link: Option<String>,
    /// A hub on this machine, over plain HTTP, that the node asks where domains are
    #[arg(long, value_name = "HOST:PORT", requires = "address")]
    hub: Option<Address>,
    /// Only cases whose name or tags contain this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Only names the cases
    #[arg(long)]
    list: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut chosen = cases::all();
    if let Some(only) = &arguments.only {
        chosen.retain(|c| c.name.contains(only.as_str()) || c.tags.iter().any(|t| t.contains(only.as_str())));
    }
    if arguments.list {
        chosen.iter().for_each(|case| println!("{}  {}", case.name, case.tags.join(" ")));
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let all = runtime.block_on(async {
        let ground = match (arguments.address, arguments.domain) {
            (Some(address), Some(domain)) => {
                let (join_link, hub) = (arguments.join_link, arguments.hub);
                Ground::elsewhere(Elsewhere { address, domain, join_link, hub }).await.context("the node")?
            }
            _ => Ground::own().await.context("a node of our own")?,
        };
        anyhow::Ok(run::run(Arc::new(ground), chosen).await)
    })?;
    println!("{}", run::table(&all));
    let failed = all.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
