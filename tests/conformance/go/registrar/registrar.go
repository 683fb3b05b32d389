// Package registrar answers what the settings say.
package registrar

import (
	"encoding/json"
	"errors"
	"slices"

	"mcpplugin/bindings/contract"
	. "mcpplugin/bindings/registrar"
	wit "mcpplugin/bindings/types"
	"mcpplugin/script"
)

type configKey struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Key       string `json:"key"`
}

type workload struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

type httpRequest struct {
	Connection string      `json:"connection"`
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	Headers    [][2]string `json:"headers"`
	Body       *string     `json:"body"`
}

func (said httpRequest) request() HttpRequest {
	return HttpRequest{
		Connection: said.Connection,
		Method:     said.Method,
		Path:       said.Path,
		Headers:    script.Tuples(said.Headers),
		Body:       script.Optional(said.Body),
	}
}

type read struct {
	ID     string `json:"id"`
	Source struct {
		ConfigKey *configKey   `json:"config-key"`
		Workload  *workload    `json:"workload"`
		HTTP      *httpRequest `json:"http"`
	} `json:"source"`
	Written bool `json:"written"`
}

// Observe answers what the settings say.
func Observe(settings string) wit.Result[[]Read, contract.Failure] {
	echo := func() []Read { return nil }
	return script.Answer(settings, echo, func(said json.RawMessage) ([]Read, error) {
		var all []read
		err := json.Unmarshal(said, &all)
		var reads []Read
		for _, one := range all {
			var source ReadSource
			switch {
			case one.Source.ConfigKey != nil:
				source = MakeReadSourceConfigKey(ConfigKey(*one.Source.ConfigKey))
			case one.Source.Workload != nil:
				source = MakeReadSourceWorkload(Workload(*one.Source.Workload))
			case one.Source.HTTP != nil:
				source = MakeReadSourceHttp(one.Source.HTTP.request())
			default:
				err = errors.New("no source")
			}
			reads = append(reads, Read{Id: one.ID, Source: source, Written: one.Written})
		}
		return reads, err
	})
}

type action struct {
	WriteConfigKey *struct {
		Key     configKey `json:"key"`
		Content *string   `json:"content"`
	} `json:"write-config-key"`
	Roll *struct {
		Workload workload `json:"workload"`
		Value    string   `json:"value"`
	} `json:"roll"`
	Send *httpRequest `json:"send"`
}

func (said action) action() (Action, error) {
	switch {
	case said.WriteConfigKey != nil:
		write := ConfigKeyWrite{
			Key:     ConfigKey(said.WriteConfigKey.Key),
			Content: script.Optional(said.WriteConfigKey.Content),
		}
		return MakeActionWriteConfigKey(write), nil
	case said.Roll != nil:
		return MakeActionRoll(Roll{Workload: Workload(said.Roll.Workload), Value: said.Roll.Value}), nil
	case said.Send != nil:
		return MakeActionSend(said.Send.request()), nil
	}
	return Action{}, errors.New("no action")
}

type plan struct {
	Steps []struct {
		Action  action   `json:"action"`
		Servers []string `json:"servers"`
	} `json:"steps"`
	Registrations []struct {
		Server         string `json:"server"`
		RegisteredName string `json:"registered-name"`
		State          string `json:"state"`
		Reason         string `json:"reason"`
		Message        string `json:"message"`
	} `json:"registrations"`
	Extra []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"extra"`
}

// Plan answers what the settings say.
func Plan(settings string, registry Registry) wit.Result[RegistrationPlan, contract.Failure] {
	echo := func() RegistrationPlan {
		said := Registration{State: RegistrationState_Pending, Reason: "Echo", Message: text(registry)}
		return RegistrationPlan{Registrations: []Registration{said}}
	}
	return script.Answer(settings, echo, func(said json.RawMessage) (RegistrationPlan, error) {
		var read plan
		err := json.Unmarshal(said, &read)
		var planned RegistrationPlan
		for _, step := range read.Steps {
			action, unreadable := step.Action.action()
			err = errors.Join(err, unreadable)
			planned.Steps = append(planned.Steps, Step{Action: action, Servers: step.Servers})
		}
		states := []string{"registered", "pending", "absent", "refused"}
		for _, one := range read.Registrations {
			planned.Registrations = append(planned.Registrations, Registration{
				Server:         one.Server,
				RegisteredName: one.RegisteredName,
				State:          uint8(slices.Index(states, one.State)),
				Reason:         one.Reason,
				Message:        one.Message,
			})
		}
		for _, value := range read.Extra {
			planned.Extra = append(planned.Extra, contract.NamedJson(value))
		}
		return planned, err
	})
}

func text(registry Registry) string {
	servers := []any{}
	for _, server := range registry.Servers {
		servers = append(servers, serverJSON(server))
	}
	observations := []any{}
	for _, observation := range registry.Observations {
		observations = append(observations, map[string]any{"id": observation.Id, "state": found(observation.State)})
	}
	return script.Text(map[string]any{
		"instance":     registry.Instance,
		"servers":      servers,
		"observations": observations,
		"context":      script.Named(registry.Context),
	})
}

func serverJSON(server Server) any {
	var tools any
	if server.AllowedTools.IsSome() {
		tools = script.List(server.AllowedTools.Some())
	}
	return map[string]any{
		"namespace":     server.Namespace,
		"name":          server.Name,
		"uid":           server.Uid,
		"created":       server.Created,
		"labels":        script.Pairs(server.Labels),
		"url":           server.Url,
		"transport":     server.Transport,
		"description":   server.Description,
		"access-groups": script.List(server.AccessGroups),
		"allowed-tools": tools,
		"extra":         script.Named(server.Extra),
	}
}

func found(state Observed) map[string]any {
	switch state.Tag() {
	case Observed_ConfigKey:
		return map[string]any{"config-key": script.Option(state.ConfigKey())}
	case Observed_Workload:
		if state.Workload().IsNone() {
			return map[string]any{"workload": nil}
		}
		workload := state.Workload().Some()
		return map[string]any{"workload": map[string]any{
			"rolled-to": script.Option(workload.RolledTo),
			"complete":  workload.Complete,
			"message":   workload.Message,
		}}
	case Observed_Http:
		answer := state.Http()
		return map[string]any{"http": map[string]any{
			"status":  answer.Status,
			"headers": script.Pairs(answer.Headers),
			"body":    answer.Body,
		}}
	default:
		return map[string]any{"unavailable": state.Unavailable()}
	}
}
