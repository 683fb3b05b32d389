// Package registrar keeps a list in one key of a ConfigMap, for a gateway that watches it.
package registrar

import (
	"encoding/json"

	"mcpplugin/bindings/contract"
	. "mcpplugin/bindings/registrar"
	wit "mcpplugin/bindings/types"
)

// ParseSettings reads spec.settings of the MCPPlugin, namespace and name of the ConfigMap; the findings say what is wrong.
func ParseSettings(text string) (ConfigKey, []contract.Finding) {
	var settings struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	}
	err := json.Unmarshal([]byte(text), &settings)
	if err == nil && settings.Namespace != "" && settings.Name != "" {
		return ConfigKey{Namespace: settings.Namespace, Name: settings.Name, Key: "servers.json"}, nil
	}
	return ConfigKey{}, []contract.Finding{{
		Code:      "settings",
		ErrorType: "Required",
		Message:   "namespace and name of the ConfigMap",
		Severity:  contract.Severity_Error,
	}}
}

// Observe says what must be known before the plan. The operator reads it, by the grants of the MCPPlugin.
func Observe(settings string) wit.Result[[]Read, contract.Failure] {
	key, wrong := ParseSettings(settings)
	if len(wrong) > 0 {
		return wit.Err[[]Read](contract.MakeFailureInvalidSettings(wrong[0].Message))
	}
	read := Read{Id: "list", Source: MakeReadSourceConfigKey(key), Written: true}
	return wit.Ok[[]Read, contract.Failure]([]Read{read})
}

type entry struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Plan says what is to be done, from what was found. Without steps, everything is as it should be.
func Plan(settings string, registry Registry) wit.Result[RegistrationPlan, contract.Failure] {
	key, wrong := ParseSettings(settings)
	if len(wrong) > 0 {
		return wit.Err[RegistrationPlan](contract.MakeFailureInvalidSettings(wrong[0].Message))
	}
	var entries []entry
	for _, server := range registry.Servers {
		entries = append(entries, entry{server.Namespace + "/" + server.Name, server.Url})
	}
	// Without servers the key is removed, so that nothing is left behind.
	content := wit.None[string]()
	if len(entries) > 0 {
		list, _ := json.Marshal(entries)
		content = wit.Some(string(list))
	}
	written := false
	for _, observation := range registry.Observations {
		if observation.Id == "list" && observation.State.Tag() == Observed_ConfigKey {
			written = observation.State.ConfigKey() == content
		}
	}
	var plan RegistrationPlan
	state, reason, message := uint8(RegistrationState_Registered), "Listed", "Is in the list"
	if !written {
		write := MakeActionWriteConfigKey(ConfigKeyWrite{Key: key, Content: content})
		plan.Steps = []Step{{Action: write}}
		state, reason, message = RegistrationState_Pending, "Listing", "Is being put in the list"
	}
	for _, entry := range entries {
		plan.Registrations = append(plan.Registrations, Registration{
			Server:         entry.Name,
			RegisteredName: entry.Name,
			State:          state,
			Reason:         reason,
			Message:        message,
		})
	}
	return wit.Ok[RegistrationPlan, contract.Failure](plan)
}
