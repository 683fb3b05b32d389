"""@SUMMARY@."""

import json

from componentize_py_types import Err
from wit_world.exports.metadata import Description, Rule
from wit_world.imports.types import Failure_InvalidSettings, Finding, Severity


def finding(code, field, error_type, message, value=None):
    """One thing that is wrong. `field` is written as Kubernetes does: spec.secrets[0].name, metadata.labels[team]."""
    bad_value = None if value is None else json.dumps(value)
    return Finding(code, field, error_type, bad_value, message, Severity.ERROR)


def settings_errors(settings):
    """What is wrong with spec.settings of the MCPPlugin."""
    errors = [
        finding("settings", name, "Invalid", "there is only label", settings[name])
        for name in sorted(settings.keys() - {"label"})
    ]
    if not isinstance(settings.get("label"), str):
        errors.append(finding("settings", "label", "Required", "the label that says who owns a server"))
    return errors


class Metadata:
    def describe(self):
        return Description(
            name="@NAME@",
            version="0.1.0",
            summary="@SUMMARY@",
            url="",
            rules=[Rule("owner", "the label of the settings is there")],
            context=[],
            settings_schema=json.dumps(
                {"type": "object", "required": ["label"], "properties": {"label": {"type": "string"}}}
            ),
            extra=[],
        )

    def validate_settings(self, settings):
        return settings_errors(json.loads(settings))


class Validator:
    def validate(self, settings, request):
        """Everything that is wrong, at once. What is printed is shown by `mcp-operator plugin run`."""
        settings = json.loads(settings)
        if settings_errors(settings):
            raise Err(Failure_InvalidSettings("label is missing"))
        server = json.loads(request.object)
        label = settings["label"]
        if label in (server["metadata"].get("labels") or {}):
            return []
        return [finding("owner", f"metadata.labels[{label}]", "Required", "say who owns this server")]
