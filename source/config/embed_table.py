"""Writes known_fields.tsv as the C++ array that known_fields.cc reads."""

import sys

print("// Generated from known_fields.tsv.\nnamespace sluice::config {")
print("extern const char kKnownFieldsTable[];\nextern const unsigned kKnownFieldsTableSize;")
print("const char kKnownFieldsTable[] =")
size = 0
with open(sys.argv[1], encoding="ascii") as table:
    for line in table:
        size += len(line)
        print('    "%s"' % line.replace("\t", "\\t").replace("\n", "\\n"))
print("    ;\nconst unsigned kKnownFieldsTableSize = %d;\n}  // namespace sluice::config" % size)
