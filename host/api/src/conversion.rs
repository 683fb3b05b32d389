//! Between the versions of MCPServer: text in, text out.
//!
//! Versions differ in where a field is, and in nothing else ([`crate::v1beta1`] has the table). So a conversion exchanges
//! places, and reads of an object only what is on the way to one. All else stays the text that it was: a number of the
//! configuration has the digits that somebody wrote, and what nobody knows comes through as it is.
//!
//! Each exchange undoes itself, and the way back does them in the opposite order: what is converted there and back is the
//! same, whatever it is. One thing may be added: an empty `observability`, where there was none and probes are put into it;
//! the default of the schema is more than that.

mod lazy;

use serde_json::value::{RawValue, to_raw_value};

use self::lazy::Lazy;
use crate::names::{API_VERSION, BETA_API_VERSION, SERVER_KIND};

/// Stands for every item of a list.
const ITEMS: &str = "[]";

/// Two places of which each has the other's value in the other version.
struct Exchange {
    /// Where both are.
    within: &'static [&'static str],
    /// In `v1alpha1`.
    alpha: &'static [&'static str],
    /// In `v1beta1`.
    beta: &'static [&'static str],
}

/// In the order from `v1alpha1` to `v1beta1`.
const EXCHANGES: [Exchange; 7] = [
    Exchange {
        within: &["spec"],
        alpha: &["affinity"],
        beta: &["spread"],
    },
    Exchange {
        within: &["spec", "spread"],
        alpha: &["podAntiAffinity"],
        beta: &["nodes"],
    },
    Exchange {
        within: &["spec", "spread"],
        alpha: &["zoneSpread"],
        beta: &["zones"],
    },
    Exchange {
        within: &["spec", "observability", "tracing"],
        alpha: &["jaegerEndpoint"],
        beta: &["endpoint"],
    },
    Exchange {
        within: &["spec"],
        alpha: &["observability", "healthProbes"],
        beta: &["probes"],
    },
    Exchange {
        within: &["spec", "secrets", ITEMS],
        alpha: &["awsSecretKey"],
        beta: &["key"],
    },
    Exchange {
        within: &["spec", "litellm"],
        alpha: &["allowedUserGroups"],
        beta: &["accessGroups"],
    },
];

/// An MCPServer in the version `desired`, an `apiVersion`.
///
/// # Errors
/// One sentence: it is no MCPServer, there is no such version, or it has more members than any MCPServer can have.
pub fn convert(object: &RawValue, desired: &str) -> Result<Box<RawValue>, String> {
    let mut object = Lazy::Raw(object);
    let mut room = lazy::MOST_MEMBERS;
    let types = object.members(&mut room)?.ok_or("it is no JSON object")?;
    let text = |name: &str| types.get(name).and_then(Lazy::text).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if kind != SERVER_KIND {
        return Err(format!(
            "{kind:?} of {version:?} has one version, and is not converted: {SERVER_KIND} is"
        ));
    }
    if let Some(to_beta) = direction(&version, desired)? {
        types.insert("apiVersion".into(), Lazy::new_text(desired)?);
        exchange_all(&mut object, to_beta, Form::Object, &mut room)?;
    }
    to_raw_value(&object).map_err(|error| error.to_string())
}

/// The fields that somebody manages (`fieldsV1` of `metadata.managedFields`) by their places in the version `desired`: the API
/// server converts an object to every version that somebody manages fields of, and applies nothing where it does not know
/// one of them.
///
/// # Errors
/// As [`convert`].
pub fn convert_fields(
    fields: &RawValue,
    version: &str,
    desired: &str,
) -> Result<Box<RawValue>, String> {
    let mut fields = Lazy::Raw(fields);
    let mut room = lazy::MOST_MEMBERS;
    if let Some(to_beta) = direction(version, desired)? {
        exchange_all(&mut fields, to_beta, Form::ManagedFields, &mut room)?;
    }
    to_raw_value(&fields).map_err(|error| error.to_string())
}

/// Whether it goes to `v1beta1`; nothing where it is what it shall be.
fn direction(version: &str, desired: &str) -> Result<Option<bool>, String> {
    let known = [API_VERSION, BETA_API_VERSION];
    for name in [desired, version] {
        if !known.contains(&name) {
            return Err(format!(
                "{SERVER_KIND} has no version {name:?}: there are {}",
                known.join(" and ")
            ));
        }
    }
    Ok((version != desired).then_some(desired == BETA_API_VERSION))
}

/// How places are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As names and items.
    Object,
    /// As the API server notes who manages them: `f:name`, and an item of a list by its key, `k:{"name":"a"}`.
    ManagedFields,
}

impl Form {
    fn place(self, path: &[&str]) -> Vec<String> {
        let prefix = match self {
            Self::Object => "",
            Self::ManagedFields => "f:",
        };
        path.iter().map(|name| format!("{prefix}{name}")).collect()
    }
}

fn exchange_all(
    object: &mut Lazy<'_>,
    to_beta: bool,
    form: Form,
    room: &mut usize,
) -> Result<(), String> {
    let exchange = |exchange: &Exchange| exchange.within(object, exchange.within, form, room);
    if to_beta {
        EXCHANGES.iter().try_for_each(exchange)
    } else {
        EXCHANGES.iter().rev().try_for_each(exchange)
    }
}

impl Exchange {
    /// In every object that `path` leads to.
    fn within(
        &self,
        at: &mut Lazy<'_>,
        path: &[&str],
        form: Form,
        room: &mut usize,
    ) -> Result<(), String> {
        let Some((first, rest)) = path.split_first() else {
            return self.exchange(at, form, room);
        };
        if *first != ITEMS {
            let name = form.place(&[*first]).concat();
            return match at.members(room)?.and_then(|members| members.get_mut(&name)) {
                Some(member) => self.within(member, rest, form, room),
                None => Ok(()),
            };
        }
        if form == Form::Object {
            for item in at.items(room)?.into_iter().flatten() {
                self.within(item, rest, form, room)?;
            }
            return Ok(());
        }
        for (name, item) in at.members(room)?.into_iter().flatten() {
            if name.starts_with("k:") {
                self.within(item, rest, form, room)?;
            }
        }
        Ok(())
    }

    fn exchange(&self, object: &mut Lazy<'_>, form: Form, room: &mut usize) -> Result<(), String> {
        let (alpha, beta) = (form.place(self.alpha), form.place(self.beta));
        if !(object.can_hold(&alpha, room)? && object.can_hold(&beta, room)?) {
            // The API server refuses such an object in either version.
            return Ok(());
        }
        let found = (object.take(&alpha, room)?, object.take(&beta, room)?);
        for (path, value) in [(beta, found.0), (alpha, found.1)] {
            if let Some(value) = value {
                object.put(&path, value, room)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "conversion_tests.rs"]
mod tests;
