"""Drives the built binaries as a user would: processes, configurations, upstreams, clients and load."""
from harness.client import Response, curl, exchange, get, rawConnection, readResponse, request
from harness.config import HTTP2, bootstrap, cluster, directResponse, exampleConfig, fileLog
from harness.config import httpFilter, httpListener, route, xdsBootstrap
from harness.process import TOP, Process, Scratch, SluiceTestCase, binary, waitFor
from harness.sluice import Control, Sluice
from harness.upstream import HttpUpstream, RawUpstream, Reply

__all__ = [name for name in dir() if not name.startswith("_")]
