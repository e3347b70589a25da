# SPDX-License-Identifier: Apache-2.0
"""A real Chromium without a display, for the tests of pages: opens files, and fails on whatever the page complains about."""

import base64
import contextlib
import shutil

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 120  # seconds that a page may take on a busy host
# Chromium runs as root in a container here, which its sandbox refuses, and with a small /dev/shm.
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
             "--force-color-profile=srgb", "--disable-background-networking", "--window-size=1400,900")


class Browser:
    """One Chromium. driver: selenium's."""

    def __init__(self):
        options = Options()
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.binary_location = shutil.which("chromium")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_script_timeout(PATIENCE)
        self.set_size(1400, 900)
        self.set_dark(False)

    def set_size(self, width, height):
        """The page's size in pixels."""
        self._command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def set_dark(self, dark):
        """What the system prefers: prefers-color-scheme."""
        value = "dark" if dark else "light"
        self._command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value},
                                                              {"name": "prefers-reduced-motion", "value": "reduce"}])

    def open(self, path, fragment=""):
        """Opens a report and waits until it is ready. fragment: "#key=pl011"."""
        self.driver.get("about:blank")  # or a change of the fragment alone would not load the page
        self.driver.get(f"file://{path}{fragment}")
        self.wait("return document.documentElement.dataset.ready")
        assert self.run("return document.documentElement.dataset.ready") == "true", self.log()

    def run(self, script, *arguments):
        """The result of a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, *arguments):
        """Waits until a script in the page returns something true, and returns it."""
        return WebDriverWait(self.driver, PATIENCE, 0.05).until(lambda driver: driver.execute_script(script, *arguments))

    def log(self):
        """What the page has written to its console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def picture(self, path):
        """A PNG of what is to be seen."""
        path.write_bytes(base64.b64decode(self._command("Page.captureScreenshot", format="png")["data"]))

    def _command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)


@contextlib.contextmanager
def open_browser():
    """A Browser, which ends with the block."""
    browser = Browser()
    try:
        yield browser
    finally:
        browser.driver.quit()
