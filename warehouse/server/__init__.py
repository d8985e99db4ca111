# SPDX-License-Identifier: Apache-2.0
"""The wire side of the local warehouse: HTTP, Thrift, results, forgetting, faults,
control.
"""
