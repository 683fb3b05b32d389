"""@SUMMARY@."""

import json

from componentize_py_types import Err
from wit_world.exports.defaulter import Patch, PatchOperation_Add, PathValue
from wit_world.exports.metadata import Description, Rule
from wit_world.imports.types import Failure_InvalidSettings, Finding, Severity


def settings_errors(settings):
    """What is wrong with spec.settings of the MCPPlugin."""
    if set(settings) == {"priorityClass"} and isinstance(settings["priorityClass"], str):
        return []
    message = "the PriorityClass of pods that have none, and nothing else"
    return [Finding("settings", "priorityClass", "Required", None, message, Severity.ERROR)]


class Metadata:
    def describe(self):
        return Description(
            name="@NAME@",
            version="0.1.0",
            summary="@SUMMARY@",
            url="",
            rules=[Rule("priority", "pods without a PriorityClass get that of the settings")],
            context=[],
            settings_schema=None,
            extra=[],
        )

    def validate_settings(self, settings):
        return settings_errors(json.loads(settings))


class Defaulter:
    def defaults(self, settings, request):
        """Says what to change: never what is set, and nothing on a second call. wit/defaulter.wit lists what may be changed."""
        settings = json.loads(settings)
        if settings_errors(settings):
            raise Err(Failure_InvalidSettings("priorityClass is missing"))
        patches = []
        for index, text in enumerate(request.objects):
            value = json.loads(text)
            if value["kind"] != "Deployment" or value["spec"]["template"]["spec"].get("priorityClassName"):
                continue
            change = PathValue("/spec/template/spec/priorityClassName", json.dumps(settings["priorityClass"]))
            patches.append(Patch(index, "priority", [PatchOperation_Add(change)]))
        return patches
