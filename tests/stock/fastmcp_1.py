"""A server as the documentation of `mcp` 1.x has it. HOME is written to where KEEPS_NOTES is set; WAIT_SECONDS is how long
its start takes; ALLOWED_HOSTS are the names that it knows itself by, and without it, it knows localhost only, as the library
does where it is started by `uvicorn server:app`."""

import os
import pathlib
import time

import uvicorn
from mcp.server.fastmcp import FastMCP
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse

time.sleep(float(os.environ.get("WAIT_SECONDS", "0")))
if "KEEPS_NOTES" in os.environ:
    notes = pathlib.Path.home() / ".cache" / "notes"
    notes.mkdir(parents=True)
    (notes / "first").write_text("written")

hosts = os.environ.get("ALLOWED_HOSTS", "*")
security = TransportSecuritySettings(enable_dns_rebinding_protection=hosts != "*", allowed_hosts=hosts.split(","))
server = FastMCP("stock", host="0.0.0.0", port=8080, transport_security=security)


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.custom_route("/health", methods=["GET"])
async def health(_):
    return PlainTextResponse("ok")


app = server.streamable_http_app()
if "ALLOWED_HOSTS" in os.environ:
    # Whoever asks by another name gets 421, whatever the path, as from gateways and newer libraries.
    inner = app

    async def app(scope, receive, send):
        asked = dict(scope.get("headers", [])).get(b"host", b"").decode()
        if scope["type"] != "http" or asked in hosts.split(",") or asked == "localhost":
            return await inner(scope, receive, send)
        await send({"type": "http.response.start", "status": 421, "headers": []})
        await send({"type": "http.response.body", "body": b"Invalid Host header"})


uvicorn.run(app, host="0.0.0.0", port=8080)
