//! The project's commands: demo, test, up, down, kubeconfig.
fn main() {}
