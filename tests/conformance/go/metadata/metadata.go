// Package metadata says what this plugin is.
package metadata

import (
	"encoding/json"

	"mcpplugin/bindings/contract"
	. "mcpplugin/bindings/metadata"
	wit "mcpplugin/bindings/types"
	"mcpplugin/script"
)

// Describe answers what metadata.json has.
func Describe() Description {
	return Description{
		Name:           "conformance",
		Version:        "1.0.0",
		Summary:        "Answers what its settings say ✓",
		Url:            "https://example.com/?a=1&b=ü",
		Rules:          []Rule{{Code: "echo", Summary: "says what it was asked"}},
		Context:        []string{"namespace", "rendered"},
		SettingsSchema: wit.Some(`{"type":"object"}`),
		Extra:          []contract.NamedJson{{Name: "conformance", Value: "[1,null]"}},
	}
}

// ValidateSettings answers the findings of the settings.
func ValidateSettings(settings string) []contract.Finding {
	var said script.Settings
	if err := json.Unmarshal([]byte(settings), &said); err != nil {
		panic(err)
	}
	return script.Findings(said.Findings)
}
