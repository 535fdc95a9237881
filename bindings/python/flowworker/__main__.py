"""`python -m flowworker` is the command `flowworker`."""

import sys

from ._cli.main import main

sys.exit(main())
