#!/bin/sh
# Called by cargo in the place of rustc, whose path is the first argument. Cargo derives a crate's hash from the absolute path
# of each crate that is outside of the workspace's folder, and symbols and their order follow from it: `../host/api` of
# `plugins/` would make another component in each folder. Crates of this checkout are told apart by their names alone.
set -eu
rustc=$1
shift
case "${CARGO_MANIFEST_DIR:-}/" in
"$CHECKOUT"/*)
    for argument; do
        shift
        case $argument in
        metadata=*) argument="metadata=$CARGO_PKG_NAME-$CARGO_CRATE_NAME" ;;
        esac
        set -- "$@" "$argument"
    done
    ;;
esac
exec "$rustc" "$@"
