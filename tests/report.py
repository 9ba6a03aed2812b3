#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks at what `defrag-bench report` has written.

report.py files DIR        the page and the pictures are well-formed and need nothing else
report.py svg FILE...      the same of single pictures
report.py probe PAGE FRAME writes FRAME, a page that shows PAGE 390 pixels wide and says how wide its contents are
report.py shown FILE.png   something is in the upper, the middle and the lower third of the screenshot
"""
import re
import struct
import sys
import xml.etree.ElementTree as tree
import zlib
from pathlib import Path

PICTURES = ["heap-map", "heap-strip", "usage", "pools", "pauses", "robson"]
SVG = "{http://www.w3.org/2000/svg}"


def fail(message):
    sys.exit(f"FAIL: {message}")


def check_self_contained(name, text, root):
    for element in root.iter():
        tag = element.tag.split("}")[-1]
        if tag in ("script", "link", "iframe", "object", "embed", "base", "use"):
            fail(f"{name}: has an element <{tag}>")
        for key, value in element.attrib.items():
            key = key.split("}")[-1]
            if key in ("src", "href", "srcset", "data") and not value.startswith("data:image/png;base64,"):
                fail(f"{name}: refers to {value}")
            if key.startswith("on"):
                fail(f"{name}: has a script, {key}")
    if re.search(r"url\(|@import", text):
        fail(f"{name}: its style refers to something")
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    if len(ids) != len(set(ids)):
        fail(f"{name}: an id stands twice")


def check_svg(name, root):
    if root.tag != SVG + "svg" or not root.get("viewBox") or root.find(SVG + "title") is None:
        fail(f"{name}: no picture with a viewBox and a title")
    _, _, width, height = map(float, root.get("viewBox").split())
    if not [text for text in root.iter(SVG + "text") if "".join(text.itertext()).strip()]:
        fail(f"{name}: has no labels")
    for label in root.iter(SVG + "g"):
        place = re.match(r"translate\(([-\d.]+),([-\d.]+)\)", label.get("transform", ""))
        if place and not (0 <= float(place[1]) <= width and 0 <= float(place[2]) <= height):
            fail(f"{name}: a label stands outside, at {place[0]}")


def check_dark(name, text, root):
    """Each colour of a label has another one on a dark page."""
    for colour in {label.get("fill") for label in root.iter(SVG + "g") if label.find(SVG + "text") is not None}:
        if f'[fill="{colour}"]' not in text:
            fail(f"{name}: labels in {colour} would be as dark as the page")


def check_svg_file(path):
    text = path.read_text()
    root = tree.fromstring(text)
    check_svg(path.name, root)
    check_dark(path.name, text, root)
    check_self_contained(path.name, text, root)


def check_png_file(path):
    bytes_ = path.read_bytes()
    if bytes_[:8] != b"\x89PNG\r\n\x1a\n" or b"IEND" not in bytes_[-12:]:
        fail(f"{path}: no whole PNG")


def check_page(path):
    text = path.read_text()
    root = tree.fromstring(re.sub(r"^<!DOCTYPE html>\n", '<?xml version="1.0"?>\n', text))
    check_self_contained(path.name, text, root)
    check_dark(path.name, text, root)
    inside = list(root.iter(SVG + "svg"))
    if len(inside) != 2 * len(PICTURES):
        fail(f"{path}: {len(inside)} pictures, not {2 * len(PICTURES)}")
    for number, picture in enumerate(inside):
        check_svg(f"{path.name}, picture {number + 1}", picture)
    if 'name="viewport"' not in text or "prefers-color-scheme" not in text:
        fail(f"{path}: says nothing of small screens, or of dark ones")


def check_files(folder):
    wanted = {"index.html"} | {name + ending for name in PICTURES for ending in (".svg", ".png")}
    found = {path.name for path in folder.iterdir()}
    if found != wanted:
        fail(f"{folder} has {sorted(found ^ wanted)} too many or too few")
    for name in PICTURES:
        check_svg_file(folder / (name + ".svg"))
        check_png_file(folder / (name + ".png"))
    check_page(folder / "index.html")


PROBE = """<script>onload = () => parent.postMessage(
    [document.documentElement.scrollWidth, document.documentElement.scrollHeight,
     [...document.querySelectorAll("svg")].filter(svg => svg.getBoundingClientRect().width > 300).length].join(" "),
    "*");</script>"""


def write_probe(page, frame):
    probed = frame.with_suffix(".probed.html")
    probed.write_text(page.read_text().replace("</body>", PROBE + "</body>"))
    frame.write_text(
        f"""<!DOCTYPE html><body style="margin:0"><iframe src="{probed.name}" style="border:0;width:390px;height:6000px">
</iframe><script>onmessage = event => document.title = "wide " + event.data</script></body>""")


def rows_of(bytes_):
    """The rows of a PNG as it stores them: what is like its surroundings is nearly all zeros."""
    width, height, _, colour = struct.unpack(">IIBB", bytes_[16:26])
    data, at = b"", 8
    while at < len(bytes_):
        length, kind = struct.unpack(">I4s", bytes_[at:at + 8])
        data += bytes_[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    data = zlib.decompress(data)
    stride = 1 + width * {2: 3, 6: 4}[colour]
    return [data[i * stride + 1:(i + 1) * stride] for i in range(height)]


def check_shown(path):
    rows = rows_of(path.read_bytes())
    third = len(rows) // 3
    for part in range(3):
        drawn = sum(len(row) - row.count(0) > 20 for row in rows[part * third:(part + 1) * third])
        if drawn < third // 5:
            fail(f"{path}: only {drawn} of {third} rows of third {part + 1} show anything")


def main():
    command, *arguments = sys.argv[1:]
    paths = [Path(argument) for argument in arguments]
    if command == "files":
        check_files(*paths)
    elif command == "svg":
        for path in paths:
            check_svg_file(path)
    elif command == "probe":
        write_probe(*paths)
    else:
        check_shown(*paths)


main()
