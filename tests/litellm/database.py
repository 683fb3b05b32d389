"""LiteLLM's database, from outside.

database.py URL migrate     creates the database and all of LiteLLM's tables, by its own migrations
database.py URL run SQL     carries out a statement
"""

import pathlib
import sys
import time

import psycopg


def connect(url):
    """The route to a pod that has just begun to serve may come a moment later."""
    for attempt in range(60):
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            if attempt == 59:
                raise
            time.sleep(0.5)


def run(url, statement):
    with connect(url) as connection:
        connection.execute(statement)


def migrate(url):
    import litellm_proxy_extras

    server, name = url.rsplit("/", 1)
    run(f"{server}/postgres", f"create database {name}")
    folder = pathlib.Path(litellm_proxy_extras.__file__).parent / "migrations"
    with connect(url) as connection:
        for file in sorted(folder.glob("*/migration.sql")):
            connection.execute(file.read_bytes())


url, verb, *words = sys.argv[1:]
{"migrate": migrate, "run": run}[verb](url, *words)
