//! JSON of which only those parts are read that somebody looks into: the others stay text.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// Members and items of all parts that are read of one object: the schema allows a third of that where fields are exchanged.
/// Who sends more is not the API server, which drops what the schema does not know.
pub(super) const MOST_MEMBERS: usize = 2048;

/// Members by name; of two with one name the later, as the API server reads it.
pub(super) type Members<'a> = BTreeMap<String, Lazy<'a>>;

/// A value.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Lazy<'a> {
    /// As it was found.
    Raw(&'a RawValue),
    /// A value that was made.
    Made(Box<RawValue>),
    /// An object that somebody has looked into.
    Object(Members<'a>),
    /// The same of a list.
    List(Vec<Lazy<'a>>),
}

impl<'a> Lazy<'a> {
    pub(super) fn new_text(text: &str) -> Result<Self, String> {
        let made = to_raw_value(text).map_err(|error| error.to_string())?;
        Ok(Self::Made(made))
    }

    /// The value as a text, if it is one.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Raw(raw) => serde_json::from_str(raw.get()).ok(),
            Self::Made(made) => serde_json::from_str(made.get()).ok(),
            Self::Object(_) | Self::List(_) => None,
        }
    }

    /// Its members, if it is an object. They take room.
    pub(super) fn members(&mut self, room: &mut usize) -> Result<Option<&mut Members<'a>>, String> {
        if let Self::Raw(raw) = self
            && raw.get().starts_with('{')
        {
            let mut reader = serde_json::Deserializer::from_str(raw.get());
            let read = Read { room };
            let members = reader.deserialize_map(read).map_err(explain)?;
            *self = Self::Object(members);
        }
        match self {
            Self::Object(members) => Ok(Some(members)),
            _ => Ok(None),
        }
    }

    /// Its items, if it is a list. They take room.
    pub(super) fn items(&mut self, room: &mut usize) -> Result<Option<&mut Vec<Self>>, String> {
        if let Self::Raw(raw) = self
            && raw.get().starts_with('[')
        {
            let mut reader = serde_json::Deserializer::from_str(raw.get());
            let read = Read { room };
            let items = reader.deserialize_seq(ReadList(read)).map_err(explain)?;
            *self = Self::List(items);
        }
        match self {
            Self::List(items) => Ok(Some(items)),
            _ => Ok(None),
        }
    }

    /// Whether something could stand there: what is on the way is an object, or nothing.
    pub(super) fn can_hold(&mut self, path: &[String], room: &mut usize) -> Result<bool, String> {
        let Some((first, rest)) = path.split_first() else {
            return Ok(true);
        };
        match self.members(room)? {
            None => Ok(false),
            Some(members) => match members.get_mut(first) {
                Some(member) if !member.is_null() => member.can_hold(rest, room),
                _ => Ok(true),
            },
        }
    }

    /// Takes out what stands there.
    pub(super) fn take(
        &mut self,
        path: &[String],
        room: &mut usize,
    ) -> Result<Option<Self>, String> {
        match (path, self.members(room)?) {
            ([last], Some(members)) => Ok(members.remove(last)),
            ([first, rest @ ..], Some(members)) => match members.get_mut(first) {
                Some(member) => member.take(rest, room),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Puts it there, into objects that are made on the way if there are none.
    pub(super) fn put(
        &mut self,
        path: &[String],
        value: Self,
        room: &mut usize,
    ) -> Result<(), String> {
        if self.is_null() {
            *self = Self::Object(Members::new());
        }
        match (path, self.members(room)?) {
            ([last], Some(members)) => {
                members.insert(last.clone(), value);
                Ok(())
            }
            ([first, rest @ ..], Some(members)) => {
                let member = members.entry(first.clone());
                let member = member.or_insert_with(|| Self::Object(Members::new()));
                member.put(rest, value, room)
            }
            _ => Ok(()),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Raw(raw) if raw.get() == "null")
    }
}

/// Of an error, the position is one in a part of the text: it helps nobody.
fn explain(error: serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => what.to_owned(),
        None => text,
    }
}

/// Reads one level of an object, as long as there is room.
struct Read<'r> {
    room: &'r mut usize,
}

impl Read<'_> {
    fn one<E: serde::de::Error>(&mut self) -> Result<(), E> {
        *self.room = self.room.checked_sub(1).ok_or_else(|| {
            E::custom(format!(
                "it has more than {MOST_MEMBERS} members where an MCPServer has a few"
            ))
        })?;
        Ok(())
    }
}

impl<'de> Visitor<'de> for Read<'_> {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::new();
        while let Some(name) = map.next_key::<String>()? {
            self.one::<A::Error>()?;
            members.insert(name, Lazy::Raw(map.next_value::<&RawValue>()?));
        }
        Ok(members)
    }
}

/// The same of a list.
struct ReadList<'r>(Read<'r>);

impl<'de> Visitor<'de> for ReadList<'_> {
    type Value = Vec<Lazy<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<&RawValue>()? {
            self.0.one::<A::Error>()?;
            items.push(Lazy::Raw(item));
        }
        Ok(items)
    }
}
