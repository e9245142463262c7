"""Makes a token by the Python recipe of a page of the documentation, and takes it to a closed weft of its own."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def main() -> None:
    page = Path(sys.argv[1]).read_text()
    (recipe,) = re.findall(r"```python\n(.*?)```", page, re.S)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("token.key").write_text("a-secret-of-this-test-which-is-long-enough\n")
        command = [os.environ["WEFT_BIN"], "--listen", "127.0.0.1:0", "--data", "data", "--token-keys", "token.key"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = next(match[1] for line in server.stdout if (match := re.match(r"listening on (\S+)", line)))
            made: dict = {}
            exec(recipe, made)
            token = made["token_for"]({"id": "ann", "name": "Ann"})
            statuses = {name: create(url, name, headers) for name, headers in [
                ("team/plan", {"authorization": f"Bearer {token}"}),
                ("plan", {"authorization": f"Bearer {token}"}),
                ("team/other", {}),
            ]}
        finally:
            server.terminate()
            server.wait(30)
    assert statuses == {"team/plan": 201, "plan": 404, "team/other": 401}, statuses
    print("the Python recipe of docs/access.md does what it says")


def create(url: str, name: str, headers: dict) -> int:
    body = json.dumps({"name": name}).encode()
    request = Request(f"{url}/api/v1/documents", data=body, headers={"content-type": "application/json", **headers})
    try:
        return urlopen(request).status
    except HTTPError as refused:
        return refused.code


main()
