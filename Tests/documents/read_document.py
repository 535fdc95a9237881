"""Reads one JSON document from the standard input with the reader of its kind, and prints the kind.

A document whose keys are those of no kind is a part of one, or something that the library writes: it only has to be
JSON.
"""

import json
import sys

import flowworker

RUN_OPTIONS = set(flowworker.RunOptions.__annotations__)
VOLUMES = {"fs", "s3", "gc", "sftp"}


def read(document):
    if isinstance(document, list):
        if document and all(isinstance(one, dict) and "type" in one for one in document):
            return read({"volumes" if document[0]["type"] in VOLUMES else "workers": document})
        return None
    if not isinstance(document, dict):
        return None
    if "version" in document:
        return None
    if "action" in document:
        flowworker.Workflow.from_template({"steps": [document]})
        return "step"
    if "steps" in document or isinstance(document.get("workflow"), dict):
        flowworker.Workflow.from_template(document)
        return "workflow"
    if document.keys() & {"workers", "managers", "volumes", "workflow"}:
        flowworker.WorkerPool.from_config(document)
        return "engine configuration"
    if {"name", "type"} <= document.keys():
        if document["type"] in VOLUMES:
            return read({"volumes": [document]}) and "volume"
        flowworker.create_worker(document)
        return "worker"
    if document and document.keys() <= RUN_OPTIONS:
        worker = flowworker.create_worker(flowworker.Subprocess("w"))
        worker.exec(flowworker.ContainerStep("s", "", ["true"]), {}, ".", **document)
        return "options of a run"
    return None


print(read(json.load(sys.stdin)) or "part of a document")
