// Package metadata says what this plugin is.
package metadata

import (
	"mcpplugin/bindings/contract"
	. "mcpplugin/bindings/metadata"
	wit "mcpplugin/bindings/types"
	"mcpplugin/validator"
)

// Describe is shown in the status of the MCPPlugin.
func Describe() Description {
	return Description{
		Name:           "@NAME@",
		Version:        "0.1.0",
		Summary:        "@SUMMARY@",
		Rules:          []Rule{{Code: "owner", Summary: "the label of the settings is there"}},
		SettingsSchema: wit.Some(`{"type":"object","required":["label"],"properties":{"label":{"type":"string"}}}`),
	}
}

// ValidateSettings judges spec.settings of the MCPPlugin before they are used.
func ValidateSettings(settings string) []contract.Finding {
	_, findings := validator.ParseSettings(settings)
	return findings
}
