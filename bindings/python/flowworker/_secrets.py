"""What the library does with secrets, for functions that run in this process."""

from __future__ import annotations

from typing import Any, Callable, Iterable, List, Mapping

from .errors import DOCUMENT, DocumentError

#: Shorter ones would be found everywhere, as in the library.
_LEAST_SIZE = 4


def masking(names: Iterable[str], context: Mapping[str, Any], step: str) -> Callable[[str], str]:
    """Gives what replaces the values of these names in a text by three stars."""
    texts: List[str] = []
    for name in names:
        text = str(context[name]) if name in context else ""
        if 0 < len(text.encode("utf-8", "surrogatepass")) < _LEAST_SIZE:
            message = "step {!r}: the secret {!r} has fewer than {} bytes, which cannot be kept out of what is told"
            raise DocumentError(DOCUMENT, message.format(step, name, _LEAST_SIZE))
        if text:
            # As it is, and as it stands in what Python shows of it.
            texts += [text, repr(text)[1:-1]]
    texts.sort(key=len, reverse=True)

    def masked(text: str) -> str:
        for secret in texts:
            text = text.replace(secret, "***")
        return text

    return masked
