//! Each verb of the roles that are shipped is needed: where one is missing, something names it. What to take away is read
//! from the roles themselves.

#[path = "verbs/by_name.rs"]
mod by_name;
#[path = "verbs/in_the_way.rs"]
mod in_the_way;
#[path = "verbs/permission.rs"]
mod permission;
#[path = "verbs/reports.rs"]
mod reports;
#[path = "verbs/tenants.rs"]
mod tenants;
#[path = "verbs/watches.rs"]
mod watches;

const OPERATOR: &str = "mcp-operator-manager-role";
const TENANT: &str = "mcp-operator-tenant";
const WEBHOOK: &str = "mcp-operator-webhook";
