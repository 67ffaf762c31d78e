"""``python -m webhook``: the same as the command ``netreeve``."""

import sys

try:
    from webhook.cli import main

    code = main()
except KeyboardInterrupt:  # while modules were still being loaded
    code = 130
sys.exit(code)
