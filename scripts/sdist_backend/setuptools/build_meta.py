# SPDX-License-Identifier: Apache-2.0
import metadata_only
from metadata_only import *  # noqa: F403

__legacy__ = metadata_only
