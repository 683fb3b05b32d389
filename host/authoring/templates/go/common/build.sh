# What `mcp-operator plugin build` runs; it makes the component of the core module.
set -eu
GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags='-s -checklinkname=0' -o @NAME@.core.wasm .
