# SPDX-License-Identifier: Apache-2.0
"""A local SQL warehouse that a driver cannot tell from Databricks SQL."""
