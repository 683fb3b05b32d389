"""Loads a file as LiteLLM's `include` would, with LiteLLM's own loader. Fails with its error.

check_include.py FILE
"""

import asyncio
import os
import sys
import tempfile

try:
    from litellm.proxy.mcp_server.mcp_server_manager import global_mcp_server_manager as manager
except ImportError:
    from litellm.proxy._experimental.mcp_server.mcp_server_manager import global_mcp_server_manager as manager
from litellm.proxy.proxy_server import ProxyConfig

with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as main:
    main.write(f"include: [{os.path.abspath(sys.argv[1])}]\n")
try:
    load = ProxyConfig().load_config(router=None, config_file_path=main.name)
    asyncio.new_event_loop().run_until_complete(asyncio.wait_for(load, 30))
    print(len(manager.config_mcp_servers))
    code = 0
except Exception as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    code = 1
finally:
    os.unlink(main.name)
sys.stdout.flush()
# The loader leaves tasks that an orderly end would wait for.
os._exit(code)
