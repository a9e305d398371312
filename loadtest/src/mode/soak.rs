//! stub
use super::Context;
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}
pub fn run(_: &Context, _: &Args) -> anyhow::Result<crate::report::Report> { anyhow::bail!("stub") }
