"""One request of LiteLLM's admin API. Prints the status code and the answer as JSON.

admin_api.py URL KEY METHOD PATH [BODY]
"""

import json
import sys

import httpx

url, key, method, path, *body = sys.argv[1:]
# Just after a rollout, the node leads to the pod before for a moment: nothing was sent where nobody listens.
transport = httpx.HTTPTransport(retries=4)
with httpx.Client(transport=transport, timeout=30, trust_env=False) as client:
    answer = client.request(
        method,
        url + path,
        headers={"Authorization": f"Bearer {key}"},
        json=json.loads(body[0]) if body else None,
    )
try:
    said = answer.json()
except ValueError:
    said = answer.text
print(json.dumps({"status": answer.status_code, "body": said}))
