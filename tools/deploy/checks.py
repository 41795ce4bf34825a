"""The checks of tools/deploy/check. Each takes a folder with the files, and returns what is wrong with them."""

import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import faults
import yaml

# The oldest and the newest version of Kubernetes whose schemas are tried.
KUBERNETES = ("1.30", "1.37")
# What `systemd-analyze security` may say at most, in tenths. Up to 4.9 is "OK" to it; it says 1.1.
EXPOSURE = 12
PLACEHOLDER = "CHANGE-ME"


class Checks:
    """`tools` is the folder of the tools from PyPI, `work` an empty folder, `program` the built shipyard."""

    def __init__(self, program, tools, work):
        self.program, self.tools, self.work = program, tools, work
        secrets = {"jwt_secret": "k" * 64, "database_url": "postgres://user:secret@127.0.0.1/name"}
        for name, text in secrets.items():
            path = work / name
            path.write_text(text + "\n")
            path.chmod(0o600)

    def all(self, root):
        """Findings by check."""
        return {name: getattr(self, name)(root) for name in CHECKS}

    def image(self, root):
        """hadolint, and that the image's C library is that of its build."""
        found = self._said([self.tools / "hadolint", root / "Dockerfile"])
        bases = re.findall(r"^FROM (\S+)", (root / "Dockerfile").read_text(), re.M)
        if not all(re.search(r"bookworm|debian12", base) for base in bases):
            found.append(f"the stages are of different systems: {bases}")
        rust = re.search(r"rust:(\d+)\.(\d+)", bases[0])
        least = tomllib.loads((root / "Cargo.toml").read_text())["package"]["rust-version"]
        if not rust or tuple(map(int, rust.groups())) < tuple(map(int, least.split("."))):
            found.append(f"{bases[0]}: Rust {least} or later is needed")
        if not re.search(r"^USER (?!0|root)", (root / "Dockerfile").read_text(), re.M):
            found.append("the image runs as root")
        return found

    def context(self, root):
        """.dockerignore lets through what a build reads, and no secret."""
        here = [path for path in self._tracked(root) if _is_sent(path, _ignore(root))]
        found = [f"{path} is sent to the build, too" for path in here if path.startswith(("deploy/", ".git", "docs/"))]
        read = Path(f"{self.program}.d").read_text().split(": ", 1)[1]
        source = Path(self._source(self.program))
        for path in map(Path, shlex.split(read)):
            name = path.relative_to(source).as_posix() if path.is_relative_to(source) else None
            if name and name not in here:
                found.append(f"{name} is read by a build, but not sent to it")
        copy = self.work / "context"
        for name in here:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((root / name).read_bytes())
        # A member of the workspace or a target whose file is missing is an error.
        return found + self._said(
            ["cargo", "metadata", "--locked", "--offline", "--format-version", "1"], cwd=copy, output=False)

    def compose(self, root):
        """The schema of the Compose Specification, and rules for secure containers."""
        path = root / "deploy" / "compose.yaml"
        found = self._said([self.tools / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path])
        found += self._said([self.tools / "compose-lint", path])
        services = yaml.safe_load(path.read_text())["services"]
        image = re.search(r"HEALTHCHECK .*CMD (\[.+\])", (root / "Dockerfile").read_text())
        for name, service in services.items():
            test = service.get("healthcheck", {}).get("test")
            if name.startswith("node") and (not image or test != ["CMD", *json.loads(image[1])]):
                found.append(f"{name}: its health check is not that of the image")
            if _is_ours(service):
                found += self._program(f"compose: {name}", service["environment"], service.get("command", ["serve"]))
                found += _version(root, service["image"].rsplit(":-", 1)[1].rstrip("}"))
            if name.startswith("node"):
                found += self._grace(f"compose: {name}", service["environment"], service["stop_grace_period"])
        return found

    def kubernetes(self, root):
        """The schemas of Kubernetes, and that the parts name each other."""
        paths = sorted((root / "deploy" / "kubernetes").glob("*.yaml"))
        validate = [self.tools / "kubernetes-validate", "--strict"]
        found = [line for version in KUBERNETES for line in self._said([*validate, "-k", version, *paths])]
        objects = {path.stem: yaml.safe_load(path.read_text()) for path in paths}
        for name, one in objects.items():
            spec = one.get("spec", {})
            if "template" in spec:
                pod = spec["template"]["spec"]
                (container,) = pod["containers"]
                settings = {variable["name"]: variable["value"] for variable in container["env"]}
                found += self._program(f"kubernetes: {name}", settings, container["args"])
                found += _version(root, container["image"])
                if one["kind"] == "Deployment":
                    found += self._grace(f"kubernetes: {name}", settings, f"{pod['terminationGracePeriodSeconds']}s")
                    found += _ports(container, settings, objects["service"])
        labels = objects["deployment"]["spec"]["template"]["metadata"]["labels"]
        selectors = {
            "deployment": objects["deployment"]["spec"]["selector"]["matchLabels"],
            "service": objects["service"]["spec"]["selector"],
            "pod-disruption-budget": objects["pod-disruption-budget"]["spec"]["selector"]["matchLabels"]}
        found += [f"{name}: selects no node" for name, wanted in selectors.items() if not wanted.items() <= labels.items()]
        for name, value in objects["secret.example"]["stringData"].items():
            if PLACEHOLDER not in value:
                found.append(f"secret.example: {name} may be a real secret")
        return found

    def systemd(self, root):
        """systemd's own check, its rating, and the settings."""
        paths = sorted((root / "deploy" / "systemd").iterdir())
        units = [self.work / path.name for path in paths]
        for unit, path in zip(units, paths):
            unit.write_text(path.read_text().replace("/usr/bin/shipyard", str(self.program)))
        # The warnings are the point: by its exit status alone, an unknown setting passes.
        found = self._said(["systemd-analyze", "verify", *units], silent=True)
        for unit in units:
            if unit.suffix == ".service":
                found += self._said(
                    ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", unit], last=True)
                found += self._unit(unit.read_text().replace(str(self.program), "/usr/bin/shipyard"))
        return found

    def _unit(self, text):
        """The program takes the commands and settings of the unit, and the credentials are there."""
        found = [] if re.search(r"^DynamicUser=yes$", text, re.M) else ["the service runs as root"]
        words = [word for line in re.findall(r"^Environment=(.+)", text, re.M) for word in shlex.split(line)]
        settings = dict(word.split("=", 1) for word in words)
        for command in re.findall(r"^Exec\w+=/usr/bin/shipyard (.+)", text, re.M):
            found += self._program("systemd", settings, shlex.split(command))
        credentials = set(re.findall(r"^LoadCredential=(\w+):", text, re.M))
        named = {value.removeprefix("%d/") for value in settings.values() if value.startswith("%d/")}
        if credentials != named:
            found.append(f"credentials {sorted(credentials)}, but settings name {sorted(named)}")
        stop = re.search(r"^TimeoutStopSec=(\d+)", text, re.M)
        return found + (self._grace("systemd", settings, stop[1] + "s") if stop else [])

    def haproxy(self, root):
        """haproxy's own check."""
        return self._said(["haproxy", "-c", "-q", "-f", root / "deploy" / "haproxy.cfg"])

    def _program(self, where, settings, command):
        """The program takes these settings and this command."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ROCKET_")}
        for name, value in settings.items():
            secret = self.work / Path(str(value)).name
            environment[name] = str(secret) if name.endswith("_FILE") and secret.is_file() else str(value)
        found = self._said([self.program, "config"], output=False, env=environment)
        found += self._said([self.program, *command, "--help"], output=False, env=environment)
        # The first line says what is wrong; usage follows.
        return [f"{where}: {line}" for line in found[:1]]

    def _grace(self, where, settings, time):
        """The time to stop is longer than what the server takes for it at most."""
        shown = subprocess.run([self.program, "config"], capture_output=True, text=True, check=True, cwd=self.work).stdout
        default = tomllib.loads(shown)["default"]
        delay = float(settings.get("ROCKET_SHUTDOWN_DELAY", default["shutdown_delay"]))
        needed = delay + default["shutdown"]["grace"] + default["shutdown"]["mercy"]
        return [] if float(time.removesuffix("s")) > needed else [f"{where}: {time} to stop, of {needed} s that it can take"]

    def _said(self, command, silent=False, output=True, last=False, **more):
        """What a tool says if it finds something: at an exit status, or with `silent` if it says anything at all."""
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, **{"cwd": self.work, "timeout": 120, **more})
        said = (done.stdout if output else "") + done.stderr
        if done.returncode == 0 and not (silent and said.strip()):
            return []
        lines = said.strip().splitlines() or [f"exit status {done.returncode}"]
        name = " ".join(Path(str(word)).name for word in command[:2])
        return [f"{name}: {line}" for line in (lines[-1:] if last else lines)]

    @staticmethod
    def _tracked(root):
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=root, capture_output=True, text=True,
            check=False)
        if listed.returncode == 0:
            return [name for name in listed.stdout.splitlines() if (root / name).is_file()]
        return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]

    @staticmethod
    def _source(program):
        """The repository from whose folder the program was built."""
        return program.parent.parent.parent


CHECKS = ("image", "context", "compose", "kubernetes", "systemd", "haproxy")


def _is_ours(service):
    return "shipyard" in service["image"]


def _ignore(root):
    """The patterns of .dockerignore: whether they let files in, and what they match."""
    lines = (line.strip() for line in (root / ".dockerignore").read_text().splitlines())
    return [(line.startswith("!"), line.removeprefix("!")) for line in lines if line and not line.startswith("#")]


def _is_sent(path, patterns):
    """The last pattern that matches the path, or a folder above it, decides."""
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    sent = True
    for lets_in, pattern in patterns:
        tails = [one for folder in above for one in _tails(folder)] if pattern.startswith("**/") else above
        # `*` of Docker stops at a slash, so it is tried on paths with as many.
        pattern = pattern.removeprefix("**/")
        if any(one.count("/") == pattern.count("/") and fnmatch.fnmatchcase(one, pattern) for one in tails):
            sent = lets_in
    return sent


def _tails(path):
    parts = path.split("/")
    return ["/".join(parts[at:]) for at in range(len(parts))]


def _version(root, image):
    version = tomllib.loads((root / "Cargo.toml").read_text())["package"]["version"]
    return [] if image.endswith(f":{version}") else [f"{image} is not of version {version}"]


def _ports(container, settings, service):
    """The probes ask, and the service sends to, ports on which the node listens."""
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    asked = {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe", "startupProbe")}
    found = [f"a probe asks port {port}" for port in asked if port != "admin"]
    if not settings["ROCKET_ADMIN_ADDRESS"].endswith(f":{ports['admin']}"):
        found.append(f"port admin is not that of {settings['ROCKET_ADMIN_ADDRESS']}")
    if [port["targetPort"] for port in service["spec"]["ports"]] != ["http"] or ports["http"] != 5000:
        found.append("the service does not send to port 5000")
    return found


def main(root, program, tools, work):
    root, program, tools, work = map(Path, (root, program, tools, work))
    checks = Checks(program, tools, work)
    failed = False
    for name, found in checks.all(root).items():
        print(f"{name:11} {'ok' if not found else 'FAILED'}")
        for line in found:
            print(f"  {line}")
        failed |= bool(found)
    if not failed:
        failed = not faults.are_found(checks, root, work)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
