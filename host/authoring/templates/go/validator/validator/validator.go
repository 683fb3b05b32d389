// Package validator has the rules.
package validator

import (
	"bytes"
	"encoding/json"

	"mcpplugin/bindings/contract"
	wit "mcpplugin/bindings/types"
	bindings "mcpplugin/bindings/validator"
)

// Settings are spec.settings of the MCPPlugin.
type Settings struct {
	// Label that says who owns a server.
	Label string `json:"label"`
}

// ParseSettings reads settings; the findings say what is wrong with them.
func ParseSettings(text string) (Settings, []contract.Finding) {
	var settings Settings
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&settings); err != nil {
		return settings, []contract.Finding{finding("settings", "", "Invalid", err.Error())}
	}
	if settings.Label == "" {
		return settings, []contract.Finding{finding("settings", "label", "Required", "the label that says who owns a server")}
	}
	return settings, nil
}

type server struct {
	Metadata struct {
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
}

// Result are the findings, or why there are none.
type Result = wit.Result[[]contract.Finding, contract.Failure]

// Validate returns everything that is wrong, at once. What is printed is shown by `mcp-operator plugin run`.
func Validate(text string, request bindings.Request) Result {
	settings, wrong := ParseSettings(text)
	if len(wrong) > 0 {
		return wit.Err[[]contract.Finding](contract.MakeFailureInvalidSettings(wrong[0].Message))
	}
	var server server
	if err := json.Unmarshal([]byte(request.Object), &server); err != nil {
		return wit.Err[[]contract.Finding](contract.MakeFailureUnsupported(err.Error()))
	}
	if _, owned := server.Metadata.Labels[settings.Label]; owned {
		return wit.Ok[[]contract.Finding, contract.Failure](nil)
	}
	field := "metadata.labels[" + settings.Label + "]"
	return wit.Ok[[]contract.Finding, contract.Failure]([]contract.Finding{
		finding("owner", field, "Required", "say who owns this server"),
	})
}

// finding is one thing that is wrong. The field is written as Kubernetes does: spec.secrets[0].name, metadata.labels[team].
func finding(code, field, errorType, message string) contract.Finding {
	return contract.Finding{
		Code:      code,
		Field:     field,
		ErrorType: errorType,
		Message:   message,
		Severity:  contract.Severity_Error,
	}
}
