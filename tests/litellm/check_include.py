"""Loads files as LiteLLM's `include` would, with LiteLLM's own loader. Prints a JSON list with what LiteLLM knows about
the servers of each file, or the error that LiteLLM would not start with.

check_include.py FILE...

Each environment variable that a file refers to has the value "value of <its name>".
"""

import asyncio
import json
import os
import re
import sys
import tempfile

try:
    from litellm.proxy.mcp_server.mcp_server_manager import global_mcp_server_manager as manager
except ImportError:
    from litellm.proxy._experimental.mcp_server.mcp_server_manager import global_mcp_server_manager as manager
from litellm.proxy.proxy_server import ProxyConfig


def known(server):
    info = dict(server.mcp_info or {})
    # LiteLLM keeps it there.
    description = info.pop("description", None)
    info.pop("server_name", None)
    return {
        "server_id": server.server_id,
        "url": server.url,
        "transport": server.transport,
        "auth_type": server.auth_type,
        "authentication_token": server.authentication_token,
        "description": description,
        "access_groups": server.access_groups,
        "allowed_tools": server.allowed_tools,
        "mcp_info": info,
        "oauth2_flow": server.oauth2_flow,
        "token_url": server.token_url,
        "scopes": server.scopes,
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        "rpm": server.rpm,
        "max_concurrent_requests": server.max_concurrent_requests,
        "timeout": server.timeout,
        "instructions": server.instructions,
        "allowed_params": server.allowed_params,
        "protocol_version": server.protocol_version,
    }


def load(loop, file):
    manager.config_mcp_servers.clear()
    with open(file, encoding="utf-8") as text:
        for name in re.findall(r'"os\.environ/(MCP_(?:TOKEN|CLIENT)_\w+)"', text.read()):
            os.environ[name] = f"value of {name}"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as main:
        main.write(f"include: [{os.path.abspath(file)}]\n")
    try:
        loading = ProxyConfig().load_config(router=None, config_file_path=main.name)
        loop.run_until_complete(asyncio.wait_for(loading, 30))
        return {server.server_name: known(server) for server in manager.config_mcp_servers.values()}
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        os.unlink(main.name)


loop = asyncio.new_event_loop()
print(json.dumps([load(loop, file) for file in sys.argv[1:]]))
sys.stdout.flush()
# The loader leaves tasks that an orderly end would wait for.
os._exit(0)
