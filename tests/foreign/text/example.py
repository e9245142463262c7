"""Runs the Python example of a page of the documentation against a weft of its own, and looks at what it wrote."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import Request, urlopen


def main() -> None:
    page = Path(sys.argv[1]).read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.S)
    with tempfile.TemporaryDirectory() as data:
        command = [os.environ["WEFT_BIN"], "--listen", "127.0.0.1:0", "--data", data]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = next(match[1] for line in server.stdout if (match := re.match(r"listening on (\S+)", line)))
            document = f"{url}/api/v1/documents/notes"
            create = json.dumps({"name": "notes", "title": "Notes"}).encode()
            urlopen(Request(f"{url}/api/v1/documents", data=create, headers={"content-type": "application/json"}))
            run = subprocess.run([sys.executable, "-c", example, document], capture_output=True, text=True, timeout=60)
            assert run.returncode == 0, run.stderr
            body = json.load(urlopen(f"{document}/json"))["body"]
            markdown = urlopen(f"{document}/markdown").read().decode()
        finally:
            server.terminate()
            server.wait(30)
    paragraph = {"type": "paragraph", "content": [{"text": "written in "}, {"text": "Python 🐍", "marks": {"bold": True}}]}
    code = {"type": "code", "language": "python", "content": [{"text": "print('hello')\nprint('world')"}]}
    assert body == [{"type": "quote", "content": [paragraph, code]}], body
    assert markdown.startswith("> written in "), markdown
    assert "Python 🐍 {'bold': True}" in run.stdout, run.stdout
    print("the Python example of docs/text.md does what it says")


main()
