"""Runs one client and checks what it saw, and what it did to the portal."""

import json
import subprocess
import sys
import urllib.request

with open("ready.json") as ready:
    CONTROL = json.load(ready)["control"]


def control(verb, path):
    request = urllib.request.Request(CONTROL + path, method=verb)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def main():
    name, *command = sys.argv[1:]
    before = control("GET", "/state")
    control("DELETE", "/counters")
    seen = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
    with open("cards.json") as cards:
        number = len(json.load(cards))
    section = {"type": "section", "name": "main", "title": "New", "elements": [{"name": "TITLE", "optionFlags": 1}]}
    wanted = {"users": list(range(1, 122)), "departments": [1, 100, 101, 102], "cards": [[[section], None]] * number}
    counters = control("GET", "/counters")
    problems = [part for part, value in wanted.items() if seen.get(part) != value]
    problems += [f"{part}: {seen[part]}" for part in problems if part in seen]
    if (counters["rows_written"], counters["rows_removed"]) != (number, number):
        problems.append(f"counters: {counters}")
    if control("GET", "/state") != before:
        problems.append("rows: the state of the portal is not as before")
    problems += [f"complaint: {complaint}" for complaint in control("GET", "/complaints")]
    if problems:
        sys.exit(f"{name}:\n  " + "\n  ".join(problems))
    print(f"{name}: {len(seen['users'])} users, {len(seen['departments'])} departments, {number} cards")


main()
