# SPDX-License-Identifier: Apache-2.0
from metadata_only import *  # noqa: F403
