//! The same place in an object before and after.

use serde_json::{Map, Value};

use super::{NEVER, Refusal, STRICTER, Why};
use crate::patch::changed_fields;

/// A place in an object, and what is there before and after: `null` where nothing is, since that is what an apply makes of it.
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) before: &'a Value,
    pub(super) after: &'a Value,
}

static NOTHING: Value = Value::Null;

impl<'a> Place<'a> {
    pub(super) fn top(before: &'a Value, after: &'a Value) -> Self {
        Self {
            path: String::new(),
            before,
            after,
        }
    }

    /// The members that differ. What is no longer an object is refused.
    pub(super) fn changed_members(&self) -> Result<Vec<(&'a str, Place<'a>)>, Refusal> {
        self.changed(changed_fields::member)
    }

    /// The same of a map, whose names are keys.
    pub(super) fn changed_entries(&self) -> Result<Vec<(&'a str, Place<'a>)>, Refusal> {
        self.changed(changed_fields::key)
    }

    fn changed(
        &self,
        below: fn(&str, &str) -> String,
    ) -> Result<Vec<(&'a str, Place<'a>)>, Refusal> {
        let (Some(before), Some(after)) = (names(self.before), names(self.after)) else {
            return Err(self.refuse(NEVER));
        };
        let added = after.filter(|name| self.before.get(name).is_none());
        let places = before.chain(added).map(|name| {
            let place = Place {
                path: below(&self.path, name),
                before: self.before.get(name).unwrap_or(&NOTHING),
                after: self.after.get(name).unwrap_or(&NOTHING),
            };
            (name, place)
        });
        let changed = places.filter(|(_, place)| place.before != place.after);
        Ok(changed.collect())
    }

    /// The items of a list, each with the one at the same position before. Another number of items is refused, and what is
    /// no list.
    pub(super) fn items(&self) -> Result<Vec<Place<'a>>, Refusal> {
        let (Some(before), Some(after)) = (self.before.as_array(), self.after.as_array()) else {
            return Err(self.refuse(NEVER));
        };
        if before.len() != after.len() {
            return Err(self.refuse(NEVER));
        }
        let items = before.iter().zip(after).enumerate();
        let places = items.map(|(index, (before, after))| Place {
            path: format!("{}[{index}]", self.path),
            before,
            after,
        });
        Ok(places.collect())
    }

    /// Whether no other members differ than these.
    pub(super) fn only_members(&self, allowed: &[&str]) -> Result<(), Refusal> {
        for (name, place) in self.changed_members()? {
            if !allowed.contains(&name) {
                return Err(place.refuse(NEVER));
            }
        }
        Ok(())
    }

    /// Whether it became this.
    pub(super) fn only(&self, allowed: &Value) -> Result<(), Refusal> {
        if self.after == allowed {
            Ok(())
        } else {
            Err(self.refuse(STRICTER))
        }
    }

    pub(super) fn refuse(&self, why: &'static str) -> Refusal {
        Refusal {
            field: self.path.clone(),
            why: Why::Never(why),
        }
    }
}

/// Names of the members of an object, or of nothing.
fn names(value: &Value) -> Option<impl Iterator<Item = &str>> {
    let members = match value {
        Value::Object(members) => Some(members),
        Value::Null => None,
        _ => return None,
    };
    Some(members.into_iter().flat_map(Map::keys).map(String::as_str))
}
