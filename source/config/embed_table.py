"""Writes a text file as the C++ array SYMBOL, with SYMBOLSize: embed_table.py FILE SYMBOL."""

import json
import os
import sys

path, symbol = sys.argv[1:]
print("// Generated from %s.\nnamespace sluice::config {" % os.path.basename(path))
print("extern const char %s[];\nextern const unsigned %sSize;" % (symbol, symbol))
print("const char %s[] =" % symbol)
size = 0
with open(path, encoding="ascii") as table:
    for line in table:
        size += len(line)
        print("    " + json.dumps(line))
print("    ;\nconst unsigned %sSize = %d;\n}  // namespace sluice::config" % (symbol, size))
