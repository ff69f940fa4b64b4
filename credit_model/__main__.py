"""``python -m credit_model``: the command line."""

import sys

from credit_model.cli import main

sys.exit(main())
