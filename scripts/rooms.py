# SPDX-License-Identifier: Apache-2.0
"""The rooms of the hypervisor: the folders whose files are built for EL2, ground first. The Makefile has the list."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = tuple(re.search(r"^ROOMS := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1].split())
# The same without what lies in another one: vdev holds vdev/vgic/vgic too.
FOLDERS = tuple(dict.fromkeys(room.split("/")[0] for room in ROOMS))
