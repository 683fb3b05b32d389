//! A cluster whose Services and webhooks have addresses of IPv6 only (restatedev/restate-operator#93,
//! nginx/nginx-gateway-fabric#3765). Its pods are simulated: what a kubelet does with such addresses is not shown here.

use std::net::{IpAddr, Ipv6Addr, TcpListener};

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Environment, Operator};
use serde_json::json;

use crate::world::World;

const SERVICES: &str = "--service-cluster-ip-range=fd00:10:96::/112";

#[test]
fn restate_93_servers_become_ready_where_addresses_are_of_ipv6_only() -> Result<()> {
    if let Err(error) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        println!("left out: this machine has no IPv6 ({error})");
        return Ok(());
    }
    // An address of documentation: nobody calls the API server by it.
    let arguments = [
        SERVICES,
        "--advertise-address=2001:db8::1",
        "--bind-address=::",
    ];
    let world = World::start_with("ipv6", &arguments)?;
    let environment = Environment {
        webhook_host: IpAddr::V6(Ipv6Addr::LOCALHOST),
        ..world.own.environment.clone()
    };
    let _operator = Operator::start(&environment, "ipv6")?;
    world.apply(1)?;
    world.converged(1)?;
    let service = world.get("service", "mcp-s-0")?;
    ensure!(
        service["spec"]["ipFamilies"] == json!(["IPv6"]),
        "{service}"
    );
    let server = world.get("mcpserver", "s-0")?;
    let endpoint = server["status"]["endpoints"]["mcp"].as_str();
    let endpoint = endpoint.context("no endpoint")?;
    ensure!(
        endpoint == "http://mcp-s-0.servers.svc.cluster.local:8080/mcp",
        "{endpoint}"
    );
    let webhooks = world.get("validatingwebhookconfiguration", "mcp-operator")?;
    let url = webhooks["webhooks"][0]["clientConfig"]["url"].to_string();
    ensure!(url.contains("https://[::1]:"), "{url}");
    let latest =
        json!({ "image": { "repository": "docker.io/local/mcp-weather", "tag": "latest" } });
    let refused = world.apply_with(1..2, &latest).err();
    let said = refused
        .map(|error| format!("{error:#}"))
        .unwrap_or_default();
    ensure!(said.contains("spec.image.tag"), "{said}");
    Ok(())
}
