#!/usr/bin/env python3
"""The admin API against schemathesis, which makes requests out of the API's own description, right and wrong ones.

Starts a node on loopback, makes a token for everything by its command line, and lets schemathesis ask every address; any
answer that is a server error, or that the description does not know, is a failure. schemathesis is installed from PyPI
into --venv, if it is not there.

    python3 tests/e2e/admin_api.py --binaries target/debug --venv target/admin_api
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

WANTED = "schemathesis>=4.0,<5"
# Addresses that would end what the others need, or that keep the machine busy, are asked by other tests.
LEFT_OUT = ["/backups", "/checks"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def environment(folder):
    """Where schemathesis is."""
    program, stamp = os.path.join(folder, "bin", "schemathesis"), os.path.join(folder, "wanted")
    if not os.path.exists(stamp) or open(stamp).read() != WANTED:
        print(f"installing {WANTED} into {folder}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [os.path.join(folder, "bin", "python3"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, WANTED], check=True)
        open(stamp, "w").write(WANTED)
    return program


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--binaries", required=True)
    options.add_argument("--venv", required=True)
    options.add_argument("--examples", type=int, default=15, help="requests of a sort for each address")
    options.add_argument("--seed", type=int, default=1)
    told = options.parse_args()
    schemathesis, startalk = environment(os.path.abspath(told.venv)), os.path.abspath(os.path.join(told.binaries, "startalk"))
    with tempfile.TemporaryDirectory(prefix="startalk-admin-") as folder:
        data = os.path.join(folder, "data")
        command = [startalk, "--json", "--data", data, "up", "--listen", "127.0.0.1:0", "--domain", "a.test"]
        log = open(os.path.join(folder, "log"), "w")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as node:
            try:
                port = json.loads(node.stdout.readline())["port"]
                ask = lambda *words: json.loads(subprocess.check_output([startalk, "--json", "--data", data, *words]))
                # An administrator whom no token made by the operator can be the last of.
                ask("user", "add", "keeper", "--administrator")
                token = ask("token", "add", "schemathesis", "--scope", "all")["secret"]
                base = f"http://127.0.0.1:{port}/api/admin/v1"
                run = [schemathesis, "run", f"{base}/openapi.json", "--url", base, "--header", f"Authorization: Bearer {token}"]
                run += ["--checks", CHECKS, "--max-examples", str(told.examples), "--seed", str(told.seed)]
                run += ["--phases", "examples,coverage,fuzzing", "--no-color"]
                for path in LEFT_OUT:
                    run += ["--exclude-path", path]
                code = subprocess.run(run, cwd=folder).returncode  # it keeps a folder of its own where it runs
                if node.poll() is not None:
                    print("the node ended", file=sys.stderr)
                    code = 1
            finally:
                node.terminate()
        if code:
            print(open(os.path.join(folder, "log")).read()[-4000:], file=sys.stderr)
        return code


if __name__ == "__main__":
    sys.exit(main())
