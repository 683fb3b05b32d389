//! Registration with a real LiteLLM, by its file and by its admin API, through everything that may happen to either.
//!
//! One story, since there is one LiteLLM and each of its rollouts takes most of a minute.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "litellm/changes.rs"]
mod changes;
#[path = "litellm/file.rs"]
mod file;
#[path = "litellm/outages.rs"]
mod outages;
#[path = "litellm/swap.rs"]
mod swap;
#[path = "litellm/world.rs"]
mod world;

use anyhow::Result;

#[test]
fn servers_stay_registered_through_swaps_and_outages() -> Result<()> {
    let world = world::World::open()?;
    file::three_servers(&world)?;
    file::called_as_in_the_quick_start(&world)?;
    file::changed_and_restarted(&world)?;
    swap::not_without_a_database(&world)?;
    swap::to_the_admin_api(&world)?;
    file::not_by_the_admin_api(&world)?;
    changes::created_updated_deleted(&world)?;
    changes::entries_of_others_stay(&world)?;
    changes::what_somebody_edits_is_put_back(&world)?;
    outages::the_database_is_away_and_then_empty(&world)?;
    outages::the_proxy_is_down(&world)?;
    outages::the_key_is_revoked(&world)?;
    world.no_secret_was_told()?;
    outages::the_operator_is_down(&world)?;
    swap::back_to_the_file(&world)?;
    swap::as_litellm_says_itself(&world)?;
    swap::a_registrar_says_all_it_knows(&world)?;
    world.no_secret_was_told()
}
