"""`Unpack` for annotations. Python has it from 3.11 on; type checkers take it from typing_extensions before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Unpack as Unpack
else:
    try:
        from typing import Unpack
    except ImportError:

        class Unpack:
            """Lets `typing.get_type_hints` evaluate the annotations of older versions of Python."""

            def __class_getitem__(cls, options: Any) -> Any:
                return options
