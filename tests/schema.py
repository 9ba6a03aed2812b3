#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""schema.py SCHEMA FILE...: each file is JSON as the schema has it, and with a member more or less it is not."""
import copy
import json
import sys

import jsonschema


def objects(value, path=()):
    """Every object in it, and where."""
    if isinstance(value, dict):
        yield path, value
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from objects(inner, path + (key,))


def changed(value, path, change):
    value = copy.deepcopy(value)
    inner = value
    for key in path:
        inner = inner[key]
    change(inner)
    return value


def small(value):
    """The same with at most two elements in each array: what follows takes a look at every member."""
    if isinstance(value, list):
        return [small(inner) for inner in value[:2]]
    return {key: small(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def check(validator, optional, name, value):
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    if error:
        sys.exit(f"{name}: {error.json_path}: {error.message[:300]}")
    value = small(value)
    count = 0
    for path, inner in objects(value):
        if path and path[-1] in ("metadata", "control"):
            continue  # their members are whatever they are
        if validator.is_valid(changed(value, path, lambda o: o.update(another=1))):
            sys.exit(f"{name}: {path}: a member that the schema does not know is accepted")
        for key in inner:
            count += 1
            if key not in optional and validator.is_valid(changed(value, path, lambda o: o.pop(key))):
                sys.exit(f"{name}: {path}: {key} may be missing")
            if validator.is_valid(changed(value, path, lambda o: o.update({key: [[]]}))):
                sys.exit(f"{name}: {path}: {key} may be anything")
    return count


def optional_members(schema):
    """Those that some object need not have."""
    return {key for _, inner in objects(schema) if "required" in inner and isinstance(inner["required"], list)
            for key in set(inner["properties"]) - set(inner["required"])}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    validator = kind(schema)
    optional = optional_members(schema)
    for name in sys.argv[2:]:
        with open(name, encoding="utf-8") as file:
            print(f"{name}: {check(validator, optional, name, json.load(file))} members")


main()
