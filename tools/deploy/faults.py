"""Faults that the checks must find: each is one replacement in a copy of the files."""

import shutil

# File, text, what replaces it, and the check that must find the fault.
FAULTS = (
    ("Dockerfile", "USER 65532:65532\n", "", "image"),
    ("Dockerfile", "cc-debian12:nonroot", "cc-debian13:nonroot", "image"),
    ("Dockerfile", 'CMD ["serve"]', "CMD serve", "image"),
    (".dockerignore", "!static\n", "", "context"),
    (".dockerignore", "!fuzz\n", "", "context"),
    (".dockerignore", "!src\n", "!src\n!deploy\n", "context"),
    ("deploy/compose.yaml", "read_only: true", "readonly: true", "compose"),
    ("deploy/compose.yaml", "cap_drop: [ALL]", "privileged: true", "compose"),
    ("deploy/compose.yaml", 'command: ["store", "migrate"]', 'command: ["store", "upgrade"]', "compose"),
    ("deploy/compose.yaml", "ROCKET_TRUSTED_PROXIES: '[\"10.89.55.0/24\"]'", "ROCKET_TRUSTED_PROXIES: any", "compose"),
    ("deploy/compose.yaml", "stop_grace_period: 15s", "stop_grace_period: 5s", "compose"),
    ("deploy/kubernetes/deployment.yaml", "maxUnavailable: 0", "maxUnavailable: [0]", "kubernetes"),
    ("deploy/kubernetes/deployment.yaml", "ROCKET_JWT_SECRET_FILE", "ROCKET_JWT_FILE", "kubernetes"),
    ("deploy/kubernetes/deployment.yaml", "containerPort: 5001", "containerPort: 5002", "kubernetes"),
    ("deploy/kubernetes/service.yaml", "component: node", "component: nodes", "kubernetes"),
    ("deploy/kubernetes/secret.example.yaml", '"CHANGE-ME"', '"c2VjcmV0"', "kubernetes"),
    ("deploy/kubernetes/migrate-job.yaml", "restartPolicy: Never", "restart: Never", "kubernetes"),
    ("deploy/systemd/shipyard.service", "ProtectSystem=strict", "ProtectSystems=strict", "systemd"),
    ("deploy/systemd/shipyard.service", "DynamicUser=yes", "User=root", "systemd"),
    ("deploy/systemd/shipyard.service", "LoadCredential=jwt_secret:", "LoadCredential=jwt:", "systemd"),
    ("deploy/haproxy.cfg", "option httpchk", "option http-check", "haproxy"),
)
COPIED = ("Dockerfile", ".dockerignore", "Cargo.toml", "Cargo.lock", "data.json", "benches/micro.rs", "crates", "fuzz", "spec",
          "src", "static", "tools/model", "deploy")


def are_found(checks, root, work):
    """Whether all are found."""
    copy = work / "copy"
    for name in COPIED:
        source, to = root / name, copy / name
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, to, ignore=shutil.ignore_patterns("target", "__pycache__"))
        else:
            shutil.copy(source, to)
    good = True
    for name, text, instead, check in FAULTS:
        path = copy / name
        before = path.read_text()
        if text not in before:
            print(f"faults      FAILED: {name} has no {text!r}")
            good = False
            continue
        path.write_text(before.replace(text, instead, 1))
        shutil.rmtree(work / "context", ignore_errors=True)
        if not getattr(checks, check)(copy):
            print(f"faults      FAILED: {check} does not find {instead!r} in {name}")
            good = False
        path.write_text(before)
    if good:
        print(f"faults      ok: all {len(FAULTS)} are found")
    return good
