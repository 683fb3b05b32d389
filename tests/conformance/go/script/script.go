// Package script reads what the settings say that is to be answered, and writes what was asked.
package script

import (
	"encoding/json"

	"mcpplugin/bindings/contract"
	wit "mcpplugin/bindings/types"
)

// Settings are those of all functions.
type Settings struct {
	Findings []Finding       `json:"findings"`
	Answer   json.RawMessage `json:"answer"`
}

// Finding is one of the contract.
type Finding struct {
	Code      string  `json:"code"`
	Field     string  `json:"field"`
	ErrorType string  `json:"error-type"`
	BadValue  *string `json:"bad-value"`
	Message   string  `json:"message"`
	Severity  string  `json:"severity"`
}

// Findings are those of the contract.
func Findings(said []Finding) []contract.Finding {
	var findings []contract.Finding
	for _, one := range said {
		severity := uint8(contract.Severity_Error)
		if one.Severity == "warning" {
			severity = contract.Severity_Warning
		}
		findings = append(findings, contract.Finding{
			Code:      one.Code,
			Field:     one.Field,
			ErrorType: one.ErrorType,
			BadValue:  Optional(one.BadValue),
			Message:   one.Message,
			Severity:  severity,
		})
	}
	return findings
}

// Answer does what the settings say: it answers what echo has, or what read makes of an answer, or fails.
func Answer[T any](settings string, echo func() T, read func(json.RawMessage) (T, error)) wit.Result[T, contract.Failure] {
	unreadable := wit.Err[T](contract.MakeFailureInvalidSettings("unreadable"))
	var said Settings
	if json.Unmarshal([]byte(settings), &said) != nil {
		return unreadable
	}
	switch string(said.Answer) {
	case `"echo"`:
		return wit.Ok[T, contract.Failure](echo())
	case `"trap"`:
		panic("as the settings say")
	}
	var answer struct {
		Ok      json.RawMessage   `json:"ok"`
		Failure map[string]string `json:"failure"`
	}
	if json.Unmarshal(said.Answer, &answer) != nil {
		return unreadable
	}
	for tag, message := range answer.Failure {
		switch tag {
		case "invalid-settings":
			return wit.Err[T](contract.MakeFailureInvalidSettings(message))
		case "unsupported":
			return wit.Err[T](contract.MakeFailureUnsupported(message))
		case "internal":
			return wit.Err[T](contract.MakeFailureInternal(message))
		}
	}
	value, err := read(answer.Ok)
	if err != nil {
		return unreadable
	}
	return wit.Ok[T, contract.Failure](value)
}

// IsCount says whether the settings ask how often this instance was called.
func IsCount(settings string) bool {
	var said Settings
	return json.Unmarshal([]byte(settings), &said) == nil && string(said.Answer) == `"count"`
}

// Text is the JSON text of a value.
func Text(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Optional is an option of the contract.
func Optional(text *string) wit.Option[string] {
	if text == nil {
		return wit.None[string]()
	}
	return wit.Some(*text)
}

// Option is null where there is nothing.
func Option(text wit.Option[string]) *string {
	if text.IsNone() {
		return nil
	}
	value := text.Some()
	return &value
}

// List is never null.
func List(texts []string) []string {
	return append([]string{}, texts...)
}

// Pairs are tuples of the contract.
func Pairs(tuples []wit.Tuple2[string, string]) [][2]string {
	pairs := [][2]string{}
	for _, tuple := range tuples {
		pairs = append(pairs, [2]string{tuple.F0, tuple.F1})
	}
	return pairs
}

// Tuples are pairs of the contract.
func Tuples(pairs [][2]string) []wit.Tuple2[string, string] {
	var tuples []wit.Tuple2[string, string]
	for _, pair := range pairs {
		tuples = append(tuples, wit.Tuple2[string, string]{F0: pair[0], F1: pair[1]})
	}
	return tuples
}

// Named are documents with names.
func Named(values []contract.NamedJson) []map[string]string {
	named := []map[string]string{}
	for _, value := range values {
		named = append(named, map[string]string{"name": value.Name, "value": value.Value})
	}
	return named
}

// Stage is the name of a stage.
func Stage(stage contract.Stage) string {
	return []string{"admission", "reconcile"}[stage]
}
