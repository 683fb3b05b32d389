// Package validator answers what the settings say.
package validator

import (
	"encoding/json"
	"strconv"

	"mcpplugin/bindings/contract"
	wit "mcpplugin/bindings/types"
	bindings "mcpplugin/bindings/validator"
	"mcpplugin/script"
)

// Result are the findings, or why there are none.
type Result = wit.Result[[]contract.Finding, contract.Failure]

// How often rules were asked in this instance.
var calls int

// Validate answers what the settings say.
func Validate(settings string, request bindings.Request) Result {
	calls++
	if script.IsCount(settings) {
		said := finding("count", wit.None[string](), strconv.Itoa(calls))
		return wit.Ok[[]contract.Finding, contract.Failure](said)
	}
	echo := func() []contract.Finding { return finding("echo", wit.Some(text(request)), "echo") }
	return script.Answer(settings, echo, func(said json.RawMessage) ([]contract.Finding, error) {
		var findings []script.Finding
		err := json.Unmarshal(said, &findings)
		return script.Findings(findings), err
	})
}

func text(request bindings.Request) string {
	var user any
	if request.User.IsSome() {
		asks := request.User.Some()
		user = map[string]any{
			"username": asks.Username,
			"uid":      asks.Uid,
			"groups":   script.List(asks.Groups),
			"extra":    script.Pairs(asks.Extra),
		}
	}
	kind := request.Kind
	return script.Text(map[string]any{
		"operation":  []string{"create", "update"}[request.Operation],
		"stage":      script.Stage(request.Stage),
		"kind":       map[string]string{"group": kind.Group, "version": kind.Version, "kind": kind.Kind},
		"name":       request.Name,
		"namespace":  script.Option(request.Namespace),
		"user":       user,
		"dry-run":    request.DryRun,
		"object":     request.Object,
		"old-object": script.Option(request.OldObject),
		"context":    script.Named(request.Context),
	})
}

func finding(code string, value wit.Option[string], message string) []contract.Finding {
	return []contract.Finding{{
		Code:      code,
		ErrorType: "Invalid",
		BadValue:  value,
		Message:   message,
		Severity:  contract.Severity_Warning,
	}}
}
