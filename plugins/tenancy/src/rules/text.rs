//! What LiteLLM's users and their models read.

use std::ops::RangeInclusive;

use mcp_plugin_sdk::{Finding, McpServer};

use super::spec;
use crate::tenant::Tenant;

pub(crate) const DESCRIPTION: &str = "description-text";

/// Characters that nobody sees, or that make others be seen in another order: a model reads what a person does not.
pub(crate) fn description(_: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let litellm = &server.spec.litellm;
    let texts = [
        ("description", &litellm.description),
        ("instructions", &litellm.instructions),
    ];
    let finding = |(field, text): (&str, &Option<String>)| {
        let mut signs = text.as_deref().unwrap_or_default().chars().enumerate();
        let (index, hidden) = signs.find(|(_, c)| is_hidden(*c))?;
        let message = format!(
            "character {} is U+{:04X}, which is invisible or changes how others are shown: leave it out",
            index + 1,
            u32::from(hidden)
        );
        let field = spec().child("litellm").child(field);
        Some(Finding::forbidden(DESCRIPTION, field, message))
    };
    texts.into_iter().filter_map(finding).collect()
}

fn is_hidden(c: char) -> bool {
    // Line breaks and tabs are what a text of several lines has. The last variation selector of those that a font knows
    // (U+FE0F) is a part of many an emoji.
    let is_control = c.is_control() && !['\n', '\t'].contains(&c);
    is_control || HIDDEN.iter().any(|range| range.contains(&c))
}

/// Formats, fillers, joiners, directions, variation selectors and tags.
const HIDDEN: [RangeInclusive<char>; 17] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0e}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];
