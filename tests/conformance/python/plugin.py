"""The plugin that checks hosts and tools, as wit/1.0.0/conformance describes it."""

import dataclasses
import json
import re
from enum import Enum

from componentize_py_types import Err
from wit_world.exports.defaulter import (
    Patch,
    PatchOperation_Add,
    PatchOperation_Remove,
    PatchOperation_Replace,
    PathValue,
)
from wit_world.exports.metadata import Description, Rule
from wit_world.exports.registrar import (
    Action_Roll,
    Action_Send,
    Action_WriteConfigKey,
    ConfigKey,
    ConfigKeyWrite,
    HttpRequest,
    Read,
    ReadSource_ConfigKey,
    ReadSource_Http,
    ReadSource_Workload,
    Registration,
    RegistrationPlan,
    RegistrationState,
    Roll,
    Step,
    Workload,
)
from wit_world.imports.types import (
    Failure_Internal,
    Failure_InvalidSettings,
    Failure_Unsupported,
    Finding,
    NamedJson,
    Severity,
)

FAILURES = {
    "invalid-settings": Failure_InvalidSettings,
    "unsupported": Failure_Unsupported,
    "internal": Failure_Internal,
}

calls = 0


def text_of(value):
    """A value of the contract as JSON text."""
    return json.dumps(plain(value), ensure_ascii=False)


def plain(value):
    if isinstance(value, Enum):
        return value.name.lower().replace("_", "-")
    if dataclasses.is_dataclass(value):
        _, _, case = type(value).__name__.partition("_")
        if case:
            return {re.sub("(?<!^)([A-Z])", r"-\1", case).lower(): plain(value.value)}
        fields = dataclasses.fields(value)
        return {field.name.replace("_", "-"): plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def one(said):
    """The case of a variant, and what belongs to it."""
    ((case, value),) = said.items()
    return case, value


def answered(settings, echo, read):
    """What the settings say that is to be answered."""
    try:
        answer = json.loads(settings)["answer"]
        if answer == "echo":
            return echo()
        if answer == "trap":
            raise SystemError("as the settings say")
        outcome, said = one(answer)
        if outcome == "ok":
            return read(said)
        case, message = one(said)
        failure = FAILURES[case](message)
    except (AttributeError, KeyError, TypeError, ValueError):
        failure = Failure_InvalidSettings("unreadable")
    raise Err(failure)


def finding(said):
    severity = Severity[said["severity"].upper()]
    return Finding(said["code"], said["field"], said["error-type"], said["bad-value"], said["message"], severity)


def patch(said):
    return Patch(said["object"], said["code"], [operation(one_of) for one_of in said["operations"]])


def operation(said):
    case, value = one(said)
    if case == "remove":
        return PatchOperation_Remove(value)
    kind = {"add": PatchOperation_Add, "replace": PatchOperation_Replace}[case]
    return kind(PathValue(value["path"], value["value"]))


def config_key(said):
    return ConfigKey(said["namespace"], said["name"], said["key"])


def workload(said):
    return Workload(said["kind"], said["namespace"], said["name"])


def http_request(said):
    headers = [(name, value) for name, value in said["headers"]]
    return HttpRequest(said["connection"], said["method"], said["path"], headers, said["body"])


def read(said):
    case, value = one(said["source"])
    if case == "config-key":
        source = ReadSource_ConfigKey(config_key(value))
    elif case == "workload":
        source = ReadSource_Workload(workload(value))
    else:
        source = ReadSource_Http(http_request(value))
    return Read(said["id"], source, said["written"])


def action(said):
    case, value = one(said)
    if case == "write-config-key":
        return Action_WriteConfigKey(ConfigKeyWrite(config_key(value["key"]), value["content"]))
    if case == "roll":
        return Action_Roll(Roll(workload(value["workload"]), value["value"]))
    return Action_Send(http_request(value))


def registration(said):
    state = RegistrationState[said["state"].upper()]
    return Registration(said["server"], said["registered-name"], state, said["reason"], said["message"])


def plan(said):
    return RegistrationPlan(
        steps=[Step(action(step["action"]), step["servers"]) for step in said["steps"]],
        registrations=[registration(one_of) for one_of in said["registrations"]],
        extra=[NamedJson(value["name"], value["value"]) for value in said["extra"]],
    )


class Metadata:
    def describe(self):
        return Description(
            name="conformance",
            version="1.0.0",
            summary="Answers what its settings say ✓",
            url="https://example.com/?a=1&b=ü",
            rules=[Rule("echo", "says what it was asked")],
            context=["namespace", "rendered"],
            settings_schema='{"type":"object"}',
            extra=[NamedJson("conformance", "[1,null]")],
        )

    def validate_settings(self, settings):
        return [finding(said) for said in json.loads(settings).get("findings", [])]


class Validator:
    def validate(self, settings, request):
        global calls
        calls += 1
        if json.loads(settings).get("answer") == "count":
            return [Finding("count", "", "Invalid", None, str(calls), Severity.WARNING)]
        return answered(
            settings,
            lambda: [Finding("echo", "", "Invalid", text_of(request), "echo", Severity.WARNING)],
            lambda said: [finding(one_of) for one_of in said],
        )


class Defaulter:
    def defaults(self, settings, request):
        return answered(
            settings,
            lambda: [Patch(0, "echo", [PatchOperation_Add(PathValue("/echo", text_of(request)))])],
            lambda said: [patch(one_of) for one_of in said],
        )


class Registrar:
    def observe(self, settings):
        return answered(settings, lambda: [], lambda said: [read(one_of) for one_of in said])

    def plan(self, settings, registry):
        return answered(
            settings,
            lambda: RegistrationPlan(
                [], [Registration("", "", RegistrationState.PENDING, "Echo", text_of(registry))], []
            ),
            plan,
        )
