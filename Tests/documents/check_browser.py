"""Checks the pages that `make docs` has built in a browser: chromium without a screen.

    check_browser.py SITE

Each page is drawn at 1280 and at 420 pixels. It asks no other machine for anything, and it is not wider than the
screen. The search, whose index is local, finds a function of each API. Without the browser, which `make engines-test`
installs, the check is skipped.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bindings/python"))

import flowworker  # noqa: E402

#: Loads each page in a frame, gives the frame both widths, and sends what it has seen.
LOOK = """<!doctype html><body><script>
const pages = PAGES, seen = [];
async function look(page) {
  const frame = document.createElement('iframe');
  frame.style = 'border: 0; width: 1280px; height: 900px';
  frame.src = page;
  await new Promise(ready => { frame.onload = ready; document.body.append(frame); });
  const view = frame.contentWindow, root = view.document.documentElement;
  const wide = root.scrollWidth;
  frame.style.width = '420px';
  const narrow = root.scrollWidth;
  const asked = view.performance.getEntriesByType('resource').map(e => e.name);
  const outside = asked.filter(name => !name.startsWith(location.origin));
  seen.push([page, wide, narrow, outside, view.document.querySelector('h1').textContent]);
  frame.remove();
}
async function search(words) {
  const frame = document.createElement('iframe');
  frame.style = 'width: 1280px; height: 900px';
  frame.src = 'index.html?q=' + words;
  await new Promise(ready => { frame.onload = ready; document.body.append(frame); });
  for (;;) {
    const found = [...frame.contentDocument.querySelectorAll('.md-search-result__item a')].map(a => a.href);
    if (found.length > 0) { frame.remove(); return [words, found]; }
    await new Promise(later => setTimeout(later, 50));
  }
}
(async () => {
  for (const page of pages) await look(page);
  const found = [await search('fw_worker_exec'), await search('exec_async')];
  await fetch('/seen', {method: 'POST', body: JSON.stringify({seen, found})});
})();
</script>"""


class Server(ThreadingHTTPServer):
    """Serves the site and the page above, and has what that page has seen."""

    def __init__(self, site: Path, look: str) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(site)))
        self.look = look.encode()
        self.seen: dict[str, Any] = {}
        self.done = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A frame that is removed no longer reads what it has asked for, which is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path == "/look.html":
            self.answer(self.server.look)
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self.server.seen = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b"")
        self.server.done.set()

    def answer(self, text: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


def look_at(site: Path, browser: str, pages: list[str]) -> dict[str, Any]:
    server = Server(site, LOOK.replace("PAGES", json.dumps(pages)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # The browser is a script with many processes. A step of the library ends all of them.
    worker = flowworker.create_worker(flowworker.Subprocess("browser"))
    with tempfile.TemporaryDirectory() as profile:
        options = ["--no-sandbox", "--disable-gpu", "--window-size=1400,1000", "--remote-debugging-port=0"]
        address = f"http://127.0.0.1:{server.server_address[1]}/look.html"
        command = shlex.join([browser, *options, f"--user-data-dir={profile}", address])
        step = flowworker.ContainerStep("browser", "", [command])
        with worker.start(step, {}, profile, events="none") as execution:
            for _ in range(int(os.environ.get("CHECK_TIMEOUT", "600"))):
                if server.done.wait(1):
                    break
                result = execution.wait(0)
                if result is not None:
                    raise SystemExit(f"FAILED  the browser has ended: {result.message}")
            else:
                raise SystemExit("FAILED  the browser has not looked at all pages, or its search found nothing")
        server.shutdown()
        server.server_close()
    return server.seen


def main() -> int:
    site = Path(sys.argv[1]).resolve()
    browser = shutil.which("chromium-headless-shell")
    if browser is None:
        print("skipped the look at the pages: there is no chromium-headless-shell")
        return 0
    pages = [str(file.relative_to(site)) for file in sorted(site.rglob("*.html")) if file.name != "404.html"]
    seen = look_at(site, browser, pages)
    wrong = []
    for page, wide, narrow, outside, heading in seen["seen"]:
        if wide > 1280 or narrow > 420:
            wrong.append(f"{page} is {wide} pixels wide in 1280, and {narrow} in 420")
        if outside:
            wrong.append(f"{page} asks for {', '.join(outside)}")
        if not heading:
            wrong.append(f"{page} has no heading")
    for words, found in seen["found"]:
        if not any("reference/" in link for link in found):
            wrong.append(f"the search for {words} finds only {found}")
    for line in wrong:
        print(f"FAILED  {line}")
    print(f"{len(seen['seen'])} pages at two widths, {len(seen['found'])} searches, {len(wrong)} wrong")
    return 1 if wrong or len(seen["seen"]) != len(pages) else 0


if __name__ == "__main__":
    sys.exit(main())
