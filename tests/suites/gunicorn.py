"""The requests of gunicorn's own tests, read by its own test code, one JSON line each. Its source is sys.argv[1].

What `requests` says is what gunicorn makes of them; none: it refuses them.
"""

import glob
import json
import os
import sys

source = sys.argv[1]
sys.path[:0] = [source, os.path.join(source, "tests")]

import treq  # noqa: E402


def of(request):
    return {
        "method": request["method"],
        "target": request["uri"]["raw"],
        "fields": [[name, value] for name, value in request["headers"]],
        "body": (request["body"] or b"").hex(),
    }


for path in sorted(glob.glob(os.path.join(source, "tests/requests/*/*.http"))):
    name = os.path.splitext(os.path.relpath(path, os.path.join(source, "tests/requests")))[0]
    expected = treq.load_py(os.path.splitext(path)[0] + ".py")["request"]
    requests = None
    if name.startswith("valid/"):
        requests = [of(request) for request in (expected if isinstance(expected, list) else [expected])]
    print(json.dumps({"name": name, "bytes": treq.request(path, expected).data.hex(), "requests": requests}))
