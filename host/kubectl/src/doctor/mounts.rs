//! ConfigMaps in the containers of a workload: which file is which key.

use serde_json::Value;

/// A ConfigMap, or a part of one, in a container.
pub(super) struct Mount<'a> {
    pub(super) config_map: &'a str,
    path: &'a str,
    /// The one file of the volume that is mounted at the path.
    file: Option<&'a str>,
    /// Keys, and the files that they become; empty: each key is a file of its name.
    items: Vec<(&'a str, &'a str)>,
}

impl Mount<'_> {
    /// Where a container finds a key.
    pub(super) fn path_of(&self, key: &str) -> Option<String> {
        let file = if self.items.is_empty() {
            key
        } else {
            self.items.iter().find(|(of, _)| *of == key)?.1
        };
        match self.file {
            Some(only) => (only == file).then(|| self.path.to_owned()),
            None => Some(format!("{}/{file}", self.path)),
        }
    }

    /// The key that a container finds there.
    pub(super) fn key_at<'a>(&'a self, path: &'a str) -> Option<&'a str> {
        let file = match self.file {
            Some(only) => (path == self.path).then_some(only)?,
            None => path.strip_prefix(self.path)?.strip_prefix('/')?,
        };
        if self.items.is_empty() {
            return Some(file);
        }
        let item = self.items.iter().find(|(_, to)| *to == file);
        item.map(|(key, _)| *key)
    }
}

/// All that a workload mounts.
pub(super) fn mounts(deployment: &Value) -> Vec<Mount<'_>> {
    let pod = &deployment["spec"]["template"]["spec"];
    let mut found = Vec::new();
    for volume in list(&pod["volumes"]) {
        let projected = list(&volume["projected"]["sources"]).map(|source| &source["configMap"]);
        let sources = projected.chain([&volume["configMap"]]);
        let mounted = list(&pod["containers"])
            .flat_map(|container| list(&container["volumeMounts"]))
            .filter(|mount| mount["name"] == volume["name"]);
        let mounted: Vec<&Value> = mounted.collect();
        for source in sources {
            let Some(config_map) = source["name"].as_str() else {
                continue;
            };
            let items = list(&source["items"])
                .filter_map(|item| Some((item["key"].as_str()?, item["path"].as_str()?)));
            let items: Vec<_> = items.collect();
            found.extend(mounted.iter().map(|mount| {
                let path = mount["mountPath"].as_str().unwrap_or_default();
                Mount {
                    config_map,
                    path: path.trim_end_matches('/'),
                    file: mount["subPath"].as_str(),
                    items: items.clone(),
                }
            }));
        }
    }
    found
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
