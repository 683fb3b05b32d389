"""Loads files as LiteLLM's `include` would, with LiteLLM's own loader. Prints a JSON list with the names of the servers
of each file, or the error that LiteLLM would not start with.

check_include.py FILE...
"""

import asyncio
import json
import os
import sys
import tempfile

try:
    from litellm.proxy.mcp_server.mcp_server_manager import global_mcp_server_manager as manager
except ImportError:
    from litellm.proxy._experimental.mcp_server.mcp_server_manager import global_mcp_server_manager as manager
from litellm.proxy.proxy_server import ProxyConfig


def load(loop, file):
    manager.config_mcp_servers.clear()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as main:
        main.write(f"include: [{os.path.abspath(file)}]\n")
    try:
        loading = ProxyConfig().load_config(router=None, config_file_path=main.name)
        loop.run_until_complete(asyncio.wait_for(loading, 30))
        return sorted(server.server_name for server in manager.config_mcp_servers.values())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        os.unlink(main.name)


loop = asyncio.new_event_loop()
print(json.dumps([load(loop, file) for file in sys.argv[1:]]))
sys.stdout.flush()
# The loader leaves tasks that an orderly end would wait for.
os._exit(0)
