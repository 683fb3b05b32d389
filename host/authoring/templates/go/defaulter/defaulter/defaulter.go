// Package defaulter has the defaults.
package defaulter

import (
	"encoding/json"
	"strings"

	"mcpplugin/bindings/contract"
	bindings "mcpplugin/bindings/defaulter"
	wit "mcpplugin/bindings/types"
)

// Settings are spec.settings of the MCPPlugin.
type Settings struct {
	// PriorityClass of pods that have none.
	PriorityClass string `json:"priorityClass"`
}

// ParseSettings reads settings; the findings say what is wrong with them.
func ParseSettings(text string) (Settings, []contract.Finding) {
	var settings Settings
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&settings)
	if err == nil && settings.PriorityClass != "" {
		return settings, nil
	}
	return settings, []contract.Finding{{
		Code:      "settings",
		Field:     "priorityClass",
		ErrorType: "Required",
		Message:   "the PriorityClass of pods that have none, and nothing else",
		Severity:  contract.Severity_Error,
	}}
}

type object struct {
	Kind string `json:"kind"`
	Spec struct {
		Template struct {
			Spec struct {
				PriorityClassName string `json:"priorityClassName"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

// Result are the patches, or why there are none.
type Result = wit.Result[[]bindings.Patch, contract.Failure]

// Defaults says what to change: never what is set, and nothing on a second call. wit/defaulter.wit lists what may be changed.
func Defaults(text string, request bindings.DefaultingRequest) Result {
	settings, wrong := ParseSettings(text)
	if len(wrong) > 0 {
		return wit.Err[[]bindings.Patch](contract.MakeFailureInvalidSettings(wrong[0].Message))
	}
	class, _ := json.Marshal(settings.PriorityClass)
	var patches []bindings.Patch
	for index, text := range request.Objects {
		// Other kinds have other members there, which are not looked at.
		var object object
		if json.Unmarshal([]byte(text), &object) != nil || object.Kind != "Deployment" {
			continue
		}
		if object.Spec.Template.Spec.PriorityClassName != "" {
			continue
		}
		change := bindings.PathValue{Path: "/spec/template/spec/priorityClassName", Value: string(class)}
		patches = append(patches, bindings.Patch{
			Object:     uint32(index),
			Code:       "priority",
			Operations: []bindings.PatchOperation{bindings.MakePatchOperationAdd(change)},
		})
	}
	return wit.Ok[[]bindings.Patch, contract.Failure](patches)
}
