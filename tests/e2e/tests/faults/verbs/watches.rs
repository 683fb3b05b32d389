//! What may not be watched.

use anyhow::{Result, ensure};

use super::OPERATOR;
use super::permission::{
    Logging, Permission, grant, install_optional, permissions, rules, without,
};
use crate::world::World;

/// What it must know before it begins, and the rest.
const NEEDED_FIRST: [&str; 2] = ["namespaces", "mcpplugins"];

#[test]
fn what_may_not_be_watched_is_told_in_the_log() -> Result<()> {
    let world = World::start("verbs-of-watches")?;
    install_optional(world.kubectl())?;
    let all = rules(world.kubectl(), OPERATOR)?;
    for verb in ["list", "watch"] {
        for first in [true, false] {
            let is_taken = |permission: &Permission| {
                let is_first = NEEDED_FIRST.contains(&permission.resource.as_str());
                permission.verb == verb && is_first == first
            };
            grant(world.kubectl(), OPERATOR, &without(&all, is_taken))?;
            let operator = Logging::start(&world, &format!("no-{verb}-{first}"))?;
            let taken: Vec<_> = permissions(&all).into_iter().filter(is_taken).collect();
            ensure!(taken.len() > 1, "{taken:?}");
            for permission in &taken {
                operator.says(permission)?;
            }
        }
    }
    Ok(())
}
