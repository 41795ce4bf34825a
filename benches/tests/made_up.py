"""Made-up results, for tests."""

from bench.promises import OWN

# Microseconds a request, the same for every workload and number of connections.
CPU = {"hyper": 10, "rocket": 20, OWN: 12, "axum": 14, "flask": 200, "fastapi": 150, "express": 60, "json-server": 90}
P99 = {name: cpu * 10 for name, cpu in CPU.items()}
WORKLOADS = ("get", "put", "refresh", "list-10000")


def spread(*rounds):
    return {"median": sorted(rounds)[len(rounds) // 2], "min": min(rounds), "max": max(rounds), "rounds": list(rounds)}


def cell(workload, connections, peer):
    return {
        "workload": workload, "connections": connections, "peer": peer, "failed": None, "requests": [1000] * 3,
        "reconnects": 0, "cpu_us": spread(*[CPU[peer]] * 3), "requests_s": spread(*[1e6 / CPU[peer]] * 3),
        "p50_us": spread(*[P99[peer] / 2] * 3), "p99_us": spread(*[P99[peer]] * 3), "p999_us": spread(*[P99[peer]] * 3)}


def results():
    peer = {
        "floor": False, "start_ms": spread(30, 40, 45), "idle_mb": spread(9, 10, 11), "peak_mb": spread(20),
        "peak_login_mb": spread(30),
        "peak_many_mb": None, "installed_mb": 12.5}
    return {
        "date": "2026-01-02", "command": "benches/run", "commit": "0123456789abcdef", "changed": False,
        "machine": {"cpu": "CPU", "cores": 2, "memory_gb": 8, "kernel": "Linux 6"},
        "versions": {"rustc": "rustc 1.0.0 (of today)", "python": "3", "node": "20", "peers": {"axum": {"axum": "0.8"}}},
        "options": {"rounds": 3, "seconds": 1.0, "seed": 7}, "others_percent": 0.5,
        "peers": {name: dict(peer) for name in CPU},
        "cells": [
            cell(workload, connections, name)
            for workload in WORKLOADS for connections in (1, 32, 256) for name in CPU]}


def find(results_, workload, connections, peer):
    return next(
        cell for cell in results_["cells"]
        if (cell["workload"], cell["connections"], cell["peer"]) == (workload, connections, peer))
