# What `mcp-operator plugin build` runs, with componentize-py of .venv on the path.
set -eu
componentize-py --wit-path wit --world @WORLD@ componentize plugin --output @NAME@.wasm
