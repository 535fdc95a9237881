"""The document of a notebook, in the form that papermill reads."""

# The path by which papermill reads the notebook from `Source`.
SOURCE = "flowworker:notebook.ipynb"


class Source:
    """A handler of papermill that gives it the notebook's text from memory."""

    def __init__(self, text):
        self.text = text

    def read(self, path):
        return self.text

    def pretty_path(self, path):
        return path


def repaired(document):
    """Repairs faults of the document that have a clear meaning, but that nbformat or papermill refuse."""
    if document["nbformat"] < 4:
        return document
    metadata = document["metadata"] = typed(document.get("metadata"), dict)
    for key in ("kernelspec", "language_info"):
        if key in metadata:
            members = typed(metadata[key], dict).items()
            metadata[key] = {name: value for name, value in members if isinstance(value, (str, dict))}
    for cell in typed(document.get("cells"), list):
        about = cell["metadata"] = typed(cell.get("metadata"), dict)
        if "tags" in about:
            tags = [about["tags"]] if isinstance(about["tags"], str) else typed(about["tags"], list)
            about["tags"] = [tag for tag in tags if isinstance(tag, str)]
        if cell.get("source") is None:
            cell["source"] = ""
        if cell.get("cell_type") == "code":
            cell["outputs"] = [output for output in typed(cell.get("outputs"), list) if isinstance(output, dict)]
            cell.setdefault("execution_count", None)
    return document


def typed(value, kind):
    """Returns the value if it is of the type, and an empty value of that type otherwise."""
    return value if isinstance(value, kind) else kind()
