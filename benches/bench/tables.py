"""The tables of docs/performance.md."""

from bench.summary import FLOOR, RIVAL, Results
from bench.workloads import NAMES

MAIN = 32
TITLES = {
    "get": "`GET /api/ships/1` to `15` in turn",
    "list": "`GET /api/ships`, 15 ships",
    "put": "`PUT /api/ships/1` with an access token",
    "refresh": "`POST /auth/refresh`",
    "login": "`POST /auth/login`",
    "404": "`GET /api/ships/999999`: 404",
    "mixed": "four of five `GET /api/ships/1` to `15`, one of five `PUT /api/ships/1`",
    "list-10000": "`GET /api/ships`, 10,000 ships",
}


def render(results):
    """All tables, as Markdown."""
    found = Results(results)
    connections = sorted({cell["connections"] for cell in results["cells"]})
    workloads = [name for name in NAMES if any(cell["workload"] == name for cell in results["cells"])]
    parts = [_measured_with(results)]
    main = MAIN if MAIN in connections else connections[0]
    parts += [_main(found, workload, main) for workload in workloads]
    parts += [_compact(found, workloads, count) for count in connections if count != main]
    parts += [_starts(results), _out(results)]
    return "\n\n".join(part for part in parts if part)


def table(heads, rows):
    """Numbers to the right, the first column to the left."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _measured_with(results):
    machine, options = results["machine"], results["options"]
    return (
        f"Measured on {results['date']} at commit {results['commit'][:12]}"
        f"{' with changes' if results['changed'] else ''}: {machine['cores']} cores ({machine['cpu']},"
        f" {machine['memory_gb']} GB, {machine['kernel']}), medians of {options['rounds']} rounds of"
        f" {options['seconds']:g} s each, seed {options['seed']}. Other programs took"
        f" {results['others_percent']:g} % of the two cores meanwhile. {_versions(results)}")


def _versions(results):
    """Those that name a peer; all others are in the results."""
    versions = results["versions"]
    main = {
        "hyper": "hyper", "rocket": "rocket", "shipyard": "rocket", "axum": "axum", "actix": "actix-web", "flask": "Flask",
        "fastapi": "fastapi", "express": "express", "json-server": "json-server"}
    found = {of: versions["peers"][name][of] for name, of in main.items() if of in versions["peers"].get(name, {})}
    peers = ", ".join(f"{name} {version}" for name, version in found.items())
    rustc = versions["rustc"].split(" (")[0]
    return f"With {rustc}, Python {versions['python']}, Node {versions['node']}; {peers}."


def _main(found, workload, connections):
    heads = ["", "CPU, µs a request", f"× {FLOOR}", f"× {RIVAL}", "requests/s", "p50", "p99", "p99.9"]
    rows = []
    for peer in found.peers:
        cell = found.cell(workload, connections, peer)
        if cell is None:
            continue
        if cell["failed"]:
            rows.append([peer, "out", *[""] * (len(heads) - 2)])
            continue
        ratios = (found.ratio("cpu_us", workload, connections, peer, other) for other in (FLOOR, RIVAL))
        rows.append([
            peer, number(cell["cpu_us"]["median"]), *(number(ratio) if ratio else "" for ratio in ratios),
            f"{cell['requests_s']['median']:,.0f}",
            *(time(cell[name]["median"]) for name in ("p50_us", "p99_us", "p999_us"))])
    return f"#### {workload}: {TITLES[workload]}; {counted(connections)}\n\n{table(heads, rows)}"


def _compact(found, workloads, connections):
    rows = []
    for peer in found.peers:
        row = [peer]
        for workload in workloads:
            cell = found.cell(workload, connections, peer)
            if cell is None:
                row.append("")
            elif cell["failed"]:
                row.append("out")
            else:
                row.append(f"{number(cell['cpu_us']['median'])}, {time(cell['p99_us']['median'])}")
        rows.append(row)
    title = f"{counted(connections)}: CPU in µs a request, and p99"
    return f"#### {title}\n\n{table(['', *workloads], rows)}"


def _starts(results):
    heads = ["", "start to the first answer", "idle", "at most", "at most, logins", "at most, 10,000 ships", "installed"]
    rows = []
    for name, peer in results["peers"].items():
        memory = (peer[figure] for figure in ("idle_mb", "peak_mb", "peak_login_mb", "peak_many_mb"))
        rows.append([
            name, time(peer["start_ms"]["median"] * 1000) if peer["start_ms"] else "",
            *(f"{figure['median']:,.0f} MB" if figure else "" for figure in memory),
            f"{peer['installed_mb']:,.1f} MB"])
    return f"#### Start-up, memory, size\n\n{table(heads, rows)}"


def _out(results):
    lines = [
        f"- {cell['peer']}, {cell['workload']}, {counted(cell['connections'])}: {cell['failed']}"
        for cell in results["cells"] if cell["failed"]]
    return "Out of a row, and why:\n\n" + "\n".join(lines) if lines else ""


def counted(connections):
    return f"{connections} connection{'' if connections == 1 else 's'}"


def number(value):
    """Three digits, and all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def time(micros):
    return f"{number(micros)} µs" if micros < 1000 else f"{number(micros / 1000)} ms"
