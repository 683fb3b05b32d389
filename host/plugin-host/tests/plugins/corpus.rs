//! Every plugin that means harm: how it ends, and that nobody else notices.

use std::time::Duration;

use mcp_hostile::{Ends, Hostile, corpus, harmless};
use mcp_plugin_host::{Blame, Host, Limits, Plugin, PluginError};

use crate::common::{host_with, request};

/// Memory of a call, which is all that one plugin may have here, and half of what there is.
const MEMORY: usize = 64 << 20;
/// No error has more to say.
const LONGEST_ERROR: usize = 4 << 10;

/// A host in which two calls that keep their memory leave none to others.
fn host() -> Host {
    host_with(|config| {
        config.memory_bytes = 2 * MEMORY;
        config.concurrency = 2;
    })
}

/// The same, whose patience with the compiler ends soon.
fn impatient_host() -> Host {
    host_with(|config| {
        config.memory_bytes = 2 * MEMORY;
        config.concurrency = 2;
        config.compiler.cpu_time = Duration::from_secs(1);
    })
}

/// Long enough for whatever ends by itself, on any machine; and short for what does not.
fn limits(ends: Ends) -> Limits {
    let timeout = match ends.category() {
        "DeadlineExceeded" => Duration::from_millis(200),
        _ => Duration::from_mins(1),
    };
    Limits {
        timeout,
        memory_bytes: MEMORY,
        ..Limits::default()
    }
}

async fn ask(plugin: &Plugin, limits: &Limits) -> Result<(), PluginError> {
    plugin.validate("{}", &request(), limits).await.map(|_| ())
}

/// Goes with it as far as it lets one, and says where it ends.
async fn follow(host: &Host, hostile: &Hostile) -> (Ends, Option<PluginError>) {
    let limits = limits(hostile.ends);
    let plugin = match host.load(hostile.name, &hostile.component()).await {
        Ok(plugin) => plugin,
        Err(error) => {
            let category = error.category();
            let ends = match hostile.ends {
                Ends::Compiling(_) => Ends::Compiling(category),
                _ => Ends::Loading(category),
            };
            return (ends, Some(error));
        }
    };
    let activated = async {
        plugin.describe(&limits).await?;
        plugin.validate_settings("{}", &limits).await
    };
    if let Err(error) = activated.await {
        return (Ends::Activating(error.category()), Some(error));
    }
    match ask(&plugin, &limits).await {
        Ok(()) => (Ends::Never, None),
        Err(error) => (Ends::Calling(error.category()), Some(error)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_the_corpus_ends_in_its_own_way_and_its_neighbour_does_not_notice() {
    let (host, impatient) = (host(), impatient_host());
    let patient = limits(Ends::Never);
    let mut otherwise = Vec::new();
    for hostile in corpus() {
        let host = match hostile.ends {
            Ends::Compiling(_) => &impatient,
            _ => &host,
        };
        let neighbour = host.load("neighbour", &harmless()).await.unwrap();
        // Twice: what is kept by both would be all that there is. The compiler has none of it.
        let times = match hostile.ends {
            Ends::Compiling(_) => 1,
            _ => 2,
        };
        for _ in 0..times {
            let (ended, beside) = tokio::join!(follow(host, &hostile), ask(&neighbour, &patient));
            beside.unwrap();
            ask(&neighbour, &patient).await.unwrap();
            let (ends, error) = ended;
            if ends != hostile.ends {
                otherwise.push(format!("{}: {ends:?}, {error:?}", hostile.name));
            }
            if let Some(error) = error {
                assert_eq!(error.blame(), Blame::Guest, "{}: {error}", hostile.name);
                assert!(error.to_string().len() < LONGEST_ERROR, "{error}");
            }
        }
    }
    assert!(otherwise.is_empty(), "{otherwise:#?}");
}

/// There is none: each call has an instance of its own, whose globals and memory are as in the first.
#[tokio::test]
async fn what_is_good_until_its_thousandth_call_never_has_one() {
    let hostile = corpus()
        .into_iter()
        .find(|hostile| hostile.name == "good-until-the-thousandth")
        .unwrap();
    let host = host();
    let plugin = host.load(hostile.name, &hostile.component()).await.unwrap();
    for _ in 0..1500 {
        ask(&plugin, &limits(Ends::Never)).await.unwrap();
    }
}
