"""``python -m credit_model``: the command line."""

import sys

from credit_model.cli.main import main

sys.exit(main())
