// Package metadata says what this plugin is.
package metadata

import (
	"mcpplugin/bindings/contract"
	. "mcpplugin/bindings/metadata"
	"mcpplugin/defaulter"
)

// Describe is shown in the status of the MCPPlugin.
func Describe() Description {
	return Description{
		Name:    "@NAME@",
		Version: "0.1.0",
		Summary: "@SUMMARY@",
		Rules:   []Rule{{Code: "priority", Summary: "pods without a PriorityClass get that of the settings"}},
	}
}

// ValidateSettings judges spec.settings of the MCPPlugin before they are used.
func ValidateSettings(settings string) []contract.Finding {
	_, findings := defaulter.ParseSettings(settings)
	return findings
}
