"""Which steps of a workflow's document call a Python function."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from .steps import CodeStep


def code_steps(document: Mapping[str, Any], arguments: Mapping[str, Any]) -> Dict[str, CodeStep]:
    """Gives the code steps by their names; the library has checked the document.

    An action may be an argument itself, or the default value of a parameter.
    """
    defaults = {}
    spec = document
    if "workflow" in document:
        spec = document["workflow"]
        for parameter in document.get("parameters", ()):
            if parameter.get("defaultValue") is not None:
                defaults[parameter["name"]] = parameter["defaultValue"]
    values = {**defaults, **arguments}
    found: Dict[str, CodeStep] = {}
    for step in spec.get("steps", ()):
        action = _action(step.get("action"), values)
        if action is None or "func" not in action:
            continue
        files = step.get("files", {})
        found[step["name"]] = CodeStep(
            step["name"],
            _value(action["func"], values),
            arg=_value(action.get("arg"), values),
            varnames={pair["arg"]: pair["var"] for pair in action.get("variables", ())},
            inputs=files.get("inputs"),
            outputs=files.get("outputs"),
            kept=_value(files.get("kept", False), values),
            secrets=step.get("secrets"),
        )
    return found


def _action(action: Any, values: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    action = _value(action, values)
    return action if isinstance(action, dict) else None


def _value(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and value.startswith("$[[") and value.endswith("]]"):
        return values.get(value[3:-2].strip(), value)
    return value
