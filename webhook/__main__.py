"""``python -m webhook``: the same as the command ``netreeve``."""

import sys

from webhook.cli import main

sys.exit(main())
