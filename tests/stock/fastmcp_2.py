"""A server as the documentation of `mcp` 2.x has it."""

import socket

from mcp.server import MCPServer

server = MCPServer("stock")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
def whoami() -> str:
    """Says which pod this is."""
    return socket.gethostname()


server.run(transport="streamable-http", host="0.0.0.0", port=8080, stateless_http=True)
