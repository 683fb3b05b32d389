// Package defaulter answers what the settings say.
package defaulter

import (
	"encoding/json"
	"errors"

	"mcpplugin/bindings/contract"
	. "mcpplugin/bindings/defaulter"
	wit "mcpplugin/bindings/types"
	"mcpplugin/script"
)

type change struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

type operation struct {
	Add     *change `json:"add"`
	Replace *change `json:"replace"`
	Remove  *string `json:"remove"`
}

type patch struct {
	Object     uint32      `json:"object"`
	Code       string      `json:"code"`
	Operations []operation `json:"operations"`
}

// Defaults answers what the settings say.
func Defaults(settings string, request DefaultingRequest) wit.Result[[]Patch, contract.Failure] {
	echo := func() []Patch {
		add := MakePatchOperationAdd(PathValue{Path: "/echo", Value: text(request)})
		return []Patch{{Object: 0, Code: "echo", Operations: []PatchOperation{add}}}
	}
	return script.Answer(settings, echo, func(said json.RawMessage) ([]Patch, error) {
		var read []patch
		err := json.Unmarshal(said, &read)
		var patches []Patch
		for _, one := range read {
			var operations []PatchOperation
			for _, change := range one.Operations {
				switch {
				case change.Add != nil:
					operations = append(operations, MakePatchOperationAdd(PathValue(*change.Add)))
				case change.Replace != nil:
					operations = append(operations, MakePatchOperationReplace(PathValue(*change.Replace)))
				case change.Remove != nil:
					operations = append(operations, MakePatchOperationRemove(*change.Remove))
				default:
					err = errors.New("no operation")
				}
			}
			patches = append(patches, Patch{Object: one.Object, Code: one.Code, Operations: operations})
		}
		return patches, err
	})
}

func text(request DefaultingRequest) string {
	return script.Text(map[string]any{
		"stage":   script.Stage(request.Stage),
		"server":  request.Server,
		"objects": script.List(request.Objects),
		"context": script.Named(request.Context),
	})
}
