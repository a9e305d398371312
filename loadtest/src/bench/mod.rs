//! stub
use crate::mode::Context;
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}
pub fn run(_: &Context, _: &Args) -> anyhow::Result<bool> { anyhow::bail!("stub") }
