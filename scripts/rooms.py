# SPDX-License-Identifier: Apache-2.0
"""The rooms of the hypervisor and of its guests: the folders whose files are built, ground first, from the Makefile."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def listed(variable):
    """The folders that a variable of the Makefile lists."""
    return tuple(re.search(rf"^{variable} := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1].split())


ROOMS = listed("ROOMS")
GUEST_ROOMS = listed("GUEST_ROOMS")
# The hypervisor's without those that lie within another one: vdev/vgic is a part of vdev.
WHOLE_ROOMS = tuple(room for room in ROOMS if not any(room.startswith(other + "/") for other in ROOMS))
# The top folders of the hypervisor's code
FOLDERS = tuple(dict.fromkeys(room.split("/")[0] for room in ROOMS))
