"""@SUMMARY@: one key of a ConfigMap, for a gateway that watches it."""

import json

from componentize_py_types import Err
from wit_world.exports.metadata import Description
from wit_world.exports.registrar import (
    Action_WriteConfigKey,
    ConfigKey,
    ConfigKeyWrite,
    Observed_ConfigKey,
    Read,
    ReadSource_ConfigKey,
    Registration,
    RegistrationPlan,
    RegistrationState,
    Step,
)
from wit_world.imports.types import Failure_InvalidSettings, Finding, Severity


def settings_errors(settings):
    """What is wrong with spec.settings of the MCPPlugin: namespace and name of the ConfigMap."""
    return [
        Finding("settings", field, "Required", None, f"the {field} of the ConfigMap", Severity.ERROR)
        for field in ("namespace", "name")
        if not isinstance(settings.get(field), str)
    ]


def key_of(text):
    settings = json.loads(text)
    if settings_errors(settings):
        raise Err(Failure_InvalidSettings("namespace and name are wanted"))
    return ConfigKey(settings["namespace"], settings["name"], "servers.json")


class Metadata:
    def describe(self):
        return Description(
            name="@NAME@",
            version="0.1.0",
            summary="@SUMMARY@",
            url="",
            rules=[],
            context=[],
            settings_schema=None,
            extra=[],
        )

    def validate_settings(self, settings):
        return settings_errors(json.loads(settings))


class Registrar:
    def observe(self, settings):
        """What must be known before the plan. The operator reads it, by the grants of the MCPPlugin."""
        return [Read("list", ReadSource_ConfigKey(key_of(settings)), True)]

    def plan(self, settings, registry):
        """What is to be done, from what was found. Without steps, everything is as it should be."""
        servers = [(f"{server.namespace}/{server.name}", server.url) for server in registry.servers]
        # Without servers the key is removed, so that nothing is left behind.
        content = json.dumps([{"name": name, "url": url} for name, url in servers]) if servers else None
        found = [observation.state for observation in registry.observations if observation.id == "list"]
        written = found == [Observed_ConfigKey(content)]
        write = Step(Action_WriteConfigKey(ConfigKeyWrite(key_of(settings), content)), [])
        registrations = [
            Registration(
                server=name,
                registered_name=name,
                state=RegistrationState.REGISTERED if written else RegistrationState.PENDING,
                reason="Listed" if written else "Listing",
                message="Is in the list" if written else "Is being put in the list",
            )
            for name, _ in servers
        ]
        return RegistrationPlan(steps=[] if written else [write], registrations=registrations, extra=[])
