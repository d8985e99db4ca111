# SPDX-License-Identifier: Apache-2.0
"""``python -m warehouse``"""

from warehouse.server.main import main

if __name__ == "__main__":
    main()
