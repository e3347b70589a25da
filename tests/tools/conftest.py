# SPDX-License-Identifier: Apache-2.0
"""What hypothesis draws in these tests is the same each time, and takes as long as the host needs; tests/fuzz draws anew."""

from hypothesis import HealthCheck, settings

settings.register_profile("tools", deadline=None, derandomize=True, database=None,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
settings.load_profile("tools")
