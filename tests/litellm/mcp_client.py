"""The official MCP client: lists the tools of a server, or calls one. Prints JSON.

mcp_client.py URL KEY list
mcp_client.py URL KEY call NAME ARGUMENTS
mcp_client.py URL KEY repeat TIMES NAME ARGUMENTS
"""

import asyncio
import json
import sys


async def session(read, write, words):
    from mcp import ClientSession

    async with ClientSession(read, write) as client:
        await client.initialize()
        if words[0] == "list":
            return [tool.name for tool in (await client.list_tools()).tools]
        if words[0] == "repeat":
            return [" ".join(await call(client, *words[2:])) for _ in range(int(words[1]))]
        return await call(client, *words[1:])


async def call(client, name, arguments):
    answer = await client.call_tool(name, json.loads(arguments))
    failed = getattr(answer, "is_error", getattr(answer, "isError", None))
    text = [getattr(part, "text", str(part)) for part in answer.content]
    if failed:
        raise RuntimeError(" ".join(text))
    return text


async def run(url, key, words):
    from mcp.client import streamable_http as transport

    headers = {"Authorization": f"Bearer {key}"}
    if hasattr(transport, "create_mcp_http_client"):  # mcp 2
        async with transport.create_mcp_http_client(headers=headers) as http:
            async with transport.streamable_http_client(url, http_client=http) as streams:
                return await session(streams[0], streams[1], words)
    async with transport.streamablehttp_client(url, headers=headers) as streams:  # mcp 1
        return await session(streams[0], streams[1], words)


def offers_nothing(url, key):
    """Without a single server that the key may use, LiteLLM answers 403."""
    import httpx

    headers = {"Authorization": f"Bearer {key}", "Accept": "application/json, text/event-stream"}
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    return httpx.post(url, headers=headers, json=body, follow_redirects=True, timeout=30).status_code == 403


def first(error):
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


url, key, *words = sys.argv[1:]
try:
    print(json.dumps(asyncio.run(asyncio.wait_for(run(url, key, words), 60))))
except BaseException as error:
    if words[0] == "list" and offers_nothing(url, key):
        print("[]")
    else:
        print(first(error), file=sys.stderr)
        sys.exit(1)
