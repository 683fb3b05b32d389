//! Faults of LiteLLM.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use mcp_chaos::{Fault, Kind};
use mcp_e2e::{Fault as Answer, LiteLlm};

/// More than the connection's timeout, and less.
const LATE: [u64; 2] = [4_000, 2_000];

pub(crate) fn gateway_fault(litellm: &LiteLlm, fault: &Fault) -> Result<()> {
    let variant = fault.variant;
    match fault.kind {
        Kind::LiteLlmDown => litellm.fail(move |_| {
            Some(match variant % 3 {
                0 => Answer::HangUp,
                1 => Answer::Status(503),
                _ => Answer::Silence,
            })
        }),
        Kind::LiteLlmSlow => {
            let late = LATE[usize::from(variant % 2 == 1)];
            litellm.fail(move |_| Some(Answer::Late(Duration::from_millis(late))));
        }
        Kind::LiteLlmLying => litellm.fail(|asked| (asked.method != "GET").then_some(Answer::Lie)),
        Kind::LiteLlmForgets => {
            litellm.lose_everything();
            return Ok(());
        }
        other => bail!("{other:?} is none of LiteLLM's"),
    }
    sleep(Duration::from_millis(fault.lasts));
    litellm.recover();
    Ok(())
}
