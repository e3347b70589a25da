# SPDX-License-Identifier: Apache-2.0
"""Files that commands write: whole, or not at all."""

import contextlib
import os
import stat
import tempfile

from ..errors import ArielError


def check_folder(path):
    """ArielError when there is no folder for a file to write. Asked before the work, which may take long."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise ArielError(f"{path}: there is no folder {folder}; make it first")


@contextlib.contextmanager
def whole_file(path):
    """A binary file to write, which gets its name only when all is in it: a failure leaves what was there before. What is
    no plain file, such as a pipe, is written as it is."""
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        with open(path, "wb") as file:
            yield file
        return
    with tempfile.NamedTemporaryFile("wb", dir=os.path.dirname(path) or ".", prefix=".ariel-", delete=False) as file:
        try:
            yield file
            file.close()
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
