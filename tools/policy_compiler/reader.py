# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a policy to what TOML makes of them, however many errors they have.

tomllib ends at the first error. Here the statement that it names is reported and left out, and the rest is read again, so
that a person sees all that is wrong at once. The lines left out are in policy.unread; rows that have one of them are judged
by what can be read of them, and not by what seems to be missing.
"""
import re
import tomllib

from .model import SUBJECTS, PolicyError
from .source import split_statements, unquote

SYNTAX_ERRORS_MAX = 20  # that one run reports: a file with more is no policy
DIGITS_MAX = 1000  # of a number: a policy has 64-bit numbers, and Python refuses to print one of 4,300 digits
HEADER = re.compile(r"[ \t]*\[")
SINGLE = re.compile(r"([ \t]*)\[[ \t]*([^\[\]\n]*?)[ \t]*\]")  # [name]
TORN = re.compile(r"[ \t]*\[+[ \t]*([a-z]+)[ \t]*\]*[ \t]*(#.*)?$")  # [[name] or [[name
BARE = re.compile(r"=\s*([A-Za-z][\w*-]*)\s*(?:#.*)?$")
BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
# First bytes of what editors and tools write in place of plain UTF-8
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
OTHER_FORMS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"\x1f\x8b", "packed with gzip"),
               (b"\x28\xb5\x2f\xfd", "packed with zstd"), (b"\xfd7zXZ", "packed with xz"), (b"BZh", "packed with bzip2"))
PLAIN = "a policy is UTF-8 text without a byte order mark; save it as that"


def decode(path, data):
    """(text, what is wrong with the first bytes or None). Raises PolicyError where there is no text to read."""
    found = next((name for magic, name in OTHER_FORMS if data.startswith(magic)), None)
    if found or b"\0" in data[1:2]:
        raise PolicyError([f"{path}:1: {found or 'UTF-16 without a byte order mark'}: {PLAIN}"])
    marked = data.startswith(BYTE_ORDER_MARK)
    data = data[len(BYTE_ORDER_MARK):] if marked else data
    try:
        return data.decode("utf-8"), f"UTF-8 with a byte order mark: {PLAIN}" if marked else None
    except UnicodeDecodeError as error:
        line = data[:error.start].count(b"\n") + 1
        raise PolicyError([f"{path}:{line}: not UTF-8: {error.reason} at byte {error.start}: {PLAIN}"]) from None


def read_text(policy, text):
    """What TOML makes of the text, a dictionary; and the text as it was read, with the same line numbers. What is wrong goes
    to policy.errors, and the lines left out for it to policy.unread."""
    lines = text.replace("\r\n", "\n").split("\n")
    mend_single_brackets(policy, lines)
    leave_out_long_numbers(policy, lines)
    for _ in range(SYNTAX_ERRORS_MAX):
        text = "\n".join(lines)
        try:
            return tomllib.loads(text), text
        except tomllib.TOMLDecodeError as error:
            where = re.search(r"\(at line (\d+), column \d+\)", str(error))
            line = min(int(where[1]), len(lines)) if where else last_line(lines)
            said = str(error).split(" (at")[0]
        except RecursionError:
            line = max(range(len(lines)), key=lambda number: len(re.findall(r"[\[{]", lines[number]))) + 1
            said = "nested too deeply: a field is a value, or a list of values"
        policy.error(line, f"not TOML: {said}{cure(lines[line - 1], said)}")
        leave_out(policy, lines, line)
    return {}, ""


def last_line(lines):
    """The number of the last line that has something in it; errors "at end of document" are shown there."""
    return next((number for number in range(len(lines), 1, -1) if lines[number - 1].strip()), 1)


def cure(line, said):
    """What to do about a line that TOML cannot read, where the line shows what was meant. said: tomllib's words."""
    match, torn = BARE.search(line), TORN.match(line)
    if torn and torn[1] in SUBJECTS:
        return f": {line.strip()}; write [[{torn[1]}]]"
    if "Illegal character '\\n'" in said:
        return ": the string does not end in its line; end it with the quote that it begins with"
    if not match:
        return ""
    word = match[1].lower()
    if word in ("true", "false") or word in BOOLEANS:
        return f": {match[1]}; write {BOOLEANS.get(word, word)}"
    return f": {match[1]}; write it in quotes: \"{match[1]}\""


def mend_single_brackets(policy, lines):
    """[sysreg] for [[sysreg]]: said, and read as it was meant."""
    for line, tokens in list(split_statements("\n".join(lines))):
        match = SINGLE.match(lines[line - 1])
        if match and "".join(tokens).strip().startswith("[") and unquote(match[2]) in SUBJECTS:
            name = unquote(match[2])
            policy.error(line, f"[{name}] is one table, and a policy has a list of rows: {name} must be an array of tables: "
                         f"write [[{name}]]")
            lines[line - 1] = f"{match[1]}[[{name}]]{lines[line - 1][match.end():]}"


def leave_out_long_numbers(policy, lines):
    for line, tokens in list(split_statements("\n".join(lines))):
        bare = "".join(token for token in tokens if len(token) == 1)
        found = re.search(rf"[0-9a-fA-F_]{{{DIGITS_MAX + 1},}}", bare)
        if found:
            policy.error(line, f"a number of {len(found[0])} digits: at most 64 bits; write one such as 0x9010000")
            leave_out(policy, lines, line)


def leave_out(policy, lines, line):
    """Leaves out the statement that has a line: down to the next header where it does not end before. A header that shows
    what was meant is mended in its place, so that what follows it stays a row of its own."""
    starts = [start for start, _ in split_statements("\n".join(lines)) if start <= line]
    first = starts[-1] if starts else line
    torn = TORN.match(lines[first - 1])
    policy.unread.update(range(first, line + 1))
    if torn and torn[1] in SUBJECTS and lines[first - 1].strip() != f"[[{torn[1]}]]":
        lines[first - 1] = f"[[{torn[1]}]]"
        return
    header, end = HEADER.match(lines[first - 1]), line
    if header:  # its fields would become those of the row before
        while end < len(lines) and not HEADER.match(lines[end]):
            end += 1
    else:
        later = [number for number in range(first + 1, line + 1) if re.match(r"\[\[", lines[number - 1])]
        end = later[0] - 1 if later else line
    policy.unread.update(range(first, end + 1))
    for number in range(first, end + 1):
        lines[number - 1] = ""
