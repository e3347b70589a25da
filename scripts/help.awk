# SPDX-License-Identifier: Apache-2.0
# `make help`: the ## line above each target or variable of the makefiles.
/^## / { text = substr($0, 4); next }
text != "" && /^\.PHONY:/ { next }
text != "" && /^[A-Z_]+ *\?=/ {
    name = $1; value = $0; sub(/^[^=]*= */, "", value)
    variables = variables sprintf("  %-16s %s%s\n", name, text, value == "" || value ~ /\$/ ? "" : " (" value ")")
    text = ""; next
}
text != "" && /^[a-z-]+:/ { split($0, part, ":"); targets = targets sprintf("  make %-18s %s\n", part[1], text) }
{ text = "" }
END { printf "Targets:\n%s\nVariables (make NAME=value):\n%s", targets, variables }
